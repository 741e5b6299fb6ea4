# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Links with their addresses and routes: seen in dumps, changed in batches."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, Optional, Union

from .._model.errors import Missing
from .._model.link import (
    Birth,
    Interface,
    Link,
    LinkAddress,
    LinkKey,
    LinkNeighbour,
    LinkRoute,
    LinkStation,
    Network,
    Other,
    Route,
    Settings,
)
from .._model.namespace import Namespace, NetnsRef
from .._model.owner import is_adopted, mark_in, owner_of
from .._model.vxlan import LinkForward
from . import neighbour
from . import rtnetlink as rt
from .kinds import KINDS
from .netlink import Message, NetlinkError, Socket, as_text, as_u32, attributes, each_attribute
from .places import Places

# What is read of the forty and more attributes of a link, and of its settings as a bridge's port.
WANTED = frozenset((rt.IFLA_IFNAME, rt.IFLA_ADDRESS, rt.IFLA_MTU, rt.IFLA_MASTER, rt.IFLA_LINKINFO, rt.IFLA_LINK))
WANTED |= {rt.IFLA_LINK_NETNSID, rt.IFLA_GROUP, rt.IFLA_PROP_LIST}
WANTED_OF_PORT = frozenset(kind for kinds in rt.PORT.values() for kind in kinds)


class RawLink:
    """One link as it came, before what it stands on has a name."""

    __slots__ = ("altnames", "data", "flags", "index", "kind", "name", "port", "seen")

    def __init__(self, payload: bytes) -> None:
        self.index, self.flags, start = rt.split_link(payload)
        self.seen = attributes(payload, start, WANTED)
        self.name = as_text(self.seen[rt.IFLA_IFNAME])
        info = attributes(self.seen[rt.IFLA_LINKINFO]) if rt.IFLA_LINKINFO in self.seen else {}
        self.kind = as_text(info[rt.IFLA_INFO_KIND]) if rt.IFLA_INFO_KIND in info else ""
        self.data = attributes(info[rt.IFLA_INFO_DATA]) if rt.IFLA_INFO_DATA in info else {}
        port = info.get(rt.IFLA_INFO_SLAVE_DATA)
        self.port = attributes(port, 0, WANTED_OF_PORT) if port else {}
        names = each_attribute(self.seen[rt.IFLA_PROP_LIST]) if rt.IFLA_PROP_LIST in self.seen else ()
        self.altnames = tuple(as_text(data) for kind, data in names if kind == rt.IFLA_ALT_IFNAME)

    def number(self, kind: int) -> Optional[int]:
        return as_u32(self.seen[kind]) if kind in self.seen else None

    def owner(self, groups: Mapping[int, str]) -> Optional[str]:
        return owner_of(self.altnames) or groups.get(self.number(rt.IFLA_GROUP) or 0)


Raw = dict[int, RawLink]


def raw_links(socket: Socket) -> Raw:
    """The links of a socket's namespace, by index."""
    return {link.index: link for link in map(RawLink, links_of(socket))}


def loopback(socket: Socket) -> RawLink:
    return RawLink(socket.get(rt.get_link_at(rt.LOOPBACK_INDEX)))


def namespace(name: str, raw: RawLink, groups: Mapping[int, str]) -> Namespace:
    """A named namespace as its loopback shows it."""
    mark = mark_in(raw.altnames)
    return Namespace(name, raw.owner(groups), bool(mark), bool(raw.flags & rt.IFF_UP), adopted=is_adopted(mark))


def look(
    places: Places,
    namespaces: Iterable[NetnsRef],
    addressed: Iterable[NetnsRef],
    neighbours: Iterable[tuple[NetnsRef, NetnsRef]],
    groups: Mapping[int, str],
    known: Mapping[NetnsRef, Raw],
) -> dict[LinkKey, Link]:
    """Every link of these namespaces; with addresses and routes in those `addressed`.

    What a link stands on in another namespace is named where the pair is among `neighbours` (numbers the
    kernel gives namespaces are per viewpoint, so each pair is asked about). `known` are links that were read a moment ago.
    """
    raw = {ref: known.get(ref) or raw_links(places.socket(ref)) for ref in namespaces}
    numbers = {pair: _number(places, *pair) for pair in neighbours if pair[0] in raw and pair[1] in raw}
    beside: dict[NetnsRef, dict[int, NetnsRef]] = {ref: {} for ref in raw}
    for (here, other), number in numbers.items():
        if number is not None:
            beside[here][number] = other
    found = {}
    with_addresses = set(addressed)
    for ref, links in raw.items():
        hung = _hung_on(places.socket(ref), links) if ref in with_addresses else {}
        for one in links.values():
            link = _link(ref, one, links, beside[ref], raw, groups, hung.get(one.index, UNKNOWN))
            found[link.key] = link
    return found


def links_of(socket: Socket) -> list[bytes]:
    return socket.dump(rt.get_links(), again=lambda payload: rt.get_link_at(rt.link_index(payload)))


def standing_on(socket: Socket, index: int, number: Optional[int], here: bool) -> int:
    """How many links of a socket's namespace stand on link `index` of another namespace, known there by `number`, or of this one."""
    if number is None and not here:
        return 0
    seen = map(RawLink, links_of(socket))
    return sum(
        1
        for one in seen
        if one.number(rt.IFLA_LINK) == index != one.index
        and one.number(rt.IFLA_LINK_NETNSID) == (None if here else number)
    )


def _number(places: Places, here: NetnsRef, other: NetnsRef) -> Optional[int]:
    return rt.nsid(places.socket(here).get(rt.get_nsid(places.descriptor(other))))


def _link(
    ref: NetnsRef,
    one: RawLink,
    links: Mapping[int, RawLink],
    beside: Mapping[int, NetnsRef],
    raw: Mapping[NetnsRef, Mapping[int, RawLink]],
    groups: Mapping[int, str],
    hung: _Hung,
) -> Link:
    master = links.get(one.number(rt.IFLA_MASTER) or 0)
    mac = one.seen.get(rt.IFLA_ADDRESS, b"")
    codec = KINDS.get(one.kind)
    data = codec.decode(one.data, _below(ref, one, links, beside, raw)) if codec else Other(kind=one.kind or "device")
    return Link(
        key=LinkKey(ref, one.name),
        data=data,
        owner=one.owner(groups),
        altname=mark_in(one.altnames),
        mac=mac.hex(":") if mac else "",
        mtu=one.number(rt.IFLA_MTU),
        master=master.name if master else "",
        hairpin=_flag(one, rt.IFLA_BRPORT_MODE),
        isolated=_flag(one, rt.IFLA_BRPORT_ISOLATED),
        port_learning=_flag(one, rt.IFLA_BRPORT_LEARNING, without=True),
        port_flooding=any(_flag(one, kind, without=True) for kind in rt.PORT["port_flooding"]),
        neigh_suppress=_flag(one, rt.IFLA_BRPORT_NEIGH_SUPPRESS),
        promiscuous=bool(one.flags & rt.IFF_PROMISC),
        up=bool(one.flags & rt.IFF_UP),
        addresses=hung.addresses,
        gateways=hung.gateways,
        routes=hung.routes,
        marked=hung.marked,
        near=hung.near,
        index=one.index,
    )


def _flag(one: RawLink, kind: int, without: bool = False) -> bool:
    """A setting of a bridge's port; `without` is what a link that is none would begin with."""
    data = one.port.get(kind)
    return bool(data[0]) if data else without


def _below(
    ref: NetnsRef,
    one: RawLink,
    links: Mapping[int, RawLink],
    beside: Mapping[int, NetnsRef],
    raw: Mapping[NetnsRef, Mapping[int, RawLink]],
) -> LinkKey:
    """The link this one stands on, or is paired with; a name no link can have where it is out of sight."""
    index = one.number(rt.IFLA_LINK) or 0
    number = one.number(rt.IFLA_LINK_NETNSID)
    if number is None:
        other, candidates = ref, links
    elif number in beside:
        other = beside[number]
        candidates = raw[other]
    else:
        return LinkKey("another namespace", f"#{index}")
    return LinkKey(other, candidates[index].name if index in candidates else f"#{index}")


class _Hung(NamedTuple):
    """What hangs on a link, where it was asked for: see Link in _model/link.py."""

    addresses: Optional[frozenset[Interface]] = None
    gateways: Optional[frozenset[Route]] = None
    routes: Optional[frozenset[Route]] = None
    marked: frozenset[Union[Interface, Route]] = frozenset()
    near: Optional[frozenset[Network]] = None


UNKNOWN = _Hung()


def _hung_on(socket: Socket, links: Iterable[int]) -> dict[int, _Hung]:
    """The addresses and routes of each link of a namespace, by its index."""
    found: dict[int, dict[str, set[Any]]] = {index: {name: set() for name in _Hung._fields} for index in links}
    for one in map(rt.read_address, socket.dump(rt.get_addresses())):
        if one.link in found:
            words = found[one.link]
            words["near"].add(one.address.network)
            for name in ("addresses",) * one.lasting + ("marked",) * one.marked:
                words[name].add(one.address)
    for family in rt.FAMILIES.values():
        for route in map(rt.read_route, routes_of(socket, family)):
            if route and route.link in found:
                if not route.lasting:
                    found[route.link]["near"].update({route.route.to} if route.route.via is None else ())
                    continue
                for name in ("gateways" if route.route.is_default else "routes",) + ("marked",) * route.marked:
                    found[route.link][name].add(route.route)
    return {index: _Hung(*(frozenset(words[name]) for name in _Hung._fields)) for index, words in found.items()}


def routes_of(socket: Socket, family: int) -> list[bytes]:
    try:
        return socket.dump(rt.get_routes(family))
    except NetlinkError as error:
        if error.refusal.code != errno.ENOENT:
            raise
        return []  # a namespace that never had a route has no table for them


class Writer:
    """Turns values into messages. Indexes it has not seen are asked for, once each."""

    def __init__(self, places: Places, links: Mapping[LinkKey, Link]) -> None:
        self._places = places
        self._kinds = {key: link.kind for key, link in links.items()}
        self._altnames = {key: link.altname for key, link in links.items()}
        self._indexes = {key: link.index for key, link in links.items()}

    def forget(self, key: LinkKey) -> None:
        """The link is gone, or about to be another one."""
        self._indexes.pop(key, None)
        self._altnames.pop(key, None)

    def index(self, key: LinkKey) -> int:
        found = self._indexes.get(key)
        if not found:
            try:
                payload = self._places.socket(key.netns).get(rt.get_link(key.name))
            except NetlinkError as error:
                raise Missing(f"link {key}", error.refusal.text) from error
            found = self._indexes[key] = rt.link_index(payload)
        return found

    def hidden(self, link: Link) -> bool:
        """Whether its parent is in another namespace, in which a link has its name, or had or got it in this run."""
        parent = getattr(link.data, "parent", None)
        if parent is None or parent.netns == link.key.netns:
            return False
        return link.key._replace(netns=parent.netns) in self._kinds

    def create(self, birth: Birth, name: str = "") -> tuple[NetnsRef, list[Message]]:
        """Where to send it and what: a link with a parent is made from its parent's namespace, into its own. `name`: another for now."""
        link = birth.link
        parent = getattr(link.data, "parent", None)
        here = parent.netns if parent else link.key.netns
        places = {peer.key.netns: self._places.descriptor(peer.key.netns) for peer in (birth.peer,) if peer}
        data = KINDS[link.kind].encode(birth, places)
        message = rt.new_link(
            replace(link, key=link.key._replace(name=name)) if name else link,
            data,
            parent=self.index(parent) if parent else 0,
            master=self.index(LinkKey(link.key.netns, link.master)) if link.master and here == link.key.netns else 0,
            netns=self._places.descriptor(link.key.netns) if here != link.key.netns else None,
        )
        for key in (link.key,) + ((birth.peer.key,) if birth.peer else ()):
            self.forget(key)
            self._kinds[key] = link.kind
        return here, [message]

    def delete(self, link: Link) -> tuple[NetnsRef, list[Message]]:
        message = rt.delete_link(self.index(link.key))
        self.forget(link.key)
        return link.key.netns, [message]

    def set(self, settings: Settings) -> tuple[NetnsRef, list[Message]]:
        key, changes = settings
        index = self.index(key)
        messages = []
        old = self._altnames.get(key)
        if old and "altname" in changes:
            messages.append(rt.drop_altname(index, old))
        kind = self._kinds.get(key, "")
        if "mtu" in changes and kind == "bridge":
            # Told what it has, it would not count as told.
            messages += rt.set_link(index, {"mtu": rt.birth_mtu(kind, int(str(changes["mtu"])))})
        master = changes.get("master")
        messages += rt.set_link(index, changes, self.index(LinkKey(key.netns, str(master))) if master else 0)
        for data in KINDS[kind].change(changes) if kind in KINDS else ():
            messages.append(rt.set_data(index, kind, data))
        return key.netns, messages

    def address(self, new: bool, value: LinkAddress) -> tuple[NetnsRef, list[Message]]:
        kind = rt.RTM_NEWADDR if new else rt.RTM_DELADDR
        return value.link.netns, [rt.address_message(kind, self.index(value.link), value.address)]

    def route(self, new: bool, value: LinkRoute) -> tuple[NetnsRef, list[Message]]:
        kind = rt.RTM_NEWROUTE if new else rt.RTM_DELROUTE
        return value.link.netns, [rt.route_message(kind, self.index(value.link), value.route)]

    def forward(self, new: bool, value: LinkForward) -> tuple[NetnsRef, list[Message]]:
        return value.link.netns, neighbour.forward_messages(self.index(value.link), new, value.forward)

    def neighbour(self, new: bool, value: LinkNeighbour) -> tuple[NetnsRef, list[Message]]:
        return value.link.netns, [neighbour.neighbour_message(self.index(value.link), new, value.neighbour)]

    def station(self, new: bool, value: LinkStation) -> tuple[NetnsRef, list[Message]]:
        return value.link.netns, [neighbour.station_message(self.index(value.link), new, value.station)]
