# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""One host's part of a topology -> the paths that must work there, and those that must not: the reachability that Docker gives.

Not every pair of containers is tried, since a thousand of them have a million: on a network each tries its next
neighbour, and the last the first; for two networks one pair (of more than 20 networks, for each and its next
neighbour); a published port is tried from one client of each sort.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address
from itertools import cycle, permutations
from typing import Optional

from .._model.link import Address
from .._model.segment import ISOLATED, NAT, ROUTED, UNPROTECTED
from .._model.topology import ContainerSpec, NetworkSpec
from .._model.trial import ICMP, TCP, UDP, Spot, Trial
from .network import addresses
from .paths_published import published
from .reach import Ground, Verdict, among
from .site import VERSIONS, Endpoint, Remote, by_default, is_ours

# What two containers try on each other. SCTP only where it is published: not every kernel has it.
BETWEEN = (ICMP, TCP, UDP)
LOCALHOST = ip_address("127.0.0.1")
HOST = "the host"
# How many containers of a network are looked at for one that shares no network with one of another.
ENOUGH = 50
# From how many networks on not each pair of them is tried.
MANY = 20


def paths(ground: Ground) -> list[Trial]:
    """All that is tried on this host."""
    found = [
        *neighbours(ground),
        *on_other_hosts(ground),
        *strangers(ground),
        *loners(ground),
        *from_the_host(ground),
        *to_the_host(ground),
        *outwards(ground),
        *shared(ground),
        *published(ground),
    ]
    return list(dict.fromkeys(found))


def between(
    client: ContainerSpec, server: Endpoint, version: int, verdict: Verdict, protocols: Sequence[str] = BETWEEN
) -> Iterator[Trial]:
    """From a container to another's address, on a port that nobody has."""
    address = server.lease.address(version)
    if address is not None:
        yield from calls(client.netns, client.name, server, address, verdict, protocols)


def calls(
    source: Optional[str],
    sender: str,
    server: Endpoint,
    address: Address,
    verdict: Verdict,
    protocols: Sequence[str],
) -> Iterator[Trial]:
    receiver = server.container
    for protocol in protocols:
        spot = None if protocol == ICMP else Spot(receiver.netns, address, protocol)
        yield Trial(source, address, protocol, 0, verdict.works, verdict.why, sender, receiver.name, spot)


# -- containers and containers --------------------------------------------------------------------------------


def neighbours(ground: Ground) -> Iterator[Trial]:
    for name, mine in ground.on.items():
        verdict = among(ground.networks[name])
        for version in VERSIONS:
            ring = [one for one in mine if one.lease.address(version)]
            if verdict is not None and len(ring) > 1:
                for client, server in zip(ring, ring[1:] + ring[:1]):
                    yield from between(client.container, server, version, verdict)


def on_other_hosts(ground: Ground) -> Iterator[Trial]:
    """Each endpoint of another host is tried from one here; of very many, some of each host. Nobody there waits for more than a ping."""
    for name, mine in ground.on.items():
        verdict = among(ground.networks[name])
        there: dict[Optional[str], list[Remote]] = {}
        for remote in ground.site.remotes(name) if mine and verdict is not None else ():
            there.setdefault(remote.container.host, []).append(remote)
        few = [one for remotes in there.values() for one in remotes[: max(1, ENOUGH // len(there))]]
        for client, server in zip(cycle(mine), few):
            for version in VERSIONS:
                address = server.lease.address(version)
                if address and verdict and client.lease.address(version):
                    who, receiver = client.container, f"{server.container.name} on {server.container.host}"
                    yield Trial(who.netns, address, ICMP, 0, verdict.works, verdict.why, who.name, receiver, None)


def strangers(ground: Ground) -> Iterator[Trial]:
    """Of two networks, containers that share none."""
    for one, other in pairs(list(ground.on)):
        pair = apart_pair(ground, one, other)
        if pair is None:
            continue
        client, server = pair
        for version in VERSIONS:
            for protocol in BETWEEN:
                verdict = across(ground, client, server, version, protocol)
                if verdict is not None:
                    yield from between(client.container, server, version, verdict, [protocol])
            yield from openings(ground, client, server, version)


def pairs(networks: list[str]) -> Iterable[tuple[str, str]]:
    """Each network with each other; of very many each with its next neighbour, and the last with the first."""
    if len(networks) <= MANY:
        return permutations(networks, 2)
    ring = list(zip(networks, networks[1:] + networks[:1]))
    return ring + [(other, one) for one, other in ring]


def apart_pair(ground: Ground, one: str, other: str) -> Optional[tuple[Endpoint, Endpoint]]:
    for client in ground.on[one][:ENOUGH]:
        his = {endpoint.network.name for endpoint in ground.endpoints[client.container.name]}
        for server in ground.on[other][:ENOUGH]:
            if not his & {endpoint.network.name for endpoint in ground.endpoints[server.container.name]}:
                return client, server
    return None


def across(ground: Ground, client: Endpoint, server: Endpoint, version: int, protocol: str) -> Optional[Verdict]:
    """From one network's container to another's address. None: that is not for this host to say."""
    address = server.lease.address(version)
    if address is None or client.lease.address(version) is None or not is_ours(client.container.netns):
        return None
    to = ground.networks[server.network.name]
    way = ground.way(client.container, address)
    if way is None:
        return Verdict(False, f"none of the networks of {client.container.name} leads elsewhere")
    by = ground.networks[way.network.name]
    if by.internal or to.internal:
        return Verdict(False, f"network {(by if by.internal else to).name} is internal")
    if not by.bridged or not to.bridged:
        return beyond(ground, by, to, address)
    mode = to.options.modes[version]
    if version == 4 and to.options.inhibit_ipv4 and mode != NAT:
        return None
    if mode == UNPROTECTED or ground.site.device(by) in to.options.trusted:
        return Verdict(True, f"network {to.name} lets it in")
    if mode == ROUTED and protocol == ICMP:
        return Verdict(True, f"network {to.name} is routed")
    return Verdict(False, "they have no network in common")


def beyond(ground: Ground, by: NetworkSpec, to: NetworkSpec, address: Address) -> Optional[Verdict]:
    """Where one of the two networks is the LAN itself, which others answer for too."""
    if by.bridged and ground.apart(to, address):
        return Verdict(False, f"network {to.name} has no host_shim, and no other way leads there")
    if to.bridged and to.options.modes[address.version] == NAT and not to.options.trusted:
        return Verdict(False, "they have no network in common")
    return None


def openings(ground: Ground, client: Endpoint, server: Endpoint, version: int) -> Iterator[Trial]:
    """Ports that are open by the container's own address (gateway_mode routed)."""
    to = ground.networks[server.network.name]
    address = server.lease.address(version)
    verdict = across(ground, client, server, version, ICMP)
    if address is None or verdict is None or not verdict.works or to.options.modes[version] != ROUTED:
        return
    for port in server.container.ports:
        for number in dict.fromkeys((port.target.first, port.target.last)):
            spot = Spot(server.container.netns, address, port.protocol, number)
            why = f"network {to.name} is routed, and port {number} is published"
            source, sender = client.container.netns, client.container.name
            yield Trial(source, address, port.protocol, number, True, why, sender, server.container.name, spot)


def loners(ground: Ground) -> Iterator[Trial]:
    """Containers without a network reach nobody: of each network one is tried."""
    for one in ground.site.containers:
        for mine in ground.on.values() if one.mode == "none" else ():
            for version in VERSIONS:
                there = [endpoint for endpoint in mine if endpoint.lease.address(version)]
                for server in there[:1]:
                    yield from between(one, server, version, Verdict(False, f"{one.name} has no network"))


def shared(ground: Ground) -> Iterator[Trial]:
    """A member of another's namespace has the other's loopback."""
    for one in ground.site.containers:
        other = ground.site.document.containers.get(one.joins or "")
        if other and one.netns and other.netns:
            spot = Spot(other.netns, LOCALHOST, TCP)
            why = f"they share {other.name}'s namespace"
            yield Trial(one.netns, LOCALHOST, TCP, 0, True, why, one.name, other.name, spot)


# -- containers and the host ------------------------------------------------------------------------------------


def from_the_host(ground: Ground) -> Iterator[Trial]:
    for mine in ground.on.values():
        for endpoint in mine:
            for version in VERSIONS:
                address = endpoint.lease.address(version)
                verdict = by_the_host(ground, endpoint, address) if address else None
                if address and verdict:
                    yield from calls(None, HOST, endpoint, address, verdict, (ICMP, TCP))


def by_the_host(ground: Ground, endpoint: Endpoint, address: Address) -> Optional[Verdict]:
    network = ground.networks[endpoint.network.name]
    shim = network.options.shim
    if network.on_parent:
        if shim and address.version in endpoint.given.shim:
            return Verdict(True, f"the host has {shim.name} on network {network.name}")
        return Verdict(False, f"network {network.name} has no host_shim") if ground.apart(network, address) else None
    if gateway(ground, endpoint, address.version):
        return Verdict(True, f"the host has an address on network {network.name}")
    if network.options.modes[address.version] == ISOLATED:
        return Verdict(False, f"network {network.name} is isolated")
    return None


def gateway(ground: Ground, endpoint: Endpoint, version: int) -> Optional[Address]:
    """The host's address on the endpoint's network, where both have one."""
    network = ground.networks[endpoint.network.name]
    if endpoint.lease.address(version) is None:
        return None
    if network.on_parent:
        return endpoint.given.shim.get(version)
    return next((one.ip for one in addresses(network, endpoint.given) if one.version == version), None)


def to_the_host(ground: Ground) -> Iterator[Trial]:
    for name, mine in ground.on.items():
        for endpoint in mine:
            for version in VERSIONS:
                address = gateway(ground, endpoint, version)
                if address:
                    why = f"it is the host's address on network {name}"
                    client = endpoint.container
                    yield Trial(client.netns, address, ICMP, 0, True, why, client.name, HOST, filtered=True)


def outwards(ground: Ground) -> Iterator[Trial]:
    """Who is on internal networks alone has no way, even to the host's other addresses."""
    for client in ground.site.containers:
        mine = ground.endpoints[client.name]
        for version in VERSIONS if mine and is_ours(client.netns) else ():
            there = any(one.lease.address(version) for one in mine)
            for address in ground.own[version][:1] if there and not by_default(mine, version) else ():
                if ground.way(client, address) is None:
                    why = f"none of the networks of {client.name} leads elsewhere"
                    yield Trial(client.netns, address, ICMP, 0, False, why, client.name, HOST)
