"""Python for Ansible's modules, which notes in the file PEAK_FILE how many KiB of memory each of them took at most."""

import os
import resource
import subprocess
import sys

status = subprocess.run([sys.executable, *sys.argv[1:]], check=False).returncode
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
with open(os.environ["PEAK_FILE"], "a", encoding="utf-8") as file:
    # Bytes on macOS.
    file.write(f"{peak // 1024 if sys.platform == 'darwin' else peak}\n")
sys.exit(status)
