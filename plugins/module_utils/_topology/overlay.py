# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""An overlay network -> what it is on a host: a bridge, and a VXLAN that carries its frames to the other hosts.

On each host the bridge has the gateway's address and one MAC address, so that a container finds its own host there,
wherever it is: the way to outside, published ports and names are those of a bridge network. Where each container is,
the hosts are told, and ask nobody: an entry for its MAC address, a neighbour for each of its addresses. So nothing is
flooded, and questions for addresses (ARP, neighbour solicitations) are answered by the asker's own bridge. With
`control_plane: evpn` the entries and the others' neighbours are a routing daemon's, which is told of its own host's.
In `mode: host-gw` there is no VXLAN: the hosts route (slices.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_network
from typing import Any, Optional, Union

from .._model.bridge import Bridge
from .._model.errors import Conflict, DocknetError, Missing
from .._model.link import Address, Link, LinkKey, Neighbour, Network
from .._model.plan import World
from .._model.segment import Segment
from .._model.state import Allocation, NetworkLease, Surroundings, Underlay
from .._model.topology import Document, NetworkSpec
from .._model.vxlan import OVERHEAD, PORT, Forward, Vxlan
from . import names, slices, wireguard
from .link import derived_mac
from .network import bridge, settings
from .network import segment as network_segment
from .site import Endpoint, Remote, Site

# How large its packets are.
ETHERNET = 1500
# Docker's begin there (moby, daemon/libnetwork/drivers/overlay/ovmanager).
FIRST_VNI, LAST_VNI = 4096, 2**24 - 1
STATIC, EVPN = "static", "evpn"
# Whom a bridge forgets, because he was silent for so many seconds, the daemon takes back on all hosts. IEEE 802.1Q's longest
# (clause 8.8.3); who leaves is forgotten with his port.
AGEING = 1_000_000


def overlay(site: Site, network: NetworkSpec) -> Iterator[Any]:
    """All that it is on the host, but for its part of the packet filter. Errors: Missing, where a host's address is not known."""
    if network.by_slices:
        yield from bridge(site, network)
        yield from slices.routes(site, network)
        return
    static = network.options.control == STATIC
    away = list(site.remotes(network.name)) if static else []
    known = away if static else site.on(site.device(network))
    for value in bridge(site, network):
        if isinstance(value, Link):
            data = value.data if static else Bridge(ageing_time=AGEING)
            near = (value.neighbours or frozenset()) if static else frozenset()
            yield replace(value, data=data, neighbours=near | frozenset(neighbours(known)))
        else:
            yield value
    if not crosses(site, network):
        return
    given, key = site.given(network.name), LinkKey(None, names.tunnel(site.owner, network.name))
    local = underlay(site, network)
    yield Link(
        key,
        data=Vxlan(given.vni, local, PORT, learning=False),
        owner=site.owner,
        mac=derived_mac(site.owner, key),
        mtu=given.mtu,
        master=site.device(network),
        port_learning=False,
        port_flooding=not static,
        neigh_suppress=True,
        up=True,
        forwards=frozenset(forwards(site, network, away)),
        # A routing daemon's entries for floods look as ours do, and one that runs puts them back.
        flooding=False,
    )
    yield from settings(key, ipv6=False)


def crosses(site: Site, network: NetworkSpec) -> bool:
    """Whether frames leave the host; with a routing daemon, others may come at any time."""
    others = [one for one in site.document.hosts_of(network.name) if one != site.host]
    return bool(others) or network.options.control == EVPN


def neighbours(known: Iterable[Union[Remote, Endpoint]]) -> Iterator[Neighbour]:
    """Of the other hosts' containers. With a routing daemon of its own: it tells the other hosts what is a neighbour here."""
    for one in known:
        for address in (one.lease.ipv4, one.lease.ipv6):
            if address and one.lease.mac:
                yield Neighbour(address, one.lease.mac)


def forwards(site: Site, network: NetworkSpec, away: list[Remote]) -> Iterator[Forward]:
    for one in away:
        if one.lease.mac:
            yield Forward(one.lease.mac, peer(site, network, one.container.host or ""))


def segment(site: Site, network: NetworkSpec, resolvers: Mapping[Address, int]) -> Segment:
    """Its part of the packet filter: a bridge's, and who may send to its VXLAN."""
    found = network_segment(site, network, resolvers)
    if not crosses(site, network):
        return found
    if network.by_slices:
        subnets = frozenset(site.given(network.name).subnets)
        return replace(found, between=subnets, beside=slices.ways(site, network))
    ports = found.ports if found.icc else found.ports | {names.tunnel(site.owner, network.name)}
    vni = site.given(network.name).vni
    found = replace(found, ports=ports, vni=vni, vteps=frozenset(vteps(site, network)))
    if not network.options.encrypted:
        return found
    first = network == through_wireguard(site)[0]
    listens = site.keys.get(site.host or "", wireguard.UNKNOWN).port if first else None
    return replace(found, by=names.wireguard(site.owner), listens=listens)


def through_wireguard(site: Site) -> list[NetworkSpec]:
    return [one for one in site.networks if one.options.encrypted and not one.external and crosses(site, one)]


def vteps(site: Site, network: NetworkSpec) -> Iterator[Network]:
    """The other hosts of the network. A routing daemon brings in hosts that no run here knows of: those of the underlay's subnet."""
    local = underlay(site, network)
    near = [one.network for one in site.around.on_link if local in one.network and network.options.control == EVPN]
    yield from near
    others = [peer(site, network, host) for host in site.document.hosts_of(network.name) if host != site.host]
    # The kernel takes no two intervals that overlap.
    yield from (ip_network(one) for one in others if not any(one in subnet for subnet in near))


def refounded(values: Sequence[Any], world: World) -> set[LinkKey]:
    """VXLANs that are to have an underlay of the other family, as with `encrypted`: a living one keeps its own."""
    found = set()
    for value in values:
        seen = world.links.get(value.key) if isinstance(value, Link) else None
        if seen and isinstance(value.data, Vxlan) and isinstance(seen.data, Vxlan):
            ends = [one.version for one in (value.data.local, seen.data.local) if one]
            if len(set(ends)) > 1:
                found.add(value.key)
    return found


def peer(site: Site, network: NetworkSpec, host: str) -> Address:
    """Where its end of the VXLAN is."""
    at = site.underlay_of(network, host)
    return names.wireguard_address(site.owner, host) if network.options.encrypted else at


def underlay(site: Site, network: NetworkSpec) -> Address:
    """The host's own address on the way to the others."""
    if network.options.encrypted:
        return names.wireguard_address(site.owner, site.host or "")
    if site.around.underlay is None:
        why = "this host has no address from which the others are reached"
        way_out = "give its own in peers (the role does, from docknet_underlay), or a route to the others"
        raise Missing(network.what, why, way_out)
    return site.around.underlay.address


# -- what is chosen -------------------------------------------------------------------------------------------


def vni(
    document: Document,
    network: NetworkSpec,
    known: Allocation,
    around: Surroundings,
    given: Mapping[str, NetworkLease],
    errors: list[DocknetError],
) -> Optional[int]:
    """The one that is said, else the one it had, else one from a hash of its name: the same on all hosts.

    `given`: what this topology's networks have been given so far. Errors: Conflict, where a said one is somebody's.
    """
    taken = dict(taken_vnis(document, network, around, given))
    said = network.options.vni
    if said is not None:
        if said in taken:
            errors.append(Conflict(network.what, f"vni {said} is {taken[said]}'s already", "choose another"))
        return said
    had = known.networks.get(network.name, NetworkLease()).vni
    if had is not None and had not in taken:
        return had
    reserved = {lease.vni for lease in known.networks.values()} | taken.keys()
    start = int(names.digest(document.name, network.name)[:8], 16)
    size = LAST_VNI - FIRST_VNI + 1
    return next(one for one in (FIRST_VNI + (start + step) % size for step in range(size)) if one not in reserved)


def taken_vnis(
    document: Document, network: NetworkSpec, around: Surroundings, given: Mapping[str, NetworkLease]
) -> Iterator[tuple[int, str]]:
    """The numbers that are not to be had, and whose they are."""
    yield from ((number, f"interface {device}") for number, device in around.vnis.items())
    for topology, state in around.states.items():
        for name, lease in state.allocation.networks.items():
            if lease.vni is not None:
                yield lease.vni, f"network {name} of topology {topology}"
    for one in document.networks.values():
        number = one.options.vni or given.get(one.name, NetworkLease()).vni
        if number is not None and one.name != network.name:
            yield number, f"network {one.name}"


def usual_mtu(network: NetworkSpec) -> int:
    """Of one that is on no second host yet."""
    if network.by_slices:
        return ETHERNET
    return wireguard.mtu(None) if network.options.encrypted else ETHERNET - OVERHEAD[4]


def mtu(network: NetworkSpec, way: Underlay) -> int:
    """How large a packet fits into the underlay's, with all that is put before it."""
    if network.by_slices:
        return way.mtu
    if network.options.encrypted:
        return wireguard.mtu(way)
    return way.mtu - OVERHEAD[way.address.version]
