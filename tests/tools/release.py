"""Prepares a release: `release.py prepare VERSION` before the tests, `release.py tell TARBALL` after them.

It commits, tags and pushes nothing: it says what is left to do.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import yaml
from ansible.utils.version import SemanticVersion

ROOT = Path(__file__).parents[2]

#: Where the version stands. galaxy.yml is asked what it is, and all follow.
PLACES = {
    "galaxy.yml": ["\nversion: {version}\n"],
    "plugins/module_utils/_version.py": ['\nVERSION = "{version}"\n'],
    "decision-environment.yml": ["plivo-voice-{version}.tar.gz", "plivo-voice-de:{version}\n"],
    "execution-environment.yml": ["plivo-voice-{version}.tar.gz", "plivo-voice-ee:{version}\n"],
    "docs/awx.md": ["plivo-voice-ee:{version}\n"],
    "README.md": ['version: ">={major}.0.0,<{next_major}.0.0"\n'],
    "examples/awx-project/collections/requirements.yml": ['version: ">={major}.0.0,<{next_major}.0.0"\n'],
}


class RefusedError(Exception):
    """Why there can be no such release, and what to do."""


def version_in(root: Path) -> str:
    return str(yaml.safe_load((root / "galaxy.yml").read_text(encoding="utf-8"))["version"])


def released_in(root: Path) -> list[str]:
    changelog = yaml.safe_load((root / "changelogs/changelog.yaml").read_text(encoding="utf-8"))
    return list(changelog["releases"])


def check(version: str, released: Collection[str], tags: Collection[str], changed: Collection[str]) -> bool:
    """Whether there is anything to prepare. If not, it has been done, and only the tests are left.

    :param released: the changelog's releases.
    :param changed: files that are not committed.
    :raises RefusedError: no such release is possible.
    """
    try:
        wanted = SemanticVersion()
        # Unlike the constructor this does not take an empty text.
        wanted.parse(version)
    except ValueError:
        raise RefusedError(
            f"VERSION={version}: this is no semantic version; give one such as 1.2.3: make release VERSION=1.2.3"
        ) from None
    if version in tags:
        raise RefusedError(f"VERSION={version}: the tag {version} is there, so it is released; give a higher version.")
    if version in released:
        return False
    higher = [each for each in released if SemanticVersion(each) >= wanted]
    if higher:
        raise RefusedError(f"VERSION={version}: {', '.join(higher)} is in the changelog; give a higher version.")
    if changed:
        raise RefusedError(f"Not committed yet: {', '.join(changed)}; commit or stash it first.")
    return True


def write_version(root: Path, version: str) -> None:
    """Put the version wherever it stands.

    :raises RefusedError: a place is not there any more. Then nothing is changed.
    """
    old, new = _as_fields(version_in(root)), _as_fields(version)
    contents = {}
    for name, patterns in PLACES.items():
        content = (root / name).read_text(encoding="utf-8")
        for pattern in patterns:
            found = pattern.format(**old)
            if found not in content:
                raise RefusedError(f"{name} has no {found.strip()}; correct it, or PLACES in release.py.")
            content = content.replace(found, pattern.format(**new))
        contents[name] = content
    for name, content in contents.items():
        (root / name).write_text(content, encoding="utf-8")


def _as_fields(version: str) -> dict[str, str | int]:
    major = SemanticVersion(version).major
    return {"version": version, "major": major, "next_major": major + 1}


def _lines(*command: str) -> list[str]:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()


def prepare(version: str) -> None:
    changed = [line[3:] for line in _lines("git", "status", "--porcelain")]
    if not check(version, released_in(ROOT), _lines("git", "tag", "--list"), changed):
        print(f"{version} is in the changelog already. Next: the tests.")
        return
    subprocess.run(["antsibull-changelog", "lint"], cwd=ROOT, check=True)
    write_version(ROOT, version)
    subprocess.run(["antsibull-changelog", "release", "--reload-plugins"], cwd=ROOT, check=True)
    print(f"{version} is in the changelog and wherever the version stands. Next: the tests.")


def tell(tarball: Path) -> None:
    version = version_in(ROOT)
    with tarfile.open(tarball) as archive:
        names = [member.name for member in archive.getmembers() if member.isfile()]
    folders = Counter(name.split("/")[0] if "/" in name else "." for name in names)
    contents = ", ".join(f"{count} in {folder}" for folder, count in sorted(folders.items()))
    print(f"\n{tarball.relative_to(ROOT)}: {tarball.stat().st_size / 1024:.0f} KiB, {len(names)} files: {contents}.")
    print("It installs without a network, and ansible-galaxy has verified it. What is to be committed:\n")
    print("\n".join(f"  {line}" for line in _lines("git", "status", "--short")) or "  nothing: it has been done")
    print(f"""
To release it:

  git add --all && git commit --message "Release {version}"
  git tag --annotate {version} --message "plivo.voice {version}"
  git push origin HEAD {version}
  ansible-galaxy collection publish {tarball.relative_to(ROOT)} --token "$GALAXY_TOKEN"
""")


def main() -> int:
    parser = argparse.ArgumentParser(prog="release.py", description=__doc__)
    steps = parser.add_subparsers(required=True, dest="step")
    steps.add_parser("prepare").add_argument("version")
    steps.add_parser("tell").add_argument("tarball", type=Path)
    arguments = parser.parse_args()
    try:
        if arguments.step == "prepare":
            prepare(arguments.version)
        else:
            tell(arguments.tarball.absolute())
    except RefusedError as refusal:
        print(f"make release: {refusal}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
