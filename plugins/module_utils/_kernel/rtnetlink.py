# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Links, addresses and routes as rtnetlink messages. Numbers: linux/if_link.h, linux/if_addr.h, linux/rtnetlink.h."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import cache
from ipaddress import ip_address, ip_interface, ip_network
from typing import NamedTuple, Optional

from .._model.link import Address, Interface, Link, Network, Route
from .._model.owner import group
from .netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    Message,
    as_text,
    as_u32,
    attribute,
    attributes,
    nested,
    text,
    u8,
    u32,
)

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE = 32, 33, 34
RTM_GETNSID = 90
RTM_NEWLINKPROP, RTM_DELLINKPROP = 108, 109

IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO = 1, 3, 4, 5, 10, 18
IFLA_GROUP, IFLA_NET_NS_FD, IFLA_EXT_MASK, IFLA_LINK_NETNSID, IFLA_PROP_LIST, IFLA_ALT_IFNAME = 27, 28, 29, 37, 52, 53
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5
IFLA_BRPORT_MODE, IFLA_BRPORT_LEARNING, IFLA_BRPORT_NEIGH_SUPPRESS, IFLA_BRPORT_ISOLATED = 4, 8, 32, 33
IFLA_BRPORT_UNICAST_FLOOD, IFLA_BRPORT_MCAST_FLOOD, IFLA_BRPORT_BCAST_FLOOD = 9, 27, 30
RTEXT_FILTER_SKIP_STATS = 8
IFF_UP, IFF_PROMISC = 0x1, 0x100

IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_FLAGS, IFA_PROTO = 1, 2, 4, 8, 11
# Who set an address: ours bear it, as others may set some on our links. Kernels before 5.18 do not keep it.
OUR_PROTO = 0x64
IFA_F_NODAD, IFA_F_PERMANENT = 0x02, 0x80

RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_TABLE, RTA_VIA = 1, 4, 5, 6, 7, 15, 18
RT_TABLE_MAIN, RTN_UNICAST, RTPROT_STATIC = 254, 1, 4
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, RT_SCOPE_NOWHERE = 0, 253, 255
RTM_F_CLONED = 0x200
# Made by the kernel (redirects, the prefix of an address) or by router advertisements: never somebody's wish.
MADE_BY_ITSELF = (1, 2, 9)
IPV6_METRIC = 1024

# linux/fib_rules.h; struct fib_rule_hdr is laid out as struct rtmsg is.
FRA_SRC, FRA_PRIORITY, FRA_SUPPRESS_PREFIXLEN, FRA_TABLE, FRA_PROTOCOL = 2, 6, 14, 15, 21
FR_ACT_TO_TBL = 1
# What a rule "from ADDRESS lookup TABLE" says of itself; the third is always said, and this means no.
PLAIN_RULE = frozenset((FRA_SRC, FRA_PRIORITY, FRA_SUPPRESS_PREFIXLEN, FRA_TABLE, FRA_PROTOCOL))
NO_PREFIXLEN = 0xFFFFFFFF

NETNSA_NSID, NETNSA_FD = 1, 3
LOOPBACK_INDEX = 1
FAMILIES = {4: 2, 6: 10}

_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
# struct rtvia: a family, and behind it the address.
_VIA = struct.Struct("=H")


MAX_MTU = 65535


def birth_mtu(kind: str, mtu: int) -> int:
    """A bridge follows the smallest of its ports unless its MTU was changed (net/bridge/br_if.c br_mtu_auto_adjust).

    What it is born with does not count, so it is born with another, and then changed; its children follow it down.
    """
    return mtu if kind != "bridge" else mtu + 1 if mtu < MAX_MTU else mtu - 1


def link_header(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return _LINK.pack(0, 0, index, flags, change)


def text_name(name: str) -> bytes:
    return text(IFLA_IFNAME, name)


def birth_attributes(link: Link) -> bytes:
    """What the creating message can say of any link, its own end or a veth's other one."""
    data = b""
    mac = link.mac or link.birth_mac
    if mac:
        data += attribute(IFLA_ADDRESS, bytes.fromhex(mac.replace(":", "")))
    if link.mtu:
        data += u32(IFLA_MTU, birth_mtu(link.kind, link.mtu))
    if link.owner:
        data += u32(IFLA_GROUP, group(link.owner))
    return data


def new_link(link: Link, data: bytes, parent: int = 0, master: int = 0, netns: Optional[int] = None) -> Message:
    """A link is born whole. `parent` and `master` are indexes where the message is sent, `netns` the descriptor of another place for it."""
    body = link_header() + text_name(link.key.name) + birth_attributes(link)
    if parent:
        body += u32(IFLA_LINK, parent)
    if master:
        body += u32(IFLA_MASTER, master)
    if netns is not None:
        body += u32(IFLA_NET_NS_FD, netns)
    info = text(IFLA_INFO_KIND, link.kind) + (nested(IFLA_INFO_DATA, data) if data else b"")
    return Message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body + nested(IFLA_LINKINFO, info))


def rename_link(index: int, name: str) -> Message:
    return Message(RTM_NEWLINK, 0, link_header(index) + text_name(name))


def delete_link(index: int) -> Message:
    """By its index: a link made anew under the same name since it was looked at is not hit."""
    return Message(RTM_DELLINK, 0, link_header(index))


def set_link(index: int, changes: Mapping[str, object], master: int = 0) -> list[Message]:
    """The messages that set shared settings of a living link; those of its kind are `set_data`'s."""
    body, flags, mask = b"", 0, 0
    for name, bit in (("up", IFF_UP), ("promiscuous", IFF_PROMISC)):
        if name in changes:
            mask |= bit
            flags |= bit if changes[name] else 0
    if "mac" in changes:
        body += attribute(IFLA_ADDRESS, bytes.fromhex(str(changes["mac"]).replace(":", "")))
    if "mtu" in changes:
        body += u32(IFLA_MTU, int(str(changes["mtu"])))
    if "owner" in changes:
        body += u32(IFLA_GROUP, group(str(changes["owner"])))
    if "master" in changes:
        body += u32(IFLA_MASTER, master)
    messages = [Message(RTM_NEWLINK, 0, link_header(index, flags, mask) + body)] if body or mask else []
    named = [name for name in PORT if name in changes]
    port = b"".join(u8(kind, int(bool(changes[name]))) for name in named for kind in PORT[name])
    if port:
        info = text(IFLA_INFO_SLAVE_KIND, "bridge") + nested(IFLA_INFO_SLAVE_DATA, port)
        messages.append(Message(RTM_NEWLINK, 0, link_header(index) + nested(IFLA_LINKINFO, info)))
    if changes.get("altname"):
        names = nested(IFLA_PROP_LIST, text(IFLA_ALT_IFNAME, str(changes["altname"])))
        messages.append(Message(RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL, link_header(index) + names))
    return messages


PORT = {
    "hairpin": (IFLA_BRPORT_MODE,),
    "isolated": (IFLA_BRPORT_ISOLATED,),
    "port_learning": (IFLA_BRPORT_LEARNING,),
    "port_flooding": (IFLA_BRPORT_UNICAST_FLOOD, IFLA_BRPORT_MCAST_FLOOD, IFLA_BRPORT_BCAST_FLOOD),
    "neigh_suppress": (IFLA_BRPORT_NEIGH_SUPPRESS,),
}


def set_data(index: int, kind: str, data: bytes) -> Message:
    info = text(IFLA_INFO_KIND, kind) + nested(IFLA_INFO_DATA, data)
    return Message(RTM_NEWLINK, 0, link_header(index) + nested(IFLA_LINKINFO, info))


def drop_altname(index: int, altname: str) -> Message:
    return Message(RTM_DELLINKPROP, 0, link_header(index) + nested(IFLA_PROP_LIST, text(IFLA_ALT_IFNAME, altname)))


def get_link(name: str) -> Message:
    return Message(RTM_GETLINK, 0, link_header() + text_name(name))


def get_link_at(index: int) -> Message:
    return Message(RTM_GETLINK, 0, link_header(index) + u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS))


def get_links() -> Message:
    return Message(RTM_GETLINK, 0, link_header() + u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS))


def get_addresses() -> Message:
    return Message(RTM_GETADDR, 0, _ADDRESS.pack(0, 0, 0, 0, 0))


def get_routes(family: int, table: int = RT_TABLE_MAIN) -> Message:
    """`table` 0: of all of them."""
    only = u32(RTA_TABLE, table) if table else b""
    return Message(RTM_GETROUTE, 0, _ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0) + only)


def get_rules() -> Message:
    """Of all families."""
    return Message(RTM_GETRULE, 0, _ROUTE.pack(0, 0, 0, 0, 0, 0, 0, 0, 0))


def get_nsid(descriptor: int) -> Message:
    return Message(RTM_GETNSID, 0, b"\0\0\0\0" + u32(NETNSA_FD, descriptor))


# The same few are read again and again: every namespace has 127.0.0.1, and most have one gateway.
@cache
def interface(packed: bytes, length: int) -> Interface:
    return ip_interface((packed, length))


@cache
def network(packed: bytes, length: int) -> Network:
    return ip_network((packed, length))


next_hop = cache(ip_address)


def link_index(payload: bytes) -> int:
    return int(_LINK.unpack_from(payload)[2])


def link_name(payload: bytes) -> str:
    return as_text(attributes(payload, _LINK.size)[IFLA_IFNAME])


def split_link(payload: bytes) -> tuple[int, int, int]:
    """Index, flags, and where the attributes start."""
    _family, _type, index, flags, _change = _LINK.unpack_from(payload)
    return index, flags, _LINK.size


def nsid(payload: bytes) -> Optional[int]:
    """The number the asking namespace has for another, or None when it has none."""
    raw = attributes(payload, 4).get(NETNSA_NSID)
    number = struct.unpack_from("=i", raw)[0] if raw else -1
    return None if number < 0 else number


def address_message(kind: int, index: int, address: Interface) -> Message:
    """`kind`: RTM_NEWADDR or RTM_DELADDR. IPv6 addresses are ours to vouch for: no detection of duplicates, no second of waiting."""
    family, packed, flags = FAMILIES[address.version], address.ip.packed, 0
    body = attribute(IFA_LOCAL, packed) + attribute(IFA_ADDRESS, packed)
    if kind == RTM_NEWADDR:
        flags = NLM_F_CREATE | NLM_F_REPLACE
        body += u8(IFA_PROTO, OUR_PROTO)
        if address.version == 6:
            body += u32(IFA_FLAGS, IFA_F_NODAD)
        elif address.network.prefixlen < 31:
            body += attribute(IFA_BROADCAST, address.network.broadcast_address.packed)
    return Message(kind, flags, _ADDRESS.pack(family, address.network.prefixlen, 0, 0, index) + body)


def route_message(kind: int, index: int, route: Route) -> Message:
    """`kind`: RTM_NEWROUTE or RTM_DELROUTE.

    A new one replaces none, which might be somebody else's: IPv4 answers EEXIST. IPv6 takes it beside one that a
    router advertised, and there NLM_F_EXCL would not.
    """
    new = kind == RTM_NEWROUTE
    scope = RT_SCOPE_LINK if route.via is None and route.to.version == 4 else RT_SCOPE_UNIVERSE
    if not new:
        scope = RT_SCOPE_NOWHERE
    header = _ROUTE.pack(
        FAMILIES[route.to.version],
        route.to.prefixlen,
        0,
        0,
        RT_TABLE_MAIN,
        RTPROT_STATIC if new else 0,
        scope,
        RTN_UNICAST if new else 0,
        0,
    )
    body = u32(RTA_OIF, index) + u32(RTA_PRIORITY, route.metric)
    if route.to.prefixlen:
        body += attribute(RTA_DST, route.to.network_address.packed)
    if route.via and route.via.version != route.to.version:
        body += attribute(RTA_VIA, _VIA.pack(FAMILIES[route.via.version]) + route.via.packed)
    elif route.via:
        body += attribute(RTA_GATEWAY, route.via.packed)
    flags = NLM_F_CREATE | (NLM_F_EXCL if route.to.version == 4 else 0)
    return Message(kind, flags if new else 0, header + body)


class SeenAddress(NamedTuple):
    """`link` is an index. `lasting`: somebody set it, for good; not a link-local one of the kernel's, nor one with a lifetime. `marked`: it bears our mark."""

    link: int
    address: Interface
    lasting: bool
    marked: bool


def read_address(payload: bytes) -> SeenAddress:
    _family, length, flags, _scope, index = _ADDRESS.unpack_from(payload)
    seen = attributes(payload, _ADDRESS.size)
    if IFA_FLAGS in seen:
        flags = as_u32(seen[IFA_FLAGS])
    address = interface(seen.get(IFA_LOCAL) or seen[IFA_ADDRESS], length)
    marked = seen.get(IFA_PROTO) == bytes((OUR_PROTO,))
    by_kernel = address.version == 6 and address.is_link_local and not marked
    return SeenAddress(index, address, not by_kernel and bool(flags & IFA_F_PERMANENT), marked)


class SeenRoute(NamedTuple):
    """`link` is an index. `lasting`: somebody set it. `marked`: it is of the protocol that ours are of (RTPROT_STATIC); `ip route add` gives another."""

    link: int
    route: Route
    lasting: bool
    marked: bool


def read_route(payload: bytes, table: int = RT_TABLE_MAIN) -> Optional[SeenRoute]:
    """None for one that is not a plain route of this table."""
    family, length, _from, _tos, short, protocol, _scope, sort, flags = _ROUTE.unpack_from(payload)
    seen = attributes(payload, _ROUTE.size)
    if (as_u32(seen[RTA_TABLE]) if RTA_TABLE in seen else short) != table:
        return None
    if sort != RTN_UNICAST or flags & RTM_F_CLONED or RTA_OIF not in seen:
        return None
    to = network(seen.get(RTA_DST) or bytes(4 if family == 2 else 16), length)
    # The next hop of an IPv4 route can be an IPv6 address (RFC 5549).
    hop = seen.get(RTA_GATEWAY) or seen.get(RTA_VIA, b"")[_VIA.size :]
    via = next_hop(hop) if hop else None
    route = Route(to, via, as_u32(seen[RTA_PRIORITY]) if RTA_PRIORITY in seen else 0)
    return SeenRoute(as_u32(seen[RTA_OIF]), route, protocol not in MADE_BY_ITSELF, protocol == RTPROT_STATIC)


def table_of(payload: bytes) -> tuple[int, int]:
    """The table of a route, and who made the route (its protocol)."""
    _family, _length, _from, _tos, short, protocol, _scope, _sort, _flags = _ROUTE.unpack_from(payload)
    seen = attributes(payload, _ROUTE.size)
    return as_u32(seen[RTA_TABLE]) if RTA_TABLE in seen else short, protocol


def table_route_message(
    kind: int, index: int, way: tuple[Network, Optional[Address]], table: int, protocol: int
) -> Message:
    """A route to `way[0]` by `way[1]` in a table of its own; a new one replaces none. A removal is of that protocol's only."""
    to, via = way
    new = kind == RTM_NEWROUTE
    scope = RT_SCOPE_LINK if via is None and to.version == 4 else RT_SCOPE_UNIVERSE
    short = table if table < 256 else 0
    header = _ROUTE.pack(
        FAMILIES[to.version], to.prefixlen, 0, 0, short, protocol, scope if new else RT_SCOPE_NOWHERE, RTN_UNICAST, 0
    )
    body = u32(RTA_OIF, index) + u32(RTA_TABLE, table)
    if to.prefixlen:
        body += attribute(RTA_DST, to.network_address.packed)
    if via:
        body += attribute(RTA_GATEWAY, via.packed)
    return Message(kind, NLM_F_CREATE | NLM_F_EXCL if new else 0, header + body)


class FromRule(NamedTuple):
    """A routing rule by source alone: "from SOURCE lookup TABLE"."""

    source: Address
    table: int
    priority: int
    protocol: int


def rule_message(kind: int, rule: FromRule) -> Message:
    """`kind`: RTM_NEWRULE or RTM_DELRULE, which is of a rule that is the same in all this."""
    new = kind == RTM_NEWRULE
    packed = rule.source.packed
    short = rule.table if rule.table < 256 else 0
    header = _ROUTE.pack(FAMILIES[rule.source.version], 0, len(packed) * 8, 0, short, 0, 0, FR_ACT_TO_TBL, 0)
    body = attribute(FRA_SRC, packed) + u32(FRA_PRIORITY, rule.priority)
    body += u32(FRA_TABLE, rule.table) + u8(FRA_PROTOCOL, rule.protocol)
    return Message(kind, NLM_F_CREATE | NLM_F_EXCL if new else 0, header + body)


def read_rule(payload: bytes) -> Optional[FromRule]:
    """None for a rule that is about more than its source."""
    family, to, length, _tos, _short, _no, _none, action, flags = _ROUTE.unpack_from(payload)
    seen = attributes(payload, _ROUTE.size)
    if family not in FAMILIES.values() or action != FR_ACT_TO_TBL or to or flags or not length:
        return None
    source = seen.get(FRA_SRC, b"")
    if length != len(source) * 8 or seen.keys() - PLAIN_RULE:
        return None
    if FRA_SUPPRESS_PREFIXLEN in seen and as_u32(seen[FRA_SUPPRESS_PREFIXLEN]) != NO_PREFIXLEN:
        return None
    number = {kind: as_u32(seen[kind]) if kind in seen else 0 for kind in (FRA_TABLE, FRA_PRIORITY)}
    return FromRule(ip_address(source), number[FRA_TABLE], number[FRA_PRIORITY], seen.get(FRA_PROTOCOL, b"\0")[0])
