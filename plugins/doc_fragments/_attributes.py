# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Says what would be done, from the same plan, and writes nothing.
  diff_mode:
    support: full
    description: Returns what was and what is (or would be) of each managed property.
  idempotent:
    support: full
    description: A second run with the same arguments changes nothing.
  platform:
    support: full
    description: Where it runs.
    platforms: linux
  action_group:
    support: full
    description: Use C(group/netwright.docknet.docknet) in C(module_defaults) to set defaults for all modules of this collection.
    membership:
      - netwright.docknet.docknet
requirements:
  - root on the managed host
  - Python 3.9 or newer on the managed host
  - Linux 5.10 or newer on the managed host
"""
