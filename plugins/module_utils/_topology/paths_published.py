# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Published ports -> who must reach them, and who must not: on this host, and from another machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Any, NamedTuple, Optional

from .._model.link import Address, Network
from .._model.rule import EVERYONE, Dnat
from .._model.topology import ContainerSpec
from .._model.trial import Spot, Trial
from .publication import publications
from .reach import Ground, Verdict
from .site import Endpoint, by_default

LOCALHOST = ip_address("127.0.0.1")


class Door(NamedTuple):
    """One published port, and where it leads. Of a range its first and its last are tried."""

    rule: Dnat
    port: int
    server: Endpoint
    spot: Spot

    @property
    def why(self) -> str:
        on = "" if self.rule.host_ip.is_unspecified else f" on {self.rule.host_ip}"
        return f"port {self.spot.port} is published as {self.port}{on}"

    def trial(self, source: Optional[str], sender: str, target: Address, verdict: Verdict) -> Trial:
        name = self.server.container.name
        return Trial(source, target, self.rule.protocol, self.port, verdict.works, verdict.why, sender, name, self.spot)


def doors(ground: Ground) -> Iterator[Door]:
    for container in ground.site.containers:
        endpoints = ground.endpoints[container.name]
        for rule in publications(ground.site, container) if container.ports else ():
            server = by_default(endpoints, rule.version)
            if server is None or rule.to_ip is None:
                continue
            for port in dict.fromkeys((rule.ports.first, rule.ports.last)):
                to = rule.to_ports.first + port - rule.ports.first
                yield Door(rule, port, server, Spot(container.netns, rule.to_ip, rule.protocol, to))


def published(ground: Ground) -> Iterator[Trial]:
    for door in doors(ground):
        network = ground.networks[door.server.network.name]
        if network.options.inhibit_ipv4 and door.rule.version == 4:
            continue  # The host has no address there, and so no way.
        yield from by_the_host(ground, door)
        for client in clients(ground, door):
            yield from by_container(ground, door, client)


def by_the_host(ground: Ground, door: Door) -> Iterator[Trial]:
    """By 127.0.0.1 and by an address of its own. Whoever is allowed, the host is."""
    verdict = Verdict(True, door.why)
    host_ip = door.rule.host_ip
    if host_ip.version == 4 and (host_ip.is_unspecified or host_ip.is_loopback):
        yield door.trial(None, "the host", LOCALHOST if host_ip.is_unspecified else host_ip, verdict)
    for address in targets(ground, door):
        yield door.trial(None, "the host", address, verdict)


def targets(ground: Ground, door: Door) -> list[Address]:
    """The host's address by which the port is to be reached, where it has one."""
    host_ip = door.rule.host_ip
    if host_ip.is_unspecified:
        return ground.own[host_ip.version][:1]
    gateways = {one for lease in ground.site.allocation.networks.values() for one in lease.gateways.values()}
    return [host_ip] if host_ip in ground.own[host_ip.version] or host_ip in gateways else []


def clients(ground: Ground, door: Door) -> list[ContainerSpec]:
    """One of each sort: the server itself, its next neighbour, one of another network, one without a way out."""
    server = door.server
    ring = [one.container for one in ground.on[server.network.name]]
    at = ring.index(server.container)
    found = [server.container, ring[(at + 1) % len(ring)]]
    version, own = door.rule.version, ground.own[door.rule.version]
    others = [
        one
        for one in ground.site.containers
        if ground.endpoints[one.name]
        and server.network.name not in {each.network.name for each in ground.endpoints[one.name]}
    ]
    for wanted in (True, False):
        fitting = (
            one
            for one in others
            if any(each.lease.address(version) for each in ground.endpoints[one.name])
            and own
            and (ground.way(one, own[0]) is not None) is wanted
        )
        found += [one for one in [next(fitting, None)] if one]
    return list({one.name: one for one in found}.values())


def by_container(ground: Ground, door: Door, client: ContainerSpec) -> Iterator[Trial]:
    """By the host's address. What is published on loopback alone is tried there too, in vain."""
    rule = door.rule
    if rule.host_ip.is_loopback:
        for address in ground.own[rule.version][:1]:
            yield door.trial(client.netns, client.name, address, Verdict(False, f"{door.why} alone"))
        return
    for address in targets(ground, door):
        verdict = judge(ground, door, client, address)
        if verdict is not None:
            yield door.trial(client.netns, client.name, address, verdict)


def judge(ground: Ground, door: Door, client: ContainerSpec, address: Address) -> Optional[Verdict]:
    way = ground.way(client, address)
    if way is None:
        return Verdict(False, f"none of the networks of {client.name} leads elsewhere")
    by, to = ground.networks[way.network.name], ground.networks[door.server.network.name]
    if not by.bridged:
        return None  # It leaves for the LAN, and what comes back is for the LAN to say.
    if by is not to and (by.internal or to.internal):
        return Verdict(False, f"network {(by if by.internal else to).name} is internal")
    source = way.lease.address(address.version)
    if source is None or not allowed(door.rule, source):
        return Verdict(False, f"{source} is not in its allowed_sources")
    return Verdict(True, door.why)


def allowed(rule: Dnat, source: Address) -> bool:
    return rule.allowed_sources is None or allows(rule.allowed_sources, source)


def allows(sources: Iterable[Network], source: Address) -> bool:
    return any(source in network for network in sources)


def served(door: Door, ours: bool) -> dict[str, Any]:
    """A published port in plain types, for other hosts to try. `ours`: nobody but us listens where it leads."""
    sources = door.rule.allowed_sources
    if sources is None:
        sources = frozenset({EVERYONE[door.rule.version]})
    return {
        "container": door.server.container.name,
        "protocol": door.rule.protocol,
        "host_ip": str(door.rule.host_ip),
        "port": door.port,
        "allowed_sources": sorted(map(str, sources)),
        "served": ours,
    }
