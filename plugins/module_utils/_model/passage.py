# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Other people's filters, and how what ours lets through gets through them: one rule each, by the packets' mark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .namespace import NetnsRef, place

FORWARD, INPUT = "forward", "input"


@dataclass(frozen=True)
class Gate:
    """A chain of somebody else's that packets of ours pass, as seen.

    `program` is by what its rules are written ("nft", "iptables-nft", "iptables-legacy", ...): the one who lists it must
    find our rule in his own language. `drops`: by its policy or a rule some packets may end there. `ours` are our
    rules in it: nft's handles. It is `open` where one of them stands before all that may drop. `why_not`: why it can't be opened.
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

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.program, self.family, self.table, self.chain)

    def __str__(self) -> str:
        by = "" if self.program == "nft" else f" of {self.program}"
        return f"chain {self.chain} in table {self.family} {self.table}{by}"


class Passage(NamedTuple):
    """Our rule in somebody else's chain."""

    netns: NetnsRef
    gate: Gate

    def __str__(self) -> str:
        return f"passage through {self.gate}{place(self.netns)}"
