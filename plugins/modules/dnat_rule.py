#!/usr/bin/python
# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dnat_rule
short_description: Publish a port of a container on the host
version_added: 0.1.0
description:
  - What comes to the host for O(host_port) goes to O(to_ip), as with C(docker run -p), and no proxy process is in between. The server
    sees the real address of a client on another machine.
  - Only packets for an address of the host itself are taken. What the host forwards to the same port of another machine is
    left alone.
  - The ports are elements of maps in one nftables table, C(inet docknet), which comes with the first rule of a namespace and goes with
    the last. All changes of a task in one namespace are one transaction. No other table is read or written.
  - Which rule is meant is said by O(netns), O(protocol), O(host_ip) and O(host_port) together. Two rules that could be for one packet are
    an error that names both, also when one of them is for every address of the host and the other for one.
  - Connections that would lead elsewhere after a change are forgotten by the kernel, so that UDP clients get to the new target at once.
    A TCP connection that a process of the host itself answers goes on.
  - To let C(127.0.0.1) on the host lead to a container, C(route_localnet) is turned on for the one interface towards O(to_ip), after a rule
    that drops what others send with such addresses, and off again with the last rule that needs it, unless it was on before.
  - Forwarding (C(net.ipv4.ip_forward), C(net.ipv6.conf.all.forwarding)) is not turned on here. That is done by the role
    C(netwright.docknet.host).
requirements:
  - nft 1.0.6 or newer on the managed host
extends_documentation_fragment:
  - netwright.docknet._attributes
  - netwright.docknet._common
options:
  protocol: &protocol
    description: The protocol whose port it is.
    type: str
    choices: [tcp, udp, sctp]
    default: tcp
  host_ip: &host_ip
    description:
      - The address of the host that the port is published on. When left out, it is every address of the family of O(to_ip),
        which can also be written V(0.0.0.0) or V(::).
      - V(127.0.0.1) makes it reachable from the host alone. V(::1) is an error, because the kernel cannot do without a proxy there,
        and link-local addresses are left out of V(::).
    type: str
  host_port:
    description: The port on the host, or a range such as V(8000-8010).
    type: str
  to_ip: &to_ip
    description:
      - The address that the packets go to. Needed unless O(state=absent).
      - A route must lead to it. To remove a rule that has no O(host_ip), it says whether the one of IPv4 or of IPv6 is meant; without it
        both are removed.
    type: str
  to_port: &to_port
    description: The port that the packets go to, or a range as long as O(host_port). On a new rule the ports of O(host_port) when left
      out; on an existing one they then stay.
    type: str
  allowed_sources: &allowed_sources
    description:
      - Addresses and subnets whose packets are taken; others get no answer. An empty list is nobody.
        V(0.0.0.0/0) or V(::/0) is everybody, as on a new rule when this is left out.
      - The host itself is not meant, see O(local). Containers of the host are.
    type: list
    elements: str
  hairpin: &hairpin
    description: Whether clients in the subnet of O(to_ip), and O(to_ip) itself, get there too. They then appear with the host's address.
      On a bridge under C(br_netfilter), a container reaches itself only with hairpin on its port.
    type: bool
    default: true
  local: &local
    description: Whether the host itself gets there, by C(127.0.0.1) and its other addresses.
    type: bool
    default: true
  netns: &netns
    description: The namespace that the rule is in. The host's own when left out.
    type: str
  config:
    description: Several rules, each with the options above. What an entry leaves out of O(config[].state), O(config[].owner),
      O(config[].adopt) and O(config[].recreate) is taken from the task.
    type: list
    elements: dict
    suboptions:
      protocol: *protocol
      host_ip: *host_ip
      host_port:
        description: As O(host_port).
        type: str
        required: true
      to_ip: *to_ip
      to_port: *to_port
      allowed_sources: *allowed_sources
      hairpin: *hairpin
      local: *local
      netns: *netns
      state: {description: As O(state)., type: str, choices: [present, absent]}
      owner: {description: As O(owner)., type: str}
      adopt: {description: As O(adopt)., type: bool}
      recreate: {description: As O(recreate)., type: bool}
seealso:
  - module: netwright.docknet.snat_rule
author:
  - The netwright.docknet authors (@netwright)
"""

EXAMPLES = r"""
- name: Port 8080 of the host is port 80 of the container
  netwright.docknet.dnat_rule:
    host_port: 8080
    to_ip: 172.17.0.3
    to_port: 80

- name: A range, one port for the host alone, and one for some
  netwright.docknet.dnat_rule:
    config:
      - host_port: 7000-7010
        protocol: udp
        to_ip: 172.17.0.3
      - host_ip: 127.0.0.1
        host_port: 8443
        to_ip: 172.17.0.3
        to_port: 443
      - host_port: 5432
        to_ip: 172.17.0.4
        allowed_sources: [192.0.2.0/24, 198.51.100.7]

- name: No longer published
  netwright.docknet.dnat_rule:
    host_port: 8080
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be, in order. What is of one namespace is done in one transaction, but for
    C(route_localnet), which is turned on after it and off before it.
  returned: always
  type: list
  elements: dict
  sample:
    - {"action": "create", "object": "nftables table inet docknet", "reason": "its first rule comes"}
    - {"action": "create", "object": "dnat 0.0.0.0:8080/tcp", "reason": "missing"}
    - {"action": "set", "object": "sysctl net.ipv4.conf.docknet0.route_localnet", "reason": "127.0.0.1 is to lead to a published port behind it"}
dnat:
  description: Each rule, as it now is. C(interface) is the one towards C(to_ip).
  returned: success
  type: list
  elements: dict
  sample: [{"netns": null, "protocol": "tcp", "host_ip": "0.0.0.0", "host_port": "8080", "to_ip": "172.17.0.3", "to_port": "80",
            "allowed_sources": ["0.0.0.0/0"], "hairpin": true, "local": true, "interface": "docknet0", "owner": "docknet", "present": true}]
"""

from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import main as run_module
from ansible_collections.netwright.docknet.plugins.module_utils._topology.rule import dnat
from ansible_collections.netwright.docknet.plugins.module_utils._topology.wish import label, wish

OPTIONS = {
    "protocol": {"type": "str", "choices": ["tcp", "udp", "sctp"], "default": "tcp"},
    "host_ip": {"type": "str"},
    "host_port": {"type": "str"},
    "to_ip": {"type": "str"},
    "to_port": {"type": "str"},
    "allowed_sources": {"type": "list", "elements": "str"},
    "hairpin": {"type": "bool", "default": True},
    "local": {"type": "bool", "default": True},
    "netns": {"type": "str"},
}


def desired(params):
    """The rules that one object's arguments ask for: one, or to be absent one for each family."""
    on = f"{params['host_ip']}:" if params["host_ip"] else ""
    what = label("dnat_rule", f"{on}{params['host_port']}/{params['protocol']}", params["netns"])
    make = wish(what, params)
    return [make(rule) for rule in dnat(what, params)]


def main():
    run_module(OPTIONS, "host_port", desired)


if __name__ == "__main__":
    main()
