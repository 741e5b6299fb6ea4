#!/usr/bin/python
# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: veth_pair
short_description: Pairs of virtual Ethernet interfaces, each end in its namespace
version_added: 0.1.0
description:
  - Makes, changes and removes a pair of virtual Ethernet interfaces. Each end is made in its namespace under its own name, and is never moved or renamed.
  - An end can have addresses, a default gateway and routes, or be a port of a bridge.
  - The pair is identified by its end O(a).
extends_documentation_fragment:
  - netwright.docknet._attributes
  - netwright.docknet._common
  - netwright.docknet._link
options:
  a:
    description: One end. The pair is identified by its name and namespace.
    type: dict
    suboptions: &end
      name:
        description: Name of the interface, up to 15 letters, digits and C(_ . + -).
        type: str
        required: true
      netns:
        description: The namespace it is in. Left out, the host's own.
        type: str
      mac:
        description: Its MAC address. Left out, a new end in a namespace gets C(02:42:) and the four bytes of its first IPv4 address,
          so that it is the same again whenever it is made.
        type: str
      addresses:
        description: Exactly these addresses, each with its prefix length, V(172.17.0.2/16). Link-local addresses of the kernel's own are left alone.
        type: list
        elements: str
      gateway:
        description: The next hop of the default route, or one for each family. It must be an address on the link, inside
          one of the addresses or of a route without C(via), or link-local IPv6. An empty list means no default route.
        type: list
        elements: str
      routes:
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
      master:
        description: The bridge in the same namespace that it is a port of.
        type: str
      hairpin:
        description: Whether the bridge may send a frame back out of the port it came in by. With O(a.master) the default is V(true), so that
          a container reaches its own published port also where bridged packets pass the packet filter.
        type: bool
      isolated:
        description: Whether the bridge keeps the port from other isolated ports.
        type: bool
  b: &b
    description: The other end. Needed unless O(state=absent).
    type: dict
    suboptions: *end
  mtu: &mtu
    description: The MTU of both ends, in bytes.
    type: int
  up: &up
    description: Whether both ends are up. Routes are not managed on an end that is down, since the kernel holds none through it.
    type: bool
    default: true
  config:
    description: Several pairs, each with the options above. What an entry leaves out of O(config[].state), O(config[].owner),
      O(config[].adopt) and O(config[].recreate) is taken from the task.
    type: list
    elements: dict
    suboptions:
      a:
        description: As O(a).
        type: dict
        required: true
        suboptions: *end
      b: *b
      mtu: *mtu
      up: *up
      state: {description: As O(state)., type: str, choices: [present, absent]}
      owner: {description: As O(owner)., type: str}
      adopt: {description: As O(adopt)., type: bool}
      recreate: {description: As O(recreate)., type: bool}
seealso:
  - module: netwright.docknet.netns
  - module: netwright.docknet.linux_bridge
author:
  - The netwright.docknet authors (@netwright)
"""

EXAMPLES = r"""
- name: A namespace to be connected
  netwright.docknet.netns:
    name: web

- name: The bridge it is connected to
  netwright.docknet.linux_bridge:
    name: docknet0
    addresses: [172.17.0.1/16]

- name: A container's eth0, and its port on the bridge
  netwright.docknet.veth_pair:
    a:
      name: vweb
      master: docknet0
    b:
      name: eth0
      netns: web
      mac: 02:42:ac:11:00:02
      addresses: [172.17.0.2/16]
      gateway: 172.17.0.1

- name: Gone again
  netwright.docknet.veth_pair:
    a:
      name: vweb
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be, in order.
  returned: always
  type: list
  elements: dict
  sample: [{"action": "create", "object": "link vweb", "reason": "missing"}]
links:
  description: Each end, as it now is.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "eth0", "netns": "web", "present": true, "kind": "veth", "mac": "02:42:ac:11:00:02", "mtu": 1500, "up": true,
            "addresses": ["172.17.0.2/16"], "routes": ["default via 172.17.0.1"], "peer": "vweb"}]
"""

from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import main as run_module
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkKey
from ansible_collections.netwright.docknet.plugins.module_utils._model.veth import Veth
from ansible_collections.netwright.docknet.plugins.module_utils._topology import normalise
from ansible_collections.netwright.docknet.plugins.module_utils._topology.link import (
    ADDRESSING,
    addressing,
    endpoint_mac,
    mtu,
)
from ansible_collections.netwright.docknet.plugins.module_utils._topology.wish import label, wish

END = {
    "type": "dict",
    "options": {
        "name": {"type": "str", "required": True},
        "netns": {"type": "str"},
        "mac": {"type": "str"},
        **ADDRESSING,
        "master": {"type": "str"},
        "hairpin": {"type": "bool"},
        "isolated": {"type": "bool"},
    },
}

OPTIONS = {"a": END, "b": END, "mtu": {"type": "int"}, "up": {"type": "bool", "default": True}}


def end(what, letter, params, peer, shared):
    """One end as a link."""
    what = f"{what}, end {letter}"
    master = params["master"] and normalise.link_name(what, "master", params["master"])
    return Link(
        key=key(what, params),
        data=Veth(peer=peer),
        mac=normalise.mac(what, "mac", params["mac"]),
        master=master,
        hairpin=True if params["hairpin"] is None and master else params["hairpin"],
        isolated=params["isolated"],
        **addressing(what, params, shared["mtu"]),
        birth_mac=endpoint_mac(params),
        **shared,
    )


def key(what, params):
    return LinkKey(normalise.netns(what, "netns", params["netns"]), normalise.link_name(what, "name", params["name"]))


def desired(params):
    """The two links that one pair's arguments ask for."""
    a, b = params["a"], params["b"]
    what = label("veth_pair", a["name"], a["netns"])
    make = wish(what, params)
    key_a = key(what, a)
    if params["state"] == "absent":
        return [make(Link(key_a, data=Veth(key(f"{what}, end b", b)) if b else Veth()))]
    if b is None:
        raise normalise.refuse(what, "b", "", "is missing", "say what the other end is")
    key_b = key(f"{what}, end b", b)
    if key_a == key_b:
        raise normalise.refuse(
            what, "b.name", key_b, "is the name of end a too", "give the two ends different names or namespaces"
        )
    shared = {"mtu": mtu(what, params), "up": params["up"], "owner": params["owner"]}
    return [make(end(what, "a", a, key_b, shared)), make(end(what, "b", b, key_a, shared))]


def main():
    run_module(OPTIONS, "a", desired)


if __name__ == "__main__":
    main()
