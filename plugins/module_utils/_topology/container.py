# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A container -> its namespace, its interfaces, and the way its packets take."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any, Union

from .._model.link import Interface, Link, LinkKey, Route, Station
from .._model.namespace import Namespace, Sysctl
from .._model.service import Service
from .._model.source import SourceRoute
from .._model.state import Allocation, Lease, NetworkLease
from .._model.topology import ContainerSpec
from .._model.veth import Veth
from .dhcp import client
from .names import FIRST_TABLE, host_end
from .network import mtu, parent, settings, sort
from .normalise import default_route, direct_route
from .overlay import EVPN
from .site import VERSIONS, Endpoint, Site, addresses
from .slices import halves

# What Docker sets in every container (moby, daemon/oci_linux.go): any port and ping for everybody.
SETTINGS: dict[tuple[str, ...], str] = {
    ("net", "ipv4", "ip_unprivileged_port_start"): "0",
    ("net", "ipv4", "ping_group_range"): "0 2147483647",
}


def namespace(site: Site, container: ContainerSpec) -> Iterator[Any]:
    """The namespace with its settings; a member of another's has only a name for that."""
    if container.mode == "host" or not container.made or not container.netns:
        return
    if container.joins:
        first = site.document.containers[container.joins]
        yield Namespace(container.netns, same_as=first.netns)
        return
    yield Namespace(container.netns)
    for path, value in {**SETTINGS, **container.sysctls}.items():
        yield Sysctl(container.netns, path, value)


def attachments(site: Site, container: ContainerSpec) -> Iterator[Any]:
    """Its interfaces with their settings and routes."""
    endpoints = site.endpoints(container)
    leading = {version: site.leading(container, version) for version in VERSIONS}
    for position, endpoint in enumerate(endpoints):
        routes = [endpoint.way_out(version) for version in VERSIONS if leading[version] is endpoint]
        yield from LINKS[endpoint.network.driver](site, endpoint, frozenset(route for route in routes if route))
        own = dict(per_interface(endpoint))
        for sysctl in settings(endpoint.key, has_ipv6(endpoint)):
            own.setdefault(sysctl.path, sysctl.value)
        for path, value in own.items():
            yield Sysctl(endpoint.key.netns, path, value)
        if endpoint.network.by_slices:
            yield from halves(endpoint)
        yield from by_source(endpoint, FIRST_TABLE + position, leading)
    yield from leased(site, endpoints, container.made and not leading[4])


def leased(site: Site, endpoints: list[Endpoint], alone: bool) -> Iterator[Service]:
    """The clients of networks with DHCP. `alone`: nothing else leads to elsewhere, so the first of them may."""
    for endpoint in endpoints:
        network = endpoint.network
        if network.ipam == "dhcp":
            leads = alone and not network.internal and network.options.default_route
            yield client(
                site.owner, endpoint.container.name, network.name, endpoint.key.name, endpoint.key.netns, leads
            )
            alone = alone and not leads


def has_ipv6(endpoint: Endpoint) -> bool:
    return endpoint.network.ipv6 or endpoint.interface(6) is not None


def per_interface(endpoint: Endpoint) -> Iterator[tuple[tuple[str, ...], str]]:
    """The user's settings of the interface; IFNAME stands for its name, as in Docker's."""
    for path, value in endpoint.spec.sysctls.items():
        yield tuple(endpoint.key.name if part == "IFNAME" else part for part in path), value


def by_source(endpoint: Endpoint, table: int, leading: dict) -> Iterator[SourceRoute]:
    """Answers leave by the interface that the question came to, where the default route is another's."""
    for version in VERSIONS:
        gateway, mine = endpoint.gateway(version), endpoint.interface(version)
        if gateway and mine and leading[version] is not endpoint:
            # With a network whose hosts route, neighbours are reached by the gateway as well.
            near = ip_network(mine.ip) if endpoint.network.by_slices else None
            yield SourceRoute(endpoint.key, mine.ip, gateway, table, near)


def port_of(site: Site, endpoint: Endpoint) -> LinkKey:
    """The host's end, where it has one."""
    name = endpoint.spec.host_interface or host_end(site.owner, endpoint.container.name, endpoint.network.name)
    return LinkKey(None, name)


def connected(site: Site, saved: Allocation) -> set[LinkKey]:
    """The links of endpoints that were not there before. What of ours has their names was another endpoint's."""
    fresh = [one for one in site.all_endpoints() if (one.container.name, one.network.name) not in saved.endpoints]
    return {key for one in fresh for key in (one.key, port_of(site, one))}


def pair(site: Site, endpoint: Endpoint, gateways: frozenset[Route]) -> Iterator[Link]:
    """A port of the network's bridge, and the container's interface behind it."""
    port = port_of(site, endpoint)
    shared: dict[str, Any] = {"owner": site.owner, "mtu": mtu(endpoint.network, endpoint.given), "up": True}
    bridge = site.device(endpoint.network)
    fixed = frozenset(stations(endpoint))
    yield Link(port, data=Veth(endpoint.key), master=bridge, hairpin=True, isolated=False, stations=fixed, **shared)
    yield Link(endpoint.key, data=Veth(port), **addressed(site, endpoint, gateways), **shared)


def stations(endpoint: Endpoint) -> Iterator[Station]:
    """Its MAC address stays behind its port: a neighbour that sends with it gets nothing of what is for the container.

    Others of it (VRRP, a nested bridge) are learned as usual. A routing daemon would tell of one that is fixed as of one that never moves to
    another host (RFC 7432, section 15.2), so with EVPN none is.
    """
    if endpoint.lease.mac and endpoint.network.options.control != EVPN:
        yield Station(endpoint.lease.mac)


def had_addresses(site: Site, endpoint: Endpoint) -> bool:
    """Whether it had addresses of us on a network that gives none any more. Later ones are somebody else's to give."""
    earlier = site.earlier.endpoints.get((endpoint.container.name, endpoint.network.name))
    return endpoint.network.ipam != "default" and earlier is not None and bool(earlier.ipv4 or earlier.ipv6)


def lost(site: Site) -> dict[tuple[str, str], Lease]:
    """What such endpoints had."""
    places = [(one.container.name, one.network.name) for one in site.all_endpoints() if had_addresses(site, one)]
    return {place: site.earlier.endpoints[place] for place in places}


def addressed(site: Site, endpoint: Endpoint, gateways: frozenset[Route]) -> dict[str, Any]:
    """Its addresses, where they are ours to give, or to take away. What the container's processes add there is theirs."""
    if had_addresses(site, endpoint):
        return {
            "mac": endpoint.lease.mac,
            "addresses": frozenset(),
            "gateways": frozenset(),
            "former": former(site, endpoint),
        }
    if endpoint.network.ipam != "default":
        return {"mac": endpoint.lease.mac}
    given = {"addresses": endpoint.interfaces, "gateways": gateways, "former": former(site, endpoint)}
    return {"mac": endpoint.lease.mac, **given}


def former(site: Site, endpoint: Endpoint) -> frozenset[Union[Interface, Route]]:
    """What it had of us: as it is saved, and where nothing is, as its MAC address tells, which follows from an address."""
    name = endpoint.network.name
    had = site.earlier.networks.get(name, NetworkLease())
    lease = site.earlier.endpoints.get((endpoint.container.name, name), Lease())
    ways = [*map(default_route, had.gateways.values())]
    ways += map(direct_route, VERSIONS) if endpoint.network.routed else ()
    return frozenset((*addresses(had, lease).values(), *ways)) | site.told_by_mac.get(endpoint.key, frozenset())


def child(site: Site, endpoint: Endpoint, gateways: frozenset[Route]) -> Iterator[Link]:
    """A macvlan or ipvlan interface of the network's parent."""
    network = endpoint.network
    words = addressed(site, endpoint, gateways)
    if not network.own_macs:
        words["mac"] = None
    below = parent(site, network)
    data = sort(network, below)
    size = network.options.mtu or site.mtus.get(below.name)  # as it is born with, also where it had another one
    yield Link(endpoint.key, data=data, owner=site.owner, mtu=size, up=True, **words)


LINKS = {"bridge": pair, "overlay": pair, "macvlan": child, "ipvlan": child}
