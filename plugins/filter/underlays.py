# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: underlays
short_description: The addresses at which hosts reach each other
version_added: 0.3.0
description:
  - For each host its C(docknet_underlay); else its C(ansible_host), or its name, where that is an address; else the address of its default route, where facts
    of the host were gathered.
  - A host of which none of these is known is left out.
options:
  _input:
    description: Names of hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts, C(hostvars).
    type: dict
    required: true
author:
  - The netwright.docknet authors (@netwright)
"""

EXAMPLES = r"""
- name: How the hosts of the play reach each other
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts | netwright.docknet.underlays(hostvars) }}"
"""

RETURN = r"""
_value:
  description: Addresses by the names of hosts.
  type: dict
  sample: {"node1": "192.0.2.1", "node2": "192.0.2.2"}
"""

from ipaddress import ip_address


def address_of(host, variables):
    """The host's address, or ''. One without `ansible_host` may be called by its address."""
    if variables.get("docknet_underlay"):
        return str(variables["docknet_underlay"])
    if is_address(variables.get("ansible_host", host)):
        return str(variables.get("ansible_host", host))
    facts = variables.get("ansible_facts", {})
    found = (facts.get(name, {}).get("address") for name in ("default_ipv4", "default_ipv6"))
    return next(filter(None, found), "")


def is_address(text):
    try:
        return not ip_address(str(text)).is_loopback
    except ValueError:
        return False


def underlays(hosts, hostvars):
    known = ((host, address_of(host, hostvars[host])) for host in hosts if host in hostvars)
    return {host: address for host, address in known if address}


class FilterModule:
    def filters(self):
        return {"underlays": underlays}
