# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Other people's chains that forwarded packets and questions to the host pass: looked at, and our one rule in them.

Each in its own language: a chain of iptables' that nft wrote to is no longer listed by iptables.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from .._model.errors import DocknetError, KernelRefused
from .._model.filter import PASSED
from .._model.owner import PREFIX
from .._model.passage import FORWARD, INPUT, Gate, Passage
from .._model.plan import Operation, Question, World
from . import xtables
from .nftlayout import BRIDGE, CHAINS, TABLE
from .places import Done, Places
from .program import Answer, ask

HOOKS = (FORWARD, INPUT)
# linux/netfilter.h: by when forwarded packets are marked, see nftlayout.py. What is for the host is marked long before.
MARKED = int(CHAINS["forward"].partition("priority ")[2].partition(";")[0])
DROPPING = frozenset({"drop", "reject", "queue"})
RULE = f'meta mark & {PASSED:#x} != 0 accept comment "{PREFIX}"'
UNMARKED = "frames on a bridge carry no mark"
TOO_EARLY = "it comes before ours, which marks what may pass"


def look(places: Places, question: Question, world: World) -> None:
    for ref in question.filters & set(world.namespaces):
        with places.inside(ref) if ref is not None else contextlib.nullcontext():
            world.gates[ref] = tuple(_find())


def _find() -> Iterator[Gate]:
    there: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for chain in _list("chains", "chain"):
        where: tuple[str, str] = chain["family"], chain["table"]
        if chain.get("hook") in HOOKS and " ".join(where) not in (TABLE, BRIDGE):
            there.setdefault(where, []).append(chain)
    for (family, table), chains in there.items():
        said = xtables.read(xtables.NFT[family], table) if family in xtables.NFT and table in xtables.TABLES else None
        if said is not None:
            yield from said
        else:
            yield from _native(family, table, chains)
    for family, programs in xtables.LEGACY.items():
        for table in xtables.legacy_tables(family):
            yield from xtables.read_legacy(family, programs, table)


def _native(family: str, table: str, chains: Sequence[dict[str, Any]]) -> Iterator[Gate]:
    rules: dict[str, list[dict[str, Any]]] = {}
    maps: dict[str, Any] = {}
    answer = _nft(["-j", "-a", "list", "table", family, table])
    for entry in json.loads(answer.out)["nftables"] if not answer.code else ():
        if "rule" in entry:
            rules.setdefault(entry["rule"]["chain"], []).append(entry["rule"])
        elif "map" in entry:
            maps[entry["map"]["name"]] = entry["map"].get("elem", ())
    for chain in chains:
        own = rules.get(chain["name"], [])
        ours = [rule["handle"] for rule in own if rule.get("comment") == PREFIX and "bridge" != family]
        first = next((at for at, rule in enumerate(own) if _drops(rule.get("expr"), rules, maps, set())), len(own))
        early = chain["hook"] == FORWARD and int(chain["prio"]) <= MARKED
        yield Gate(
            "nft",
            family,
            table,
            chain["name"],
            chain["hook"],
            drops=chain.get("policy") == "drop" or first < len(own),
            open=any(rule["handle"] in ours for rule in own[:first]),
            ours=tuple(ours),
            why_not=UNMARKED if family == "bridge" else TOO_EARLY if early else "",
        )


def _drops(node: Any, rules: dict[str, list[dict[str, Any]]], maps: dict[str, Any], seen: set[str]) -> bool:
    """Whether a packet may end in this statement, or in what it leads to."""
    if isinstance(node, list):
        return any(_drops(one, rules, maps, seen) for one in node)
    if isinstance(node, str) and node.startswith("@") and node not in seen:
        seen.add(node)
        return _drops(maps.get(node[1:]), rules, maps, seen)
    if not isinstance(node, dict):
        return False
    for name, one in node.items():
        target = one.get("target") if name in ("jump", "goto") and isinstance(one, dict) else None
        if target and target not in seen:
            seen.add(target)
            if any(_drops(rule.get("expr"), rules, maps, seen) for rule in rules.get(target, ())):
                return True
        elif name in DROPPING or _drops(one, rules, maps, seen):
            return True
    return False


def _list(sort: str, name: str) -> list[dict[str, Any]]:
    answer = _nft(["-j", "list", sort])
    if answer.code:
        raise KernelRefused("nftables", f"nft cannot list the {sort}: {answer.err.strip()}")
    return [entry[name] for entry in json.loads(answer.out)["nftables"] if name in entry]


def _nft(arguments: list[str], script: str = "") -> Answer:
    return ask("nftables", "nft", arguments, script, 60.0, "install the package nftables")


# -- writing --------------------------------------------------------------------------------------------------


def change(places: Places, operations: Sequence[Operation]) -> Done:
    for operation in operations:
        value: Passage = operation.value
        try:
            with places.inside(value.netns) if value.netns is not None else contextlib.nullcontext():
                if value.gate.program == "nft":
                    _write(value, operation.action)
                else:
                    xtables.write(value.gate, operation.action)
            yield operation, None
        except DocknetError as error:
            yield operation, error


def _write(value: Passage, action: str) -> None:
    gate = value.gate
    at = f"{gate.family} {gate.table} {gate.chain}"
    lines = [f"delete rule {at} handle {handle}" for handle in gate.ours]
    if action != "delete":
        lines.append(f"insert rule {at} {RULE}")
    answer = _nft(["-f", "-"], "".join(f"{line}\n" for line in lines))
    if answer.code:
        raise KernelRefused(str(value), f"nft refused it: {' '.join(answer.err.split())}")
