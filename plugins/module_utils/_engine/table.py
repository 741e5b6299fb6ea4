# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Planning of what the rules of one namespace share: the nftables table, its sets about subnets and interfaces, route_localnet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Optional

from .._model import filter as layout
from .._model import nft
from .._model.link import LinkKey
from .._model.namespace import NetnsRef
from .._model.plan import Wanted, World
from .._model.rule import Element, ElementKey, Line, Path, RuleChange, Switch, Table, TableChange
from .._model.segment import Segment, SegmentChange
from .draft import Draft
from .effect import EFFECTS


def table_of(world: World, netns: NetnsRef) -> Table:
    found: Table = world.tables.get(netns) or Table()
    return found


def settle(draft: Draft, wanted: Sequence[Wanted]) -> None:
    """After all rules of a namespace. A removal that has nothing to remove repairs nothing, but takes an empty table away."""
    netns, asked = wanted[0].value.netns, wanted[0]
    table = table_of(draft.world, netns)
    touched = any(
        isinstance(step.value, (RuleChange, SegmentChange)) and step.value.netns == netns for step in draft.operations
    )
    empty = table.present and table.empty and not table.foreign
    if not touched and not empty and not any(one.present for one in wanted):
        return
    devices = {device for device in (rule.needs_localnet for rule in table.dnats if rule.owner) if device}
    want = {element[:2]: element for element in nft.hairpins(table.dnats)}
    for device in sorted(devices):
        want[(nft.LOCALNET, device)] = Element(nft.LOCALNET, device, "", _doing(draft, netns, device, table))
    have = {key: element for key, element in table.elements.items() if _is_shared(key)}
    old = [element for key, element in have.items() if want.get(key) != element]
    remove = tuple(sorted([*old, *_left_over(table)]))
    add = tuple(element for key, element in want.items() if have.get(key) != element)
    for element in remove:
        device = element.key
        if element.set == nft.LOCALNET and device not in devices and element.comment == nft.TURNED_ON:
            if table.switches.get(device):
                draft.do(asked, "clear", Switch(netns, device, False), "no published port needs it any more")
    bridge = _bridge(draft, asked, table)
    gone = bridge is False and not (table.empty and table.present and not table.foreign)
    change = TableChange(netns, remove=remove, add=add, bridge=None if gone else bridge)
    _table(draft, asked, change, table)
    _first(draft, netns)
    if gone:
        draft.do(asked, "set", TableChange(netns, bridge=False), "no containers are kept apart any more")
    for device in sorted(devices):
        if _is_off(draft, netns, device, table):
            draft.do(asked, "set", Switch(netns, device, True), "127.0.0.1 is to lead to a published port behind it")


def _table(draft: Draft, asked: Wanted, change: TableChange, table: Table) -> None:
    """Made with the first rule or segment, repaired, kept up, or dropped with the last one."""
    empty = table.empty
    if empty and table.present and not table.foreign:
        draft.do(asked, "delete", TableChange(change.netns, drop=True, bridge=change.bridge), "the last of it is gone")
    elif not table.present and not empty:
        draft.do(asked, "create", change._replace(repair=True), "the first of it comes")
    elif table.damage:
        draft.do(asked, "set", change._replace(repair=True), "; ".join(table.damage[:3]))
    elif change.remove or change.add:
        draft.do(asked, "set", change, f"what its rules share: {first(change.remove, change.add)}")
    elif change.bridge is not None:
        draft.do(asked, "set", change, table.bridge[0] if table.bridge else "for containers that are kept apart")
    if empty and table.foreign:
        draft.warn(
            f"{change}: the last of ours in it is gone, but it stays, for what is not ours in it: {', '.join(table.foreign)}"
        )


def _bridge(draft: Draft, asked: Wanted, table: Table) -> Optional[bool]:
    """Whether the table of the bridge family is put up, or goes. Where no segment is asked for it was not looked at."""
    if not any(
        isinstance(wanted.value, Segment) and wanted.value.netns == asked.value.netns for wanted in draft.wanted
    ):
        return None
    if any(not segment.icc for segment in table.segments.values()):
        return True if table.bridge is None or table.bridge else None
    if table.bridge is None:
        return None
    if table.strange:
        draft.warn(f"nftables table bridge docknet stays, for what is not ours in it: {', '.join(table.strange)}")
        return None
    return False


def _first(draft: Draft, netns: NetnsRef) -> None:
    """A report names the table before the rules in it. (It is one transaction.)"""
    last = draft.operations[-1:]
    if last and isinstance(last[0].value, TableChange) and last[0].action != "delete":
        mine = (
            at
            for at, step in enumerate(draft.operations)
            if isinstance(step.value, (RuleChange, SegmentChange)) and step.value.netns == netns
        )
        at = next(mine, len(draft.operations) - 1)
        draft.operations.insert(at, draft.operations.pop())


def first(remove: Sequence[Element], add: Sequence[Element]) -> str:
    """The first difference, for a reason."""
    verb, one = ("there is no", add[0]) if add else ("there should be no", remove[0])
    return f"{verb} {one.key} in {one.set}"


def _left_over(table: Table) -> Iterator[Element]:
    """What says something about a publication that is gone by hand: a new one could meet it, which the kernel refuses."""
    published = {nft.publication(rule) for rule in table.dnats} if table.about else set()
    for about, keys in table.about.items():
        if not about.startswith(layout.about("")) and about not in published:
            yield from (table.elements[key] for key in keys)


def _is_shared(key: ElementKey) -> bool:
    return key[0] == nft.LOCALNET or key[0].startswith("hairpin_")


def _doing(draft: Draft, netns: NetnsRef, device: str, table: Table) -> str:
    """Whether route_localnet is our doing, so that we turn it off again. On a link of ours nobody else turned it on."""
    known = table.elements.get((nft.LOCALNET, device))
    if known and known.comment in (nft.TURNED_ON, nft.FOUND_ON):
        return known.comment
    path = _way(draft, netns, device)
    return nft.FOUND_ON if path and path.localnet and not path.marked else nft.TURNED_ON


def _is_off(draft: Draft, netns: NetnsRef, device: str, table: Table) -> bool:
    """Not of an interface that is gone, where some other rule still leads: that is found out when that rule is asked for."""
    path = _way(draft, netns, device)
    if path is None and LinkKey(netns, device) not in draft.links:
        return table.switches.get(device) is False
    known = table.switches.get(device)
    return not (path and path.localnet) if known is None else not known


def _way(draft: Draft, netns: NetnsRef, device: str) -> Optional[Path]:
    ways = ((at, path) for (at, _to), path in draft.world.targets.items() if path)
    return next((path for at, path in ways if at == netns and path.device == device), None)


# -- what the steps do to the world ---------------------------------------------------------------------------


def _rule(world: World, action: str, value: RuleChange) -> None:
    table = with_elements(table_of(world, value.netns), value.remove, value.add)
    rules = dict(table.rules)
    rules.pop(value.rule.key, None)
    if action != "delete":
        rules[value.rule.key] = value.rule
    table = replace(table, rules=rules)
    if value.chain is not None:
        others = tuple(
            line for line in table.lines if not line.snat or not (line.snat.owner or line.snat.key == value.rule.key)
        )
        table = replace(table, lines=others + tuple(Line("", 0, "", snat) for snat in value.chain))
    world.tables[value.netns] = table


def with_elements(table: Table, remove: Sequence[Element], add: Sequence[Element]) -> Table:
    if not remove and not add:
        return table
    elements, about = dict(table.elements), dict(table.about)
    less: dict[str, set[ElementKey]] = {}
    more: dict[str, set[ElementKey]] = {}
    for element in remove:
        elements.pop(element[:2], None)
        less.setdefault(layout.belonging(element) or "", set()).add(element[:2])
    for element in add:
        elements[element[:2]] = element
        more.setdefault(layout.belonging(element) or "", set()).add(element[:2])
    for name in (less.keys() | more.keys()) - {""}:
        about[name] = about.get(name, frozenset()) - less.get(name, set()) | more.get(name, set())
    return replace(table, elements=elements, about=about)


def _shared(world: World, _action: str, value: TableChange) -> None:
    table = table_of(world, value.netns)
    if value.bridge is not None:
        table = replace(table, bridge=() if value.bridge else None, bridge_rules=())
    if value.drop:
        world.tables[value.netns] = Table(bridge=table.bridge)
        return
    table = with_elements(table, value.remove, value.add)
    world.tables[value.netns] = replace(table, present=True, damage=() if value.repair else table.damage)


def _switch(world: World, _action: str, value: Switch) -> None:
    table = table_of(world, value.netns)
    world.tables[value.netns] = replace(table, switches={**table.switches, value.device: value.on})


EFFECTS.update({RuleChange: _rule, TableChange: _shared, Switch: _switch})
