# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A bridge network as the packet filter sees it: who may pass from and to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from .link import Address, Network
from .namespace import NetnsRef, place
from .rule import Element, Ports

NAT, UNPROTECTED, ROUTED, ISOLATED = "nat", "nat-unprotected", "routed", "isolated"


class Opening(NamedTuple):
    """A port of a container that other machines may reach by its own address (mode routed)."""

    address: Address
    protocol: str
    ports: Ports


@dataclass(frozen=True)
class Segment:
    """The filtering of one bridge, identified by namespace and device.

    `icc`: its containers may reach each other. `ports`: the host's ends of its containers' pairs, needed where they may
    not. `internal`: nothing passes to or from elsewhere. `modes`: by family, what may come from outside: "nat" only what was
    published, "routed" the `openings` and pings by the container's own address too, "nat-unprotected" everything.
    `trusted`: devices from which everything may come. `resolvers`: where a container's questions for names go that it
    sends to its gateway, by its address: the port of a name server on the host. `nameservers`: the host's addresses on
    which those servers listen, and where nothing else but such questions may come to their ports. `between`: its subnets, where
    other hosts have parts of them, and `beside` the links by which these are reached: to and from there packets pass as
    within it (not without `icc`), and keep their addresses. `vni`: the number of the
    VXLAN that is a port of the bridge, and `vteps` who may send to it: nobody else's packets get into the network. `by`: the
    WireGuard by which alone these packets come and go; `listens`: its port, said of one of the segments that it carries.
    """

    netns: NetnsRef
    device: str
    owner: Optional[str] = None
    icc: bool = True
    internal: bool = False
    modes: Mapping[int, str] = field(default_factory=lambda: {4: NAT, 6: NAT})
    ports: frozenset[str] = frozenset()
    openings: frozenset[Opening] = frozenset()
    trusted: frozenset[str] = frozenset()
    resolvers: Mapping[Address, int] = field(default_factory=dict)
    nameservers: frozenset[Address] = frozenset()
    between: frozenset[Network] = frozenset()
    beside: frozenset[str] = frozenset()
    vni: Optional[int] = None
    vteps: frozenset[Network] = frozenset()
    by: Optional[str] = None
    listens: Optional[int] = None

    @property
    def key(self) -> tuple[NetnsRef, str]:
        return (self.netns, self.device)

    def __str__(self) -> str:
        return f"segment {self.device}{place(self.netns)}"


class SegmentChange(NamedTuple):
    """The making, changing or removal of one segment. Sent in one transaction with all of its namespace."""

    segment: Segment
    before: Optional[Segment] = None
    remove: tuple[Element, ...] = ()
    add: tuple[Element, ...] = ()

    @property
    def netns(self) -> NetnsRef:
        return self.segment.netns

    def __str__(self) -> str:
        return str(self.segment)
