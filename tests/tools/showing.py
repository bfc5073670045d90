"""How the demonstrations look."""

from __future__ import annotations

import sys

WIDTH = 100


def title(text: str) -> None:
    """Begin a step."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}")
    print("─" * WIDTH, flush=True)
