# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""On which of the host's addresses a port is published, as the document tells it: by family, since none is translated into the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Optional

from .._model.link import Address
from .._model.rule import EVERY_ADDRESS
from .._model.segment import ISOLATED, ROUTED
from .._model.topology import DEFAULT_BRIDGE, ContainerSpec, NetworkSpec, Options, PortSpec

DEFAULT = NetworkSpec(DEFAULT_BRIDGE)
VERSIONS = (4, 6)


def host_address(port: PortSpec, options: Options, version: int) -> Optional[Address]:
    """The address of that family that a port is published on; every one where none is named.

    A network's own address (host_binding_ipv4) is the only one, as in Docker: with 127.0.0.1 nothing is open on [::].
    """
    if port.host_ip is not None:
        return port.host_ip if port.host_ip.version == version else None
    bound = [address for address in options.publish_on.values() if not address.is_unspecified]
    if bound:
        return next((address for address in bound if address.version == version), None)
    return EVERY_ADDRESS[version]


def is_translated(network: NetworkSpec, version: int) -> bool:
    """Whether the host can send to the network what comes to its own address: it has an address on the bridge, and the mode asks for it."""
    hidden = version == 4 and network.options.inhibit_ipv4
    return network.bridged and network.options.modes[version] != ROUTED and not hidden


def listens(spec: ContainerSpec, port: PortSpec, networks: Mapping[str, NetworkSpec]) -> Iterator[Address]:
    """The host's addresses for a port, from the document alone.

    What another topology's network has is not known yet. Ports that meet there are found when ports are chosen.
    """
    on = [(one, networks.get(one.network, DEFAULT)) for one in spec.endpoints]
    if any(network.external for _one, network in on):
        return
    for version in VERSIONS:
        leading = [(one, network) for one, network in on if leads(network, version)]
        _one, first = max(leading, key=lambda pair: pair[0].gw_priority, default=(None, None))
        address = host_address(port, first.options, version) if first and is_translated(first, version) else None
        if address is not None:
            yield address


def leads(network: NetworkSpec, version: int) -> bool:
    """Whether a network has a default route of that family for its containers: see Endpoint.way_out."""
    options = network.options
    if network.internal or not options.default_route or options.modes[version] == ISOLATED:
        return False
    if network.bridged:
        return network.ipv4 if version == 4 else network.ipv6
    pools = [pool for pool in network.pools if pool.subnet.version == version]
    return any(network.routed or pool.gateway for pool in pools)
