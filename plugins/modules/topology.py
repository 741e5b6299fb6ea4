#!/usr/bin/python
# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: topology
short_description: Networks and containers of one host, in Compose's words
version_added: 0.2.0
description:
  - Makes one host's part of a topology so - networks, namespaces, interfaces, addresses, published ports, isolation and names - in one run.
  - What the topology had and its document no longer has is removed, because it carries the topology's mark. Nothing else is.
  - Subnets, addresses and free ports that the document leaves open are chosen as Docker chooses them, and kept in
    C(/var/lib/docknet/NAME.json). Where that file is lost they are read off what is there.
  - Networks, ports, aliases, addresses and settings can change while containers run. What is not concerned goes on.
extends_documentation_fragment:
  - netwright.docknet._attributes
options:
  topology:
    description:
      - The document, with C(name), C(networks) and C(containers). See the collection's C(docs/topology.md) for each key.
      - With O(state=absent) its C(name) is enough.
    type: dict
    required: true
  host:
    description: Which of the document's hosts this one is. Left out, the document must not name hosts, and all of it is built here.
    type: str
  peers:
    description:
      - The addresses at which hosts reach each other, by name, for networks that span them. This one's is taken from them too, where it is there.
      - Packets of an overlay are sent to these, and taken from nobody else.
    type: dict
    version_added: 0.3.0
  leases:
    description:
      - Addresses in use on other hosts, as the RV(topology) that this module returned there.
      - They are not given to containers of this host on networks that span hosts.
      - What P(netwright.docknet.allocation#filter) has chosen for all hosts, this one among them, is taken as it is.
      - Where networks are C(encrypted), C(wireguard) of each other host is what M(netwright.docknet.wireguard_key) returned there, C(public_key)
        and C(port). This host's own key must have been made by that module.
    type: list
    elements: dict
    default: []
  state:
    description: Whether the topology is to be there.
    type: str
    choices: [present, absent]
    default: present
  adopt:
    description: Take over objects of the right kind that nobody has marked. Without it such an object is an error.
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
seealso:
  - module: netwright.docknet.topology_info
  - module: netwright.docknet.wireguard_key
author:
  - The netwright.docknet authors (@netwright)
"""

EXAMPLES = r"""
- name: A web server that is published, and a database that only it reaches
  netwright.docknet.topology:
    topology:
      name: shop
      networks:
        front: {}
        back: {internal: true}
      containers:
        web:
          networks: [front, back]
          ports: ["8080:80"]
        db:
          networks: {back: {aliases: [database]}}

- name: Gone again
  netwright.docknet.topology:
    topology: {name: shop}
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be, in order.
  returned: always
  type: list
  elements: dict
  sample: [{"action": "create", "object": "netns web", "reason": "missing"}]
topology:
  description:
    - What the host's part of the topology is - its networks with their subnets, its containers with their addresses and ports.
    - A network of driver C(overlay) also has C(vni) and C(mtu) (bytes), and in mode C(host-gw) C(slices), the parts of its subnets that are this host's.
    - With encrypted networks there is C(wireguard), the C(public_key) and the C(port) of this host.
  returned: success
  type: dict
  sample:
    name: shop
    host: null
    networks: {back: {driver: bridge, device: br-5a1f00c2b7d9, subnets: [172.19.0.0/16], gateways: [172.19.0.1], host_shim: []}}
    containers: {db: {netns: db, networks: {back: {interface: eth0, ipv4_address: 172.19.0.3, ipv6_address: null,
                 mac_address: "02:42:ac:13:00:03"}}, ports: []}}
"""

from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import main_design
from ansible_collections.netwright.docknet.plugins.module_utils._topology.topology import prepare

OPTIONS = {
    "topology": {"type": "dict", "required": True},
    "host": {"type": "str"},
    "peers": {"type": "dict"},
    "leases": {"type": "list", "elements": "dict", "default": []},
}


def main():
    main_design(OPTIONS, prepare)


if __name__ == "__main__":
    main()
