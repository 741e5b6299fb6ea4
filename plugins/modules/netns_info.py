#!/usr/bin/python
# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: netns_info
short_description: Named network namespaces and what is in them
version_added: 0.1.0
description:
  - Returns the namespaces that have a name below C(/run/netns), whoever made them, with their interfaces, addresses and routes.
  - Nothing is changed, and no namespace is made by looking.
extends_documentation_fragment:
  - netwright.docknet._attributes
attributes:
  diff_mode:
    support: N/A
    description: It changes nothing.
options:
  name:
    description: The one namespace to return. Left out, all of them. One that does not exist gives an empty list.
    type: str
  owner:
    description: Only the namespaces of this owner. Left out, everybody's and nobody's.
    type: str
seealso:
  - module: netwright.docknet.netns
author:
  - The netwright.docknet authors (@netwright)
"""

EXAMPLES = r"""
- name: What the containers of this host have
  netwright.docknet.netns_info:
  register: found

- name: Its addresses
  ansible.builtin.debug:
    msg: "{{ found.namespaces | map(attribute='links') | flatten | map(attribute='addresses') | flatten }}"
"""

RETURN = r"""
namespaces:
  description: The namespaces, by name. C(owner) is null for one that this collection did not make.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "web", "path": "/run/netns/web", "owner": "docknet", "links": [{"name": "eth0", "kind": "veth", "up": true,
            "mac": "02:42:ac:11:00:02", "mtu": 1500, "addresses": ["172.17.0.2/16"], "routes": ["default via 172.17.0.1"]}]}]
"""

from ansible_collections.netwright.docknet.plugins.module_utils._engine import info
from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import main_info
from ansible_collections.netwright.docknet.plugins.module_utils._topology import normalise

OPTIONS = {"name": {"type": "str"}, "owner": {"type": "str"}}


def answer(host, params):
    what = "netns_info"
    name = params["name"] and normalise.netns_name(what, "name", params["name"])
    return {"namespaces": info.namespaces(host, name, params["owner"] and normalise.owner(what, params["owner"]))}


def main():
    main_info(answer, OPTIONS)


if __name__ == "__main__":
    main()
