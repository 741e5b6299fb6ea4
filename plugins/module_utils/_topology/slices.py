# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""An overlay of mode host-gw -> who has which part of its subnets, and the routes to them.

Each host has a slice, from which its containers' addresses are chosen, and every other host a route to it by that host's
address on the underlay. A container may have an address of another's slice (it was moved, or the document says so): it has
a route of its own then. Containers themselves send all that is for the subnet to the gateway, which is the same on every
host: nothing in them changes, wherever another one is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Optional, Union

from .._model.errors import Conflict, Missing
from .._model.link import Address, LinkKey, LinkRoute, Network, Route
from .._model.plan import World
from .._model.state import Allocation, Lease, NetworkLease
from .._model.topology import NetworkSpec
from .normalise import default_metric
from .site import Endpoint, Remote, Site


def length(whole: Network) -> int:
    """The prefix length of the slices of a subnet: there are as many of them as addresses in each. Of a /16, 256 /24s."""
    return whole.prefixlen + (whole.max_prefixlen - whole.prefixlen) // 2


def share(whole: Network, hosts: Sequence[str], had: Mapping[str, Collection[Network]]) -> dict[str, Network]:
    """A slice for each host: the one that it had, else the first that is free. There may be none left for the last."""
    found: dict[str, Network] = {}
    size = length(whole)
    for host in hosts:
        for one in had.get(host, ()):
            fits = one.version == whole.version and one.prefixlen == size and one.network_address in whole
            if fits and one not in found.values():
                found.setdefault(host, one)
    taken = set(found.values())
    free: Iterator[Network] = (one for one in whole.subnets(new_prefix=size) if one not in taken)
    found.update(zip((host for host in hosts if host not in found), free))
    return found


# -- the routes of a host -------------------------------------------------------------------------------------


def routes(site: Site, network: NetworkSpec) -> Iterator[LinkRoute]:
    """To the other hosts' slices, and to whatever is not on the host whose slice its address is of. Errors: Missing, Conflict."""
    given = site.given(network.name)
    for host, parts in given.slices.items():
        if host != (site.host or ""):
            for part in parts:
                yield to_peer(site, network, host, part)
    for remote in site.remotes(network.name):
        for address in strays(given, remote.container.host, remote):
            yield to_peer(site, network, remote.container.host or "", ip_network(address))
    bridge = LinkKey(None, site.device(network))
    for endpoint in site.on(bridge.name):
        for address in strays(given, site.host, endpoint):
            yield LinkRoute(bridge, Route(ip_network(address), None, default_metric(address.version)))


def strays(given: NetworkLease, host: Optional[str], one: Union[Endpoint, Remote]) -> Iterator[Address]:
    """Its addresses that are not of its host's slices."""
    lease: Lease = one.lease
    for address in (lease.ipv4, lease.ipv6):
        if address and not any(address in part for part in given.slices.get(host or "", ())):
            yield address


def to_peer(site: Site, network: NetworkSpec, host: str, to: Network) -> LinkRoute:
    """Errors: Missing, Conflict, where that host cannot be its next hop."""
    via = site.underlay_of(network, host)
    way = site.around.reached.get(via)
    what, vxlan = network.what, "or use mode vxlan, which passes through routers"
    if way is None:
        raise Missing(what, f"this host has no route to {via}, host {host}", "give it one, or correct docknet_underlay")
    if way.source == via:
        raise Conflict(what, f"{via} is this host's own address, and {host}'s too", "correct docknet_underlay")
    if way.via is not None:
        why = f"mode host-gw needs hosts on one link, and {host} ({via}) is behind the router {way.via}"
        raise Conflict(what, why, f"put them on one, {vxlan}")
    if to.version == 6 and via.version == 4:
        why = f"IPv6 packets cannot be sent to {host} by an IPv4 address, {via}"
        raise Conflict(what, why, "let docknet_underlay be an IPv6 address, by which IPv4 goes too")
    return LinkRoute(LinkKey(None, way.device), Route(to, via, default_metric(to.version)))


def ways(site: Site, network: NetworkSpec) -> frozenset[str]:
    """The links by which the other hosts of the network are reached."""
    others = [host for host in site.document.hosts_of(network.name) if host != site.host]
    found = (site.around.reached.get(site.underlay_of(network, host)) for host in others)
    return frozenset(way.device for way in found if way)


# -- the routes of a container --------------------------------------------------------------------------------


def halves(endpoint: Endpoint) -> Iterator[LinkRoute]:
    """By its gateway to all of the subnet: both halves come before the whole, which is on its link."""
    for version, mine in endpoint.addresses.items():
        gateway, metric = endpoint.given.gateways.get(mine.network), default_metric(version)
        # With room for two there is nobody else, and the gateway would be a half.
        if gateway is not None and mine.network.max_prefixlen - mine.network.prefixlen >= 2:
            # Without it a gateway of IPv6 would be one beyond itself.
            yield LinkRoute(endpoint.key, Route(ip_network(gateway), None, metric))
            for half in mine.network.subnets():
                yield LinkRoute(endpoint.key, Route(half, gateway, metric))


# -- what goes ------------------------------------------------------------------------------------------------


def old(
    given: Iterable[Allocation],
    peers: Collection[Address],
    netns: Collection[Optional[str]],
    kept: set[LinkRoute],
    world: World,
) -> list[LinkRoute]:
    """Routes of networks, as they were and are, that are not wanted any more: in the host's namespace and `netns`.

    `peers`: by whom they went and go. Routes of others to a part of a subnet are not among them.
    """
    leases = [lease for one in given for lease in one.networks.values() if lease.slices]
    found = {
        LinkRoute(link.key, route)
        for link in (world.links.values() if leases else ())
        for route in link.routes or ()
        for lease in leases
        if any(is_part(route.to, subnet) for subnet in lease.subnets)
        if (link.key.netns in netns and is_inside(route, lease))
        or (link.key.netns is None and (route.via in peers or link.key.name == lease.device))
    }
    return sorted(found - kept, key=str)


def is_inside(route: Route, lease: NetworkLease) -> bool:
    """Whether it may be a container's: by a gateway, or to it."""
    gateways = lease.gateways.values()
    return route.via in gateways or any(route.to == ip_network(one) for one in gateways)


def is_part(one: Network, whole: Network) -> bool:
    return one.version == whole.version and one.prefixlen > whole.prefixlen and one.network_address in whole
