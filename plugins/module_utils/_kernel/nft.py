# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Our nftables tables, of the namespace the calling thread is in: read as JSON, written as one transaction in nft's own language.

Not written as JSON, because nft 1.0.6 cannot: there a map to a concatenation ("address . port") silently becomes
a set, and every error is at "internal:0:0-0". Its own language names the line, and so the object.
No other table is listed or touched here. Tried with nft 1.0.6 and 1.1.3, whose JSON is not the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Optional, Union

from .._model.errors import Conflict, KernelRefused
from .._model.filter import belonging
from .._model.filter import read as segments_of
from .._model.namespace import NetnsRef, place
from .._model.nft import FAMILIES, LOCALNET, owner_in
from .._model.nft import read as rules_of
from .._model.owner import PREFIX, SEPARATOR
from .._model.rule import MASQUERADE, Element, ElementKey, Line, RuleChange, Snat, Table, TableChange
from .._model.segment import SegmentChange
from .._model.words import text_of
from .nftjson import elements_of, line_of
from .nftlayout import (
    BRIDGE,
    BRIDGE_CHAINS,
    BRIDGE_RULES,
    BRIDGE_SETS,
    CHAINS,
    FIXED,
    RULES,
    SETS,
    SOURCES,
    TABLE,
    fixed_part,
    fixed_rules,
    is_of_names,
    table_of,
    version_of,
)
from .paths import route_localnet
from .program import Answer, ask

TIMEOUT = 60.0
MULTICAST = {4: "224.0.0.0/4", 6: "ff00::/8"}
COMPLAINT = re.compile(r"^\S+?:(\d+):\d+-\d+: Error: (.*)$", re.MULTILINE)


# -- looking --------------------------------------------------------------------------------------------------


class Seen(NamedTuple):
    """One of our tables, as nft tells of it."""

    sets: dict[str, dict]
    chains: set[str]
    lines: list[Line]

    def elements(self, known: Collection[str]) -> list[Element]:
        return [element for name, one in self.sets.items() if name in known for element in elements_of(one)]


def read(netns: NetnsRef, bridge: bool = False) -> Table:
    """The table as it is; `bridge`: and that of the bridge family. Errors: Conflict for one of that name that is not ours."""
    main, other = _read(netns, TABLE, SETS), _read(netns, BRIDGE, BRIDGE_SETS) if bridge else None
    elements = [*(main.elements(SETS) if main else ()), *(other.elements(BRIDGE_SETS) if other else ())]
    found = _table(netns, main, {element[:2]: element for element in elements})
    if other:
        damage = tuple(_damage(other, BRIDGE_SETS, BRIDGE_CHAINS, BRIDGE_RULES))
        strange = tuple(_foreign(other, BRIDGE_SETS, BRIDGE_CHAINS))
        handles = tuple(line.handle for line in other.lines if line.comment.startswith(FIXED))
        return replace(found, bridge=damage, strange=strange, bridge_rules=handles)
    return found


def _read(netns: NetnsRef, table: str, own: Collection[str]) -> Optional[Seen]:
    answer = _run(["-j", "list", "table", *table.split()])
    if answer.code:
        if "No such file or directory" in answer.err:
            return None
        raise KernelRefused(f"nftables table {table}{place(netns)}", f"nft cannot list it: {words(answer.err)}")
    seen: dict[str, list[dict[str, Any]]] = {}
    for entry in json.loads(answer.out)["nftables"]:
        for sort, what in entry.items():
            seen.setdefault("set" if sort == "map" else sort, []).append(what)
    sets = {one["name"]: one for one in seen.get("set", ())}
    if not any(name in own and one.get("comment") == PREFIX for name, one in sets.items()):
        raise Conflict(
            f"nftables table {table}{place(netns)}",
            "it was not made by this collection",
            f"rename or delete it: nft list table {table}",
        )
    chains = {one["name"] for one in seen.get("chain", ())}
    return Seen(sets, chains, [line_of(netns, one) for one in seen.get("rule", ())])


def _table(netns: NetnsRef, seen: Optional[Seen], elements: dict[ElementKey, Element]) -> Table:
    about: dict[str, set[ElementKey]] = {}
    for key, element in elements.items():
        belongs = belonging(element)
        if belongs:
            about.setdefault(belongs, set()).add(key)
    found = Table(elements=elements, about={name: frozenset(keys) for name, keys in about.items()})
    if not seen:
        return found
    rules = rules_of(netns, elements)
    rules.update({line.snat.key: line.snat for line in seen.lines if line.chain == SOURCES and line.snat})
    return replace(
        found,
        present=True,
        damage=tuple(_damage(seen, SETS, CHAINS, RULES)),
        lines=tuple(seen.lines),
        rules=rules,
        segments=segments_of(netns, elements),
        foreign=tuple(_foreign(seen, SETS, CHAINS)),
        switches={name: route_localnet(name) for at, name in elements if at == LOCALNET},
    )


def _damage(
    seen: Seen, sets: Collection[str], chains: Collection[str], rules: Sequence[tuple[str, str]]
) -> Iterator[str]:
    """What of the fixed part is not there, or not in its order."""
    yield from (f"set {name} is missing" for name in sets if name not in seen.sets)
    for chain in chains:
        there = [line.comment for line in seen.lines if line.chain == chain and line.comment.startswith(FIXED)]
        if chain not in seen.chains:
            yield f"chain {chain} is missing"
        elif there != [version_of(rule) for at, rule in rules if at == chain]:
            yield f"the rules of chain {chain} are not as they were made"


def _foreign(seen: Seen, sets: Collection[str], chains: Collection[str]) -> Iterator[str]:
    """What somebody else put into the table, but for elements and source rules, which can be adopted."""
    yield from (f"set {name}" for name in sorted(seen.sets) if name not in sets)
    yield from (f"chain {name}" for name in sorted(seen.chains) if name not in chains)
    for line in seen.lines:
        source = line.chain == SOURCES and line.snat
        if line.chain in chains and not source and not line.comment.startswith((FIXED, PREFIX + SEPARATOR)):
            yield f"a rule in chain {line.chain}"


Change = Union[TableChange, RuleChange, SegmentChange]


# -- writing --------------------------------------------------------------------------------------------------


class Command(NamedTuple):
    """One line of a script, and the object it is for."""

    text: str
    what: str


def commit(seen: Table, changes: Sequence[Change]) -> None:
    """Make all changes, or none: one transaction. Errors: KernelRefused, with the object and nft's own words."""
    commands = script(seen, changes)
    if not commands:
        return
    answer = _run(["-f", "-"], text_of(f"nftables table {TABLE}", (command.text for command in commands)))
    if answer.code:
        found = COMPLAINT.search(answer.err)
        number = int(found[1]) if found else 0
        at = commands[number - 1] if 0 < number <= len(commands) else Command("", f"nftables table {TABLE}")
        line = f", in the line: {at.text}" if at.text else ""
        raise KernelRefused(
            at.what,
            f"nft refused it, and with it the whole change: {found[2] if found else words(answer.err)}{line}",
        )


def script(seen: Table, changes: Sequence[Change]) -> list[Command]:
    """The transaction, one command a line. What goes comes first: it may have the place of what is added."""
    shared = [change for change in changes if isinstance(change, TableChange)]
    # What is in a table goes with it, in the same transaction.
    gone = {
        table for change in shared for table, goes in ((TABLE, change.drop), (BRIDGE, change.bridge is False)) if goes
    }
    found = [command for change in shared for command in _tables(seen, change)]
    for verb in ("delete", "add"):
        for change in changes:
            gone_or_new = change.remove if verb == "delete" else change.add
            for element in gone_or_new:
                table = table_of(element.set)
                if table not in gone:
                    text = f"{verb} element {table} {element.set} {{ {_spell(element, verb == 'add')} }}"
                    found.append(Command(text, str(change)))
    if TABLE in gone:
        return found
    return found + _sources(
        seen, [change for change in changes if isinstance(change, RuleChange) and change.chain is not None]
    )


def _tables(seen: Table, change: TableChange) -> list[Command]:
    """The tables' own comings and goings. Of the fixed part, what is there stays, but for our rules, whose order counts."""
    lines: list[str] = []
    if change.drop:
        lines.append(f"delete table {TABLE}")
    elif change.repair:
        old = [line for line in seen.lines if line.comment.startswith(FIXED)]
        lines += fixed_part()
        lines += [f"delete rule {TABLE} {line.chain} handle {line.handle}" for line in old]
        lines += fixed_rules()
    if change.bridge:
        lines += fixed_part(bridge=True)
        lines += [f"delete rule {BRIDGE} forward handle {handle}" for handle in seen.bridge_rules]
        lines += fixed_rules(bridge=True)
    elif change.bridge is False:
        lines.append(f"delete table {BRIDGE}")
    return [Command(line, str(change)) for line in lines]


def _sources(seen: Table, changes: Sequence[RuleChange]) -> list[Command]:
    """The source rules, all anew: their order counts, and nft can only put one at an end. Those of nobody stay, at the top."""
    if not changes:
        return []
    mine = {change.rule.key for change in changes}
    lines = [
        line
        for line in seen.lines
        if line.chain == SOURCES and line.snat and (owner_in(line.comment) or line.snat.key in mine)
    ]
    found = [Command(f"delete rule {TABLE} {SOURCES} handle {line.handle}", str(line.snat)) for line in lines]
    return found + [
        Command(f"add rule {TABLE} {SOURCES} {source_rule(snat)}", str(snat)) for snat in changes[-1].chain or ()
    ]


def source_rule(snat: Snat) -> str:
    """One source rule in nft's language; line_of in nftjson.py reads it back."""
    family = FAMILIES[snat.source.version]
    text = f"{family} saddr {snat.source} {family} daddr != {MULTICAST[snat.source.version]}"
    if snat.out_interface:
        text += f' oifname "{snat.out_interface}"'
    if snat.except_out_interface:
        text += f' oifname != "{snat.except_out_interface}"'
    to = MASQUERADE if snat.to in (None, MASQUERADE) else f"snat {family} to {snat.to}"
    return f'{text} {to} comment "{PREFIX}{SEPARATOR}{snat.owner}"'


def _spell(element: Element, whole: bool) -> str:
    parts = zip(element.key.split(" . "), is_of_names(element.set))
    key = " . ".join(f'"{part}"' if name else part for part, name in parts)
    comment = f' comment "{element.comment}"' if element.comment and whole else ""
    return key + comment + (f" : {element.value}" if element.value and whole else "")


def _run(arguments: list[str], script: str = "") -> Answer:
    way_out = "install the package nftables, or run role netwright.docknet.host"
    return ask("nftables", "nft", arguments, script, TIMEOUT, way_out)


def words(stderr: str) -> str:
    """What nft says, on one line."""
    return " ".join(stderr.split()) or "it does not say why"
