# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Chains of other programs that packets of ours pass, and our rules in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Optional

from .namespace import NetnsRef, place

PREROUTING, FORWARD, INPUT, OUTPUT, POSTROUTING = "prerouting", "forward", "input", "output", "postrouting"
# Hooks that packets pass with the mark of our own rules (_kernel/nftlayout.py): what has it may pass.
BY_MARK = frozenset((FORWARD, INPUT, POSTROUTING))
# Hooks where packets have no mark, or have another way to it: there our bridges are named, by the side that the hook knows.
BY_LINK = {PREROUTING: "in", OUTPUT: "out", POSTROUTING: "out"}


@dataclass(frozen=True)
class Gate:
    """A chain of another program that packets of ours pass, as seen.

    `program` is the language of its rules ("nft", "iptables-nft", "iptables-legacy", ...): our rule must be listed in the same
    one. `drops`: some packets may end there; at the hooks of BY_LINK, those that no rule of the chain accepts. `ours` are our
    rules in it: nft's handles. It is `open` where our rule by mark stands before all that may drop; `links` are the interfaces
    that our other rule names. `last`: the rule that drops what no other accepted (nft's handle, the number in iptables),
    None where that is the policy. `links_named`: interfaces that rules of others in the table name. `by_ports`: of what comes from elsewhere,
    only ports and addresses that it knows are accepted. `why_not`: why it cannot be opened. `locked`: only the program that
    made the table can write to it (flag owner). `closed`: what none of its rules accepts is dropped.
    """

    program: str
    family: str
    table: str
    chain: str
    hook: str
    drops: bool = False
    open: bool = False
    ours: tuple[int, ...] = ()
    why_not: str = ""
    links: frozenset[str] = frozenset()
    last: Optional[int] = None
    links_named: frozenset[str] = frozenset()
    by_ports: bool = False
    locked: bool = False
    closed: bool = False

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.program, self.family, self.table, self.chain)

    def __str__(self) -> str:
        by = "" if self.program == "nft" else f" of {self.program}"
        return f"chain {self.chain} in table {self.family} {self.table}{by}"


class Passage(NamedTuple):
    """Our rules in a chain of another program: by mark, and for these `links`."""

    netns: NetnsRef
    gate: Gate
    links: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"passage through {self.gate}{place(self.netns)}"
