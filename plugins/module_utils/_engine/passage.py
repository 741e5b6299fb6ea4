# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Planning of our rules in the filters of other programs: where one may drop what ours lets through, it gets a rule that accepts it.

Such a rule comes with the first segment that needs it, and goes with the last one. A chain that cannot have one is named in a
warning before anything is changed, and so is one that drops what we do not know all about.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .._model.namespace import NetnsRef, place
from .._model.passage import BY_LINK, BY_MARK, FORWARD, INPUT, OUTPUT, POSTROUTING, PREROUTING, Gate, Passage
from .._model.plan import Wanted, World
from .._model.rule import LOOPBACK, Rule, RuleChange, Snat, Table
from .._model.vxlan import PORT
from .draft import Draft
from .effect import EFFECTS
from .table import table_of

ARP, BRIDGE = "arp", "bridge"


def settle(draft: Draft, asked: Wanted, netns: NetnsRef) -> None:
    """After all segments of a namespace. Questions to a name server on the host must get in, and what comes for an overlay; everything else through."""
    table = table_of(draft.world, netns)
    for gate in draft.world.gates.get(netns, ()):
        if not needed(gate, table):
            if gate.ours and not gate.locked:
                draft.do(asked, "delete", Passage(netns, gate), "no segment needs it any more")
        elif gate.drops:
            open_one(draft, asked, netns, gate, table)
            for text in beyond(gate, table):
                draft.warn(f"{gate}{place(netns)} {text}")


def needed(gate: Gate, table: Table) -> bool:
    segments = table.segments.values()
    if gate.hook == INPUT and gate.family != ARP:
        return any(segment.resolvers or segment.vteps for segment in segments)
    return bool(segments)


def open_one(draft: Draft, asked: Wanted, netns: NetnsRef, gate: Gate, table: Table) -> None:
    by_mark = gate.hook in BY_MARK and gate.family != ARP
    links = frozenset(table.segments) if gate.hook in BY_LINK or gate.family == ARP else frozenset()
    if (gate.open or not by_mark) and gate.links == links:
        return
    if gate.locked:
        away = sorted(table.segments.keys() - gate.links_named)
        if away:
            draft.warn(locked(gate, netns, away))
    elif gate.why_not:
        why = f"may drop what is accepted by docknet, and gets no rule of ours: {gate.why_not}"
        draft.warn(
            f"{gate}{place(netns)} {why}; accept there what comes from and goes to {', '.join(sorted(table.segments))}"
        )
    else:
        reason = "it may drop what is let through" + (", before our rule is reached" if gate.ours else "")
        draft.do(asked, "set" if gate.ours else "create", Passage(netns, gate, links), reason)


def locked(gate: Gate, netns: NetnsRef, away: list[str]) -> str:
    names = ", ".join(away)
    program = "firewalld" if gate.table == "firewalld" else "the program that made it"
    way_out = f"accept there what comes from and goes to {names}"
    if program == "firewalld":
        command = "".join(f" --add-interface={name}" for name in away)
        way_out = f"run firewall-cmd --permanent --zone=trusted{command} and firewall-cmd --reload"
    why = f"may drop what {names} sends and gets, and only {program} can write to it (flags owner)"
    return f"{gate}{place(netns)} {why}; {way_out}"


def beyond(gate: Gate, table: Table) -> Iterator[str]:
    """What comes from and goes to elsewhere, for which there is no rule of ours."""
    segments = table.segments.values()
    if gate.hook == PREROUTING and gate.by_ports and (table.dnats or any(segment.vteps for segment in segments)):
        yield "drops what its own rules do not accept; accept there the ports that are published, or the interfaces they are used from"
    if gate.hook == OUTPUT and gate.family != ARP and any(segment.vteps for segment in segments):
        yield f"drops what its own rules do not accept; accept UDP port {PORT} there, by which hosts of an overlay reach each other"


def name_closed(draft: Draft, netns: NetnsRef) -> None:
    """Chains that packets of new or changed rules pass without a segment, so without a mark: they get no rule, and are named."""
    table = table_of(draft.world, netns)
    changed = [
        step.value.rule
        for step in draft.operations
        if isinstance(step.value, RuleChange) and step.value.netns == netns and step.action != "delete"
    ]
    ways = list(dict.fromkeys(way for rule in changed for way in forwarded(rule, table)))
    if not ways:
        return
    said = ", ".join(ways[:3]) + (", ..." if len(ways) > 3 else "")
    for gate in draft.world.gates.get(netns, ()):
        is_in_the_way = gate.hook in (FORWARD, POSTROUTING) or (gate.hook == PREROUTING and gate.by_ports)
        if gate.closed and is_in_the_way and gate.family not in (ARP, BRIDGE):
            why = f"drops what its own rules do not accept; see that they accept what is {said}, and the answers"
            draft.warn(f"{gate}{place(netns)} {why}")


def forwarded(rule: Rule, table: Table) -> Iterator[str]:
    """What a rule lets through the host, in words; nothing where a segment of ours is behind it."""
    if isinstance(rule, Snat):
        if rule.except_out_interface not in table.segments:
            yield f"from {rule.source}"
    elif rule.via and rule.via.device != LOOPBACK and rule.via.device not in table.segments:
        yield f"for {rule.to_ip}, {rule.protocol} port {rule.to_ports}"


def _passage(world: World, action: str, value: Passage) -> None:
    ours = () if action == "delete" else (0,)
    links = frozenset() if action == "delete" else value.links
    is_open = bool(ours) and value.gate.hook in BY_MARK and value.gate.family != ARP
    world.gates[value.netns] = tuple(
        replace(gate, open=is_open, ours=ours, links=links) if gate.key == value.gate.key else gate
        for gate in world.gates.get(value.netns, ())
    )


EFFECTS[Passage] = _passage
