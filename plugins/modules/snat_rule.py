#!/usr/bin/python
# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: snat_rule
short_description: Hide a subnet behind an address of the host
version_added: 0.1.0
description:
  - Makes packets from a subnet leave the host with an address of the host as their source, so that answers find the way back.
    One rule serves a whole network, however many containers are in it.
  - The rules are in one nftables table, C(inet docknet), which comes with the first rule of a namespace and goes with the last.
    No other table is read or written.
  - Packets to multicast addresses are left as they are.
  - Which rule is meant is said by O(netns), O(source), O(out_interface) and O(except_out_interface) together.
    Where several rules have a source in common, the narrowest counts, and of equal ones the one that names interfaces.
  - Forwarding (C(net.ipv4.ip_forward), C(net.ipv6.conf.all.forwarding)) is not turned on here. That is done by the role
    C(netwright.docknet.host).
requirements:
  - nft 1.0.6 or newer on the managed host
extends_documentation_fragment:
  - netwright.docknet._attributes
  - netwright.docknet._common
options:
  source:
    description: The subnet that packets come from, as V(172.17.0.0/16). IPv4 or IPv6.
    type: str
  except_out_interface: &except_out_interface
    description: Packets that leave by this interface are left as they are. Name the network's bridge, so that the
      containers on it see one another's addresses.
    type: str
  out_interface: &out_interface
    description: Only packets that leave by this interface are changed. It need not be there yet.
    type: str
  to: &to
    description:
      - V(masquerade) for the address of the interface by which a packet leaves, or one address of the family of O(source).
      - An address is better where the host has a fixed one, since connections then survive when an interface goes down and up.
    type: str
    default: masquerade
  netns: &netns
    description: The namespace that the rule is in. The host's own when left out.
    type: str
  config:
    description: Several rules, each with the options above. What an entry leaves out of O(config[].state), O(config[].owner),
      O(config[].adopt) and O(config[].recreate) is taken from the task.
    type: list
    elements: dict
    suboptions:
      source:
        description: As O(source).
        type: str
        required: true
      except_out_interface: *except_out_interface
      out_interface: *out_interface
      to: *to
      netns: *netns
      state: {description: As O(state)., type: str, choices: [present, absent]}
      owner: {description: As O(owner)., type: str}
      adopt: {description: As O(adopt)., type: bool}
      recreate: {description: As O(recreate)., type: bool}
seealso:
  - module: netwright.docknet.dnat_rule
author:
  - The netwright.docknet authors (@netwright)
"""

EXAMPLES = r"""
- name: Containers reach the outside world
  netwright.docknet.snat_rule:
    source: 172.17.0.0/16
    except_out_interface: docknet0

- name: Two networks, one of them with a fixed address
  netwright.docknet.snat_rule:
    config:
      - source: 172.18.0.0/16
        except_out_interface: front0
      - source: fd00:18::/64
        except_out_interface: front0
        to: 2001:db8::7

- name: No longer
  netwright.docknet.snat_rule:
    source: 172.17.0.0/16
    except_out_interface: docknet0
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be, in order. What is of one namespace is done in one transaction.
  returned: always
  type: list
  elements: dict
  sample:
    - {"action": "create", "object": "nftables table inet docknet", "reason": "its first rule comes"}
    - {"action": "create", "object": "snat 172.17.0.0/16 not out docknet0", "reason": "missing"}
snat:
  description: Each rule, as it now is.
  returned: success
  type: list
  elements: dict
  sample: [{"netns": null, "source": "172.17.0.0/16", "out_interface": null, "except_out_interface": "docknet0", "to": "masquerade",
            "owner": "docknet", "present": true}]
"""

from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import main as run_module
from ansible_collections.netwright.docknet.plugins.module_utils._topology.rule import snat
from ansible_collections.netwright.docknet.plugins.module_utils._topology.wish import label, wish

OPTIONS = {
    "source": {"type": "str"},
    "except_out_interface": {"type": "str"},
    "out_interface": {"type": "str"},
    "to": {"type": "str", "default": "masquerade"},
    "netns": {"type": "str"},
}


def desired(params):
    """The rule that one object's arguments ask for."""
    what = label("snat_rule", params["source"], params["netns"])
    return [wish(what, params)(snat(what, params))]


def main():
    run_module(OPTIONS, "source", desired)


if __name__ == "__main__":
    main()
