"""Adds up the JUnit reports that pytest left in a folder, and prints one line."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def main(folder: str) -> int:
    counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for report in Path(folder).glob("*.xml"):
        for suite in ElementTree.parse(report).iter("testsuite"):  # noqa: S314 - pytest wrote it just now
            for key in counts:
                counts[key] += int(suite.get(key, 0))
    failed = counts["failures"] + counts["errors"]
    passed = counts["tests"] - failed - counts["skipped"]
    print(f"{passed} passed, {failed} failed, {counts['skipped']} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
