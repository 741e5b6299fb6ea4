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
  - A host of which none of these is known is left out; so is one whose C(docknet_underlay) is made of facts that were not gathered.
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
  facts:
    description: Whether the address of the default route counts.
    type: bool
    default: true
    version_added: 0.3.0
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

from ansible.errors import AnsibleError
from jinja2.exceptions import UndefinedError


def address_of(host, variables, facts):
    """The host's address, or ''. One without `ansible_host` may be called by its address."""
    underlay = value_of(variables, "docknet_underlay")
    if underlay:
        return str(underlay)
    reached_at = value_of(variables, "ansible_host") or host
    if is_address(reached_at):
        return str(reached_at)
    known = variables.get("ansible_facts", {}) if facts else {}
    found = (known.get(name, {}).get("address") for name in ("default_ipv4", "default_ipv6"))
    return next(filter(None, found), "")


def value_of(variables, name):
    """None where the variable is made of others that are not there."""
    try:
        value = variables.get(name)
        return value and str(value)
    except (AnsibleError, UndefinedError):
        return None


def is_address(text):
    try:
        return not ip_address(str(text)).is_loopback
    except ValueError:
        return False


def underlays(hosts, hostvars, facts=True):
    known = ((host, address_of(host, hostvars[host], facts)) for host in hosts if host in hostvars)
    return {host: address for host, address in known if address}


class FilterModule:
    def filters(self):
        return {"underlays": underlays}
