# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Planning of single routes through a link that somebody else's wish may share (a shim's routes to its children)."""

from __future__ import annotations

from typing import Any, Optional

from .._model.errors import Conflict
from .._model.link import Link, LinkRoute, Network
from .._model.namespace import NetnsRef
from .._model.plan import Operation, Question, Wanted, World
from .draft import Draft

Slot = tuple[NetnsRef, Network, int]


def question(wanted: Wanted) -> Question:
    ref = wanted.value.link.netns
    return Question(namespaces={ref}, links={ref}, addresses={ref})


def plan(wanted: Wanted, draft: Draft) -> None:
    value: LinkRoute = wanted.value
    link = draft.world.links.get(value.link)
    there = link is not None and value.route in (link.routes or ())
    if wanted.present and not there:
        draft.do(wanted, "add", value, "missing")
    elif there and not wanted.present:
        draft.do(wanted, "remove", value, "to be absent")


def finish(draft: Draft) -> None:
    """Errors: Conflict where a route that is to be added is there through another link, whoever's that is.

    One of a link that is shared (see addressing.py) gives way to it instead.
    """
    added = [one for one in draft.operations if isinstance(one.value, LinkRoute) and one.action == "add"]
    if not added:
        return
    holders = holders_of(draft.world)
    for one in list(added):
        link, route = one.value
        others = holders.get((link.netns, route.to, route.metric), set()) - {one.value}
        if others and draft.links.get(link, Link(link)).former is not None:
            draft.take_back(one)
            added.remove(one)
            continue
        for other in sorted(others, key=str):
            by = f" via {other.route.via}" if other.route.via and other.link == link else ""
            why = f"the route {route} cannot be made: one to there with this metric is there{by} through {other.link}"
            raise Conflict(one.what, why, "remove it, or give another metric")
    make_way(draft, added)


def make_way(draft: Draft, added: list[Operation]) -> None:
    """Links go last, and their routes with them: one in whose place another is to come has to go before that."""
    holders = holders_of(draft.before)
    going = {one.value for one in draft.operations if isinstance(one.value, LinkRoute) and one.action == "remove"}
    early = {one.value.key for one in draft.operations if isinstance(one.value, Link) and one.first}
    for one in added:
        link, new = one.value
        for old in sorted(holders.get((link.netns, new.to, new.metric), set()), key=str):
            gone = old.link not in draft.world.links and old.link not in early
            if gone and old not in going:
                reason = f"its place is for the one through {link.name}"
                draft.operations.append(Operation("remove", old, reason, one.what))


def holders_of(world: World) -> dict[Slot, set[LinkRoute]]:
    """The kernel takes one route to one place with one metric (IPv4; of IPv6's we make no more either)."""
    found: dict[Slot, set[LinkRoute]] = {}
    for link in world.links.values():
        for route in (link.routes or frozenset()) | (link.gateways or frozenset()):
            found.setdefault((link.key.netns, route.to, route.metric), set()).add(LinkRoute(link.key, route))
    return found


def describe(wanted: Wanted, world: World) -> Optional[dict[str, Any]]:
    link = world.links.get(wanted.value.link)
    return {} if link and wanted.value.route in (link.routes or ()) else None


def facts(_wanted: Wanted, _world: World) -> dict[str, Any]:
    return {}
