# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Planning of routes by source.

Of a table whose rules are several (a link with several addresses) the routes are shared: they come with the first
and go with the last. When a link goes, the kernel drops its routes from every table and keeps the rules; so a rule
whose table is empty gets its routes again, and a table that leads elsewhere is led right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Optional, TypeVar

from .._model.errors import Conflict
from .._model.link import Address, Link, Network, Other
from .._model.namespace import place
from .._model.plan import Question, Wanted, World
from .._model.source import SourceRoute, joined, routes_of, rules_of
from .draft import Draft
from .effect import EFFECTS

NONE: frozenset[SourceRoute] = frozenset()
Part = TypeVar("Part")


def question(wanted: Wanted) -> Question:
    ref = wanted.value.link.netns
    asked = Question(namespaces={ref}, sources={ref})
    if wanted.present:
        asked.add(Question(links={ref}, addresses={ref}))
    return asked


def plan(wanted: Wanted, draft: Draft) -> None:
    value: SourceRoute = wanted.value
    if not wanted.present:
        for seen in sorted(_same(draft.world, value), key=str):
            _remove(wanted, seen, draft, "to be absent")
        return
    draft.need_namespace(wanted, value.link.netns)
    link = draft.need_link(wanted, value.link, "link", Link(key=value.link, data=Other("device")))
    if link.up is False:
        return  # the kernel holds no route through a link that is down
    want = value._replace(network=value.network or _network(link, value.address))
    for seen in sorted(_others(draft.world, want), key=str):
        _remove(wanted, seen, draft, f"answers go by table {want.table}")
    _make_way(wanted, want, draft)
    _fill(wanted, want, draft)


def _network(link: Link, address: Optional[Address]) -> Optional[Network]:
    """The subnet that the address is in, as the link has it."""
    return next((one.network for one in link.addresses or () if one.ip == address), None)


def _at(world: World, value: SourceRoute) -> list[SourceRoute]:
    """All that is seen of its table."""
    seen = world.sources.get(value.link.netns, NONE)
    return [one for one in seen if (one.version, one.table) == (value.version, value.table)]


def _same(world: World, value: SourceRoute) -> list[SourceRoute]:
    return [one for one in _at(world, value) if one.key == value.key and not one.foreign]


def _others(world: World, value: SourceRoute) -> list[SourceRoute]:
    """Rules of ours that send what this address sends to another table."""
    seen = world.sources.get(value.link.netns, NONE)
    return [one for one in seen if one.address == value.address and one.table != value.table]


def _remove(wanted: Wanted, seen: SourceRoute, draft: Draft, reason: str) -> None:
    """With the routes that nothing else in its table needs."""
    rest = [one for one in _at(draft.world, seen) if one != seen and one.address is not None]
    gone = seen._replace(
        gateway=None if any(one.gateway for one in rest) else seen.gateway,
        network=None if any(one.network == seen.network for one in rest) else seen.network,
    )
    if gone.address or gone.gateway or gone.network:
        draft.do(wanted, "remove", gone, reason)


def _make_way(wanted: Wanted, want: SourceRoute, draft: Draft) -> None:
    """What is in the table and leads elsewhere goes. Errors: Conflict where somebody else made it."""
    for seen in _at(draft.world, want):
        if seen.foreign:
            by = f"via {seen.gateway} through" if seen.gateway else "through"
            why = f"routing table {want.table}{place(want.link.netns)} has a default route {by} {seen.link.name}"
            raise Conflict(wanted.what, f"{why} that is not ours", "remove that route, or move it to another table")
    while True:
        strays = [stray for seen in sorted(_at(draft.world, want), key=str) for stray in _stray(seen, want)]
        if not strays:
            return
        draft.do(wanted, "remove", strays[0], f"it is to lead via {want.gateway} through {want.link}")


def _stray(seen: SourceRoute, want: SourceRoute) -> Iterator[SourceRoute]:
    """The routes of what is in the table that are not as they should be. The subnets of other addresses may stay."""
    elsewhere = seen.link != want.link
    other = seen.address == want.address and want.network is not None and seen.network != want.network
    gone = seen._replace(
        address=None,
        gateway=seen.gateway if elsewhere or seen.gateway != want.gateway else None,
        network=seen.network if elsewhere or other else None,
    )
    if gone.gateway or gone.network:
        yield gone


def _fill(wanted: Wanted, want: SourceRoute, draft: Draft) -> None:
    """What is missing of rule and routes."""
    here = _at(draft.world, want)
    ruled = any(one.address == want.address for one in here)
    led = any(one.gateway == want.gateway for one in here)
    near = any(one.network == want.network for one in here)
    missing = want._replace(
        address=None if ruled else want.address,
        gateway=None if led else want.gateway,
        network=None if near else want.network,
    )
    if missing.address or missing.gateway or missing.network:
        draft.do(wanted, "add", missing, "its route is gone" if ruled else "missing")


def describe(wanted: Wanted, world: World) -> Optional[dict[str, Any]]:
    seen = next(iter(_same(world, wanted.value)), None)
    if seen is None:
        return None
    by = {"via": str(seen.gateway) if seen.gateway else None, "table": seen.table}
    return {**by, "interface": seen.link.name or None, "subnet": str(seen.network) if seen.network else None}


def facts(_wanted: Wanted, _world: World) -> dict[str, Any]:
    return {}


def _source(world: World, action: str, value: SourceRoute) -> None:
    ref = value.link.netns
    seen = world.sources.get(ref, NONE)
    rules = _changed(action, rules_of(seen), rules_of([value]))
    routes = _changed(action, routes_of(seen), routes_of([value]))
    world.sources[ref] = joined(ref, rules, routes)


def _changed(action: str, seen: Iterable[Part], parts: Iterable[Part]) -> list[Part]:
    seen, parts = list(dict.fromkeys(seen)), list(parts)
    left = [part for part in seen if part not in parts]
    return left + parts if action == "add" else left


EFFECTS[SourceRoute] = _source
