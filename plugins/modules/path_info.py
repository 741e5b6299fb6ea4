#!/usr/bin/python
# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: path_info
short_description: Whether a topology's paths work, and those that must not do not, tried with packets
version_added: 0.2.0
description:
  - Sends packets along the paths of one host's part of a topology, all at the same time, and fails if one that must work does not, or one
    that must not does. What must is told by the document alone. Addresses and ports that were chosen are taken from what is kept on the host.
  - Tried are containers that share a network, and pairs of networks that have no container in common; the host and its containers;
    internal networks and the host's other addresses; and published ports by 127.0.0.1 and by the host's address. In both IP families.
  - Not every pair of containers is tried. On one network each tries its next neighbour in the document, and the last the first. For two
    networks it is one pair of containers that share none; from 21 networks on, for each network and its next neighbour in the document.
    A published port is tried from the host, from its own container, from the next neighbour, from one container of another network and
    from one that has no way out; of a range of ports the first and the last.
  - Where no server listens yet at a path's end the module does so itself, for as long as it runs. Where one does, a connection to it counts;
    nothing is sent to it over TCP.
  - Not tried are paths that are for others to say. Those are a macvlan's to its LAN and to its router, those of a network with O(ignore:ipam)
    V(dhcp) or V(none), and those of a network whose gateway is not this host.
  - Pings of a container to its gateway are for the host itself, where its own firewall must let them in.
  - Some 25 containers are tried at once. Of more the rest follows in waves, eleven seconds apart, because the kernel keeps no more than
    1,024 neighbours for all namespaces together.
  - Nothing is changed, so check mode does the same.
extends_documentation_fragment:
  - netwright.docknet._attributes
attributes:
  diff_mode:
    support: N/A
    description: It changes nothing.
options:
  topology:
    description: The document that M(netwright.docknet.topology) built on this host.
    type: dict
    required: true
  host:
    description: Which of the document's hosts this one is. Left out, the document must not name hosts.
    type: str
  timeout:
    description:
      - How long silence must last to count as no answer, in seconds. That is how long the module takes where something must not work.
      - What must work may take two and a half times as long.
    type: float
    default: 2.0
  serve:
    description: Try nothing, but listen for so many seconds where published ports lead to, for other hosts to try them with O(peers).
    type: float
  address:
    description: The address by which the servers of O(peers) must see this host. Left out, any will do.
    type: str
  peers:
    description:
      - Try the published ports of these other hosts, in place of this host's own paths.
      - For that nothing of the topology needs to be on this host.
    type: list
    elements: dict
    suboptions:
      name:
        description: The other host, in the words of the report.
        type: str
        required: true
      address:
        description: The address by which this host reaches it.
        type: str
        required: true
      published:
        description: What the module returned as RV(published) there.
        type: list
        elements: dict
        required: true
        suboptions:
          container: {description: Whose it is., type: str, required: true}
          protocol: {description: The protocol., type: str, choices: [tcp, udp, sctp], required: true}
          host_ip: {description: The host's address that it is published on., type: str, required: true}
          port: {description: The host's port., type: int, required: true}
          allowed_sources: {description: Who may use it., type: list, elements: str, required: true}
          served: {description: Whether nobody but this module listens where it leads to., type: bool, required: true}
seealso:
  - module: netwright.docknet.topology
author:
  - The netwright.docknet authors (@netwright)
"""

EXAMPLES = r"""
- name: Two containers, one of them published
  netwright.docknet.topology:
    topology: &shop
      name: shop
      containers:
        web: {ports: ["8080:80"]}
        customer: {}

- name: Every path of the topology works, and every other does not
  netwright.docknet.path_info:
    topology: *shop
"""

RETURN = r"""
paths:
  description: The paths that were tried. Also where the module fails because of one of them.
  returned: when paths were tried
  type: list
  elements: dict
  contains:
    source:
      description: The container that packets were sent from, or "the host".
      type: str
      returned: always
      sample: web
    target:
      description: Whom they were for.
      type: str
      returned: always
      sample: db
    address:
      description: The address that they were sent to.
      type: str
      returned: always
      sample: 172.18.0.3
    protocol:
      description: The protocol.
      type: str
      returned: always
      sample: tcp
    port:
      description: The port. Null for pings.
      type: int
      returned: always
      sample: 80
    expected:
      description: Whether they must arrive.
      type: bool
      returned: always
      sample: true
    arrived:
      description: Whether they did. Null where that could not be told.
      type: bool
      returned: always
      sample: true
    ok:
      description: Whether that is as it should be. Null where it could not be told and nobody is to blame; then there is a warning.
      type: bool
      returned: always
      sample: true
    why:
      description: Why they must, or must not.
      type: str
      returned: always
      sample: they share network front
    seen_as:
      description: The address that the server saw, where it was this module's own.
      type: str
      returned: always
      sample: 172.18.0.2
    note:
      description: What else was noticed, such as the kernel's error.
      type: str
      returned: always
      sample: ""
published:
  description: This host's published ports, for O(peers) on other hosts.
  returned: when paths were tried, or after O(serve)
  type: list
  elements: dict
  contains:
    container:
      description: Whose it is.
      type: str
      returned: always
      sample: web
    protocol:
      description: The protocol.
      type: str
      returned: always
      sample: tcp
    host_ip:
      description: The address of the host that it is published on, "0.0.0.0" or "::" for all.
      type: str
      returned: always
      sample: 0.0.0.0
    port:
      description: The host's port.
      type: int
      returned: always
      sample: 8080
    allowed_sources:
      description: Who may use it.
      type: list
      elements: str
      returned: always
      sample: ["0.0.0.0/0"]
    served:
      description: Whether nobody but this module listens where it leads to.
      type: bool
      returned: always
      sample: true
"""

from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import main_trial
from ansible_collections.netwright.docknet.plugins.module_utils._topology.trial import prepare

PUBLISHED = {
    "container": {"type": "str", "required": True},
    "protocol": {"type": "str", "choices": ["tcp", "udp", "sctp"], "required": True},
    "host_ip": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "allowed_sources": {"type": "list", "elements": "str", "required": True},
    "served": {"type": "bool", "required": True},
}
OPTIONS = {
    "topology": {"type": "dict", "required": True},
    "host": {"type": "str"},
    "timeout": {"type": "float", "default": 2.0},
    "serve": {"type": "float"},
    "address": {"type": "str"},
    "peers": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "published": {"type": "list", "elements": "dict", "required": True, "options": PUBLISHED},
        },
    },
}


def main():
    main_trial(OPTIONS, prepare)


if __name__ == "__main__":
    main()
