# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A WireGuard interface, and what it is told: its key, its port, and with whom it speaks (wireguard.com/papers/wireguard.pdf)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, Optional

from .link import Address, Kind, LinkKey, Network

# Where a topology's listens, or the next free one above.
PORT = 51820
# What it puts before a packet: IP, UDP and its own header, and its tag behind, by the family of the underlay.
OVERHEAD = {4: 60, 6: 80}


@dataclass(frozen=True)
class Wireguard(Kind):
    """The link alone: what it is told goes another way, and is a Tunnel."""

    KIND: ClassVar[str] = "wireguard"


class Peer(NamedTuple):
    """Another host. `key`: its public key, as wg(8) writes it, "" where it is not known yet; `allowed`: from where it may send.

    `endpoint` is the address at which it is reached, and the port. A peer that was `heard` is wherever its packets came
    from last, so only one that is still at `before`, which was its address until now, is told to be elsewhere.
    `host` is its name, of a wanted one.
    """

    key: str
    endpoint: Optional[tuple[Address, int]]
    allowed: frozenset[Network]
    host: str = ""
    before: Optional[Address] = None
    heard: bool = False

    def differs(self, seen: Peer) -> str:
        """In what what is seen is not as wanted, or ''."""
        if self.allowed != seen.allowed:
            return "may send from other addresses"
        at = seen.endpoint and seen.endpoint[0]
        if self.endpoint != seen.endpoint and (not seen.heard or (self.before is not None and at == self.before)):
            return "is reached elsewhere"
        return ""


@dataclass(frozen=True)
class Tunnel:
    """What one WireGuard interface is told. `key` is its own public key; the private one is in the owner's file alone."""

    link: LinkKey
    owner: str = ""
    key: str = ""
    port: int = 0
    peers: tuple[Peer, ...] = ()

    def __str__(self) -> str:
        return f"tunnel {self.link}"


class TunnelChange(NamedTuple):
    """Peers that go, and peers that come or change; with `rekey` the interface gets its owner's key."""

    tunnel: Tunnel
    rekey: bool = False
    remove: tuple[Peer, ...] = ()
    add: tuple[Peer, ...] = ()

    def after(self, seen: Tunnel) -> Tunnel:
        """What is seen once it is done."""
        kept = {one.key: one for one in seen.peers}
        for one in self.remove:
            kept.pop(one.key, None)
        for one in self.add:
            kept[one.key] = one._replace(host="", before=None)
        return replace(self.tunnel, peers=tuple(kept.values()))

    def __str__(self) -> str:
        return str(self.tunnel)
