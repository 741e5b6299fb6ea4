# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: frr_part
short_description: The collection's part of a configuration of FRRouting
version_added: 0.3.0
author:
  - The netwright.docknet authors (@netwright)
description:
  - Compares a configuration of FRRouting, from its file or from its running daemons, with the statements that are to be
    the collection's part of it.
  - That part is known by its peer groups, whose names begin with C(docknet-), not by comments, because C(write memory) of FRRouting drops these.
  - All else of the configuration stays as it is.
positional: part
options:
  _input:
    description: The configuration as it is.
    type: str
    required: true
  part:
    description:
      - The statements that the collection's part consists of, C(router bgp) with what is in it.
      - Empty where there is to be none.
    type: str
    required: true
seealso:
  - name: Role evpn
    description: uses it
    link: https://github.com/netwright/docknet/tree/main/roles/evpn
"""

EXAMPLES = r"""
- name: See what running daemons would have to be told
  ansible.builtin.debug:
    msg: "{{ (running.stdout | netwright.docknet.frr_part(part)).commands }}"
"""

RETURN = r"""
_value:
  description: What is to be done to the configuration.
  type: dict
  contains:
    config:
      description: The text of the file with the part in it, and unchanged where it says that already.
      type: str
    commands:
      description: The lines that the running daemons have to be told, and none where they do it already.
      type: list
      elements: str
    in_the_way:
      description: The instance of BGP that is not the collection's and has another AS number, such as V(router bgp 64512), or empty.
      type: str
"""

from collections.abc import Callable

from ansible_collections.netwright.docknet.plugins.module_utils._engine import frr


def frr_part(text: str, part: str) -> dict[str, object]:
    return {
        "config": frr.configuration(text, part),
        "commands": frr.commands(text, part),
        "in_the_way": frr.in_the_way(text, part),
    }


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"frr_part": frr_part}
