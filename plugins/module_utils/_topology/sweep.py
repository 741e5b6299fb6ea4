# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What is marked as a topology's and is no longer in it: that goes, and nothing else does."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .._model.bridge import Bridge
from .._model.hosts import Damaged, HostsBlock, HostsFile, HostsKey, find
from .._model.link import Address, Link, LinkKey, Other
from .._model.namespace import Namespace
from .._model.plan import World
from .._model.rule import Snat
from .._model.source import SourceRoute
from .._model.state import Lease, State
from .._model.topology import DEFAULT_BRIDGE
from .._model.veth import Veth
from .names import DEFAULT_DEVICE, FIRST_TABLE


def gone(owner: str, values: Sequence[Any], world: World) -> Iterator[Any]:
    """Values to be absent: all that `world` shows to be the owner's and that is not among `values`.

    They are sorted: the world's order is that of sets, another one in each process, and check mode foretells the run.
    """
    kept = {identity(value) for value in values}
    going = [one for one in namespaces(owner, world) if ("netns", one.name) not in kept]
    yield from going
    # An adopted one stays, and so does what is in it, but for what is the owner's.
    names = {one.name for one in going if not one.adopted}
    seen: list[Any] = [
        one for table in world.tables.values() for one in (*table.rules.values(), *table.segments.values())
    ]
    seen += (*world.services.values(), *world.texts.values())
    seen = [one for one in seen if one.owner == owner]
    seen += [HostsBlock(key, owner) for key, file in world.files.items() if has_block(file, owner)]
    seen += [
        one for ref, routes in world.sources.items() if ref not in names for one in routes if is_own(owner, one, world)
    ]
    seen = [*links(owner, world, names), *sorted(seen, key=str)]
    yield from (one for one in seen if identity(one) not in kept)


def is_own(owner: str, route: SourceRoute, world: World) -> bool:
    """Whether it leads, or led, through a link of the owner's. One in a namespace that is not his could be another topology's."""
    link = world.links.get(route.link)
    if route.foreign or (link and link.owner != owner):
        return False
    place = world.namespaces.get(route.link.netns)
    return link is not None or (place is not None and place.owner == owner)


def meanwhile(saved: State, state: State, lost: Mapping[tuple[str, str], Lease]) -> State:
    """What is saved while things go that nothing on the host marks as this topology's: a run that dies must not forget them."""
    endpoints = {**saved.allocation.endpoints, **state.allocation.endpoints, **lost}
    # Routes to parts of a network's subnet are known as its own by what it was given.
    networks = {**state.allocation.networks}
    for name, one in saved.allocation.networks.items():
        if one.slices:
            new = networks.get(name, one)
            subnets = tuple(dict.fromkeys((*new.subnets, *one.subnets)))
            networks[name] = replace(
                new, subnets=subnets, gateways={**one.gateways, **new.gateways}, slices={**one.slices, **new.slices}
            )
    allocation = replace(state.allocation, endpoints=endpoints, networks=networks)
    attached = tuple(dict.fromkeys((*state.attached, *saved.attached)))
    # A WireGuard still looks for the others where they were.
    return replace(state, allocation=allocation, attached=attached, peers={**state.peers, **saved.peers})


def detached(saved: State, attached: Collection[str]) -> Iterator[Any]:
    """What may be left in real containers that are no longer in the topology: their namespaces and files stay.

    Their links are found by the host's ends. A rule says neither whose address it is of nor which table it was.
    """
    leases = saved.allocation.endpoints.values()
    for ref in saved.attached:
        if ref in attached:
            continue
        yield HostsBlock(HostsKey(ref), saved.name)
        had: dict[Address, None] = {}
        for lease in leases:
            had.update({address: None for address in (lease.ipv4, lease.ipv6) if address})
        for address in had:
            for position in range(len(leases)):
                yield SourceRoute(LinkKey(ref, ""), address, None, FIRST_TABLE + position)


def has_block(file: HostsFile, owner: str) -> bool:
    try:
        return find(file.content or b"", owner) is not None
    except Damaged:
        return True


def identity(value: Any) -> tuple[Any, ...]:
    """What makes two values the same object."""
    if isinstance(value, Namespace):
        return ("netns", value.name)
    if isinstance(value, HostsBlock):
        return ("hosts", value.key)
    key = getattr(value, "key", None) or getattr(value, "name", None) or value
    return (type(value).__name__, key)


def namespaces(owner: str, world: World) -> list[Namespace]:
    found = [one for ref, one in world.namespaces.items() if ref is not None and one.owner == owner and one.name]
    return sorted(found, key=lambda one: one.name)


def links(owner: str, world: World, going: set[str]) -> Iterator[Link]:
    """Each link once: of a pair one end, of a namespace with two names under the first, and none that goes with its namespace."""
    told: set[LinkKey] = set()
    second = {ref for ref, one in world.namespaces.items() if one.same_as}
    for link in sorted(world.links.values(), key=lambda link: (link.key.netns is not None, link.key)):
        if link.owner != owner or link.key in told or link.key.netns in second or link.key.name == "lo":
            continue
        if link.key.netns in going or isinstance(link.data, Other):
            continue
        if isinstance(link.data, Veth):
            told.add(link.data.peer)
        yield link


def default_bridge(world: World, owner: str, states: Sequence[State]) -> Iterator[Any]:
    """The host's default bridge, when no topology has an endpoint on it any more: its link, its rules."""
    device = LinkKey(None, DEFAULT_DEVICE)
    bridge = world.links.get(device)
    if bridge is None or not isinstance(bridge.data, Bridge):
        return
    used = any(network == DEFAULT_BRIDGE for state in states for _container, network in state.allocation.endpoints)
    ports = [link for link in world.links.values() if link.key.netns is None and link.master == device.name]
    if used or any(port.owner != owner for port in ports):
        return
    yield bridge
    for table in world.tables.values():
        yield from (
            one for one in table.rules.values() if isinstance(one, Snat) and one.except_out_interface == device.name
        )
        yield from (one for one in table.segments.values() if one.device == device.name)
