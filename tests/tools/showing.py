"""How the demonstrations look."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

WIDTH = 100


def title(text: str) -> None:
    """Begin a step."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}")
    print("─" * WIDTH, flush=True)


def run(command: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Show a command, run it, and end the demonstration if it fails."""
    print(f"$ {command}", flush=True)
    # Without a standard input, as in AWX: nothing here may ask.
    done = subprocess.run(shlex.split(command), cwd=folder, env=environment, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(f"The command ended with status {done.returncode}, which this demonstration does not expect.")
