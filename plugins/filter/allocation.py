# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: allocation
short_description: Subnets and addresses of networks that span hosts, chosen once for all of them
version_added: 0.3.0
description:
  - Chooses for a topology what its hosts share - the subnets of its overlay, macvlan and ipvlan networks, the addresses of the containers on them,
    the numbers and the MTU of overlays.
  - What a container or a network has had on any of the hosts it keeps. The rest is free on all of them.
  - Role C(netwright.docknet.topology) uses it.
options:
  _input:
    description: The document. See the collection's C(docs/topology.md) for each key.
    type: dict
    required: true
  gathered:
    description: What hosts returned as C(gathered) of M(netwright.docknet.topology_info). Others count as these know them.
    type: list
    elements: dict
    required: true
seealso:
  - module: netwright.docknet.topology
  - module: netwright.docknet.topology_info
author:
  - The netwright.docknet authors (@netwright)
"""

EXAMPLES = r"""
- name: What each host has
  netwright.docknet.topology_info:
    topology: "{{ docknet_topology }}"
    host: "{{ inventory_hostname }}"
  register: found

- name: This host's part, with what was chosen for all
  netwright.docknet.topology:
    topology: "{{ docknet_topology }}"
    host: "{{ inventory_hostname }}"
    leases: "{{ docknet_topology | netwright.docknet.allocation(ansible_play_hosts | map('extract', hostvars, ['found', 'gathered'])) }}"
"""

RETURN = r"""
_value:
  description: For each host of the document what it has of networks that span hosts, as O(netwright.docknet.topology#module:leases) takes it.
  type: list
  elements: dict
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import DocknetError
from ansible_collections.netwright.docknet.plugins.module_utils._topology.cluster import choose


def allocation(document, gathered):
    try:
        return choose(document, gathered)
    except DocknetError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self):
        return {"allocation": allocation}
