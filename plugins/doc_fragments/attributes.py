# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the attributes of the modules' documentation mean."""

from __future__ import annotations


class ModuleDocFragment:
    """Each module adds C(support), and C(details) where there is more to say."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Runs in C(check_mode) and predicts, without changing anything, what a real run would change.
  diff_mode:
    description: Returns what has changed, or in C(check_mode) what would change, when in diff mode.
  idempotent:
    description:
      - Run a second time with the same options, outside check mode, it changes nothing, provided that nothing else has
        changed meanwhile.
  platform:
    description: Operating systems of the hosts where it can run.
"""

    ACTIONGROUP_CONFERENCE = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/plivo.voice.conference) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - plivo.voice.conference
"""
