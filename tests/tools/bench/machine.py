"""On which machine, and with which versions, something was measured."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from tools.installed import version_of


def machine() -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processors": f"{os.cpu_count()} × {_processor()}",
        "memory": f"{memory:.0f} GiB",
        "system": f"{_system()}, {platform.system()} {platform.release()}",
    }


def versions(collections: str) -> dict[str, str]:
    """
    :param collections: where plivo.voice is installed.
    """
    return {
        "plivo.voice": version_of(collections),
        **{name: version(name) for name in ("ansible-core", "plivo", "requests")},
        "Python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform()
