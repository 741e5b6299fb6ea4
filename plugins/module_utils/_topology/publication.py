# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A container's published ports -> translations on the host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from .._model.link import Address
from .._model.rule import EVERY_ADDRESS, EVERYONE, Dnat, Ports
from .._model.segment import ROUTED
from .._model.topology import ContainerSpec, PortSpec
from .site import VERSIONS, Endpoint, Site, by_default


def publications(site: Site, container: ContainerSpec) -> Iterator[Dnat]:
    """Each port leads to the container's endpoint on the network that its packets to elsewhere take, as Docker has it."""
    endpoints = site.endpoints(container)
    for version in VERSIONS:
        endpoint = by_default(endpoints, version)
        if endpoint is None or not is_translated(endpoint, version):
            continue
        for port in container.ports:
            host_ip = on(port, endpoint, version)
            if host_ip is not None:
                yield dnat(site, container, port, host_ip, endpoint)


def is_translated(endpoint: Endpoint, version: int) -> bool:
    """Whether the host can send there what comes to its own address: it has one on the bridge, and is to."""
    options = endpoint.network.options
    hidden = version == 4 and options.inhibit_ipv4
    return endpoint.network.bridged and options.modes[version] != ROUTED and not hidden


def on(port: PortSpec, endpoint: Endpoint, version: int) -> Optional[Address]:
    """The host's address of that family that a port is published on; every one where none is said."""
    if port.host_ip is not None:
        return port.host_ip if port.host_ip.version == version else None
    return endpoint.network.options.publish_on.get(version, EVERY_ADDRESS[version])


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
    """What is published and cannot be, for a warning."""
    endpoints = site.endpoints(container)
    both = [(version, by_default(endpoints, version)) for version in VERSIONS]
    leading = [(version, one) for version, one in both if one]
    routed = any(one.network.options.modes[version] == ROUTED for version, one in leading)
    if container.ports and not routed and not any(is_translated(one, version) for version, one in leading):
        why = "none of its networks leads outside"
        if leading:
            network = leading[0][1].network
            hidden = network.bridged
            why = "has no address on the host (inhibit_ipv4)" if hidden else "is the LAN itself"
            why = f"network {network.name} {why}"
        yield f"{container.what}.ports: nothing is published, since {why}"
