#!/bin/sh
# Makes the development environment .venv: setup.sh PYTHON MARK
# Quiet unless something is missing or fails. MARK is the file that tells make that it is ready.
set -eu
python=$1
mark=$2

missing() {
    printf 'make: %s\n' "$1" >&2
    exit 1
}

command -v git >/dev/null || missing 'git is missing. On Debian: apt-get install git'

# Tried, not looked up: a name can be there and lead nowhere, as the shims of version managers do.
"$python" -c '' 2>/dev/null || missing "$python is missing or does not run. On Debian: apt-get install python3; or choose another with PYTHON=..."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    missing "$("$python" --version) is too old: 3.11 or newer is needed. Choose another with PYTHON=..."
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    missing "the venv module of $python is missing or not whole. On Debian: apt-get install python3-venv"

echo "Setting up .venv (once, about a minute) ..."
rm -rf .venv
"$python" -m venv .venv
.venv/bin/python -m pip --disable-pip-version-check install --quiet --requirement tests/requirements.txt
touch "$mark"
