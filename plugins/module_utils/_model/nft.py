# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The layout of our nftables table: which elements a published port is made of, and back.

The truth is in the maps that translate, one for each protocol and family (`tcp_ip`, `udp_ip6`, ...):

    tcp_ip            8080                    -> 172.17.0.3 . 80     every address of the host
    tcp_ip_at         10.0.0.1 . 8080         -> 172.17.0.3 . 80     one address
    tcp_ip_range      8000-8010               -> 172.17.0.3          ports that stay as they are: one element
    tcp_ip_at_range   10.0.0.1 . 8000-8010    -> 172.17.0.3

Each of their elements has the rule's mark as its comment; a range whose ports are shifted is an element a port.
Everything else follows from these (0.0.0.0/0 stands for every address):

    guarded_ip, allowed_ip         allowed_sources, where it is not everyone
    not_local_ip, not_hairpin_ip   local: false, hairpin: false
    hairpin_ip                     pairs of subnets whose packets to each other come back through the host
    localnet                       interfaces that let 127.0.0.0/8 through, marked with whether that is our doing

The sets about segments are filter.py's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Optional

from .link import Network
from .namespace import NetnsRef
from .owner import PREFIX, SEPARATOR
from .rule import EVERY_ADDRESS, EVERYONE, LOOPBACK, Dnat, Element, ElementKey, Path, Ports, Rule, RuleKey

# nft reads and writes names for these only where there is an /etc/protocols.
PROTOCOLS = {"tcp": "6", "udp": "17", "sctp": "132"}
FAMILIES = {4: "ip", 6: "ip6"}
LOCALNET = "localnet"
# The kernel allows more in an interface's name, but nft has no way to quote it.
DEVICE = re.compile(r"[A-Za-z0-9_.+@-]{1,15}")
# Whether route_localnet was off before us, so that we turn it off again.
TURNED_ON, FOUND_ON = f"{PREFIX} turned it on", f"{PREFIX} found it on"
MAP = re.compile(r"(tcp|udp|sctp)_(ip6?)(_at)?(_range)?")
MARK = re.compile(
    rf"{PREFIX}{SEPARATOR}(?P<owner>[A-Za-z0-9_.-]+)(?: via=(?P<device>[^ /]+)/(?P<length>\d+))?"
    r"(?: ports=(?P<ports>\d+-\d+))?(?P<local> local=no)?(?P<hairpin> hairpin=no)?(?P<guarded> guarded)?"
)


def mark(rule: Dnat) -> str:
    """The comment on a rule's elements: whose it is, and what the elements themselves do not say. 110 bytes at most; nft takes 128."""
    text = f"{PREFIX}{SEPARATOR}{rule.owner}"
    if rule.via:
        text += f" via={rule.via.device}/{rule.via.subnet.prefixlen}"
    if rule.ports.size > 1:
        text += f" ports={rule.ports}"
    return (
        text
        + ("" if rule.local else " local=no")
        + ("" if rule.hairpin else " hairpin=no")
        + ("" if rule.open_to_all else " guarded")
    )


def owner_in(comment: str) -> Optional[str]:
    """Whose a marked thing is; None when it has no mark of ours."""
    found = MARK.fullmatch(comment)
    return found["owner"] if found else None


def elements(rule: Dnat) -> Iterator[Element]:
    """All elements that are one rule's alone."""
    yield from translations(rule)
    family, published = FAMILIES[rule.version], publication(rule)
    if not rule.local:
        yield Element(f"not_local_{family}", published)
    if not rule.hairpin:
        subnet = rule.via.subnet if rule.via else ip_network(str(rule.to_ip))
        yield Element(f"not_hairpin_{family}", f"{spell(subnet)} . {published}")
    if not rule.open_to_all:
        yield Element(f"guarded_{family}", published)
        for source in rule.allowed_sources or ():
            yield Element(f"allowed_{family}", f"{spell(source)} . {published}")


def translations(rule: Dnat) -> Iterator[Element]:
    """The elements of the maps that translate."""
    at = "" if rule.host_ip.is_unspecified else f"{rule.host_ip} . "
    name = f"{rule.protocol}_{FAMILIES[rule.version]}" + ("_at" if at else "")
    comment = mark(rule)
    if rule.keeps_ports and rule.ports.size > 1:
        yield Element(f"{name}_range", f"{at}{rule.ports}", str(rule.to_ip), comment)
        return
    for offset in range(rule.ports.size):
        yield Element(
            name, f"{at}{rule.ports.first + offset}", f"{rule.to_ip} . {rule.to_ports.first + offset}", comment
        )


def publication(rule: Dnat) -> str:
    """What is published, as the key of a set says it: address, protocol, ports."""
    address = spell(EVERYONE[rule.version]) if rule.host_ip.is_unspecified else str(rule.host_ip)
    return f"{address} . {PROTOCOLS[rule.protocol]} . {rule.ports}"


def published_by(element: Element) -> Optional[str]:
    """Which publication an element of a set that follows from one belongs to."""
    if element.set.startswith(("not_hairpin", "allowed")):
        return element.key.partition(" . ")[2]
    return element.key if element.set.startswith(("not_local", "guarded")) else None


def spell(network: Network) -> str:
    """As nft prints it: a single address without a length."""
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def hairpins(rules: Iterable[Dnat]) -> Iterator[Element]:
    """Pairs of subnets whose packets to each other need the host's address as source, or the answer would not come back through it.

    Of nested subnets the widest says it all, and the kernel takes no two elements that overlap.
    """
    subnets = {rule.via.subnet for rule in rules if rule.hairpin and rule.via and rule.via.device != LOOPBACK}
    for subnet in sorted(subnets, key=str):
        wider = (subnet.supernet(new_prefix=length) for length in range(subnet.prefixlen))
        if subnets.isdisjoint(wider):
            yield Element(f"hairpin_{FAMILIES[subnet.version]}", f"{spell(subnet)} . {spell(subnet)}")


def read(netns: NetnsRef, seen: Mapping[ElementKey, Element]) -> dict[RuleKey, Rule]:
    """The rules that a table's elements make up. An element without a mark is a rule of nobody's (`owner` None)."""
    allowed: dict[str, set[Network]] = {}
    for element in seen.values():
        if element.set.startswith("allowed"):
            source, _dot, published = element.key.partition(" . ")
            allowed.setdefault(published, set()).add(ip_network(source))
    closed = {published_by(element) for element in seen.values() if element.set.startswith("guarded")}
    found: dict[RuleKey, Rule] = {}
    for element in seen.values():
        rule = _translation(netns, element)
        if rule is None or rule.key in found:
            continue
        said = MARK.fullmatch(element.comment)
        family, published = FAMILIES[rule.version], publication(rule)
        guarded = bool(said["guarded"]) if said else published in closed
        found[rule.key] = replace(
            rule,
            owner=said["owner"] if said else None,
            local=not said["local"] if said else (f"not_local_{family}", published) not in seen,
            hairpin=not said["hairpin"] if said else True,
            allowed_sources=frozenset(allowed.get(published, ())) if guarded else frozenset({EVERYONE[rule.version]}),
            via=Path(said["device"], ip_network(f"{rule.to_ip}/{said['length']}", strict=False))
            if said and said["device"]
            else None,
        )
    return found


def _translation(netns: NetnsRef, element: Element) -> Optional[Dnat]:
    """The core of a rule, from one element of a map."""
    found = MAP.fullmatch(element.set)
    if not found:
        return None
    address, _dot, port = element.key.rpartition(" . ")
    here = _ports(port)
    to_ip, _dot, to_port = element.value.partition(" . ")
    said = MARK.fullmatch(element.comment)
    whole = _ports(said["ports"]) if said and said["ports"] else here
    first = whole.first if found[4] else int(to_port) - (here.first - whole.first)
    host_ip = ip_address(address) if address else EVERY_ADDRESS[4 if found[2] == "ip" else 6]
    return Dnat(netns, found[1], host_ip, whole, ip_address(to_ip), first)


def _ports(text: str) -> Ports:
    first, _dash, last = text.partition("-")
    return Ports(int(first), int(last or first))
