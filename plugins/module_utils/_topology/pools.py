# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Subnets that nobody has: Docker's pools in Docker's order, and for IPv6 one that is derived."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Network, ip_network
from itertools import islice
from typing import Optional

from .._model.link import Address, Network
from .._model.state import Surroundings

# moby, daemon/libnetwork/ipamutils/utils.go. The first is the default bridge's.
DEFAULT_SUBNET = ip_network("172.17.0.0/16")
POOLS = [
    *(ip_network(f"172.{second}.0.0/16") for second in range(18, 32)),
    *ip_network("192.168.0.0/16").subnets(new_prefix=20),
]
# How many of the 65,536 subnets of one derived prefix are tried.
TRIES = 64


def free(candidates: Iterable[Network], blocked: Iterable[Network], servers: Iterable[Address]) -> Optional[Network]:
    """The first that overlaps nothing and in which no name server of the host is."""
    taken, asked = list(blocked), list(servers)
    for one in candidates:
        if not any(overlap(one, other) for other in taken) and not any(server in one for server in asked):
            return one
    return None


def overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def overlays() -> Iterator[Network]:
    """Docker's for overlays: 10.0.0.0/8 in /24s (moby, daemon/libnetwork/ipamutils), but for the first, which its ingress network has."""
    yield from islice(ip_network("10.0.0.0/8").subnets(new_prefix=24), 1, None)


def sliced() -> Iterator[Network]:
    """For overlays of which each host has a part: as large as a bridge's, of where overlays are."""
    yield from islice(ip_network("10.0.0.0/8").subnets(new_prefix=16), 1, None)


def unique_local(whose: str, owner: str, network: str) -> Iterator[IPv6Network]:
    """/64s of an own /48 (RFC 4193, but for the randomness: the same machine, topology and network have the same one)."""
    prefix = int.from_bytes(b"\xfd" + hashlib.sha256(whose.encode()).digest()[:5], "big") << 80
    start = int.from_bytes(hashlib.sha256(f"{owner}\0{network}".encode()).digest()[:2], "big")
    for step in range(TRIES):
        yield IPv6Network((prefix | ((start + step) % (1 << 16)) << 64, 64))


def elsewhere(around: Surroundings, owner: str, device: str) -> Iterator[tuple[Network, str]]:
    """What others have, and who: subnets on links that are not the owner's, and those of other topologies."""
    for one in around.on_link:
        if one.owner != owner and one.device != device:
            yield one.network, f"the subnet of {one.device} on {one.host or 'this host'} ({one.network})"
    for name, state in around.states.items():
        for network, lease in state.allocation.networks.items():
            if lease.device and lease.device != device:
                for subnet in lease.subnets:
                    yield subnet, f"network {network} of topology {name} ({subnet})"
