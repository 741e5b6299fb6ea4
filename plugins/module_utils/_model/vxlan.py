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
# As the MTU of a wanted one: what its underlay leaves.
FITTING = 0


@dataclass(frozen=True)
class Vxlan(Kind):
    """`vni`: the segment's number, 0 to 16777215; None of one that carries all segments (`external`, Open vSwitch's). `local`: the address
    of this end; the kernel changes it for one of its family. `learning`: remote ends are learned from what comes in.
    """

    KIND: ClassVar[str] = "vxlan"
    IDENTITY: ClassVar[tuple[str, ...]] = ("vni", "port")

    vni: Optional[int] = None
    local: Optional[Address] = None
    port: Optional[int] = None
    learning: Optional[bool] = None


class Forward(NamedTuple):
    """Where frames for a MAC address go: to the end at `remote`. The MAC address FLOOD stands for all that have no entry, and for broadcasts.

    `whole` False is only ever seen: the VXLAN has it, and the bridge that it is a port of does not know the MAC address.
    """

    mac: str
    remote: Address
    whole: bool = True

    @property
    def unicast(self) -> bool:
        """Of one station: it has one place. Frames to others go to every remote end that an entry names."""
        return self.mac != FLOOD and not int(self.mac[:2], 16) & 1

    @property
    def slot(self) -> object:
        """What a new one takes the place of another one in."""
        return self.mac if self.unicast else (self.mac, self.remote)

    def __str__(self) -> str:
        return f"{self.mac} at {self.remote}" + ("" if self.whole else " (not on the bridge)")


class LinkForward(NamedTuple):
    """One entry of one VXLAN's forwarding table, and of its bridge's."""

    link: LinkKey
    forward: Forward

    def __str__(self) -> str:
        return f"forward {self.forward} on {self.link}"
