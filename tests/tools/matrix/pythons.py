"""Finds the Pythons of this machine."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path


def find(version: str, environment: Mapping[str, str]) -> str | None:
    """A Python of this version, such as 3.12, that really starts: from PATH, from pyenv or from uv."""
    return next((str(path) for path in _candidates(version, environment) if _is(path, version)), None)


def _candidates(version: str, environment: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environment.get("HOME", "/"))
    folders = [Path(folder) for folder in environment.get("PATH", "").split(os.pathsep) if folder]
    for folder in folders:
        yield folder / f"python{version}"
    # A shim of pyenv on PATH starts only the versions that the user has chosen; the others lie beside it.
    pyenv = [folder.parent / "versions" for folder in folders if folder.name == "shims"]
    pyenv += [Path(environment.get("PYENV_ROOT", home / ".pyenv")) / "versions"]
    data = Path(environment.get("XDG_DATA_HOME", home / ".local/share"))
    uv = Path(environment.get("UV_PYTHON_INSTALL_DIR", data / "uv/python"))
    for folder, pattern in [*((folder, f"{version}.*") for folder in pyenv), (uv, f"cpython-{version}.*")]:
        for found in sorted(folder.glob(pattern), key=_by_number, reverse=True):
            yield found / f"bin/python{version}"


def _by_number(folder: Path) -> list[int]:
    return [int(number) for number in re.findall("[0-9]+", folder.name)]


def _is(path: Path, version: str) -> bool:
    # Tried, not looked up: a name can be there and lead nowhere, as the shims of version managers do.
    command = [str(path), "-c", "import ensurepip, ssl, venv, sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return False
    return done.stdout.strip() == version
