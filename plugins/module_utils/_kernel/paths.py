# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""How packets get to an address, and which addresses are the host's own: as the kernel's routing says.

Of the namespace the calling thread is in, which is the socket's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_interface, ip_network
from typing import Optional

from .._model.link import Address, Interface, Network
from .._model.owner import owner_of
from .._model.rule import Path
from . import rtnetlink as rt
from . import sysctl
from .netlink import Message, NetlinkError, Socket, as_text, as_u32, attribute, attributes, each_attribute

# linux/rtnetlink.h: struct rtmsg, struct ifaddrmsg, and the only sorts of route that lead to a place.
ROUTE, ADDRESS = struct.Struct("=BBBBBBBBI"), struct.Struct("=BBBBI")
RTN_UNICAST, RTN_LOCAL = 1, 2
# Its attributes: metrics, and struct rta_cacheinfo, whose third number is when what was learned expires. A flag asks for the route as it was made.
RTA_METRICS, RTA_CACHEINFO, RTAX_MTU, RTM_F_FIB_MATCH = 8, 12, 2, 0x2000


def find(socket: Socket, targets: Iterable[Address]) -> dict[Address, Optional[Path]]:
    """The way to each of these addresses; None where there is none."""
    on_links: dict[int, list[Network]] = {}
    for at, mine in addresses(socket):
        on_links.setdefault(at, []).append(mine.network)
    found: dict[Address, Optional[Path]] = {}
    devices: dict[int, tuple[str, bool, Optional[bool]]] = {}
    for target in targets:
        way = route(socket, target)
        if way is None:
            found[target] = None
            continue
        sort, index = way[0], as_u32(way[1][rt.RTA_OIF])
        if index not in devices:
            devices[index] = _device(socket, index)
        device, marked, localnet = devices[index]
        own = sort == RTN_LOCAL
        near = [network for network in on_links.get(index, ()) if not own and target in network]
        subnet = max(near, key=lambda network: network.prefixlen, default=None) or ip_network(target)
        found[target] = Path(device, subnet, own, None if own else localnet, marked)
    return found


def route(socket: Socket, target: Address, flags: int = 0) -> Optional[tuple[int, dict[int, bytes]]]:
    """The sort of the route that leads there, and its attributes, the interface among them."""
    header = ROUTE.pack(rt.FAMILIES[target.version], target.max_prefixlen, 0, 0, 0, 0, 0, 0, flags)
    try:
        answer = socket.get(Message(rt.RTM_GETROUTE, 0, header + attribute(rt.RTA_DST, target.packed)))
    except NetlinkError:
        return None
    words = attributes(answer, ROUTE.size)
    sort = int(ROUTE.unpack_from(answer)[7])
    return (sort, words) if rt.RTA_OIF in words and sort in (RTN_UNICAST, RTN_LOCAL) else None


def mtu(socket: Socket, target: Address, words: Mapping[int, bytes]) -> Optional[int]:
    """The MTU that the route there is configured with. One that was learned from packets on the way expires, and does not count."""
    if RTA_METRICS not in words:
        return None
    if as_u32(words.get(RTA_CACHEINFO, bytes(12))[8:12]):
        _sort, words = route(socket, target, RTM_F_FIB_MATCH) or (0, {})
    return as_u32(attributes(words.get(RTA_METRICS, b"")).get(RTAX_MTU, bytes(4))) or None


def _device(socket: Socket, index: int) -> tuple[str, bool, Optional[bool]]:
    """The name of a link, whether it has a mark of ours, and its route_localnet."""
    payload = socket.get(Message(rt.RTM_GETLINK, 0, rt.link_header(index)))
    seen = attributes(payload, rt.split_link(payload)[2])
    names = each_attribute(seen[rt.IFLA_PROP_LIST]) if rt.IFLA_PROP_LIST in seen else ()
    altnames = tuple(as_text(data) for kind, data in names if kind == rt.IFLA_ALT_IFNAME)
    name = as_text(seen[rt.IFLA_IFNAME])
    return name, owner_of(altnames) is not None, route_localnet(name)


def addresses(socket: Socket) -> Iterator[tuple[int, Interface]]:
    """(index of the link, address) of every address there is, whoever set it."""
    for payload in socket.dump(rt.get_addresses()):
        _family, length, _flags, _scope, index = ADDRESS.unpack_from(payload)
        seen = attributes(payload, ADDRESS.size)
        yield index, ip_interface((seen.get(rt.IFA_LOCAL) or seen[rt.IFA_ADDRESS], length))


def route_localnet(device: str) -> Optional[bool]:
    """Whether packets of 127.0.0.0/8 may pass the interface; None when there is no such interface, or no IPv4 on it."""
    value = sysctl.read(("net", "ipv4", "conf", device, "route_localnet"))
    return None if value is None else value != "0"
