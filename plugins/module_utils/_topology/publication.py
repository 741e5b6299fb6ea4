# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A container's published ports -> translations on the host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Optional

from .._model.link import Address
from .._model.rule import EVERYONE, Dnat, Ports
from .._model.segment import ROUTED
from .._model.topology import ContainerSpec, PortSpec
from .listening import host_address, is_translated
from .site import VERSIONS, Endpoint, Site, by_default


def publications(site: Site, container: ContainerSpec) -> Iterator[Dnat]:
    """Each port leads to the container's endpoint on the network that its packets to elsewhere take, as Docker has it."""
    endpoints = site.endpoints(container)
    for version in VERSIONS:
        endpoint = by_default(endpoints, version)
        if endpoint is None or not is_translated(endpoint.network, version):
            continue
        for port in container.ports:
            host_ip = host_address(port, endpoint.network.options, version)
            if host_ip is not None:
                yield dnat(site, container, port, host_ip, endpoint)


def host_ports(site: Site, container: ContainerSpec, port: PortSpec) -> Optional[Ports]:
    """The port as it was said, or as it was chosen."""
    return site.allocation.ports.get((container.name, str(port)), port.published)


def dnat(site: Site, container: ContainerSpec, port: PortSpec, host_ip: Address, endpoint: Endpoint) -> Dnat:
    published = host_ports(site, container, port)
    if published is None:
        raise AssertionError(f"{container.what}: no port was chosen for {port}")
    sources = port.allowed_sources
    everyone = frozenset({EVERYONE[host_ip.version]})
    return Dnat(
        None,
        port.protocol,
        host_ip,
        published,
        endpoint.lease.address(host_ip.version),
        port.target.first,
        everyone if sources is None else frozenset(one for one in sources if one.version == host_ip.version),
        hairpin=True,
        local=True,
        owner=site.owner,
    )


def unserved(site: Site, container: ContainerSpec) -> Iterator[str]:
    """Warnings: ports that are not published, and why."""
    if not container.ports:
        return
    endpoints = site.endpoints(container)
    both = [(version, by_default(endpoints, version)) for version in VERSIONS]
    leading = {version: one for version, one in both if one}
    routed = {version for version, one in leading.items() if one.network.options.modes[version] == ROUTED}
    translated = {version for version, one in leading.items() if is_translated(one.network, version)}
    if routed or translated:
        yield from unserved_ports(container, leading, translated, routed)
        return
    why = "none of its networks leads outside"
    if leading:
        network = leading[min(leading)].network
        why = "has no address on the host (inhibit_ipv4)" if network.bridged else "is the LAN itself"
        why = f"network {network.name} {why}"
    yield f"{container.what}.ports: nothing is published, since {why}"


def unserved_ports(
    container: ContainerSpec, leading: Mapping[int, Endpoint], translated: set[int], routed: set[int]
) -> Iterator[str]:
    """Ports on a host address of a family that the container has no address of: none is translated into the other family."""
    for port in container.ports:
        addresses = {version: host_address(port, one.network.options, version) for version, one in leading.items()}
        if any(addresses[version] for version in translated | routed):
            continue
        version = port.host_ip.version if port.host_ip else 4
        network = leading[min(leading)].network.name
        why = f"{port.words} is not published: the container has no way to elsewhere over IPv{version}"
        way_out = f"set enable_ipv{version}: true for network {network}, or publish on an IPv{10 - version} address"
        yield f"{container.what}.ports: {why}; {way_out}"
