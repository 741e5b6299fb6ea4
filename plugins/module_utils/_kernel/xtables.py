# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Chains of iptables, the one that speaks to nftables and the legacy one: what is in them, and our one rule."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Optional

from .._model.errors import KernelRefused, Unsupported
from .._model.filter import PASSED
from .._model.owner import PREFIX
from .._model.passage import Gate
from .program import Answer, ask

# The programs, by family.
NFT = {"ip": "iptables-nft", "ip6": "ip6tables-nft"}
LEGACY = {"ip": ("iptables-legacy", "iptables"), "ip6": ("ip6tables-legacy", "ip6tables")}
# Its tables with chains that filter; and the chains.
TABLES = ("filter", "mangle", "security")
CHAINS = {"FORWARD": "forward", "INPUT": "input"}
DROPPING = frozenset({"DROP", "REJECT", "QUEUE", "NFQUEUE"})
MARK = f"{PASSED:#x}/{PASSED:#x}"
RULE = ["-m", "mark", "--mark", MARK, "-m", "comment", "--comment", PREFIX, "-j", "ACCEPT"]
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
    yield from (Gate(programs[0], family, table, chain, hook, True, why_not=why_not) for chain, hook in CHAINS.items())


def _gates(program: str, table: str, said: str) -> Iterator[Gate]:
    """From the rules as the program spells them: `-P FORWARD DROP`, `-A FORWARD -i eth0 -j mine`."""
    policies: dict[str, str] = {}
    rules: Rules = {}
    for line in said.splitlines():
        verb, chain, *rest = shlex.split(line)
        if verb == "-P":
            policies[chain] = rest[0]
        elif verb == "-A":
            rules.setdefault(chain, []).append(rest)
    family = "ip6" if program.startswith("ip6") else "ip"
    for chain, policy in policies.items():
        if chain in CHAINS:
            own = rules.get(chain, [])
            first = next((at for at, rule in enumerate(own) if _drops(rule, rules, set())), len(own))
            ours = tuple(at + 1 for at, rule in enumerate(own) if rule == RULE)
            drops = policy == "DROP" or first < len(own)
            open_ = bool(ours) and ours[0] <= first
            # mangle's FORWARD is before ours, which marks; what is for the host is marked long before.
            late = table == "mangle" and chain == "FORWARD"
            why_not = "it comes before ours, which marks what may pass" if late else ""
            yield Gate(program, family, table, chain, CHAINS[chain], drops, open_, ours, why_not)


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


def write(gate: Gate, action: str) -> None:
    """Put our rule at the top of a chain, or take all of ours away."""
    at = ["-t", gate.table, *WAIT]
    steps = [[*at, "-D", gate.chain, *RULE] for _number in gate.ours]
    if action != "delete":
        # Rules that go are found by what they say, from the top: so the new one is put up last.
        steps.append([*at, "-I", gate.chain, "1", *RULE])
    for step in steps:
        answer = _run(gate.program, step)
        if answer.code:
            raise KernelRefused(str(gate), f"{gate.program} refused it: {' '.join(answer.err.split())}")


def _run(program: str, arguments: Sequence[str]) -> Answer:
    return ask("iptables", program, list(arguments), "", 60.0, "install the package iptables")
