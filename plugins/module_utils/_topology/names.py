# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Names of devices that the document does not choose. The same for the same, on every host and in every run."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from ipaddress import IPv6Address
from itertools import count
from typing import Optional

from .._model.link import Address
from .._model.state import Allocation
from .._model.topology import ContainerSpec, Document
from .link import local_mac
from .normalise import LINK_NAME

# The bridge of the host's one default network.
DEFAULT_DEVICE = "docknet0"
PREFIX = "eth"
# Numbers of routing tables, by the interface's place in its container.
FIRST_TABLE = 1000


def device(owner: str, network: str) -> str:
    """The bridge of a network."""
    return "br-" + digest(owner, network)[:12]


def tunnel(owner: str, network: str) -> str:
    """The VXLAN of an overlay."""
    return "vx-" + digest(owner, network)[:12]


def wireguard(owner: str) -> str:
    """The WireGuard that all encrypted networks of a topology go through."""
    return "wg-" + digest(owner)[:12]


def wireguard_address(owner: str, host: str) -> IPv6Address:
    """A host's address on that: one of a unique local /64 of the topology's own (RFC 4193)."""
    return IPv6Address(bytes.fromhex(f"fd{digest('wireguard', owner)[:14]}{digest('wireguard', owner, host)[:16]}"))


def host_end(owner: str, container: str, network: str) -> str:
    """The host's end of a container's pair."""
    return "veth" + digest(owner, container, network)[:11]


def digest(*words: str) -> str:
    """A hash of words, none of which can have the separator in it."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def interfaces(
    container: ContainerSpec,
    document: Document,
    kept: Optional[Mapping[str, str]] = None,
    foreign: Collection[str] = (),
) -> dict[str, str]:
    """The name of a container's interface, by network: the chosen one, else the lowest number that is free behind the network's prefix.

    `kept`: what it has had, by network. Interfaces come and go, and the others keep their names, as in Docker. One that is
    to go is there until the others have come, so its name is not free either. `foreign`: what others have there.
    """
    kept = kept or {}
    found = {one.network: one.interface for one in container.endpoints if one.interface}
    for one in container.endpoints:
        if one.network in kept and one.network not in found and kept[one.network] not in found.values():
            found[one.network] = kept[one.network]
    taken = {*found.values(), *kept.values(), *foreign}
    for one in container.endpoints:
        if one.network not in found:
            network = document.networks.get(one.network)
            prefix = network.options.prefix if network else PREFIX
            name = next(name for name in map(f"{prefix}{{}}".format, count()) if name not in taken)
            taken.add(name)
            found[one.network] = name
    return {one.network: found[one.network] for one in container.endpoints}


def kept(container: ContainerSpec, known: Allocation) -> dict[str, str]:
    """The names that a container's interfaces have had, by network."""
    return dict(known.interfaces.get(container.name, {}))


def mac(ipv4: Optional[Address], ipv6: Optional[Address]) -> Optional[str]:
    """The MAC address that an endpoint gets from its addresses: see link.endpoint_mac."""
    if ipv4 is not None:
        return local_mac(ipv4.packed)
    return local_mac(hashlib.sha256(ipv6.packed).digest()) if ipv6 is not None else None


def by_hand(owner: str, container: str, network: str) -> str:
    """The host's end of a pair in the roles for single networks: v and the container's name, where Linux takes that, else as host_end."""
    name = f"v{container}"
    return name if LINK_NAME.fullmatch(name) else host_end(owner, container, network)
