# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""How the hosts of a topology reach each other: at which address each, by which link, and what keeps them from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Optional

from .._model.errors import Conflict, DocknetError
from .._model.link import Address
from .._model.plan import World
from .._model.state import Reached, State, Underlay
from .._model.topology import Document, NetworkSpec
from .._model.vxlan import PORT, Vxlan

SET = "set docknet_underlay of each host (module topology: peers)"


def crossing(document: Document) -> list[NetworkSpec]:
    """The networks whose packets cross the underlay."""
    overlays = (one for one in document.networks.values() if one.driver == "overlay" and not one.external)
    # With a routing daemon, other hosts may come at any time.
    return [one for one in overlays if len(document.hosts_of(one.name)) > 1 or one.options.control != "static"]


def hosts(document: Document) -> set[str]:
    """The hosts of these networks. Others need no underlay address."""
    return {host for one in crossing(document) for host in document.hosts_of(one.name)}


def known_peers(
    document: Document, host: Optional[str], given: Mapping[str, Address], saved: Optional[State]
) -> dict[str, Address]:
    """Of these hosts the addresses that this run was given, else those that are saved; the own one only where it was given."""
    before = {name: address for name, address in saved.peers.items() if name != host} if saved else {}
    return {name: address for name, address in {**before, **given}.items() if name in hosts(document)}


def underlay(
    host: Optional[str], peers: Mapping[str, Address], saved: Optional[State], world: World
) -> Optional[Underlay]:
    """How a host reaches the others: by the address that it was given, else the one that it had, else the one that it sends from."""
    reached = world.surroundings.reached
    had = saved.peers.get(host or "") if saved else None
    own = next((one for one in (peers.get(host or ""), had) if one and is_own(one, reached)), None)
    ways = [reached[address] for name, address in peers.items() if name != host and address in reached]
    ways += [reached[own]] if own is not None else []
    if not ways and world.surroundings.outward is not None:
        ways = [world.surroundings.outward]
    size = partial(mtu, links(world))
    return Underlay(own or ways[0].source, ways[0].device, min(map(size, ways))) if ways else None


def is_own(address: Address, reached: Mapping[Address, Reached]) -> bool:
    return address in reached and reached[address].source == address


def links(world: World) -> dict[str, int]:
    """The MTUs of the host's links, by name."""
    return {key.name: link.mtu for key, link in world.links.items() if key.netns is None and link.mtu}


def mtu(sizes: Mapping[str, int], way: Reached) -> int:
    """A route may carry less than its link."""
    return min(filter(None, (sizes.get(way.device, 1500), way.mtu)))


# -- what is in the way -----------------------------------------------------------------------------------------


def not_own(document: Document, host: str, peers: Mapping[str, Address], world: World) -> Iterator[DocknetError]:
    """The address that is said to be the host's is not: behind NAT it is that of another machine."""
    own = peers.get(host)
    if own is not None and not is_own(own, world.surroundings.reached):
        why = f"{own} is said to be the address of host {host} (docknet_underlay, else ansible_host), and none of its interfaces has it"
        way_out = "set docknet_underlay of that host (module topology: peers) to its own address at which the other hosts reach it"
        yield Conflict(f"topology {document.name}", why, way_out)


def ends_apart(document: Document, peers: Mapping[str, Address]) -> Iterator[DocknetError]:
    """The hosts of a network have one address, or addresses of two families."""
    for network in crossing(document):
        same: dict[Address, list[str]] = {}
        families: dict[int, list[str]] = {}
        for host in document.hosts_of(network.name):
            if host in peers:
                same.setdefault(peers[host], []).append(host)
                families.setdefault(peers[host].version, []).append(f"{host} {peers[host]}")
        for address, names in same.items():
            if len(names) > 1:
                why = f"hosts {' and '.join(names)} have one underlay address, {address}, so they cannot reach each other there"
                yield Conflict(network.what, why, f"{SET} to an address that no other host has")
        # A route of one family may lead by a next hop of the other one.
        if len(families) > 1 and not (network.options.encrypted or network.by_slices):
            each = " and ".join(f"IPv{version} ({', '.join(names)})" for version, names in sorted(families.items()))
            why = f"the underlay addresses of its hosts are of two families, {each}, and packets are sent by one"
            yield Conflict(network.what, why, f"{SET} to addresses of one family")


def port_taken(document: Document, host: Optional[str], version: int, world: World) -> Iterator[DocknetError]:
    """Something has the UDP port of VXLANs. Those of one segment each share it (drivers/net/vxlan/vxlan_core.c vxlan_sock_add)."""
    there = [one for one in world.links.values() if one.key.netns is None and isinstance(one.data, Vxlan)]
    at_port = {one.key.name: one.data.vni for one in there if isinstance(one.data, Vxlan) and one.data.port == PORT}
    if any(vni is not None for vni in at_port.values()):
        return
    for network in crossing(document):
        if network.by_slices or host not in document.hosts_of(network.name):
            continue
        family = 6 if network.options.encrypted else version
        taken = [f'interface "{name}", which carries all segments (external)' for name in at_port]
        for one in world.surroundings.listeners:
            everywhere = one.address.version == 6 and int(one.address) == 0
            if (
                (one.protocol, one.port) == ("udp", PORT)
                and one.process
                and (one.address.version == family or everywhere)
            ):
                taken.append(one.process)
        for who in taken[:1]:
            why = f"its packets need UDP port {PORT} of the host, which is used by {who}"
            yield Conflict(network.what, why, "stop that one, or use driver_opts mode: host-gw, which needs no port")
