# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The options of every module that changes something. Their spec is COMMON in module_utils/_engine/run.py."""

    DOCUMENTATION = r"""
options:
  state:
    description: Whether the object is to be there. With V(absent) only the options that identify it are needed.
    type: str
    choices: [present, absent]
    default: present
  owner:
    description:
      - Whose the object is. The name is marked on it from the moment it exists; an object of another owner is never touched.
      - Up to 32 letters, digits and C(_ . -).
    type: str
    default: docknet
  adopt:
    description:
      - Take over an object of the right kind that nobody has marked. Without it such an object is an error.
      - With O(state=absent) an interface or a namespace that was taken over is not deleted but given back. The owner's mark goes, the addresses that were
        given to it, and of a namespace the owner's interfaces in it. Other settings stay as they are. One that nobody has marked is left alone.
    type: bool
    default: false
  recreate:
    description: Delete and make again an object whose kind, peer or parent differs. Without it such a difference is an error.
    type: bool
    default: false
  lock_timeout:
    description: How long to wait for another run on the same host to finish, in seconds.
    type: float
    default: 30.0
"""
