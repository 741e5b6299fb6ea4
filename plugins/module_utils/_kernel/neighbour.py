# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Permanent neighbours, and a VXLAN's entries, which are neighbours of the family "bridge" (linux/neighbour.h).

Of the entries a VXLAN has its own table ("self"); the bridge that it is a port of has one as well ("master"). A MAC
address that the bridge does not know it sends to all its ports, and answers no question for.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import NamedTuple, Optional

from .._model.link import Address, Link, LinkKey, Neighbour, Station
from .._model.plan import Question, World
from .._model.vxlan import Forward
from . import rtnetlink as rt
from .netlink import NLM_F_APPEND, NLM_F_CREATE, NLM_F_REPLACE, Message, Socket, attribute, attributes, u32
from .places import Places

RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30
NDA_DST, NDA_LLADDR, NDA_PORT, NDA_VNI, NDA_IFINDEX, NDA_MASTER, NDA_NH_ID = 1, 2, 6, 7, 8, 9, 13
NTF_SELF, NTF_MASTER, NTF_PROXY, NTF_EXT_LEARNED = 0x02, 0x04, 0x08, 0x10
# An entry of a bridge that stays on its port, whatever comes by others (Linux 4.20).
NTF_STICKY = 0x40
NUD_REACHABLE, NUD_STALE, NUD_NOARP, NUD_PERMANENT = 0x02, 0x04, 0x40, 0x80
# What iproute2 calls static. On a bridge "permanent" would mean a MAC address of its own.
STATIC = NUD_REACHABLE | NUD_NOARP
AF_BRIDGE = 7
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
MAC_LENGTH = 6


class Entry(NamedTuple):
    """One line of a table as it came. `bridge`: it is the bridge's, about what is behind this port."""

    mac: str
    remote: Optional[Address]
    bridge: bool


def look(places: Places, question: Question, world: World, known: World) -> None:
    """Put what is asked for on the links in `world`; on those that an earlier look found, too."""

    def find(key: LinkKey) -> Optional[Link]:
        return world.links.get(key) or known.links.get(key)

    _stations(places, question.stations, find, world)
    asked = set(question.permanent)
    for key in question.forwards:
        link = find(key)
        if link is None:
            continue
        if link.kind == "vxlan":
            entries = _entries(places.socket(key.netns), link.index)
            world.links[key] = replace(link, forwards=forwards(entries, bool(link.master)))
        if link.master:
            asked.add(LinkKey(key.netns, link.master))
    for key in asked:
        link = find(key)
        if link is not None:
            seen = frozenset(_neighbours(places.socket(key.netns), link.index))
            world.links[key] = replace(world.links.get(key, link), neighbours=seen)


def _stations(
    places: Places, asked: Iterable[LinkKey], find: Callable[[LinkKey], Optional[Link]], world: World
) -> None:
    """One dump for each bridge, as it costs the same for one port as for all."""
    found: dict[LinkKey, dict[int, set[Station]]] = {}
    for key in asked:
        port = find(key)
        if port is None:
            continue
        bridge = LinkKey(key.netns, port.master or "")
        if bridge not in found:
            link = find(bridge) if port.master else None
            found[bridge] = _fixed(places.socket(key.netns), link.index) if link else {}
        world.links[key] = replace(port, stations=frozenset(found[bridge].get(port.index, ())))


def _fixed(socket: Socket, bridge: int) -> dict[int, set[Station]]:
    """What somebody fixed, by the number of the port."""
    found: dict[int, set[Station]] = {}
    for payload in socket.dump(Message(RTM_GETNEIGH, 0, _header(AF_BRIDGE) + u32(NDA_MASTER, bridge))):
        _family, index, state, flags, _type = _NEIGHBOUR.unpack_from(payload)
        if flags & NTF_STICKY and state & NUD_NOARP and not flags & NTF_EXT_LEARNED:
            seen = attributes(payload, _NEIGHBOUR.size)
            if NDA_MASTER in seen and NDA_DST not in seen:
                found.setdefault(index, set()).add(Station(seen[NDA_LLADDR].hex(":")))
    return found


def forwards(entries: list[Entry], port: bool) -> frozenset[Forward]:
    """Of the VXLAN's own entries those that somebody set; whole where its bridge, if it has one, knows the MAC address too."""
    known = {entry.mac for entry in entries if entry.bridge}
    seen = [Forward(entry.mac, entry.remote) for entry in entries if not entry.bridge and entry.remote]
    return frozenset(
        one._replace(whole=False) if port and one.unicast and one.mac not in known else one for one in seen
    )


def _entries(socket: Socket, index: int) -> list[Entry]:
    """Of one port: the kernel leaves out all others (net/core/rtnetlink.c rtnl_fdb_dump)."""
    message = Message(RTM_GETNEIGH, 0, _header(AF_BRIDGE, index))
    return [entry for entry in map(read_entry, socket.dump(message)) if entry]


def read_entry(payload: bytes) -> Optional[Entry]:
    """None for one that nobody set, or that says more than a MAC address and a remote end.

    A routing daemon marks what it installs; but for FRR's remote ends to flood to, which look as if set by hand.
    """
    _family, _index, state, flags, _type = _NEIGHBOUR.unpack_from(payload)
    seen = attributes(payload, _NEIGHBOUR.size)
    mac = seen.get(NDA_LLADDR, b"").hex(":")
    if NDA_MASTER in seen:
        fixed = state & NUD_NOARP and flags & NTF_STICKY and not flags & NTF_EXT_LEARNED
        return Entry(mac, None, True) if fixed else None
    if flags & NTF_EXT_LEARNED or not state & (NUD_NOARP | NUD_PERMANENT) or NDA_DST not in seen:
        return None
    if seen.keys() & {NDA_PORT, NDA_VNI, NDA_IFINDEX, NDA_NH_ID}:
        return None
    return Entry(mac, rt.next_hop(seen[NDA_DST]), False)


def _neighbours(socket: Socket, index: int, lasting: bool = True) -> Iterator[Neighbour]:
    """Of one link: the kernel leaves out all others (net/core/neighbour.c neigh_dump_info). `lasting`: not those that it learned."""
    for family in rt.FAMILIES.values():
        for payload in socket.dump(Message(RTM_GETNEIGH, 0, _header(family) + u32(NDA_IFINDEX, index))):
            _family, _index, state, flags, _type = _NEIGHBOUR.unpack_from(payload)
            seen = attributes(payload, _NEIGHBOUR.size)
            mac = seen.get(NDA_LLADDR, b"")
            if flags & (NTF_EXT_LEARNED | NTF_PROXY) or len(mac) != MAC_LENGTH:
                continue
            if bool(state & NUD_PERMANENT) == lasting and not (state & NUD_NOARP and not lasting):
                yield Neighbour(ip_address(seen[NDA_DST]), mac.hex(":"))


def renew(socket: Socket, index: int, macs: Mapping[Address, str]) -> None:
    """Of what the kernel learned on a link, addresses that have another MAC address now."""
    old = [one for one in _neighbours(socket, index, lasting=False) if macs.get(one.address, one.mac) != one.mac]
    new = [Neighbour(one.address, macs[one.address]) for one in old]
    list(socket.send([neighbour_message(index, True, one, NUD_STALE, NLM_F_REPLACE) for one in new]))


def forward_messages(index: int, new: bool, forward: Forward) -> list[Message]:
    """The bridge's entry comes and goes with the VXLAN's, where there is a bridge (both in one message: first the bridge's).

    A removal has a message for each: what the bridge does not have would keep the VXLAN's. A new one replaces what the
    MAC address had, but for the MAC addresses that have several.
    """
    body = attribute(NDA_LLADDR, _packed(forward.mac)) + attribute(NDA_DST, forward.remote.packed)
    if new and forward.unicast:
        # Sticky: a container that writes the MAC address as its source does not take its place.
        header = _header(AF_BRIDGE, index, STATIC, NTF_SELF | NTF_MASTER | NTF_STICKY)
        return [Message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header + body)]
    if new:
        header = _header(AF_BRIDGE, index, NUD_PERMANENT, NTF_SELF)
        return [Message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_APPEND, header + body)]
    tables = (NTF_MASTER, NTF_SELF) if forward.unicast else (NTF_SELF,)
    return [Message(RTM_DELNEIGH, 0, _header(AF_BRIDGE, index, STATIC, table) + body) for table in tables]


def station_message(index: int, new: bool, station: Station) -> Message:
    """A new one replaces what the bridge learned, also at another port."""
    body = attribute(NDA_LLADDR, _packed(station.mac))
    if not new:
        return Message(RTM_DELNEIGH, 0, _header(AF_BRIDGE, index, STATIC, NTF_MASTER) + body)
    header = _header(AF_BRIDGE, index, STATIC, NTF_MASTER | NTF_STICKY)
    return Message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header + body)


def neighbour_message(
    index: int, new: bool, neighbour: Neighbour, state: int = NUD_PERMANENT, flags: int = NLM_F_CREATE | NLM_F_REPLACE
) -> Message:
    """A new one replaces what the address had, also what was learned."""
    family = rt.FAMILIES[neighbour.address.version]
    body = attribute(NDA_DST, neighbour.address.packed)
    if not new:
        return Message(RTM_DELNEIGH, 0, _header(family, index) + body)
    body += attribute(NDA_LLADDR, _packed(neighbour.mac))
    return Message(RTM_NEWNEIGH, flags, _header(family, index, state) + body)


def _header(family: int, index: int = 0, state: int = 0, flags: int = 0) -> bytes:
    return _NEIGHBOUR.pack(family, index, state, flags, 0)


def _packed(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))
