# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A path that packets are sent along, to see whether they arrive, and what came of it."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .link import Address
from .namespace import NetnsRef

ICMP, TCP, UDP, SCTP = "icmp", "tcp", "udp", "sctp"


class Spot(NamedTuple):
    """Where something must listen for a trial to tell anything. `port` 0: any that is free there."""

    netns: NetnsRef
    address: Address
    protocol: str
    port: int = 0


class Trial(NamedTuple):
    """One path. `works`: packets must arrive, else they must not. `why` is the end of a sentence: "they share network front".

    `source` is the namespace they are sent from, and `sender` and `receiver` who that is in the document's words.
    `port` 0 is the port of `spot`, which is where they end. None: at the target itself (pings), or on another host.
    `seen_as`: the address that the server must see. `filtered`: the host itself is called, and its own firewall has a say.
    """

    source: NetnsRef
    target: Address
    protocol: str
    port: int
    works: bool
    why: str
    sender: str
    receiver: str
    spot: Optional[Spot] = None
    seen_as: Optional[Address] = None
    filtered: bool = False

    def __str__(self) -> str:
        return f"{self.sender} -> {self.receiver} ({self.protocol} {self.place(self.port)})"

    def place(self, port: int) -> str:
        """10.0.0.1:8080, [fd00::1]:8080; the address alone where no port is known."""
        if not port:
            return str(self.target)
        return f"[{self.target}]:{port}" if self.target.version == 6 else f"{self.target}:{port}"


class Outcome(NamedTuple):
    """What came of a trial. `arrived` None: it could not be told, and `note` says why; `excused` where nothing is wrong with that.

    `port` is the one that was tried, and `seen` the address that the server saw, where it was ours. `taken`: it was not.
    """

    arrived: Optional[bool]
    port: int = 0
    seen: Optional[Address] = None
    note: str = ""
    excused: bool = False
    taken: bool = False


class Patience(NamedTuple):
    """Seconds: how long silence must last to be an answer, and how long what must work may take."""

    silence: float = 2.0
    answer: float = 5.0
