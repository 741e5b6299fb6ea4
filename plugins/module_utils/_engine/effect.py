# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What an operation does to the world: the kernel's part in a plan, as a function.

The planner goes on from here after each step it plans, `after` is read off the result, and the tests hold it
against the real kernel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, Callable, Optional, Union

from .._model.bridge import Bridge
from .._model.hosts import HostsChange, HostsKey
from .._model.ipvlan import Ipvlan
from .._model.link import (
    Birth,
    Interface,
    Link,
    LinkAddress,
    LinkKey,
    LinkNeighbour,
    LinkRoute,
    LinkStation,
    Neighbour,
    Route,
    Settings,
    Station,
)
from .._model.namespace import Namespace, Sysctl
from .._model.owner import owner_of
from .._model.plan import Operation, World
from .._model.source import without
from .._model.veth import Veth
from .._model.vxlan import Forward, LinkForward, Vxlan
from .inheritance import handed_on, is_wide, promote_secondaries, turns_ipv6_off

EMPTY: frozenset = frozenset()


def effect(world: World, operation: Operation) -> None:
    """Change `world` as `operation` changes a host. Values this file does not know belong to `EFFECTS`' other contributors."""
    there = set(world.links) if operation.first else set()
    EFFECTS[type(operation.value)](world, operation.action, operation.value)
    if operation.first:
        place = operation.value.name if isinstance(operation.value, Namespace) else None
        _forget_sysctls(world, there - world.links.keys(), place)


def _forget_sysctls(world: World, gone: set[LinkKey], place: Optional[str]) -> None:
    """What takes the place of a link, or of a namespace, begins with the kernel's own settings."""
    interfaces = {(key.netns, key.name) for key in gone}
    for ref, path in list(world.sysctls):
        if (place is not None and ref == place) or (len(path) > 3 and (ref, path[3]) in interfaces):
            del world.sysctls[(ref, path)]


def _namespace(world: World, action: str, value: Namespace) -> None:
    if action == "release":
        world.namespaces[value.name] = replace(value, owner=None, marked=False, adopted=False)
        return
    world.left -= {value.name}
    if action == "delete":
        for key in [key for key in world.links if key.netns == value.name]:
            if value.same_as:
                del world.links[key]  # they live on under the first name
            else:
                _delete_link(world, key)
        world.namespaces.pop(value.name, None)
        world.sources.pop(value.name, None)
        for ref, other in world.namespaces.items():
            if other.same_as == value.name:
                world.namespaces[ref] = replace(other, same_as="")
        return
    first = world.namespaces.get(value.same_as) if value.same_as else None
    if first:
        value = replace(first, name=value.name, same_as="" if ":" in first.name or "/" in first.name else first.name)
    world.namespaces[value.name] = value


def _sysctl(world: World, _action: str, value: Sysctl) -> None:
    ref = value.netns
    known = {path: text for (at, path), text in world.sysctls.items() if at == ref} if is_wide(value.path) else {}
    world.sysctls[(ref, value.path)] = value.value
    if known:
        told = frozenset(key.name for key, link in world.links.items() if key.netns == ref and has_ipv4(link))
        for path, text in handed_on(value.path, value.value, known, told):
            if text is None:
                del world.sysctls[(ref, path)]
            else:
                world.sysctls[(ref, path)] = text
    name = turns_ipv6_off(value.path, value.value)
    if name is not None:
        for key in [key for key in world.links if key.netns == ref and name in ("all", key.name)]:
            _lose_ipv6(world, key)


def has_ipv4(link: Link) -> bool:
    return any(address.version == 4 for address in link.addresses or EMPTY)


def _lose_ipv6(world: World, key: LinkKey) -> None:
    """net/ipv6/addrconf.c dev_disable_change: as if it went down, for IPv6 alone."""
    link = world.links[key]
    names = ("addresses", "gateways", "routes", "neighbours")
    left: dict[str, Any] = {name: _without(getattr(link, name), 6) for name in names if getattr(link, name)}
    if left:
        world.links[key] = replace(link, **left)
    _lose_routes(world, key, version=6)


def _without(values: frozenset, version: int) -> frozenset:
    """Of addresses, routes or neighbours those that are not of this IP version."""
    return frozenset(one for one in values if _version(one) != version)


def _version(value: Union[Interface, Route, Neighbour]) -> int:
    if isinstance(value, Route):
        return value.to.version
    return value.address.version if isinstance(value, Neighbour) else value.version


def _birth(world: World, _action: str, value: Birth) -> None:
    born(world, value.link, master=value.link.master or "")
    if value.peer:
        born(world, value.peer, master="")
    below = below_of(value.link)
    if below and below in world.users:
        world.users[below] += 1


def born(world: World, link: Link, master: str) -> None:
    """A link as its creating message leaves it. A bridge's MTU comes later: see _kernel/rtnetlink.py."""
    here = (below_of(link) or link.key).netns == link.key.netns
    world.links[link.key] = Link(
        key=link.key,
        data=link.data,
        owner=link.owner,
        altname="",
        mac=link.mac or link.birth_mac,
        mtu=None if isinstance(link.data, Bridge) else link.mtu,
        master=master if here else "",
        **NEW_PORT,
        promiscuous=False,
        up=False,
        addresses=EMPTY,
        gateways=EMPTY,
        routes=EMPTY,
        forwards=EMPTY if isinstance(link.data, Vxlan) else None,
        neighbours=EMPTY,
        stations=EMPTY,
    )
    if world.standing is not None:
        _stand(world.standing, link)
    _share(world, link)


def _share(world: World, link: Link) -> None:
    """The mode and flag of an ipvlan are its parent's, so its other children have them too."""
    data = link.data
    if not isinstance(data, Ipvlan):
        return
    for other in children(world, data.parent):
        if isinstance(other.data, Ipvlan):
            if (other.data.mode, other.data.flag) == (data.mode, data.flag) and other.key != link.key:
                return  # they all are as one of them
            world.links[other.key] = replace(other, data=replace(other.data, mode=data.mode, flag=data.flag))


def _link(world: World, action: str, value: Link) -> None:
    if action == "delete":
        _delete_link(world, value.key)


def _delete_link(world: World, key: LinkKey) -> None:
    gone = world.links.pop(key, None)
    if gone is None:
        return
    if isinstance(gone.data, Veth):
        _delete_link(world, gone.data.peer)
    _lose_routes(world, key)
    below = below_of(gone)
    if below and world.users.get(below):
        world.users[below] -= 1
    for child in children(world, key):
        _delete_link(world, child.key)
    if isinstance(gone.data, Bridge):
        for port in list(ports_of(world, key)):
            world.links[port.key] = as_new_port(port, "")


def _lose_routes(world: World, key: LinkKey, version: Optional[int] = None) -> None:
    """The kernel drops a link's routes from all tables (net/ipv4/fib_semantics.c fib_sync_down_dev); rules stay."""
    if key.netns in world.sources:
        world.sources[key.netns] = without(key.netns, world.sources[key.netns], key, version)


def _settings(world: World, _action: str, value: Settings) -> None:
    link = world.links[value.link]
    own: dict[str, Any] = {name: new for name, new in value.changes.items() if name in LINK_FIELDS}
    if "altname" in own:
        own["owner"] = owner_of((own["altname"],))
    if "master" in own:
        link = as_new_port(link, own["master"])
    rest: dict[str, Any] = {name: new for name, new in value.changes.items() if name not in LINK_FIELDS}
    link = replace(link, **own)
    if rest and link.data:
        link = replace(link, data=replace(link.data, **rest))
    if own.get("up") is False:
        # net/ipv6/addrconf.c addrconf_ifdown takes the IPv6 addresses along, too.
        left = frozenset(address for address in link.addresses or EMPTY if address.version == 4)
        link = replace(link, addresses=left, gateways=EMPTY, routes=EMPTY)
        _lose_routes(world, value.link)
    if (own.get("up") is False or "mac" in own) and link.neighbours:
        # net/core/neighbour.c neigh_ifdown, neigh_changeaddr: the permanent ones, too.
        link = replace(link, neighbours=EMPTY)
    world.links[value.link] = link
    if rest:
        _share(world, link)
    if "mtu" in own:
        for other in children(world, value.link):
            # drivers/net/ipvlan/ipvlan_main.c ipvlan_adjust_mtu: those go up with it, too.
            if other.mtu and (other.mtu > own["mtu"] or isinstance(other.data, Ipvlan)):
                world.links[other.key] = replace(other, mtu=own["mtu"])


def children(world: World, parent: LinkKey) -> list[Link]:
    """The links that stand on this one."""
    if world.standing is None:
        world.standing = {}
        for link in world.links.values():
            _stand(world.standing, link)
    there = [world.links[key] for key in world.standing.get(parent, ()) if key in world.links]
    return [link for link in there if below_of(link) == parent]


def _stand(standing: dict[LinkKey, list[LinkKey]], link: Link) -> None:
    below = below_of(link)
    if below:
        standing.setdefault(below, []).append(link.key)


def below_of(link: Link) -> Optional[LinkKey]:
    """The parent of a link that has one."""
    names = link.data.LINKS if link.data else ()
    return getattr(link.data, names[0]) if names else None


def ports_of(world: World, bridge: LinkKey) -> Iterator[Link]:
    return (link for link in world.links.values() if link.master == bridge.name and link.key.netns == bridge.netns)


LINK_FIELDS = frozenset(field.name for field in fields(Link))
# A port that changes its bridge, or leaves it, is as new (net/bridge/br_if.c new_nbp).
NEW_PORT: dict[str, Any] = {
    "hairpin": False,
    "isolated": False,
    "port_learning": True,
    "port_flooding": True,
    "neigh_suppress": False,
}


def as_new_port(link: Link, bridge: Optional[str]) -> Link:
    """The link as it becomes a port of `bridge`, or of none (""): no bridge knows yet who is behind it."""
    forwards = link.forwards and frozenset(one._replace(whole=not (bridge and one.unicast)) for one in link.forwards)
    return replace(link, master=bridge, forwards=forwards, stations=EMPTY, **NEW_PORT)


def _address(world: World, action: str, value: LinkAddress) -> None:
    link = world.links[value.link]
    seen = link.addresses or EMPTY
    if action == "add":
        world.links[value.link] = replace(link, addresses=seen | {value.address})
        return
    left = seen - {value.address}
    if world.sysctls.get((value.link.netns, promote_secondaries(value.link.name))) != "1":
        left = frozenset(address for address in left if not _goes_with(address, value.address))
    link = replace(link, addresses=left)
    if value.address.version == 4 and not any(address.version == 4 for address in left):
        # The last one takes all routes along (net/ipv4/fib_frontend.c fib_inetaddr_event); another one none of them.
        left_of: dict[str, Any] = {name: _without(getattr(link, name) or EMPTY, 4) for name in ("gateways", "routes")}
        link = replace(link, neighbours=link.neighbours and _without(link.neighbours, 4), **left_of)
        _lose_routes(world, value.link, version=4)
    world.links[value.link] = link


def _goes_with(address: Interface, removed: Interface) -> bool:
    """Without promote_secondaries the first address of an IPv4 network takes the network's others along.

    Which was the first is not looked at: what is put back without need is there already, and that is fine.
    """
    return address.version == 4 and address.network == removed.network


def _route(world: World, action: str, value: LinkRoute) -> None:
    link = world.links[value.link]
    name = "gateways" if value.route.is_default else "routes"
    seen: frozenset[Route] = getattr(link, name) or EMPTY
    new: dict[str, Any] = {name: seen | {value.route} if action == "add" else seen - {value.route}}
    world.links[value.link] = replace(link, **new)


TABLES: dict[type, str] = {LinkForward: "forwards", LinkNeighbour: "neighbours", LinkStation: "stations"}


def hang(world: World, action: str, values: Sequence[Union[LinkForward, LinkNeighbour, LinkStation]]) -> None:
    """Entries of one table of one link that come or go. All at once, for there may be many."""
    link = world.links[values[0].link]
    name = TABLES[type(values[0])]
    entries: dict[object, Union[Forward, Neighbour, Station]] = {one.slot: one for one in getattr(link, name) or EMPTY}
    for _link, entry in values:
        entries.pop(entry.slot, None)
        if action == "add":
            entries[entry.slot] = entry
    new: dict[str, Any] = {name: frozenset(entries.values())}
    world.links[link.key] = replace(link, **new)


def _entry(world: World, action: str, value: Union[LinkForward, LinkNeighbour, LinkStation]) -> None:
    hang(world, action, [value])


def _hosts(world: World, _action: str, value: HostsChange) -> None:
    own, by_path = value.block.key, HostsKey(None, value.path)
    # A file can be asked for as a container's and by its path.
    for key in list(world.files) if own == by_path else [own, by_path]:
        file = world.files.get(key)
        if file and file.path == value.path:
            world.files[key] = replace(file, content=value.of(file.content))


EFFECTS: dict[type, Callable[[World, str, Any], None]] = {
    Namespace: _namespace,
    Sysctl: _sysctl,
    Birth: _birth,
    Link: _link,
    Settings: _settings,
    LinkAddress: _address,
    LinkRoute: _route,
    LinkForward: _entry,
    LinkNeighbour: _entry,
    LinkStation: _entry,
    HostsChange: _hosts,
}
