# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A bridge network -> its bridge, its settings, its way to outside, its part of the packet filter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_interface, ip_network
from typing import Any

from .._model.bridge import Bridge
from .._model.child import Child
from .._model.ipvlan import Ipvlan
from .._model.link import Address, Interface, Link, LinkKey, Neighbour, Route
from .._model.macvlan import Macvlan
from .._model.namespace import Sysctl
from .._model.rule import MASQUERADE, Snat
from .._model.segment import ISOLATED, ROUTED, Opening, Segment
from .._model.state import NetworkLease
from .._model.topology import DEFAULT_BRIDGE, NetworkSpec
from .._model.vlan import Vlan
from . import normalise
from .link import derived_mac
from .names import host_end
from .site import Site

# Without a word about it a network's MTU is Ethernet's, as Docker has it.
MTU = 1500


def bridge(site: Site, network: NetworkSpec) -> Iterator[Any]:
    """All that one bridge network is on the host, but for its part of the packet filter.

    A bridge that was adopted keeps its MAC address, its MTU, its neighbours and its kernel settings: the host may be on the LAN by it.
    """
    given, options, owner = site.given(network.name), network.options, site.owner_of(network)
    key = LinkKey(None, site.device(network))
    adopted = key in site.adopted
    yield Link(
        key,
        data=Bridge(),
        owner=owner,
        mac=None if adopted else derived_mac(owner, key),
        mtu=None if adopted else mtu(network, given),
        up=True,
        addresses=frozenset(addresses(network, given)),
        neighbours=None if adopted else frozenset(neighbours(site, network)),
        former=frozenset(addresses(network, site.earlier.networks.get(network.name, NetworkLease()))),
    )
    yield from () if adopted else settings(key, network.ipv6)
    if network.internal or not options.masquerade:
        return
    for subnet in given.subnets:
        if options.modes[subnet.version] not in (ROUTED, ISOLATED):
            to = options.sources.get(subnet.version, MASQUERADE)
            yield Snat(None, subnet, except_out_interface=key.name, to=to, owner=owner)


def neighbours(site: Site, network: NetworkSpec) -> Iterator[Neighbour]:
    """The containers on the bridge, also other topologies': the host knows their MAC addresses, and believes no answer of another."""
    given = site.given(network.name)
    families = {one.version for one in addresses(network, given)}
    for one in (site, *site.neighbours):
        for endpoint in one.on(site.device(network)):
            for address in (endpoint.lease.ipv4, endpoint.lease.ipv6):
                if (
                    address
                    and endpoint.lease.mac
                    and address.version in families
                    and any(address in each for each in given.subnets)
                ):
                    yield Neighbour(address, endpoint.lease.mac)


def mtu(network: NetworkSpec, given: NetworkLease) -> int:
    return network.options.mtu or given.mtu or MTU


def addresses(network: NetworkSpec, given: NetworkLease) -> Iterator[Interface]:
    """The host's own on the bridge: the gateways, where it has any."""
    for subnet in given.subnets:
        gateway = given.gateways.get(subnet)
        hidden = subnet.version == 4 and network.options.inhibit_ipv4
        if gateway and gateway in subnet and not hidden and network.options.modes[subnet.version] != ISOLATED:
            yield ip_interface(f"{gateway}/{subnet.prefixlen}")


def settings(key: LinkKey, ipv6: bool) -> Iterator[Sysctl]:
    """What holds for each interface of ours.

    With IPv6 no routes are taken from advertisements, and addresses serve at once; without it there is none of it at all.
    Of two ways a packet may come by either is right (rp_filter 2): several networks make that so.
    """
    yield Sysctl(key.netns, ("net", "ipv4", "conf", key.name, "rp_filter"), "2")
    served = (("accept_ra", "0"), ("accept_dad", "0"), ("disable_ipv6", "0"))
    for name, value in served if ipv6 else (("disable_ipv6", "1"),):
        yield Sysctl(key.netns, ("net", "ipv6", "conf", key.name, name), value)


def parent(site: Site, network: NetworkSpec) -> LinkKey:
    """What the children of a macvlan or ipvlan network stand on."""
    options = network.options
    name = options.parents.get(site.host or "") or options.parents.get("", "")
    if options.vlan is None:
        return LinkKey(None, name)
    return LinkKey(None, normalise.link_name(network.what, "vlan", f"{name}.{options.vlan}"))


def sort(network: NetworkSpec, below: LinkKey) -> Child:
    """What each child is."""
    options = network.options
    if network.driver == "ipvlan":
        return Ipvlan(below, options.mode or "l2", options.flag or "bridge")
    return Macvlan(below, options.mode or "bridge")


def on_parent(site: Site, network: NetworkSpec) -> Iterator[Any]:
    """What such a network is on the host: its 802.1Q link, and the host's own child with a route to each container."""
    options, key = network.options, parent(site, network)
    if options.vlan is not None:
        below = LinkKey(None, key.name.rpartition(".")[0])
        yield Link(key, data=Vlan(below, options.vlan), owner=site.owner, up=True)
    if options.shim is None:
        return
    mine = site.given(network.name).shim.values()
    had = site.earlier.networks.get(network.name, NetworkLease()).shim.values()
    routes = {
        Route(ip_network(address.ip), None, normalise.default_metric(address.version))
        for endpoint in site.all_endpoints()
        if endpoint.network.name == network.name
        for address in endpoint.interfaces
    }
    yield Link(
        LinkKey(None, options.shim.name),
        data=sort(network, key),
        owner=site.owner,
        up=True,
        addresses=frozenset(map(ip_interface, mine)),
        routes=frozenset(routes),
        former=frozenset(map(ip_interface, had)),
    )


def segment(site: Site, network: NetworkSpec, resolvers: Mapping[Address, int]) -> Segment:
    """The filtering of a bridge, of which other topologies' containers on it are a part."""
    options, given = network.options, site.given(network.name)
    ports, openings = set(), set()
    for one in (site, *site.neighbours) if network.name != DEFAULT_BRIDGE else ():
        for endpoint in one.on(given.device):
            name = endpoint.spec.host_interface
            ports.add(name or host_end(one.owner, endpoint.container.name, endpoint.network.name))
            openings |= set(opened(endpoint))
    return Segment(
        None,
        site.device(network),
        owner=site.owner_of(network),
        icc=options.icc,
        internal=network.internal,
        modes=dict(options.modes),
        ports=frozenset() if options.icc else frozenset(ports),
        openings=frozenset(openings),
        trusted=frozenset(options.trusted),
        resolvers=dict(resolvers),
        nameservers=frozenset(one.ip for one in addresses(network, given)),
    )


def opened(endpoint: Any) -> Iterator[Opening]:
    """The published ports of an endpoint that others reach without translation."""
    for version, mode in endpoint.network.options.modes.items():
        address = endpoint.lease.address(version)
        if mode == ROUTED and address:
            for port in endpoint.container.ports:
                yield Opening(address, port.protocol, port.target)


def forwarding(site: Site) -> Iterator[Sysctl]:
    """The host passes packets on, for the families that its bridge networks have; links that a router configures stay so."""
    bridges = [one for one in site.networks if one.bridged]
    if any(one.ipv4 for one in bridges):
        yield Sysctl(None, ("net", "ipv4", "ip_forward"), "1")
    if any(one.ipv6 for one in bridges):
        for name in site.around.uplinks:
            # With forwarding, 1 means "no": net/ipv6/ndisc.c, ipv6_accept_ra().
            yield Sysctl(None, ("net", "ipv6", "conf", name, "accept_ra"), "2")
        yield Sysctl(None, ("net", "ipv6", "conf", "all", "forwarding"), "1")
