#!/usr/bin/python
# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: topology_info
short_description: Topologies of a host, as they were asked for and as they are
version_added: 0.2.0
description:
  - Returns each topology that is kept on the host, with what was chosen for it, and what of it there is.
  - Nothing is changed. Whether a topology is still as its document says is told by M(netwright.docknet.topology) in check mode.
extends_documentation_fragment:
  - netwright.docknet._attributes
attributes:
  diff_mode:
    support: N/A
    description: It changes nothing.
options:
  name:
    description: The one topology to return. Left out, all of them. One that is not kept here gives an empty list.
    type: str
  topology:
    description:
      - A document, for which RV(gathered) is returned, and nothing else - what has to be known of each of its hosts before something is chosen for
        all of them.
      - Role C(netwright.docknet.topology) does so.
    type: dict
    version_added: 0.3.0
  host:
    description: With O(topology), which of its hosts this one is.
    type: str
    version_added: 0.3.0
  peers:
    description: With O(topology), the addresses at which its hosts reach each other, by name, as in M(netwright.docknet.topology).
    type: dict
    version_added: 0.3.0
  absent:
    description: With O(topology), hosts that cannot be asked, or may have forgotten. What is kept here of their containers is returned too.
    type: list
    elements: str
    default: []
    version_added: 0.3.0
seealso:
  - module: netwright.docknet.topology
author:
  - The netwright.docknet authors (@netwright)
"""

EXAMPLES = r"""
- name: What the host has
  netwright.docknet.topology_info:
  register: found

- name: The addresses of its containers
  ansible.builtin.debug:
    msg: "{{ found.topologies | map(attribute='endpoints') | flatten | map(attribute='addresses') }}"
"""

RETURN = r"""
topologies:
  description: The topologies, by name.
  returned: when O(topology) is not given
  type: list
  elements: dict
  contains:
    name:
      description: Its name, which is the owner of all it made.
      type: str
      returned: always
      sample: shop
    host:
      description: Which of the document's hosts this one is. Null where the document names none.
      type: str
      returned: always
      sample: node1
    document:
      description: The document, as it was given.
      type: dict
      returned: always
      sample: {"name": "shop", "containers": {"web": {}}}
    networks:
      description: Its networks with what was chosen for them.
      type: list
      elements: dict
      returned: always
      sample: [{"name": "default", "device": "br-5a1f00c2b7d9", "present": true, "subnets": ["172.18.0.0/16"], "gateways": ["172.18.0.1"]}]
    endpoints:
      description: The attachments of its containers to its networks, each with the addresses that it was given.
      type: list
      elements: dict
      returned: always
      sample: [{"container": "web", "network": "default", "addresses": ["172.18.0.2"], "mac": "02:42:ac:12:00:02"}]
    ports:
      description: The ports of the host that were chosen.
      type: list
      elements: dict
      returned: always
      sample: [{"container": "web", "port": ":80/tcp", "published": "32768"}]
    links:
      description: The interfaces that are there, in the host's namespace and in the containers'.
      type: list
      elements: dict
      returned: always
      sample: [{"name": "eth0", "netns": "web", "kind": "veth", "up": true, "mtu": 1500, "addresses": ["172.18.0.2/16"]}]
gathered:
  description:
    - What the host has had of O(topology), and what else it has that must be done without.
    - For the filter P(netwright.docknet.allocation#filter).
  returned: when O(topology) is given
  type: dict
  sample: {"host": "node1", "built": true, "underlay": {"address": "192.0.2.1", "device": "eth0", "mtu": 1500}}
"""

from ansible_collections.netwright.docknet.plugins.module_utils._engine import info
from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import main_info
from ansible_collections.netwright.docknet.plugins.module_utils._topology import gather, normalise

OPTIONS = {
    "name": {"type": "str"},
    "topology": {"type": "dict"},
    "host": {"type": "str"},
    "peers": {"type": "dict"},
    "absent": {"type": "list", "elements": "str", "default": []},
}


def answer(host, params):
    if params["topology"] is not None:
        design = gather.prepare(params)
        return {"gathered": gather.tell(design, params["absent"], host.observe(design.question))}
    return {"topologies": info.topologies(host, params["name"] and normalise.owner("topology_info", params["name"]))}


def main():
    main_info(answer, OPTIONS)


if __name__ == "__main__":
    main()
