#!/usr/bin/python
# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wireguard_key
short_description: A host's WireGuard key for the encrypted networks of a topology
version_added: 0.3.0
description:
  - Makes a key on the host, which the C(encrypted) overlay networks of a topology take, and returns the public half, for the other hosts.
  - The private half stays in C(/var/lib/docknet/NAME.key), which only root reads, and is told to the kernel alone. It is never returned, logged
    or sent.
  - The kernel must have WireGuard. No other program is needed.
  - The interface itself is module M(netwright.docknet.topology)'s, which removes the key too when the topology does not take it any more.
extends_documentation_fragment:
  - netwright.docknet._attributes
options:
  topology:
    description: The name of the topology.
    type: str
    required: true
  rotate:
    description:
      - Make another key in place of the one there is.
      - The interface gets it from M(netwright.docknet.topology). Until that has run on all hosts, with what this module returned on all of them,
        they do not understand each other.
    type: bool
    default: false
  state:
    description: Whether there is to be a key.
    type: str
    choices: [present, absent]
    default: present
  lock_timeout:
    description: How long to wait for another run on the same host to finish, in seconds.
    type: float
    default: 30.0
seealso:
  - module: netwright.docknet.topology
author:
  - The netwright.docknet authors (@netwright)
"""

EXAMPLES = r"""
- name: A key of this host, of which the others get the public half
  netwright.docknet.wireguard_key:
    topology: shop
  register: key

- name: Gone with the topology
  netwright.docknet.wireguard_key:
    topology: shop
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be, in order.
  returned: always
  type: list
  elements: dict
  sample: [{"action": "create", "object": "key shop", "reason": "missing"}]
public_key:
  description: The public key. Null where there is none, or none yet, in check mode.
  returned: success
  type: str
  sample: xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
port:
  description: The UDP port on which the host's WireGuard listens for this topology, the first that is free from 51820 up. It is kept.
  returned: success
  type: int
  sample: 51820
"""

from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import main_design
from ansible_collections.netwright.docknet.plugins.module_utils._topology.wireguard_key import prepare

OPTIONS = {
    "topology": {"type": "str", "required": True},
    "rotate": {"type": "bool", "default": False},
}


def main():
    main_design(OPTIONS, prepare, common=("state",))


if __name__ == "__main__":
    main()
