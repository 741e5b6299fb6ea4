# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Planning of bridge networks in the packet filter.

As with published ports: what is asked for are segments, what is compared and sent are elements. What they share with
published ports and hidden sources, the tables themselves, is settled last, by table.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Optional

from .._model import filter as layout
from .._model.errors import Conflict
from .._model.nft import DEVICE, FAMILIES
from .._model.plan import Question, Wanted, World
from .._model.rule import ElementKey, Table
from .._model.segment import Segment, SegmentChange
from . import passage
from . import table as shared
from .draft import Draft, claim
from .effect import EFFECTS


def question(wanted: Wanted) -> Question:
    netns = wanted.value.netns
    return Question(namespaces={netns}, tables={netns}, filters={netns})


def plan(wanted: Wanted, draft: Draft) -> None:
    segment: Segment = wanted.value
    if wanted.present:
        draft.need_namespace(wanted, segment.netns)
    table = shared.table_of(draft.world, segment.netns)
    seen: Optional[Segment] = table.segments.get(segment.device)
    adopted = seen is not None and claim(wanted, seen.owner, "segment")
    if not wanted.present:
        if seen is not None:
            draft.do(wanted, "delete", _change(table, seen, seen, present=False), "to be absent")
        return
    _nameable(wanted, (segment.device, *segment.ports, *segment.trusted, *segment.beside))
    new = layout.whole(replace(segment, owner=wanted.owner))
    change = _change(table, new, seen)
    if seen is None:
        draft.do(wanted, "create", change, "missing")
    elif adopted:
        draft.do(wanted, "set", change, "adopted")
    elif new != seen:
        draft.do(wanted, "set", change, _difference(seen, new))
    elif change.remove or change.add:
        why = f"not all of it is as it was made: {shared.first(change.remove, change.add)}"
        draft.do(wanted, "set", change, why)


def _nameable(wanted: Wanted, devices: Iterable[str]) -> None:
    for device in devices:
        if not DEVICE.fullmatch(device):
            raise Conflict(wanted.what, f"nft cannot name the interface {device!r}", "rename the interface")


def finish(draft: Draft) -> None:
    mine = [wanted for wanted in draft.wanted if isinstance(wanted.value, Segment)]
    for netns in dict.fromkeys(wanted.value.netns for wanted in mine):
        here = [wanted for wanted in mine if wanted.value.netns == netns]
        shared.settle(draft, here)
        passage.settle(draft, here[0], netns)


def _change(table: Table, new: Segment, seen: Optional[Segment], present: bool = True) -> SegmentChange:
    """From the elements there are, even left over ones, to those there should be."""
    want = {element[:2]: element for element in layout.elements(new)} if present else {}
    there: set[ElementKey] = set(want) | table.about.get(layout.about(new.device), frozenset())
    have = {key: table.elements[key] for key in there if key in table.elements}
    remove = tuple(sorted(element for key, element in have.items() if want.get(key) != element))
    add = tuple(sorted(element for key, element in want.items() if have.get(key) != element))
    return SegmentChange(new, seen, remove, add)


# -- words ----------------------------------------------------------------------------------------------------


def _difference(seen: Segment, new: Segment) -> str:
    was, now = _plain(seen), _plain(new)
    names = [name for name in {**now, **was} if was.get(name) != now.get(name)]
    return "; ".join(f"{name} is {_say(was.get(name, []))}, not {_say(now.get(name, []))}" for name in names)


def _say(value: Any) -> str:
    if isinstance(value, dict):
        return _say([f"{name} {one}" for name, one in value.items()])
    if isinstance(value, list):
        more = len(value) - 5
        return ", ".join(value[:5]) + (f" and {more} more" if more > 0 else "") or "none"
    return str(value)


def _plain(segment: Segment) -> dict[str, Any]:
    ports = (f"{one.address} {one.ports}/{one.protocol}" for one in segment.openings)
    return {
        "icc": segment.icc,
        "internal": segment.internal,
        "modes": {f"ipv{family}": segment.modes[family] for family in FAMILIES},
        "ports": sorted(segment.ports),
        "openings": sorted(ports),
        "trusted": sorted(segment.trusted),
        "resolvers": {str(address): port for address, port in sorted(segment.resolvers.items(), key=str)},
        "nameservers": sorted(str(address) for address in segment.nameservers),
        **({"between": sorted(map(str, segment.between))} if segment.between else {}),
        **({"beside": sorted(segment.beside)} if segment.beside else {}),
        **({} if segment.vni is None else {"vni": segment.vni}),
        **({"vteps": sorted(map(str, segment.vteps))} if segment.vteps else {}),
        **({} if segment.by is None else {"by": segment.by}),
        **({} if segment.listens is None else {"listens": segment.listens}),
        "owner": segment.owner,
    }


def describe(wanted: Wanted, world: World) -> Optional[dict[str, Any]]:
    seen = shared.table_of(world, wanted.value.netns).segments.get(wanted.value.device)
    return _plain(seen) if seen else None


def facts(wanted: Wanted, world: World) -> dict[str, Any]:
    """The segment as it now is; with `present` false only its identity."""
    segment: Segment = wanted.value
    shown = describe(wanted, world) or {}
    return {"segments": {"netns": segment.netns, "device": segment.device, "present": bool(shown), **shown}}


def _segment(world: World, action: str, value: SegmentChange) -> None:
    table = shared.with_elements(shared.table_of(world, value.netns), value.remove, value.add)
    segments = {device: one for device, one in table.segments.items() if device != value.segment.device}
    if action != "delete":
        segments[value.segment.device] = value.segment
    world.tables[value.netns] = replace(table, segments=segments)


EFFECTS[SegmentChange] = _segment
