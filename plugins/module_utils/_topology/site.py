# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""One host's part of a topology: what the document says of it, and what was chosen for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from ipaddress import ip_interface
from typing import NamedTuple, Optional

from .._model.errors import DocknetError, Missing
from .._model.link import Address, Interface, LinkKey, Network, Route
from .._model.namespace import NetnsRef
from .._model.segment import ISOLATED
from .._model.state import Allocation, Lease, NetworkLease, State, Surroundings
from .._model.topology import (
    DEFAULT_BRIDGE,
    RESERVED_OWNER,
    ContainerSpec,
    Document,
    EndpointSpec,
    NetworkSpec,
)
from .._model.wireguard_key import PublicKey
from . import names, normalise
from .document import read

VERSIONS = (4, 6)
DEFAULT_SPEC = NetworkSpec(DEFAULT_BRIDGE, device=names.DEFAULT_DEVICE)


class Endpoint(NamedTuple):
    """One attachment with all that was chosen for it. `key` is its interface in the container."""

    container: ContainerSpec
    spec: EndpointSpec
    network: NetworkSpec
    given: NetworkLease
    lease: Lease
    key: LinkKey
    addresses: Mapping[int, Interface]

    @property
    def what(self) -> str:
        return f"{self.container.what}.networks.{self.network.name}"

    def interface(self, version: int) -> Optional[Interface]:
        """The address with the subnet's prefix length, whatever range it was chosen from."""
        return self.addresses.get(version)

    @property
    def interfaces(self) -> frozenset[Interface]:
        return frozenset(self.addresses.values())

    def gateway(self, version: int) -> Optional[Address]:
        """The next hop to elsewhere that the network offers; none on one that leads nowhere."""
        mine = self.interface(version)
        return self.given.gateways.get(mine.network) if mine and self.leads(version) else None

    def way_out(self, version: int) -> Optional[Route]:
        """The default route that the network offers: by its gateway, or, where the host routes, to the interface itself."""
        gateway = self.gateway(version)
        if gateway:
            return normalise.default_route(gateway)
        routed = self.network.routed and self.interface(version) and self.leads(version)
        return normalise.direct_route(version) if routed else None

    def leads(self, version: int) -> bool:
        options = self.network.options
        return not self.network.internal and options.default_route and options.modes[version] != ISOLATED


class Remote(NamedTuple):
    """An endpoint on another host, with what it was given there."""

    container: ContainerSpec
    spec: EndpointSpec
    lease: Lease


def subnet_of(given: NetworkLease, address: Address) -> Optional[Network]:
    return next((subnet for subnet in given.subnets if address in subnet), None)


def addresses(given: NetworkLease, lease: Lease) -> dict[int, Interface]:
    """The addresses of a lease, each with its subnet's prefix length, by family."""
    found = {}
    for version in VERSIONS:
        address = lease.address(version)
        subnet = subnet_of(given, address) if address else None
        if address and subnet:
            found[version] = ip_interface((address.packed, subnet.prefixlen))
    return found


@dataclass(frozen=True)
class Site:
    """The document's part, with what was chosen for it.

    `earlier` is what was, as it is saved; `told_by_mac` are addresses of the topology's links from which their MAC addresses
    follow. `adopted` are the host's links that were there before the topology had them. `mtus` are of the host's links, by
    name. `peers` are the addresses at which hosts reach each other, by name, this one's too; `peers_before` those that were
    saved. `keys` are their WireGuards'. `documents` are those of the host's other topologies, by name, as far as they were
    asked for; None is one that cannot be read any more.
    """

    document: Document
    host: Optional[str]
    allocation: Allocation
    around: Surroundings
    earlier: Allocation = field(default_factory=Allocation)
    mtus: Mapping[str, int] = field(default_factory=dict)
    peers: Mapping[str, Address] = field(default_factory=dict)
    peers_before: Mapping[str, Address] = field(default_factory=dict)
    keys: Mapping[str, PublicKey] = field(default_factory=dict)
    adopted: frozenset[LinkKey] = frozenset()
    told_by_mac: Mapping[LinkKey, frozenset[Interface]] = field(default_factory=dict)
    documents: dict[str, Optional[Document]] = field(default_factory=dict, compare=False, repr=False)
    # Endpoints by container, once they were asked for.
    found: dict[str, list[Endpoint]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def owner(self) -> str:
        return self.document.name

    @property
    def containers(self) -> list[ContainerSpec]:
        return self.document.on(self.host)

    @property
    def networks(self) -> list[NetworkSpec]:
        """The networks of this host's containers, the default bridge last."""
        default = [DEFAULT_SPEC] if any(one.mode == "bridge" for one in self.containers) else []
        return [self.network(one.name) for one in self.document.used_on(self.host)] + default

    def network(self, name: str) -> NetworkSpec:
        """One that is joined is as its own topology says."""
        if name == DEFAULT_BRIDGE:
            return DEFAULT_SPEC
        said = self.document.networks[name]
        return (self.joined.get(name) or said) if said.external else said

    @cached_property
    def joined(self) -> Mapping[str, NetworkSpec]:
        """Other topologies' networks on which this one is, by the name that they have here."""
        theirs = {
            one.given(spec.name).device: spec
            for one in self.neighbours
            for spec in one.document.networks.values()
            if not spec.external
        }
        mine = [(name, self.given(name).device) for name, spec in self.document.networks.items() if spec.external]
        return {
            name: replace(theirs[device], name=name, external=True)
            for name, device in mine
            if device and device in theirs
        }

    @cached_property
    def neighbours(self) -> tuple[Site, ...]:
        """The other topologies of this host that are on a bridge of this one."""
        return tuple(self.beside(devices(self.allocation)))

    def beside(self, on: Collection[str]) -> Iterator[Site]:
        """The other topologies of this host that are on one of these bridges, each as it is saved."""
        mine = State(self.owner, self.host, allocation=self.allocation)
        for name, state in sorted(self.around.states.items()):
            if name != self.owner and not devices(state.allocation).isdisjoint(on):
                if name not in self.documents:
                    self.documents[name] = readable(state)
                document = self.documents[name]
                if document is not None:
                    self.documents[self.owner] = self.document
                    around = replace(self.around, states={**self.around.states, self.owner: mine})
                    yield Site(
                        document,
                        state.host,
                        state.allocation,
                        around,
                        peers=state.peers,
                        keys=state.keys,
                        documents=self.documents,
                    )

    def given(self, name: str) -> NetworkLease:
        return self.allocation.networks.get(name, NetworkLease())

    def owner_of(self, network: NetworkSpec) -> str:
        return RESERVED_OWNER if network is DEFAULT_SPEC else self.owner

    def device(self, network: NetworkSpec) -> str:
        """The bridge of a bridge network on this host."""
        return self.given(network.name).device or network.device or names.device(self.owner, network.name)

    def endpoints(self, container: ContainerSpec) -> list[Endpoint]:
        if container.name not in self.found:
            self.found[container.name] = self._endpoints(container)
        return self.found[container.name]

    def _endpoints(self, container: ContainerSpec) -> list[Endpoint]:
        chosen = names.interfaces(container, self.document, names.kept(container, self.allocation))
        return [self._endpoint(container, spec, chosen[spec.network]) for spec in container.endpoints]

    def _endpoint(self, container: ContainerSpec, spec: EndpointSpec, interface: str) -> Endpoint:
        given = self.given(spec.network)
        lease = self.allocation.endpoints.get((container.name, spec.network), Lease())
        key = LinkKey(container.netns, interface)
        return Endpoint(container, spec, self.network(spec.network), given, lease, key, addresses(given, lease))

    def leading(self, container: ContainerSpec, version: int) -> Optional[Endpoint]:
        """Where its default route is to lead. A real container that has one keeps that."""
        inside = self.around.inside.get(container.netns or "")
        return None if inside and version in inside.leads else by_default(self.endpoints(container), version)

    def underlay_of(self, network: NetworkSpec, host: str) -> Address:
        """Where another host is reached. Errors: Missing."""
        if host not in self.peers:
            why = f"it is on host {host} too, and the address at which that one is reached is not known"
            way_out = f"give the address of {host} in peers (the role does, from docknet_underlay)"
            raise Missing(network.what, why, way_out)
        return self.peers[host]

    def remotes(self, network: str) -> Iterator[Remote]:
        """A network's endpoints on other hosts, as far as they have been given addresses."""
        for (container, name), lease in self.allocation.elsewhere.items():
            one = self.document.containers.get(container)
            spec = next((spec for spec in one.endpoints if spec.network == name), None) if one else None
            if one and spec and name == network:
                yield Remote(one, spec, lease)

    def all_endpoints(self) -> Iterator[Endpoint]:
        for container in self.containers:
            yield from self.endpoints(container)

    def on(self, device: str) -> Iterator[Endpoint]:
        """The endpoints on a bridge."""
        yield from (one for one in self.all_endpoints() if one.given.device == device)


def devices(given: Allocation) -> frozenset[str]:
    """The bridges of networks that a topology has or has joined."""
    return frozenset(one.device for name, one in given.networks.items() if one.device and name != DEFAULT_BRIDGE)


def readable(state: State) -> Optional[Document]:
    """What an earlier version took need not be valid now."""
    try:
        return read(state.document)
    except DocknetError:
        return None


def by_default(endpoints: list[Endpoint], version: int) -> Optional[Endpoint]:
    """The endpoint that a container's packets to elsewhere take: highest gw_priority, then the first that leads there."""
    leading = [one for one in endpoints if one.way_out(version)]
    return max(leading, key=lambda one: one.spec.gw_priority, default=None)


def is_ours(netns: NetnsRef) -> bool:
    """Whether the namespace is a named one, and not that of a process or of an engine's container."""
    return netns is not None and ":" not in netns and "/" not in netns
