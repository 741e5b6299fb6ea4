# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Networks on which several topologies of a host are: what one run has to tell the others, and must not take from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional, Union

from .._model.errors import Conflict
from .._model.link import Link, LinkKey
from .._model.plan import World
from .._model.segment import Segment
from .._model.service import Service
from .._model.state import Allocation, NetworkLease
from .container_files import address_book
from .nameservice import plan_servers
from .network import neighbours, segment
from .site import VERSIONS, Site, devices, subnet_of

# So many guests are named in a sentence.
SAID = 5


def follow(site: Site, earlier: Allocation, world: World) -> Iterator[Union[Link, Segment, Service]]:
    """What of other topologies follows from this one's containers on a common network, now or before: their name servers
    know them, and the packet filter of the network's owner counts them in.
    """
    common = devices(site.allocation) | devices(earlier)
    for other in site.beside(common):
        names = plan_servers(other, address_book(other))
        for network in other.networks:
            if network.bridged and not network.external and other.device(network) in common:
                key = LinkKey(None, str(other.device(network)))
                seen = world.links.get(key)
                if network.driver == "bridge" and seen and seen.owner == other.owner and not seen.adopted:
                    yield Link(key, owner=other.owner, neighbours=frozenset(neighbours(other, network)))
                yield segment(other, network, names.resolvers.get(network.name, {}))
        yield from names.services


def unread(site: Site) -> Iterator[str]:
    """Warnings of guests of which nothing is known but their addresses. Errors: Conflict where that is so of a host of ours."""
    why = "is saved on this host with a document that is no longer valid"
    for one in site.networks:
        if one.external and one.name not in site.joined:
            raise Conflict(one.what, f"the topology that makes it {why}", "run that one again first")
    read = {site.owner, *(one.owner for one in site.neighbours)}
    for name, state in sorted(site.around.states.items()):
        if name not in read and not devices(state.allocation).isdisjoint(devices(site.allocation)):
            known = f"no names or ports of its containers on networks of {site.owner} are known until it is run again"
            yield f"topology {name}: it {why}; {known}"


def uproots(site: Site, earlier: Allocation, world: World) -> None:
    """Errors: Conflict where a network of this topology's, or its subnet, is to go while others' containers are on it."""
    names = {lease.device: name for name, lease in earlier.networks.items()}
    kept = {lease.device: lease for lease in site.allocation.networks.values()}
    theirs = frozenset().union(*(devices(state.allocation) for state in site.around.states.values()))
    for device in sorted(theirs):
        link = world.links.get(LinkKey(None, device))
        guests = [*guests_of(site, device, kept.get(device))] if link and link.owner == site.owner else []
        if guests:
            what = "its subnet cannot change" if device in kept else "it cannot be removed"
            more = f" and {len(guests) - SAID} more" if len(guests) > SAID else ""
            raise Conflict(
                f"networks.{names.get(device, device)}",
                f"{what} while containers of other topologies are on it: {', '.join(guests[:SAID])}{more}",
                "take them off it first, or remove their topologies",
            )


def guests_of(site: Site, device: str, kept: Optional[NetworkLease]) -> Iterator[str]:
    """Others' containers on a bridge, but those that stay at home in what is kept of it."""
    for name, state in sorted(site.around.states.items()):
        for (container, network), lease in state.allocation.endpoints.items():
            if state.allocation.networks.get(network, NetworkLease()).device == device:
                has = (lease.address(version) for version in VERSIONS)
                if kept is None or any(one and subnet_of(kept, one) is None for one in has):
                    yield f"{container} (topology {name})"
