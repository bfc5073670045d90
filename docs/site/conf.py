# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings for the documentation site.

They are read where the session "docs" of noxfile.py has put the pages together: in a copy of the project in which docs/
also holds what is in docs/site/, and docs/modules/ the pages that antsibull-docs has made.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

galaxy = yaml.safe_load((DOCS.parent / "galaxy.yml").read_text(encoding="utf-8"))

project = f"{galaxy['namespace']}.{galaxy['name']}"
version = release = galaxy["version"]
author = copyright = "the plivo.voice contributors"  # noqa: A001 (Sphinx's name for it)
repository = galaxy["repository"]

extensions = ["myst_parser", "sphinx_antsibull_ext", "extension"]
exclude_patterns = ["site", "modules/index.rst", "modules/environment_variables.rst"]
nitpicky = True
# What stands in quotes is mostly code.
smartquotes = False
# Headings down to this level can be linked to, by the names that GitHub gives them.
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
# They are in site.css, since the reader chooses between light and dark.
antsibull_ext_color_scheme = "none"
