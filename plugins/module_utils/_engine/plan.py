# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The planner: what is wanted and what is seen -> the steps from one to the other. A pure function of values."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from .._model.errors import InvalidRequest
from .._model.hosts import HostsBlock
from .._model.link import Link, LinkKey, LinkRoute
from .._model.namespace import Namespace, Sysctl
from .._model.plan import Plan, Question, Wanted, World
from .._model.rule import Dnat, Snat
from .._model.segment import Segment
from .._model.service import Service
from .._model.source import SourceRoute
from .._model.state import State
from .._model.text import TextFile
from .._model.veth import Veth
from .._model.wireguard import Tunnel
from .._model.wireguard_key import WireguardKey
from . import (
    hosts,
    link,
    namespace,
    route,
    rule,
    segment,
    service,
    source,
    state,
    sysctl,
    text,
    wireguard,
    wireguard_key,
)
from .draft import Draft
from .inheritance import is_wide, turn
from .parts import in_order

# Who plans which value: a file with question, plan, describe and facts; prepare and finish, where it has a first or a last word.
PLANNERS: dict[type, ModuleType] = {
    Namespace: namespace,
    Sysctl: sysctl,
    Link: link,
    LinkRoute: route,
    Snat: rule,
    Dnat: rule,
    Segment: segment,
    SourceRoute: source,
    Service: service,
    HostsBlock: hosts,
    TextFile: text,
    Tunnel: wireguard,
    WireguardKey: wireguard_key,
    State: state,
}

# Behind all others that stand on nothing. Each change of a source rule carries the whole chain as it is to be, and those that
# go are carried out after those that come (see order.py).
LAST = 1000


def question(wanted: Sequence[Wanted]) -> Question:
    """All that has to be looked at."""
    whole = Question()
    for one in wanted:
        whole.owners.add(one.owner)
        whole.add(PLANNERS[type(one.value)].question(one))
    return whole


def plan(wanted: Sequence[Wanted], world: World, assume: bool = False) -> Plan:
    """The steps that bring `world` to what is wanted; none when it is so already.

    Errors: Missing, Conflict. `assume`: missing prerequisites are taken as made (check mode), with a warning.
    """
    wanted = unique(wanted)
    draft = Draft(wanted, world, assume)
    planners = dict.fromkeys(PLANNERS[type(one.value)] for one in wanted)
    for planner in planners:
        if hasattr(planner, "prepare"):
            planner.prepare(draft)
    for one in arrange(wanted):
        PLANNERS[type(one.value)].plan(one, draft)
    for planner in planners:
        if hasattr(planner, "finish"):
            planner.finish(draft)
    return Plan(
        in_order(draft.operations), tuple(draft.warnings), draft.world, lambda: tell(wanted, world, draft.world)
    )


def tell(wanted: Sequence[Wanted], before: World, after: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """The managed properties of each object, by its name, in both worlds."""
    named = [(str(one.value), PLANNERS[type(one.value)].describe, one) for one in wanted]
    return (
        {name: describe(one, before) for name, describe, one in named},
        {name: describe(one, after) for name, describe, one in named},
    )


def facts(wanted: Sequence[Wanted], world: World) -> dict[str, list[Any]]:
    """What now is, by sort: `{"links": [...], "namespaces": [...]}`."""
    found: dict[str, list[Any]] = {}
    for one in wanted:
        for sort, value in PLANNERS[type(one.value)].facts(one, world).items():
            found.setdefault(sort, []).append(value)
    return found


def unique(wanted: Sequence[Wanted]) -> list[Wanted]:
    """Each wish once. Errors: InvalidRequest where one object is asked for in two different ways."""
    seen: dict[Any, Wanted] = {}
    found = []
    for one in wanted:
        other = seen.setdefault((type(one.value), _identity(one.value)), one)
        if other is one:
            found.append(one)
        elif other._replace(what=one.what) != one:
            raise InvalidRequest(
                one.what, f"{one.value} is asked for twice in different ways, also by {other.what}", "say it once"
            )
    return found


def _identity(value: Any) -> Any:
    if isinstance(value, Link):
        return value.key, value.data is None
    if isinstance(value, (Snat, Dnat, Segment, TextFile)):
        return value.key
    if isinstance(value, (Namespace, Service, State, WireguardKey)):
        return value.name
    if isinstance(value, Tunnel):
        return value.link
    if isinstance(value, HostsBlock):
        return value.key, value.owner
    if isinstance(value, Sysctl):
        return value.netns, value.path
    return value


def arrange(wanted: Sequence[Wanted]) -> list[Wanted]:
    """What others stand on first; what goes after what comes, and in the opposite order."""
    depths = {one.value.key: one.value for one in wanted if isinstance(one.value, Link)}
    found: dict[LinkKey, int] = {}

    def depth(key: LinkKey, above: frozenset[LinkKey] = frozenset()) -> int:
        if key not in depths or key in above:
            return 0
        if key not in found:
            found[key] = 1 + max((depth(below, above | {key}) for below in below_pair(depths[key])), default=0)
        return found[key]

    def below_pair(link: Link) -> tuple[LinkKey, ...]:
        """The two ends of a pair are made in one message, which may name what either stands on."""
        other = depths.get(link.data.peer) if isinstance(link.data, Veth) else None
        return link.under + (other.under if other else ())

    def place(one: Wanted) -> tuple[int, int]:
        height = depth(one.value.key) if isinstance(one.value, Link) else 0
        if isinstance(one.value, Namespace):
            second = one.value.same_as is not None
            return (0, int(second)) if one.present else (4, int(not second))
        if isinstance(one.value, Link):
            return (1, height) if one.present else (3, -height)
        if isinstance(one.value, Sysctl):
            # What takes addresses away comes before the links, which get them back.
            return (0, 2 + turn(one.value.path)) if is_wide(one.value.path) else (2, turn(one.value.path))
        if isinstance(one.value, Snat) and not one.present:
            return (2, LAST)
        return (2, 0)

    return sorted(wanted, key=place)
