#!/usr/bin/python
# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: macvlan_net
short_description: Macvlan interfaces, a container's own place on the LAN
version_added: 0.1.0
description:
  - Makes, changes and removes a macvlan interface of a container, as a child of a parent interface of the host.
  - The kernel lets no packet pass between a parent and its children. With O(host_shim) the host has a child of its own, and a route
    to each container through it.
  - The interface is identified by its name and namespace. What only it needed, a shim or an 802.1Q interface, goes with it.
extends_documentation_fragment:
  - netwright.docknet._attributes
  - netwright.docknet._common
  - netwright.docknet._link
options:
  name:
    description: Name of the interface in the container, up to 15 letters, digits and C(_ . + -).
    type: str
  netns: &netns
    description: The container's namespace. Left out, the host's own.
    type: str
  parent: &parent
    description: The host's interface that the child stands on. Needed unless O(state=absent).
    type: str
  mode: &mode
    description:
      - How children of one parent reach each other. V(bridge), directly; V(private), not at all; V(vepa), by way of the switch outside.
      - With V(passthru) one child has the parent, and its MAC address, for itself. A living interface is not taken into or out of it without O(recreate).
    type: str
    choices: [bridge, private, vepa, passthru]
    default: bridge
  mac: &mac
    description: Its MAC address. Left out, a new one in a namespace gets C(02:42:) and the four bytes of its first IPv4 address,
      so that it is the same again whenever it is made. Not with O(mode=passthru), which leaves the parent's.
    type: str
  mtu: &mtu
    description: Its MTU, in bytes, at most the parent's.
    type: int
  addresses: &addresses
    description: Exactly these addresses, each with its prefix length, V(192.0.2.20/24). Link-local addresses of the kernel's own are left alone.
    type: list
    elements: str
  gateway: &gateway
    description: The next hop of the default route, or one for each family. It must be an address on the link, inside
      one of the addresses or of a route without C(via), or link-local IPv6. An empty list means no default route.
    type: list
    elements: str
  routes: &routes
    description: Exactly these routes through the interface, beside the default route and those the kernel makes itself.
    type: list
    elements: dict
    suboptions:
      to:
        description: The destination subnet.
        type: str
        required: true
      via:
        description: The next hop. Left out, the destination is on the link itself.
        type: str
      metric:
        description: The route's metric. Left out, the kernel's own choice (0 for IPv4, 1024 for IPv6).
        type: int
  vlan: &vlan
    description: An 802.1Q tag. The child then stands on the interface C(PARENT.VLAN), which is made, and goes with its last child.
    type: int
  promiscuous: &promiscuous
    description: Whether the parent takes in all frames, as some hypervisors and switches need. It stays when the child goes.
    type: bool
  host_shim: &shim
    description: A child of the same parent for the host itself, in mode V(bridge), with a route to each of O(addresses). Several containers can share it.
    type: dict
    suboptions:
      name:
        description: Name of the host's interface.
        type: str
        required: true
      addresses:
        description: Its addresses, as a rule with the longest prefix, V(192.0.2.250/32), so that the parent keeps the subnet.
        type: list
        elements: str
  up: &up
    description: Whether it is up.
    type: bool
    default: true
  config:
    description: Several interfaces, each with the options above. What an entry leaves out of O(config[].state), O(config[].owner),
      O(config[].adopt) and O(config[].recreate) is taken from the task.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the interface in the container.
        type: str
        required: true
      netns: *netns
      parent: *parent
      mode: *mode
      mac: *mac
      mtu: *mtu
      addresses: *addresses
      gateway: *gateway
      routes: *routes
      vlan: *vlan
      promiscuous: *promiscuous
      host_shim: *shim
      up: *up
      state: {description: As O(state)., type: str, choices: [present, absent]}
      owner: {description: As O(owner)., type: str}
      adopt: {description: As O(adopt)., type: bool}
      recreate: {description: As O(recreate)., type: bool}
seealso:
  - module: netwright.docknet.ipvlan_net
  - module: netwright.docknet.veth_pair
author:
  - The netwright.docknet authors (@netwright)
"""

EXAMPLES = r"""
- name: A namespace to be connected
  netwright.docknet.netns:
    name: printer

- name: Its own address on the LAN of eth0, which the host reaches too
  netwright.docknet.macvlan_net:
    name: eth0
    netns: printer
    parent: eth0
    addresses: [192.0.2.220/24]
    host_shim:
      name: shim0
      addresses: [192.0.2.221/32]

- name: Gone again
  netwright.docknet.macvlan_net:
    name: eth0
    netns: printer
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be, in order.
  returned: always
  type: list
  elements: dict
  sample: [{"action": "create", "object": "link eth0 in printer", "reason": "missing"}]
links:
  description: Each interface, as it now is, with the shim and the 802.1Q interface where there are.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "eth0", "netns": "printer", "present": true, "kind": "macvlan", "mode": "bridge", "parent": "eth0", "mtu": 1500, "up": true,
            "addresses": ["192.0.2.220/24"]}]
"""

from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import main as run_module
from ansible_collections.netwright.docknet.plugins.module_utils._topology import child, macvlan
from ansible_collections.netwright.docknet.plugins.module_utils._topology.link import ADDRESSING

OPTIONS = {
    **child.OPTIONS,
    "mode": {"type": "str", "choices": ["bridge", "private", "vepa", "passthru"], "default": "bridge"},
    "mac": {"type": "str"},
    **ADDRESSING,
}


def main():
    run_module(OPTIONS, "name", macvlan.desired)


if __name__ == "__main__":
    main()
