"""Gives ansible-test a way to install pip where it cannot download its own.

ansible-test makes virtual environments for its sanity tests and puts pip into them with a script that it downloads once
and keeps below ~/.ansible. Machines that reach no more than a package index cannot download it, and every sanity test
fails. There, and only there, this leaves a script in that place which does the same by Python's own ensurepip.
"""

from __future__ import annotations

import re
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import ansible_test
from ansible_test._internal.python_requirements import get_venv_packages

STAND_IN = '''\
"""Stands in for get-pip.py, which could not be downloaded: installs pip by ensurepip, then what is asked for."""

import subprocess
import sys

# Options of get-pip.py that pip does not know. Without them it would add packages that ensurepip does not bring either.
wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]

subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet"] + wanted)
'''


def main() -> None:
    python = SimpleNamespace(version=f"{sys.version_info.major}.{sys.version_info.minor}")
    version = get_venv_packages(python)["pip"]
    script = Path.home() / ".ansible/test/cache" / f"get_pip_{version.replace('.', '_')}.py"
    if script.exists():
        return
    # Where ansible-test downloads from stands in the program that it runs in the new environments.
    setup = Path(ansible_test.__path__[0]) / "_util/target/setup/requirements.py"
    (address,) = re.findall(r"'(https://\S+get-pip-%s\.py)'", setup.read_text(encoding="utf-8"))
    script.parent.mkdir(parents=True, exist_ok=True)
    try:
        with urllib.request.urlopen(address % version, timeout=20) as answer:  # noqa: S310 - ansible-test's own address
            content = answer.read()
    except OSError as error:
        print(f"get-pip {version} cannot be downloaded ({error}): ensurepip stands in for it")
        content = STAND_IN.encode()
    script.write_bytes(content)


if __name__ == "__main__":
    main()
