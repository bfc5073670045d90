"""The cells of the support matrix: the one definition for laptop, CI and README."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from antsibull_nox.ansible import get_ansible_core_info
from antsibull_nox.utils import Version

#: The lowest is what meta/runtime.yml asks for.
CORES = ("2.16", "2.18", "2.19", "2.20", "2.21")
#: The Pythons that modules run under. tests/config.yml and requirements.txt begin with the same ones.
PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
#: As of the day: tests/requirements-newest.txt lifts the pin of tests/requirements-cells.txt.
NEWEST = "newest"
#: tests/requirements-lowest.txt pins it. A urllib3 of its time does not run under Python 3.12.
LOWEST = "2.25.1"
PYTHONS_OF_THE_LOWEST = ("3.9", "3.10", "3.11")
SANITY = "sanity"


class Kind(Enum):
    """What a cell does."""

    CONTROLLER = "the modules' unit tests, and the integration tests of modules and playbooks"
    SANITY = "ansible-test sanity"
    TARGET = "all unit tests of the modules, and their integration tests, with the modules under this Python"


@dataclass(frozen=True)
class Cell:
    """One combination that is tested.

    :param kind: what it does.
    :param version: of ansible-core; of requests, where it is a target.
    :param pythons: the one that it is about. For sanity those that will do, the best first.
    """

    kind: Kind
    version: str
    pythons: tuple[str, ...]

    @property
    def column(self) -> str:
        return SANITY if self.kind is Kind.SANITY else self.pythons[0]

    @property
    def name(self) -> str:
        """What nox and make call it."""
        if self.kind is Kind.TARGET:
            return f"python-{self.column}-requests-{self.version}"
        return f"core-{self.version}-{'' if self.kind is Kind.SANITY else 'python-'}{self.column}"


def pythons_of(core: str) -> list[str]:
    """The Pythons that a controller with this ansible-core may run under."""
    return [str(version) for version in get_ansible_core_info(Version.parse(core)).controller_python_versions]


CELLS = [
    *(Cell(Kind.CONTROLLER, core, (python,)) for core in CORES for python in pythons_of(core)),
    *(Cell(Kind.TARGET, NEWEST, (python,)) for python in PYTHONS),
    *(Cell(Kind.TARGET, LOWEST, (python,)) for python in PYTHONS_OF_THE_LOWEST),
    *(Cell(Kind.SANITY, core, tuple(reversed(pythons_of(core)))) for core in CORES),
]
