#!/usr/bin/python
# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vxlan_link
short_description: VXLAN interfaces, one Ethernet segment over several hosts
version_added: 0.3.0
description:
  - Makes, changes and removes a host's end of a segment that is carried in UDP (RFC 7348), and says where each MAC address of it is.
  - Ends of a segment have the same O(vni) and O(port). With O(entries) an end is told which host has each MAC address, and nothing has to be flooded.
    With O(remotes) it sends what it has no entry for, and broadcasts, to each of these hosts.
  - The interface is identified by its name and namespace. Its O(vni), O(port) and address family do not change on a living interface
    without O(recreate). The kernel has one VXLAN of a number and a port in a namespace; a second one is an error that names the first.
  - The frames are not encrypted, and whoever can send to the UDP port can send into the segment. Let only the other hosts reach it.
extends_documentation_fragment:
  - netwright.docknet._attributes
  - netwright.docknet._common
  - netwright.docknet._link
options:
  name:
    description: Name of the interface, up to 15 letters, digits and C(_ . + -).
    type: str
  netns: &netns
    description: The namespace it is in, with its bridge and the interface that carries its packets. Left out, the host's own.
    type: str
  vni: &vni
    description: The number of the segment, 0 to 16777215. Needed unless O(state=absent).
    type: int
  local: &local
    description: The address of this end, from which its packets are sent. Left out, the kernel's choice for each packet.
    type: str
  port: &port
    description: The UDP port of the segment, the same at all ends. V(4789) is IANA's; flannel, and iproute2 where none is given, use V(8472).
    type: int
    default: 4789
  remotes: &remotes
    description:
      - Exactly these addresses of other ends get what there is no entry for. An empty list means none, so nothing is flooded.
      - What a routing daemon installs is left alone, but for the ends to flood to of FRR, which look as if set by hand. So leave this out where FRR runs.
    type: list
    elements: str
  entries: &entries
    description:
      - Exactly these MAC addresses are behind other ends. What was learned, and what a routing daemon marked as its own, is left alone.
      - With O(master) the bridge knows them, too, as behind this port.
    type: list
    elements: dict
    suboptions:
      mac:
        description: The MAC address. It can be given several times, with another O(entries[].ip).
        type: str
        required: true
      remote:
        description: The address of the end that it is behind.
        type: str
        required: true
      ip:
        description:
          - Its addresses, of which nobody on this host needs to ask any more.
          - With O(master), a question for one (ARP, neighbour solicitation) that reaches the bridge is answered by the bridge, from a permanent
            neighbour on it, and is not sent through the tunnel. Permanent neighbours on the bridge that have a MAC address of
            O(entries), and are not given here, are removed; all others are left alone.
          - Without O(master), they are exactly the permanent neighbours of the interface itself.
          - A bridge whose own MAC address follows its ports forgets its neighbours when that changes. Give it one.
        type: list
        elements: str
  master: &master
    description: The bridge in the same namespace that it is a port of. An empty text means none.
    type: str
  mtu: &mtu
    description:
      - Its MTU, in bytes. By default what its packets leave of the MTU of the interface that carries them, 50 bytes less, or 70 over IPv6.
      - That is the interface with the address O(local); where there is none, or it is the loopback, the one of the route to an end of O(remotes) or
        O(entries). Where neither is known it is taken for 1500, with a warning.
      - What is connected to its bridge must have no greater one, or its large packets are lost.
    type: int
  learning: &learning
    description:
      - Whether it learns from what comes in which end a MAC address is behind. By default only where O(entries) is left out.
      - With O(master) the bridge learns from this port just as well, or as little. Where nothing is learned, it keeps from this port
        questions that it can answer, unless there are O(entries) and none has an O(entries[].ip).
    type: bool
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
        description: Name of the interface.
        type: str
        required: true
      netns: *netns
      vni: *vni
      local: *local
      port: *port
      remotes: *remotes
      entries: *entries
      master: *master
      mtu: *mtu
      learning: *learning
      up: *up
      state: {description: As O(state)., type: str, choices: [present, absent]}
      owner: {description: As O(owner)., type: str}
      adopt: {description: As O(adopt)., type: bool}
      recreate: {description: As O(recreate)., type: bool}
notes:
  - "With O(state=absent) go the interface, its entries, those of its bridge, and the neighbours on its bridge that have a MAC address of one of its entries:
    that is how they are known to be its own. So remove the interface with this module, before its entries."
seealso:
  - module: netwright.docknet.linux_bridge
  - module: netwright.docknet.veth_pair
author:
  - The netwright.docknet authors (@netwright)
"""

EXAMPLES = r"""
- name: A bridge for the containers of this host
  netwright.docknet.linux_bridge:
    name: over0

- name: This host's end of segment 4100, which knows where the containers of the others are
  netwright.docknet.vxlan_link:
    name: vx4100
    vni: 4100
    local: 192.0.2.1
    master: over0
    entries:
      - {mac: "02:42:0a:64:00:02", remote: 192.0.2.2, ip: 10.100.0.2}
      - {mac: "02:42:0a:64:00:03", remote: 192.0.2.3, ip: [10.100.0.3, "fd00:100::3"]}
    remotes: []

- name: Another segment, whose ends learn from each other
  netwright.docknet.vxlan_link:
    name: vx4101
    vni: 4101
    local: 192.0.2.1
    remotes: [192.0.2.2, 192.0.2.3]

- name: Both gone again
  netwright.docknet.vxlan_link:
    config:
      - {name: vx4100}
      - {name: vx4101}
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be, in order.
  returned: always
  type: list
  elements: dict
  sample: [{"action": "add", "object": "forward 02:42:0a:64:00:02 at 192.0.2.2 on vx4100", "reason": "missing"}]
links:
  description: Each interface, as it now is. Its entries are in C(forwards), those to flood to with the MAC address C(00:00:00:00:00:00).
  returned: success
  type: list
  elements: dict
  sample: [{"name": "vx4100", "netns": null, "present": true, "kind": "vxlan", "vni": 4100, "port": 4789, "local": "192.0.2.1", "learning": false,
            "mac": "5a:3e:8c:01:02:03", "mtu": 1450, "up": true, "master": "over0", "forwards": ["02:42:0a:64:00:02 at 192.0.2.2"]}]
"""

from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import main as run_module
from ansible_collections.netwright.docknet.plugins.module_utils._topology import vxlan

ENTRY = {
    "mac": {"type": "str", "required": True},
    "remote": {"type": "str", "required": True},
    "ip": {"type": "list", "elements": "str"},
}
OPTIONS = {
    "name": {"type": "str"},
    "netns": {"type": "str"},
    "vni": {"type": "int"},
    "local": {"type": "str"},
    "port": {"type": "int", "default": 4789},
    "remotes": {"type": "list", "elements": "str"},
    "entries": {"type": "list", "elements": "dict", "options": ENTRY},
    "master": {"type": "str"},
    "mtu": {"type": "int"},
    "learning": {"type": "bool"},
    "up": {"type": "bool", "default": True},
}


def main():
    run_module(OPTIONS, "name", vxlan.desired)


if __name__ == "__main__":
    main()
