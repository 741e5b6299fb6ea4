# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Chains of iptables, the one that speaks to nftables and the legacy one: what is in them, and our rules."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Optional

from .._model.errors import KernelRefused, Unsupported
from .._model.filter import PASSED
from .._model.owner import PREFIX
from .._model.passage import BY_LINK, BY_MARK, PREROUTING, Gate, Passage
from .program import Answer, ask

# The programs, by family.
NFT = {"ip": "iptables-nft", "ip6": "ip6tables-nft"}
LEGACY = {"ip": ("iptables-legacy", "iptables"), "ip6": ("ip6tables-legacy", "ip6tables")}
# Its tables with chains that filter; and the chains.
TABLES = ("filter", "mangle", "raw", "security")
CHAINS = {
    "PREROUTING": "prerouting",
    "FORWARD": "forward",
    "INPUT": "input",
    "OUTPUT": "output",
    "POSTROUTING": "postrouting",
}
DROPPING = frozenset({"DROP", "REJECT", "QUEUE", "NFQUEUE"})
MARK = f"{PASSED:#x}/{PASSED:#x}"
COMMENT = ["-m", "comment", "--comment", PREFIX]
ACCEPT = [*COMMENT, "-j", "ACCEPT"]
RULE = ["-m", "mark", "--mark", MARK, *ACCEPT]
FLAGS = {"in": "-i", "out": "-o"}
# The legacy one reads and writes a whole table at once; others wait that long for their turn.
WAIT = ["-w", "10"]
Rules = dict[str, list[list[str]]]


def read(program: str, table: str) -> Optional[list[Gate]]:
    """Its chains in one table of nftables; None where it is not iptables' (any more), or that is not installed."""
    try:
        answer = _run(program, ["-t", table, "-S"])
    except Unsupported:
        return None
    return None if answer.code or "incompatible" in answer.err else list(_gates(program, table, answer.out))


def legacy_tables(family: str) -> list[str]:
    """Those that are in use: to ask the program would make one that is not. (net/netfilter/x_tables.c, in each namespace.)"""
    name = {"ip": "ip_tables_names", "ip6": "ip6_tables_names"}[family]
    try:
        with open(f"/proc/thread-self/net/{name}", encoding="ascii") as file:
            there = file.read().split()
    except FileNotFoundError:
        return []
    return [table for table in TABLES if table in there]


def read_legacy(family: str, programs: Sequence[str], table: str) -> Iterator[Gate]:
    for program in programs:
        try:
            if program.endswith("legacy") or "nf_tables" not in _run(program, ["-V"]).out:
                answer = _run(program, ["-t", table, "-S"])
                if answer.code:
                    raise KernelRefused(program, f"it cannot list table {table}: {' '.join(answer.err.split())}")
                yield from _gates(program, table, answer.out)
                return
        except Unsupported:
            continue
    why_not = f"the program {programs[0]} is not on this host"
    for chain in ("FORWARD", "INPUT") if table != "raw" else ():
        yield Gate(programs[0], family, table, chain, CHAINS[chain], True, why_not=why_not)


def _gates(program: str, table: str, said: str) -> Iterator[Gate]:
    policies, rules = _parse(said)
    family = "ip6" if program.startswith("ip6") else "ip"
    for chain, policy in policies.items():
        if chain in CHAINS:
            gate = Gate(program, family, table, chain, CHAINS[chain])
            by_link = gate.hook in BY_LINK
            yield (_by_link if by_link else _by_mark)(gate, policy == "DROP", rules.get(chain, []), rules)


def _parse(said: str) -> tuple[dict[str, str], Rules]:
    """Policies and rules as the program spells them: `-P FORWARD DROP`, `-A FORWARD -i eth0 -j mine`."""
    policies: dict[str, str] = {}
    rules: Rules = {}
    for line in said.splitlines():
        verb, chain, *rest = shlex.split(line)
        if verb == "-P":
            policies[chain] = rest[0]
        elif verb == "-A":
            rules.setdefault(chain, []).append(rest)
    return policies, rules


def _by_mark(gate: Gate, closed: bool, own: list[list[str]], rules: Rules) -> Gate:
    first = next((at for at, rule in enumerate(own) if _drops(rule, rules, set())), len(own))
    ours = tuple(at + 1 for at, rule in enumerate(own) if rule == RULE)
    # mangle's FORWARD is before ours, which marks; what is for the host is marked long before.
    late = gate.table == "mangle" and gate.chain == "FORWARD"
    why_not = "it comes before ours, which marks what may pass" if late else ""
    is_open = bool(ours) and ours[0] <= first
    drops, closed = closed or first < len(own), closed or _last(own, rules) is not None
    return replace(gate, drops=drops, closed=closed, open=is_open, ours=ours, why_not=why_not)


def _by_link(gate: Gate, closed: bool, own: list[list[str]], rules: Rules) -> Gate:
    """Only what no rule accepts would be dropped: see passage.py."""
    last = _last(own, rules)
    before = own if last is None else own[:last]
    closed = last is not None or (closed and ["-j", "ACCEPT"] not in own)
    return replace(
        gate,
        drops=closed,
        closed=closed,
        open=RULE in before,
        ours=tuple(at + 1 for at, rule in enumerate(own) if _is_ours(rule)),
        links=frozenset(rule[1] for rule in before if _is_ours(rule) and rule != RULE),
        last=None if last is None else last + 1,
        by_ports=gate.hook == PREROUTING
        and not any(rule[:1] == ["-i"] and rule[1] != "lo" and rule[2:3] == ["-j"] for rule in own),
    )


def _is_ours(rule: list[str]) -> bool:
    return rule == RULE or (rule[:1] in (["-i"], ["-o"]) and rule[2:] == ACCEPT)


def _last(own: list[list[str]], rules: Rules) -> Optional[int]:
    return next((at for at, rule in enumerate(own) if _ends(rule, rules, set())), None)


def _ends(rule: list[str], rules: Rules, seen: set[str]) -> bool:
    """Whether every packet that comes to this rule ends here."""
    rest = rule[4:] if rule[:3] == ["-m", "comment", "--comment"] else rule
    if rest[:1] not in (["-j"], ["-g"]):
        return False
    target = rest[1]
    if target in rules and target not in seen:
        seen.add(target)
        return any(_ends(other, rules, seen) for other in rules[target])
    return target in DROPPING


def _drops(rule: list[str], rules: Rules, seen: set[str]) -> bool:
    """Whether a packet may end at this rule, or in the chain it leads to."""
    for flag, target in zip(rule, rule[1:]):
        if flag in ("-j", "-g"):
            if target in DROPPING:
                return True
            if target in rules and target not in seen:
                seen.add(target)
                return any(_drops(other, rules, seen) for other in rules[target])
    return False


def write(value: Passage, action: str) -> None:
    """Take our rules out of a chain, and put those in that it is to have. All are found by what they say."""
    gate = value.gate
    _policies, rules = _parse(_step(gate, ["-S"]).out)
    own = rules.get(gate.chain, [])
    for rule in own:
        if _is_ours(rule):
            _step(gate, ["-D", gate.chain, *rule])
    if action == "delete":
        return
    last = _last([rule for rule in own if not _is_ours(rule)], rules)
    for link in sorted(value.links, reverse=last is not None):
        rule = [FLAGS[BY_LINK[gate.hook]], link, *ACCEPT]
        _step(gate, ["-A", gate.chain, *rule] if last is None else ["-I", gate.chain, str(last + 1), *rule])
    if gate.hook in BY_MARK:
        _step(gate, ["-I", gate.chain, "1", *RULE])


def _step(gate: Gate, arguments: Sequence[str]) -> Answer:
    answer = _run(gate.program, ["-t", gate.table, *WAIT, *arguments])
    if answer.code:
        raise KernelRefused(str(gate), f"{gate.program} refused it: {' '.join(answer.err.split())}")
    return answer


def _run(program: str, arguments: Sequence[str]) -> Answer:
    return ask("iptables", program, list(arguments), "", 60.0, "install the package iptables")
