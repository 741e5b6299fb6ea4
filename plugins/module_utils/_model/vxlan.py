# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A VXLAN interface: one end of a segment that is carried in UDP (RFC 7348), and where each MAC address of it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Optional

from .link import Address, Kind, LinkKey

PORT = 4789
FLOOD = "00:00:00:00:00:00"
# What it puts before a frame: Ethernet, IP, UDP and VXLAN headers, by the family of the underlay.
OVERHEAD = {4: 50, 6: 70}


@dataclass(frozen=True)
class Vxlan(Kind):
    """`vni`: the segment's number, 0 to 16777215. `local`: the address of this end. `learning`: remote ends are learned from what comes in."""

    KIND: ClassVar[str] = "vxlan"
    IDENTITY: ClassVar[tuple[str, ...]] = ("vni", "port")

    vni: Optional[int] = None
    local: Optional[Address] = None
    port: Optional[int] = None
    learning: Optional[bool] = None


class Forward(NamedTuple):
    """Where frames for a MAC address go: to the end at `remote`. The MAC address FLOOD stands for all that have no entry, and for broadcasts."""

    mac: str
    remote: Address

    def __str__(self) -> str:
        return f"{self.mac} at {self.remote}"


class LinkForward(NamedTuple):
    """One entry of one VXLAN's forwarding table, and of its bridge's."""

    link: LinkKey
    forward: Forward

    def __str__(self) -> str:
        return f"forward {self.forward} on {self.link}"
