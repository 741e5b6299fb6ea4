# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Chains of other programs that packets of ours pass: read, and our rules in them.

Each in its own language: a chain of iptables that nft wrote to is no longer listed by iptables.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Optional

from .._model.errors import DocknetError, KernelRefused
from .._model.filter import PASSED
from .._model.owner import PREFIX
from .._model.passage import BY_LINK, BY_MARK, FORWARD, INPUT, OUTPUT, POSTROUTING, PREROUTING, Gate, Passage
from .._model.plan import Operation, Question, World
from .._model.words import text_of
from . import xtables
from .nftlayout import BRIDGE, CHAINS, TABLE
from .places import Done, Places
from .program import Answer, ask

HOOKS = (PREROUTING, FORWARD, INPUT, OUTPUT, POSTROUTING)
FAMILIES = ("ip", "ip6", "inet", "bridge", "arp")
# linux/netfilter.h: by when forwarded packets are marked, see nftlayout.py. What is for the host is marked long before.
MARKED = int(CHAINS["forward"].partition("priority ")[2].partition(";")[0])
DROPPING = frozenset({"drop", "reject", "queue"})
# Statements that let every packet go on to the next one.
PASSIVE = frozenset({"counter", "log", "comment", "mangle", "notrack"})
RULE = f'meta mark & {PASSED:#x} != 0 accept comment "{PREFIX}"'
INTERFACE = {"in": ("iif", "iifname"), "out": ("oif", "oifname")}
UNMARKED = "frames on a bridge carry no mark"
TOO_EARLY = "it comes before ours, which marks what may pass"
Rules = dict[str, list[dict[str, Any]]]
TRANSLATES = "it translates addresses, and what it accepts it does not translate"


def look(places: Places, question: Question, world: World) -> None:
    for ref in question.filters & set(world.namespaces):
        with places.inside(ref) if ref is not None else contextlib.nullcontext():
            world.gates[ref] = tuple(_find())


def _find() -> Iterator[Gate]:
    there: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for chain in _list("chains", "chain"):
        where: tuple[str, str] = chain["family"], chain["table"]
        known = chain.get("hook") in HOOKS and chain["family"] in FAMILIES
        if known and " ".join(where) not in (TABLE, BRIDGE):
            there.setdefault(where, []).append(chain)
    for (family, table), chains in there.items():
        said = xtables.read(xtables.NFT[family], table) if family in xtables.NFT and table in xtables.TABLES else None
        if said is not None:
            yield from said
        else:
            yield from _native(family, table, chains, _is_locked(family, table))
    for family, programs in xtables.LEGACY.items():
        for table in xtables.legacy_tables(family):
            yield from xtables.read_legacy(family, programs, table)


def _is_locked(family: str, table: str) -> bool:
    """Whether it has the flag owner. In JSON, nft 1.0.6 writes another word for it, or crashes."""
    lines = _nft(["-t", "list", "table", family, table]).out.splitlines()
    flags = next((line for line in lines if line.strip().startswith("flags ")), "")
    return "owner" in flags.replace(",", " ").replace(";", " ").split()


def _native(family: str, table: str, chains: Sequence[dict[str, Any]], locked: bool) -> Iterator[Gate]:
    rules: dict[str, list[dict[str, Any]]] = {}
    maps: dict[str, Any] = {}
    answer = _nft(["-j", "-a", "list", "table", family, table])
    for entry in json.loads(answer.out)["nftables"] if not answer.code else ():
        if "rule" in entry:
            rules.setdefault(entry["rule"]["chain"], []).append(entry["rule"])
        elif "map" in entry:
            maps[entry["map"]["name"]] = entry["map"].get("elem", ())
    others = [rule.get("expr") for own in rules.values() for rule in own if rule.get("comment") != PREFIX]
    named = frozenset(_words([*others, *maps.values()])) if locked else frozenset()
    for chain in chains:
        own = rules.get(chain["name"], [])
        ours = [rule for rule in own if rule.get("comment") == PREFIX and family != "bridge"]
        gate = Gate("nft", family, table, chain["name"], chain["hook"], locked=locked, links_named=named)
        by_mark = chain["hook"] in (FORWARD, INPUT) and family != "arp"
        yield (_by_mark if by_mark else _by_link)(gate, chain, own, ours, rules, maps)


def _by_mark(
    gate: Gate, chain: dict[str, Any], own: list[Any], ours: list[Any], rules: Rules, maps: dict[str, Any]
) -> Gate:
    """What it drops, none can know who does not read its rules as the kernel does: our rule comes first."""
    first = next((at for at, rule in enumerate(own) if _drops(rule.get("expr"), rules, maps, set())), len(own))
    early = gate.hook == FORWARD and int(chain["prio"]) <= MARKED
    return replace(
        gate,
        drops=chain.get("policy") == "drop" or first < len(own),
        closed=chain.get("policy") == "drop" or any(_ends(rule.get("expr"), rules, set()) for rule in own),
        open=any(rule in ours for rule in own[:first]),
        ours=tuple(rule["handle"] for rule in ours),
        why_not=UNMARKED if gate.family == "bridge" else TOO_EARLY if early else "",
    )


def _by_link(
    gate: Gate, chain: dict[str, Any], own: list[Any], ours: list[Any], rules: Rules, maps: dict[str, Any]
) -> Gate:
    """Its rules keep their say. Only what none of them accepts would be dropped, and our rule comes after them."""
    ends = [at for at, rule in enumerate(own) if rule not in ours and _ends(rule.get("expr"), rules, set())]
    last = ends[0] if ends else None
    before = own if last is None else own[:last]
    links = [_links(rule.get("expr")) for rule in before if rule in ours]
    closed = last is not None or (chain.get("policy") == "drop" and not any(_is_accept(rule) for rule in own))
    return replace(
        gate,
        drops=closed,
        closed=closed,
        open=any(rule in ours and _links(rule.get("expr")) is None for rule in before),
        ours=tuple(rule["handle"] for rule in ours),
        links=next((one for one in links if one is not None), frozenset()),
        last=own[last]["handle"] if last is not None else None,
        by_ports=gate.hook == PREROUTING and not any(_lets_in(rule) for rule in own if rule not in ours),
        why_not=UNMARKED if gate.family == "bridge" else TRANSLATES if chain.get("type") == "nat" else "",
    )


def _ends(expr: Any, rules: Rules, seen: set[str]) -> bool:
    """Whether every packet that comes so far ends here."""
    for one in expr or ():
        name = next(iter(one), "")
        if name in DROPPING:
            return True
        target = one[name].get("target") if name in ("jump", "goto") and isinstance(one[name], dict) else None
        if target and target not in seen:
            seen.add(target)
            return any(_ends(rule.get("expr"), rules, seen) for rule in rules.get(target, ()))
        if name not in PASSIVE:
            return False
    return False


def _is_accept(rule: dict[str, Any]) -> bool:
    expr = [next(iter(one), "") for one in rule.get("expr", ())]
    return expr[-1:] == ["accept"] and all(name in PASSIVE for name in expr[:-1])


def _lets_in(rule: dict[str, Any]) -> bool:
    """Whether all that comes by some interface is accepted, whatever its port."""
    matches = [one["match"] for one in rule.get("expr", ()) if "match" in one]
    verdicts = any("accept" in one or "vmap" in one for one in rule.get("expr", ()))
    keys = [one["left"].get("meta", {}).get("key") if isinstance(one["left"], dict) else None for one in matches]
    others = {"lo"} != set(_words([one["right"] for one in matches]))
    return verdicts and bool(keys) and all(key in INTERFACE["in"] for key in keys) and others


def _links(expr: Any) -> Optional[frozenset[str]]:
    """The interfaces that our rule names; None where it goes by the mark."""
    match: dict[str, Any] = next((one["match"] for one in expr or () if "match" in one), {})
    left = match.get("left", {})
    key = left.get("meta", {}).get("key", "") if isinstance(left, dict) else ""
    return frozenset(_words(match.get("right"))) if key in ("iifname", "oifname") else None


def _words(node: Any) -> Iterator[str]:
    """All text in a value."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for one in node.values():
            yield from _words(one)
    elif isinstance(node, (list, tuple)):
        for one in node:
            yield from _words(one)


def _drops(node: Any, rules: Rules, maps: dict[str, Any], seen: set[str]) -> bool:
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
                    xtables.write(value, operation.action)
            yield operation, None
        except DocknetError as error:
            yield operation, error


def _write(value: Passage, action: str) -> None:
    gate = value.gate
    at = f"{gate.family} {gate.table} {gate.chain}"
    lines = [f"delete rule {at} handle {handle}" for handle in gate.ours]
    if action != "delete" and gate.hook in BY_MARK and gate.family != "arp":
        lines.append(f"insert rule {at} {RULE}")
    if action != "delete" and value.links:
        side = INTERFACE[BY_LINK.get(gate.hook, "in")][1]
        names = ", ".join(f'"{name}"' for name in sorted(value.links))
        where = f"add rule {at}" if gate.last is None else f"insert rule {at} handle {gate.last}"
        lines.append(f'{where} {side} {{ {names} }} accept comment "{PREFIX}"')
    answer = _nft(["-f", "-"], text_of(str(value), lines))
    if answer.code:
        raise KernelRefused(str(value), f"nft refused it: {' '.join(answer.err.split())}")
