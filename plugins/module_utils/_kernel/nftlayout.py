# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The fixed part of our nftables tables: sets, chains and rules that are there however much is published or kept apart.

What it does with packets that are forwarded from or to a segment (see _model/filter.py) is the reachability that
Docker gives: rule by rule in `_forward`.
"""

from __future__ import annotations

import hashlib

from .._model.filter import BESIDE, BRIDGE_PORTS, BY, ENCRYPTED, PASSED, SEGMENTS, VNIS, WIREGUARD
from .._model.nft import LOCALNET, PROTOCOLS
from .._model.owner import PREFIX
from .._model.vxlan import PORT

TABLE, BRIDGE = "inet docknet", "bridge docknet"
# Where the source rules are; all other chains are the fixed part.
SOURCES = "sources"
# linux/netfilter_ipv4.h: before connection tracking, after it, where addresses are translated, after that; forwarded
# packets a little before other people's filters (0), which can know them by their mark then.
CHAINS = {
    "guard": "type filter hook prerouting priority -300; policy accept;",
    "admit": "type filter hook prerouting priority -150; policy accept;",
    "prerouting": "type nat hook prerouting priority -100; policy accept;",
    "output": "type nat hook output priority -100; policy accept;",
    "publish": "",
    "translated": "type filter hook prerouting priority -90; policy accept;",
    "input": "type filter hook input priority -10; policy accept;",
    "received": "type filter hook input priority 300; policy accept;",
    "forward": "type filter hook forward priority -10; policy accept;",
    "pass": "",
    "sent": "type filter hook output priority -10; policy accept;",
    "postrouting": "type nat hook postrouting priority 100; policy accept;",
    SOURCES: "",
}
ADDRESSES = {"ip": "ipv4_addr", "ip6": "ipv6_addr"}
# Of the table in the bridge family, which is there only where containers of one network are kept apart.
BRIDGE_CHAINS = {"forward": "type filter hook forward priority -10; policy accept;"}
BRIDGE_SETS = {BRIDGE_PORTS: "set type ifname"}
BRIDGE_RULES = [("forward", f"iifname @{BRIDGE_PORTS} oifname @{BRIDGE_PORTS} meta mark & {PASSED:#x} == 0 drop")]
# How the comment of a rule of the fixed part begins.
FIXED = f"{PREFIX} "
QUESTION = f"iifname @{SEGMENTS} meta l4proto {{ 6, 17 }}"
MARK = f"meta mark set meta mark | {PASSED:#x}"
# From a bridge of ours, with a source that the host does not reach by this bridge. The routes tell, so that there is nothing to
# keep in step with subnets, and a network behind a container counts where the host has a route to it.
FORGED = f"iifname @{SEGMENTS} fib saddr . iif oif missing"
# DNS, and the same by TLS or QUIC (RFC 7858, RFC 9250).
NAME_PORTS = "{ 53, 853 }"
# Where the number of a VXLAN is, counted from the UDP header: 8 bytes of that, then flags and 24 reserved bits (RFC 7348 section 5).
VNI = "@th,96,24"


def _sets() -> dict[str, str]:
    """The sets and maps of the fixed part, by name: what they hold."""
    found = dict.fromkeys((LOCALNET, SEGMENTS, "closed"), "set type ifname")
    found.update(dict.fromkeys(("within", "apart", "trusted", BESIDE), "set type ifname . ifname"))
    for family, address in ADDRESSES.items():
        published = f"{address} . inet_proto . inet_service; flags interval"
        for protocol in PROTOCOLS:
            name = f"{protocol}_{family}"
            found[name] = f"map type inet_service : {address} . inet_service"
            found[f"{name}_range"] = f"map type inet_service : {address}; flags interval"
            found[f"{name}_at"] = f"map type {address} . inet_service : {address} . inet_service"
            found[f"{name}_at_range"] = f"map type {address} . inet_service : {address}; flags interval"
        for name in ("not_local", "guarded"):
            found[f"{name}_{family}"] = f"set type {published}"
        for name in ("not_hairpin", "allowed"):
            found[f"{name}_{family}"] = f"set type {address} . {published}"
        for name in ("hairpin", "between"):
            found[f"{name}_{family}"] = f"set type {address} . {address}; flags interval"
        for name in ("routed", "unprotected"):
            found[f"{name}_{family}"] = "set type ifname"
        found[f"open_{family}"] = f"set type {published}"
        found[f"resolver_{family}"] = f"map type {address} : inet_service"
        found[f"nameserver_{family}"] = f"set type {address} . inet_service"
        found[f"vteps_{family}"] = f"set typeof {family} saddr . {VNI}; flags interval"
    found.update(dict.fromkeys((VNIS, ENCRYPTED), f"set typeof {VNI}"))
    found[BY] = f"set typeof iifname . {VNI}"
    found[WIREGUARD] = "set type inet_service"
    return found


def _rules() -> list[tuple[str, str]]:
    """The rules of the fixed part, as (chain, rule). How many there are does not depend on how much is published."""
    found = [
        # What makes route_localnet safe: nobody beside the host itself uses the addresses of its loopback (CVE-2020-8558).
        ("guard", "iifname @localnet ip saddr 127.0.0.0/8 drop"),
        ("guard", "iifname @localnet ip daddr 127.0.0.0/8 drop"),
        ("prerouting", "ip daddr 127.0.0.0/8 return"),
        # A link-local address needs its interface, and ::1 leaves no interface: neither can be translated.
        ("publish", "ip6 daddr { ::1, fe80::/10 } return"),
        ("postrouting", "oifname @localnet ct status dnat ip saddr 127.0.0.0/8 masquerade"),
        *_forward(),
    ]
    # Questions for names, asked of the host's own address on the network. It stays, only the port is another.
    question = f"{QUESTION} th dport 53 fib daddr . iif type local"
    found += [("prerouting", f"{question} dnat to :{family} saddr map @resolver_{family}") for family in ADDRESSES]
    # A container writes the sources of its network alone. With IPv6, it has none at first, and its link-local one is its link's.
    found += [
        ("input", f"meta nfproto ipv4 {FORGED} drop"),
        ("input", f"ip6 saddr != {{ ::, fe80::/10 }} {FORGED} drop"),
        # From an internal network only the name servers of its own are asked: others on the host would ask outside (CVE-2024-29018).
        ("input", f"iifname @closed meta l4proto {{ 6, 17 }} th dport {NAME_PORTS} drop"),
    ]
    # Beside the host itself nobody asks a name server by its own port, which would answer whoever can send to the gateway.
    asked = f'iifname != "lo" meta l4proto {{ 6, 17 }} meta mark & {PASSED:#x} == 0'
    found += [("input", f"{asked} {family} daddr . th dport @nameserver_{family} drop") for family in ADDRESSES]
    # Into an overlay nobody sends but its other hosts (CVE-2023-28840). The mark is for other people's filters; the frame
    # inside, which would have it too, is to come without.
    vxlan = f"udp dport {PORT}"
    # What is encrypted is so on every way: without its WireGuard it neither comes nor goes.
    for chain, device in (("translated", "iifname"), ("sent", "oifname")):
        found.append((chain, f"{vxlan} {VNI} @{ENCRYPTED} {device} . {VNI} != @{BY} drop"))
    # Who may send to a WireGuard it knows itself.
    found.append(("translated", f"udp dport @{WIREGUARD} fib daddr type local {MARK}"))
    found += [("translated", f"{vxlan} {family} saddr . {VNI} @vteps_{family} {MARK}") for family in ADDRESSES]
    found += [
        ("input", f"{vxlan} {VNI} @{VNIS} meta mark & {PASSED:#x} == 0 drop"),
        ("received", f"{vxlan} {VNI} @{VNIS} meta mark set meta mark & {~PASSED & 0xFFFFFFFF:#x}"),
    ]
    for family in ADDRESSES:
        published = f"{family} daddr . meta l4proto . th dport"
        by_client = f"{family} saddr . {published}"
        # Of a connection, only what its client sends: an answer may go to a guarded port too. The host itself is rule `output`'s.
        not_allowed = f"{published} @guarded_{family} {by_client} != @allowed_{family} fib daddr type local drop"
        found += [
            ("admit", f'iifname != "lo" ct direction original {not_allowed}'),
            ("prerouting", f"{by_client} @not_hairpin_{family} return"),
            ("output", f"{published} @not_local_{family} return"),
            ("postrouting", f"ct status dnat {family} saddr . {family} daddr @hairpin_{family} masquerade"),
        ]
        for protocol in PROTOCOLS:
            name, port = f"{protocol}_{family}", f"{protocol} dport"
            found += [
                ("publish", f"dnat {family} to {family} daddr . {port} map @{name}_at{end}") for end in ("", "_range")
            ]
            found += [("publish", f"dnat {family} to {port} map @{name}{end}") for end in ("", "_range")]
    # Only what is for the host itself: transit traffic to a published port of another machine is not ours (CVE-2025-67499).
    found += [(chain, "fib daddr type local jump publish") for chain in ("prerouting", "output")]
    # What goes from one host of a network to another is not on its way to outside.
    found += [("postrouting", f"{family} saddr . {family} daddr @between_{family} return") for family in ADDRESSES]
    return [*found, ("postrouting", f"jump {SOURCES}")]


def _forward() -> list[tuple[str, str]]:
    """What may pass from and to segments. What is not let through here is dropped; it can't be let through by others."""
    found = [
        # What goes to a published port from within a segment, maybe without leaving the bridge (br_netfilter); and
        # questions for names, which other people's filters are to let in.
        ("translated", f"iifname @{SEGMENTS} ct status dnat fib daddr type != local {MARK}"),
        ("translated", f"{QUESTION} ct status dnat ct original proto-dst 53 fib daddr . iif type local {MARK}"),
        ("pass", f"{MARK} accept"),
        # Masqueraded, a container's would come from its host, whom the other hosts of an overlay let in.
        ("forward", f"iifname @{SEGMENTS} udp dport {PORT} {VNI} @{VNIS} drop"),
        # Transit traffic is not ours.
        ("forward", f"iifname != @{SEGMENTS} oifname != @{SEGMENTS} return"),
        # Frames that stay on their bridge come here with br_netfilter alone: what they say is between its containers.
        ("forward", "iifname . oifname @within goto pass"),
        ("forward", f"{FORGED} drop"),
        # From one host of a network to another.
        *(
            ("forward", f"iifname . oifname @{BESIDE} {family} saddr . {family} daddr @between_{family} goto pass")
            for family in ADDRESSES
        ),
        # The way by the gateway may be the one that is meant.
        ("sent", f"oifname @{SEGMENTS} icmp type redirect drop"),
        ("sent", f"oifname @{SEGMENTS} icmpv6 type nd-redirect drop"),
        ("forward", "iifname @closed drop"),
        ("forward", "oifname @closed drop"),
        # What was published, and its answers.
        ("forward", "ct status dnat goto pass"),
        ("forward", "iifname . oifname @apart drop"),
        # Answers. What a client from elsewhere sends is looked at packet by packet below, so that a connection that once
        # was let through, or came in while there were no rules, ends when it no longer would be.
        ("forward", "ct direction reply ct state established goto pass"),
        ("forward", "ct state related goto pass"),
    ]
    for family, echo in (("ip", "icmp"), ("ip6", "icmpv6")):
        nfproto = {"ip": "ipv4", "ip6": "ipv6"}[family]
        routed = f"oifname @routed_{family}"
        found += [
            ("forward", f"meta nfproto {nfproto} oifname @unprotected_{family} goto pass"),
            ("forward", f"{routed} {family} daddr . meta l4proto . th dport @open_{family} goto pass"),
            ("forward", f"{routed} {echo} type echo-request goto pass"),
        ]
    return [
        *found,
        ("forward", "iifname . oifname @trusted goto pass"),
        ("forward", f"oifname @{SEGMENTS} drop"),
        ("forward", "goto pass"),
    ]


SETS = _sets()
RULES = _rules()


def version_of(rule: str) -> str:
    """The comment of a rule of the fixed part: ours, and which text it was made of."""
    return FIXED + hashlib.sha256(rule.encode()).hexdigest()[:8]


def fixed_part(bridge: bool = False) -> list[str]:
    """The commands that put all of a table up; what is there already is left as it is. Its rules are not among them."""
    table, sets, chains = (BRIDGE, BRIDGE_SETS, BRIDGE_CHAINS) if bridge else (TABLE, SETS, CHAINS)
    lines = [f"add table {table}"]
    for name, spec in sets.items():
        sort, _blank, rest = spec.partition(" ")
        lines.append(f'add {sort} {table} {name} {{ {rest}; comment "{PREFIX}"; }}')
    return lines + [f"add chain {table} {name} {{ {spec} }}" for name, spec in chains.items()]


def fixed_rules(bridge: bool = False) -> list[str]:
    table, rules = (BRIDGE, BRIDGE_RULES) if bridge else (TABLE, RULES)
    return [f'add rule {table} {chain} {rule} comment "{version_of(rule)}"' for chain, rule in rules]


def table_of(name: str) -> str:
    """The table that a set is in."""
    return BRIDGE if name in BRIDGE_SETS else TABLE


def is_of_names(name: str) -> list[bool]:
    """Which parts of a set's key are names of interfaces."""
    said = {**SETS, **BRIDGE_SETS}.get(name, "")
    kind = said.partition("type ")[2] or said.partition("typeof ")[2]
    return [part.strip() in ("ifname", "iifname") for part in kind.partition(";")[0].partition(" : ")[0].split(" . ")]
