# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The layout of our nftables tables, the part that filters: which elements a segment is made of, and back.

    segments          docknet0                     all of them; its comment says whose, and what else is to be said
    within            docknet0 . docknet0          containers of it may reach each other; where they may not:
    apart             docknet0 . docknet0
    apart_ports       veth1                        the same, in table bridge: ports between which no frame passes
    closed            docknet0                     internal
    routed_ip         docknet0                     mode of a family, where it is not nat
    unprotected_ip    docknet0
    open_ip           172.17.0.3 . 6 . 80-90       what may come from outside, mode routed
    trusted           wg0 . docknet0               from where everything may come
    between_ip        10.1.0.0/16 . 10.1.0.0/16    its subnet, of which other hosts have parts,
    beside            eth0 . docknet0              and the way to and from them
    resolver_ip       172.17.0.3 -> 5301           where the questions of a container go
    nameserver_ip     172.17.0.1 . 5301            to where nothing else may come
    vnis              4097                         its VXLAN, to which these ends may send, and nobody else:
    vteps_ip          198.51.100.2 . 4097
    encrypted         4097                         its VXLAN, whose packets come and go by this WireGuard alone:
    encrypted_by      wg-1f0c . 4097
    wireguard         51820                        the UDP port of that

Those whose key does not end in the device say it in their comment. Some sets take something away from packets (GUARDS),
the others let something through.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any, Optional

from .namespace import NetnsRef
from .nft import FAMILIES, PROTOCOLS, published_by, spell
from .owner import PREFIX, SEPARATOR
from .rule import Element, ElementKey, Ports
from .segment import ISOLATED, NAT, ROUTED, UNPROTECTED, Opening, Segment

SEGMENTS, BRIDGE_PORTS, VNIS, BESIDE = "segments", "apart_ports", "vnis", "beside"
ENCRYPTED, BY, WIREGUARD = "encrypted", "encrypted_by", "wireguard"
# What a packet carries that is let through, for other people's chains to know it by. One bit: the others are theirs
# (Kubernetes has 0x4000 and 0x8000, Tailscale 0x40000 and 0x80000).
PASSED = 0x200000
# The sets whose elements' comments say the device, and those whose keys do.
BY_COMMENT = frozenset(
    {BRIDGE_PORTS, VNIS, BESIDE, ENCRYPTED, BY, WIREGUARD}
    | {
        f"{name}_{family}"
        for name in ("open", "resolver", "nameserver", "vteps", "between")
        for family in ("ip", "ip6")
    }
)
BY_KEY = frozenset(
    {SEGMENTS, "within", "apart", "closed", "trusted"}
    | {f"{name}_{family}" for name in ("routed", "unprotected") for family in ("ip", "ip6")}
)
MARK = re.compile(
    rf"{PREFIX}{SEPARATOR}(?P<owner>[A-Za-z0-9_.-]+)(?: on (?P<device>[^ /]+))?(?P<apart> icc=no)?(?P<internal> internal)?"
    r"(?: ip=(?P<ip>[a-z-]+))?(?: ip6=(?P<ip6>[a-z-]+))?"
)
# The sets whose elements take something away from packets; those of all other sets let something through.
GUARDS = frozenset({SEGMENTS, BRIDGE_PORTS, VNIS, ENCRYPTED, "apart", "closed"}) | frozenset(
    f"{name}_{family}" for name in ("nameserver", "between") for family in ("ip", "ip6")
)
# Guards of which the kernel takes no two that overlap.
RANGES = frozenset({"between_ip", "between_ip6"})
NAMES = {number: name for name, number in PROTOCOLS.items()}
MODES = (NAT, UNPROTECTED, ROUTED, ISOLATED)


def whole(segment: Segment) -> Segment:
    """The segment as it is read back: every family has a mode, nothing is said that does not count, no two openings overlap."""
    return replace(
        segment,
        modes={family: segment.modes.get(family, NAT) for family in FAMILIES},
        ports=frozenset() if segment.icc else segment.ports,
        openings=frozenset(_merged(segment.openings)),
        resolvers=dict(segment.resolvers),
        nameservers=segment.nameservers if segment.resolvers else frozenset(),
        beside=segment.beside if segment.between and segment.icc else frozenset(),
        vteps=frozenset() if segment.vni is None else segment.vteps,
        by=None if segment.vni is None else segment.by,
        listens=None if segment.vni is None else segment.listens,
    )


def _merged(openings: Iterable[Opening]) -> Iterator[Opening]:
    """The kernel takes no two intervals that overlap."""
    last: Optional[Opening] = None
    for one in sorted(openings, key=lambda one: (one.address.version, one)):
        if last and last[:2] == one[:2] and one.ports.first <= last.ports.last:
            last = last._replace(ports=Ports(last.ports.first, max(last.ports.last, one.ports.last)))
            continue
        if last:
            yield last
        last = one
    if last:
        yield last


def mark(segment: Segment) -> str:
    """The comment on the segment itself. 90 bytes at most; nft takes 128."""
    modes = [f" {FAMILIES[family]}={mode}" for family, mode in sorted(segment.modes.items()) if mode != NAT]
    said = ("" if segment.icc else " icc=no") + (" internal" if segment.internal else "") + "".join(modes)
    return f"{PREFIX}{SEPARATOR}{segment.owner}{said}"


def elements(segment: Segment) -> Iterator[Element]:
    """All that one segment is made of."""
    device = segment.device
    hung = f"{PREFIX}{SEPARATOR}{segment.owner} on {device}"
    yield Element(SEGMENTS, device, "", mark(segment))
    yield Element("within" if segment.icc else "apart", f"{device} . {device}")
    if segment.internal:
        yield Element("closed", device)
    for family, mode in segment.modes.items():
        if mode in (ROUTED, UNPROTECTED):
            yield Element(f"{'routed' if mode == ROUTED else 'unprotected'}_{FAMILIES[family]}", device)
    for one in segment.trusted:
        yield Element("trusted", f"{one} . {device}")
    for subnet in segment.between:
        yield Element(f"between_{FAMILIES[subnet.version]}", f"{spell(subnet)} . {spell(subnet)}", "", hung)
    for link in segment.beside:
        yield Element(BESIDE, f"{link} . {device}", "", hung)
        yield Element(BESIDE, f"{device} . {link}", "", hung)
    for port in segment.ports:
        yield Element(BRIDGE_PORTS, port, "", hung)
    for opening in segment.openings:
        key = f"{opening.address} . {PROTOCOLS[opening.protocol]} . {opening.ports}"
        yield Element(f"open_{FAMILIES[opening.address.version]}", key, "", hung)
    for address, number in segment.resolvers.items():
        yield Element(f"resolver_{FAMILIES[address.version]}", str(address), str(number), hung)
    for address in segment.nameservers:
        for number in sorted(set(segment.resolvers.values())):
            yield Element(f"nameserver_{FAMILIES[address.version]}", f"{address} . {number}", "", hung)
    if segment.vni is not None:
        yield Element(VNIS, str(segment.vni), "", hung)
        for network in segment.vteps:
            yield Element(f"vteps_{FAMILIES[network.version]}", f"{spell(network)} . {segment.vni}", "", hung)
        if segment.by is not None:
            yield Element(ENCRYPTED, str(segment.vni), "", hung)
            yield Element(BY, f"{segment.by} . {segment.vni}", "", hung)
        if segment.listens is not None:
            yield Element(WIREGUARD, str(segment.listens), "", hung)


def device_of(element: Element) -> Optional[str]:
    """Which segment an element belongs to."""
    if element.set in BY_KEY:
        return element.key.rpartition(" . ")[2]
    if element.set in BY_COMMENT:
        found = MARK.fullmatch(element.comment)
        return found["device"] if found else None
    return None


def read(netns: NetnsRef, seen: Mapping[ElementKey, Element]) -> dict[str, Segment]:
    """The segments that the elements make up, by device. One without a mark is nobody's (`owner` None)."""
    parts: dict[str, dict[str, Any]] = {}
    for element in seen.values():
        device = device_of(element)
        if device is not None:
            if device not in parts:
                sets = ("openings", "trusted", "ports", "nameservers", "vteps", "between", "beside")
                one = dict.fromkeys(("vni", "by", "listens"))
                parts[device] = {"resolvers": {}, **one, **{name: set() for name in sets}}
            _add(parts[device], element)
    found = {}
    for device, part in parts.items():
        if "said" not in part:
            continue
        said = MARK.fullmatch(part["said"])
        found[device] = Segment(
            netns,
            device,
            said["owner"] if said else None,
            icc=not (said and said["apart"]),
            internal=bool(said and said["internal"]),
            modes={family: said[name] or NAT if said else NAT for family, name in FAMILIES.items()},
            ports=frozenset(part["ports"]),
            openings=frozenset(part["openings"]),
            trusted=frozenset(part["trusted"]),
            resolvers=part["resolvers"],
            nameservers=frozenset(part["nameservers"]),
            between=frozenset(part["between"]),
            beside=frozenset(part["beside"]) - {device},
            vni=part["vni"],
            vteps=frozenset(part["vteps"]),
            by=part["by"],
            listens=part["listens"],
        )
    return found


def _add(part: dict[str, Any], element: Element) -> None:
    if element.set == SEGMENTS:
        part["said"] = element.comment
    elif element.set == "trusted":
        part["trusted"].add(element.key.partition(" . ")[0])
    elif element.set == BRIDGE_PORTS:
        part["ports"].add(element.key)
    elif element.set == BESIDE:
        part["beside"].update(element.key.split(" . "))
    elif element.set.startswith("between_"):
        part["between"].add(ip_network(element.key.partition(" . ")[0]))
    elif element.set.startswith("open_"):
        address, protocol, ports = element.key.split(" . ")
        first, _dash, last = ports.partition("-")
        opened = Ports(int(first), int(last or first))
        part["openings"].add(Opening(ip_address(address), NAMES.get(protocol, protocol), opened))
    elif element.set.startswith("resolver_"):
        part["resolvers"][ip_address(element.key)] = int(element.value)
    elif element.set.startswith("nameserver_"):
        part["nameservers"].add(ip_address(element.key.partition(" . ")[0]))
    elif element.set == VNIS:
        part["vni"] = int(element.key)
    elif element.set == BY:
        part["by"] = element.key.partition(" . ")[0]
    elif element.set == WIREGUARD:
        part["listens"] = int(element.key)
    elif element.set.startswith("vteps_"):
        part["vteps"].add(ip_network(element.key.partition(" . ")[0]))


def belonging(element: Element) -> Optional[str]:
    """What beside the translations an element says something about: a publication, or a segment."""
    device = device_of(element)
    return published_by(element) if device is None else about(device)


def about(device: str) -> str:
    """A segment, as `about` of a table knows it."""
    return f"segment {device}"
