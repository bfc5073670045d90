"""The collection as it is installed."""

from __future__ import annotations

import json
from pathlib import Path


def version_of(collections: str) -> str:
    """The version of plivo.voice in a folder of collections."""
    manifest = Path(collections, "ansible_collections/plivo/voice/MANIFEST.json")
    return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
