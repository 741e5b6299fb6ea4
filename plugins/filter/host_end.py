# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: host_end
short_description: The name of a container's interface on the host
version_added: 0.3.0
description:
  - C(v) and the container's name, where Linux takes that for an interface (15 letters, digits and C(_ . + -)).
  - Else C(veth) and eleven digits of a hash, the name that a topology of this owner gives it. It is the same in every run.
options:
  _input:
    description: The container's name.
    type: str
    required: true
  owner:
    description: The owner of the interface.
    type: str
    required: true
  network:
    description: The network's name.
    type: str
    required: true
author:
  - The netwright.docknet authors (@netwright)
"""

EXAMPLES = r"""
- name: Connect a container with a long name
  netwright.docknet.veth_pair:
    a:
      name: "{{ 'nextcloud-aio-database' | netwright.docknet.host_end('docknet', 'br-aio') }}"
      master: br-aio
    b:
      name: eth0
      netns: nextcloud-aio-database
      addresses: [10.91.0.3/24]
"""

RETURN = r"""
_value:
  description: The name of the interface.
  type: str
  sample: veth1f0c2a9b3d4
"""

from ansible_collections.netwright.docknet.plugins.module_utils._topology import names


def host_end(container: str, owner: str, network: str) -> str:
    return names.by_hand(owner, container, network)


class FilterModule:
    def filters(self):
        return {"host_end": host_end}
