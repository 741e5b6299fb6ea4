#!/usr/bin/python
# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: linux_bridge
short_description: Linux bridges
version_added: 0.1.0
description:
  - Makes, changes and removes a Linux bridge, its addresses, its ports and its settings.
  - A new bridge has a fixed MAC address, so that it does not change as ports come and go. Without O(mac) it is derived from the owner and the name.
extends_documentation_fragment:
  - netwright.docknet._attributes
  - netwright.docknet._common
  - netwright.docknet._link
options:
  name:
    description: Name of the bridge, up to 15 letters, digits and C(_ . + -).
    type: str
  netns: &netns
    description: The namespace it is in. Left out, the host's own.
    type: str
  addresses: &addresses
    description: Exactly these addresses, each with its prefix length, V(172.17.0.1/16). Link-local addresses of the kernel's own are left alone.
    type: list
    elements: str
  mac: &mac
    description: Its MAC address.
    type: str
  mtu: &mtu
    description: Its MTU, in bytes. Left out, the kernel keeps it at the smallest of its ports.
    type: int
  ports: &ports
    description: Exactly these interfaces of the same namespace are its ports, whoever made them. An empty list means none.
    type: list
    elements: str
  stp: &stp
    description: Whether the spanning tree protocol runs.
    type: bool
  ageing_time: &ageing
    description: How long an address is remembered, in seconds.
    type: int
  forward_delay: &delay
    description: The spanning tree's forward delay, in seconds. While it runs, from 2 to 30.
    type: int
  mcast_snooping: &snooping
    description: Whether multicast goes only to ports that asked for it.
    type: bool
  vlan_filtering: &filtering
    description: Whether frames are filtered by their VLAN.
    type: bool
  sysctls: &sysctls
    description: Kernel settings of the bridge, with C(IFNAME) for its name, as V({"net.ipv4.conf.IFNAME.rp_filter"':' 2}).
    type: dict
  up: &up
    description: Whether it is up.
    type: bool
    default: true
  config:
    description: Several bridges, each with the options above. What an entry leaves out of O(config[].state), O(config[].owner),
      O(config[].adopt) and O(config[].recreate) is taken from the task.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the bridge.
        type: str
        required: true
      netns: *netns
      addresses: *addresses
      mac: *mac
      mtu: *mtu
      ports: *ports
      stp: *stp
      ageing_time: *ageing
      forward_delay: *delay
      mcast_snooping: *snooping
      vlan_filtering: *filtering
      sysctls: *sysctls
      up: *up
      state: {description: As O(state)., type: str, choices: [present, absent]}
      owner: {description: As O(owner)., type: str}
      adopt: {description: As O(adopt)., type: bool}
      recreate: {description: As O(recreate)., type: bool}
seealso:
  - module: netwright.docknet.veth_pair
author:
  - The netwright.docknet authors (@netwright)
"""

EXAMPLES = r"""
- name: A bridge as Docker's docker0
  netwright.docknet.linux_bridge:
    name: docknet0
    addresses: [172.17.0.1/16]

- name: The same with spanning tree and loose reverse path filtering
  netwright.docknet.linux_bridge:
    name: docknet0
    addresses: [172.17.0.1/16]
    stp: true
    forward_delay: 4
    sysctls:
      net.ipv4.conf.IFNAME.rp_filter: 2

- name: Gone again
  netwright.docknet.linux_bridge:
    name: docknet0
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be, in order.
  returned: always
  type: list
  elements: dict
  sample: [{"action": "create", "object": "link docknet0", "reason": "missing"}]
links:
  description: Each bridge, as it now is.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "docknet0", "netns": null, "present": true, "kind": "bridge", "mac": "02:42:0c:2f:9a:71", "mtu": 1500, "up": true,
            "addresses": ["172.17.0.1/16"], "ports": ["vweb"]}]
"""

from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import main as run_module
from ansible_collections.netwright.docknet.plugins.module_utils._model.bridge import Bridge
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkKey
from ansible_collections.netwright.docknet.plugins.module_utils._model.namespace import Sysctl
from ansible_collections.netwright.docknet.plugins.module_utils._topology import normalise
from ansible_collections.netwright.docknet.plugins.module_utils._topology.link import addressing, derived_mac, mtu
from ansible_collections.netwright.docknet.plugins.module_utils._topology.wish import label, wish

OPTIONS = {
    "name": {"type": "str"},
    "netns": {"type": "str"},
    "addresses": {"type": "list", "elements": "str"},
    "mac": {"type": "str"},
    "mtu": {"type": "int"},
    "ports": {"type": "list", "elements": "str"},
    "stp": {"type": "bool"},
    "ageing_time": {"type": "int"},
    "forward_delay": {"type": "int"},
    "mcast_snooping": {"type": "bool"},
    "vlan_filtering": {"type": "bool"},
    "sysctls": {"type": "dict"},
    "up": {"type": "bool", "default": True},
}


def desired(params):
    """The bridge and its settings that one object's arguments ask for."""
    what = label("linux_bridge", params["name"], params["netns"])
    make = wish(what, params)
    key = LinkKey(normalise.netns(what, "netns", params["netns"]), normalise.link_name(what, "name", params["name"]))
    if params["state"] == "absent":
        return [make(Link(key, data=Bridge()))]
    data = Bridge(
        ageing_time=normalise.number(what, "ageing_time", params["ageing_time"], 0, 1_000_000),
        forward_delay=normalise.number(
            what, "forward_delay", params["forward_delay"], *((2, 30) if params["stp"] else (0, 30))
        ),
        ports=normalise.each(normalise.link_name, what, "ports", params["ports"]),
        **{name: params[name] for name in ("stp", "mcast_snooping", "vlan_filtering")},
    )
    mac, size = normalise.mac(what, "mac", params["mac"]), mtu(what, params)
    bridge = Link(
        key,
        data=data,
        owner=params["owner"],
        mac=mac,
        birth_mac=mac or derived_mac(params["owner"], key),
        mtu=size,
        up=params["up"],
        **addressing(what, params, size),
    )
    settings = normalise.sysctls(what, params["sysctls"], link=key.name)
    return [make(bridge)] + [make(Sysctl(key.netns, path, value)) for path, value in settings.items()]


def main():
    run_module(OPTIONS, "name", desired)


if __name__ == "__main__":
    main()
