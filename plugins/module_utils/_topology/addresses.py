# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Addresses of endpoints: those the document says, those that were had, and the lowest that are free."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, Optional

from .._model.errors import Conflict, DocknetError, InvalidRequest
from .._model.link import Address, Network
from .._model.state import Allocation, Inside, Lease, Surroundings
from .._model.topology import EVERYWHERE, ContainerSpec, Document, EndpointSpec, Pool
from . import names
from .link import local_mac
from .site import VERSIONS


class Space:
    """The addresses of one network and family. `taken`: who has which; `others`: further subnets, for addresses that are said."""

    def __init__(self, what: str, pool: Pool, others: Sequence[Network]) -> None:
        self.what, self.subnet, self.others = what, pool.subnet, others
        self.range = pool.ip_range or pool.subnet
        self.gateway: Optional[Address] = None
        self.taken: dict[Address, str] = {}
        # What each host has of it alone.
        self.slices: Mapping[str, Network] = {}
        self._next: dict[Network, int] = {}

    def reserve(self, pool: Pool) -> None:
        """The subnet's own two (not the range's, as Docker has it; a /31 has none: RFC 3021, RFC 6164), and those named."""
        subnet = pool.subnet
        if subnet.prefixlen < subnet.max_prefixlen - 1:
            self.taken[subnet.network_address] = "the subnet itself"
            if subnet.version == 4:
                self.taken[subnet.broadcast_address] = "its broadcast address"
        for name, address in pool.aux:
            self.taken[address] = f'reserved as "{name}"'
        if pool.gateway is not None:
            self.taken[pool.gateway] = "its gateway"

    def holds(self, address: Address) -> bool:
        return any(address in subnet for subnet in (self.subnet, *self.others) if subnet.version == address.version)

    def lowest(self, part: Optional[Network] = None) -> Optional[Address]:
        """The lowest of the range that is free, if can be in `part` of it. What is taken stays so while addresses are chosen."""
        for whole in (part, self.range) if part else (self.range,):
            last, kind = int(whole.broadcast_address), type(whole.network_address)
            number = self._next.get(whole, int(whole.network_address))
            while number <= last and kind(number) in self.taken:
                number += 1
            self._next[whole] = number
            if number <= last:
                return kind(number)
        return None


class Claim(NamedTuple):
    """A wish for an address of a family: an endpoint's, or that of a host's own child of a macvlan network.

    `name`: the container's. `where`: the document's path to it. `said`: the address that it must be. `here`: it is on
    this host, so that it matters if there is none. `part`: its host's, where hosts divide the subnet.
    """

    name: str
    where: str
    network: str
    version: int
    space: Space
    here: bool
    said: Optional[Address] = None
    part: Optional[Network] = None

    @property
    def key(self) -> tuple[str, str, int]:
        return (self.name, self.network, self.version)


Chosen = Mapping[tuple[str, str, int], Address]


def choose(
    document: Document,
    host: Optional[str],
    spaces: Mapping[str, Mapping[int, Space]],
    around: Surroundings,
    known: Allocation,
    leases: Mapping[tuple[str, str], Lease],
    errors: list[DocknetError],
) -> Chosen:
    """Addresses of this host's endpoints and shims.

    On a network that hosts share, those of other hosts have their turn too, so that all hosts come to the same.
    """
    here = {one.name for one in document.on(host)}
    claims = [*claims_of(document, here, spaces, errors), *shims(document, host, spaces)]
    had = {**known.endpoints, **shims_had(host, known)}
    for network, families in spaces.items():
        for space in families.values():
            by_others(space, around, shared(document, network))
    chosen = {}
    for claim in claims:
        if claim.said is not None and said(claim, errors):
            chosen[claim.key] = claim.said
    for claim in claims:
        old = had.get(claim.key[:2]) if claim.here else None
        old = old or leases.get(claim.key[:2])
        address = old.address(claim.version) if old else None
        if claim.said is None and address and claim.space.holds(address) and address not in claim.space.taken:
            chosen[claim.key] = take(claim, address)
    for claim in claims:
        if claim.said is None and claim.key not in chosen:
            found = claim.space.lowest(claim.part)
            if found is not None:
                chosen[claim.key] = take(claim, found)
            elif claim.here:
                errors.append(full(claim))
    return chosen


def endpoints(
    document: Document, host: Optional[str], around: Surroundings, known: Allocation, chosen: Chosen
) -> dict[tuple[str, str], Lease]:
    """What this host's endpoints are given, with the addresses that were chosen for them."""
    return {
        (one.name, spec.network): lease(document, host, around, one, spec, chosen, interfaces[spec.network], known)
        for one in document.on(host)
        for interfaces in [names.interfaces(one, document, names.kept(one, known), foreign(one, around))]
        for spec in one.endpoints
    }


def elsewhere(document: Document, host: Optional[str], chosen: Chosen) -> dict[tuple[str, str], Lease]:
    """What the endpoints of other hosts have on networks that this one shares with them, and those hosts' own children of macvlans."""
    here = {*(one.name for one in document.on(host)), shim_of(host)}
    macs = {(one.name, spec.network): spec.mac for one in document.containers.values() for spec in one.endpoints}
    found = {}
    for name, network, _version in chosen:
        if name not in here:
            four, six = (chosen.get((name, network, version)) for version in VERSIONS)
            mac = macs.get((name, network)) or (names.mac(four, six) if (name, network) in macs else None)
            found[(name, network)] = Lease(four, six, mac)
    return found


def foreign(container: ContainerSpec, around: Surroundings) -> Collection[str]:
    """Names of interfaces that a real container has already."""
    return around.inside.get(container.netns or "", Inside()).names


def claims_of(
    document: Document, here: set[str], spaces: Mapping[str, Mapping[int, Space]], errors: list[DocknetError]
) -> Iterator[Claim]:
    for one in document.containers.values():
        for spec in one.endpoints:
            if spec.network not in spaces or not (one.name in here or shared(document, spec.network)):
                continue
            families = spaces[spec.network]
            for version in VERSIONS:
                address = spec.ipv4 if version == 4 else spec.ipv6
                where = f"{one.what}.networks.{spec.network}"
                if version in families:
                    space, part = families[version], families[version].slices.get(one.host or "")
                    yield Claim(one.name, where, spec.network, version, space, one.name in here, address, part)
                elif address is not None and one.name in here:
                    why = f"{address} cannot be given, since network {spec.network} has no IPv{version} subnet"
                    errors.append(InvalidRequest(where, why, "leave it out, or give the network one"))


def shims(document: Document, host: Optional[str], spaces: Mapping[str, Mapping[int, Space]]) -> Iterator[Claim]:
    """The hosts' own children of macvlan networks, where the document does not say their addresses."""
    for name, families in spaces.items():
        shim = document.networks[name].options.shim if shared(document, name) else None
        on = (one.host for one in document.containers.values() for spec in one.endpoints if spec.network == name)
        for each in dict.fromkeys(on) if shim and shim.address is None else ():
            where = f"networks.{name}.driver_opts.host_shim"
            for version, space in families.items():
                yield Claim(shim_of(each), where, name, version, space, each in (None, host) or host == EVERYWHERE)


def shim_of(host: Optional[str]) -> str:
    """What stands for a host where containers are named; none of them can be called so."""
    return f"host {host or ''}"


def shims_had(host: Optional[str], known: Allocation) -> dict[tuple[str, str], Lease]:
    own = shim_of(host)
    return {(own, name): Lease(lease.shim.get(4), lease.shim.get(6)) for name, lease in known.networks.items()}


def shared(document: Document, network: str) -> bool:
    """Whether hosts have it together; the default bridge each has for itself."""
    spec = document.networks.get(network)
    return spec is not None and spec.shared


def by_others(space: Space, around: Surroundings, lan: bool) -> None:
    """What other topologies of this host have of the same subnet, and on a LAN the host itself."""
    for name, state in around.states.items():
        for (container, _network), lease in state.allocation.endpoints.items():
            address = lease.address(space.subnet.version)
            if address is not None and space.holds(address):
                space.taken.setdefault(address, f"container {container} of topology {name}")
        if lan:
            for network, given in state.allocation.networks.items():
                for what, theirs in (("gateway", given.gateways), ("host_shim", given.shim)):
                    for address in theirs.values():
                        if space.holds(address):
                            space.taken.setdefault(address, f"the {what} of network {network} of topology {name}")
    for address in around.addresses if lan else ():
        if space.holds(address):
            space.taken.setdefault(address, "a host's own address")


def said(claim: Claim, errors: list[DocknetError]) -> bool:
    """Take the address that the document says. Errors: outside of the subnet, or somebody's."""
    address, space = claim.said, claim.space
    if address is None:
        return False
    if not space.holds(address):
        if claim.here:
            why = f"{address} is not in {space.subnet}, the subnet of the network"
            errors.append(InvalidRequest(claim.where, why, "choose one of it"))
        return False
    if address in space.taken:
        if claim.here:
            why = f"{address} cannot be given, it is {space.taken[address]}"
            errors.append(Conflict(claim.where, why, "choose another"))
        return False
    take(claim, address)
    return True


def take(claim: Claim, address: Address) -> Address:
    claim.space.taken[address] = f"given to {claim.name if ' ' in claim.name else f'container {claim.name}'}"
    return address


def full(claim: Claim) -> DocknetError:
    why = f"network {claim.network} has no free address left in {claim.space.range}"
    return Conflict(claim.where, why, "make its subnet or ip_range wider")


def lease(
    document: Document,
    host: Optional[str],
    around: Surroundings,
    container: ContainerSpec,
    spec: EndpointSpec,
    chosen: Chosen,
    interface: str,
    known: Allocation,
) -> Lease:
    four, six = (chosen.get((container.name, spec.network, version)) for version in VERSIONS)
    had = known.endpoints.get((container.name, spec.network), Lease())
    without = had.mac if not (had.ipv4 or had.ipv6) else None
    derived = names.mac(four, six) or without or machine_mac(document, host, around, container, spec)
    return Lease(four, six, spec.mac or derived, interface)


def machine_mac(
    document: Document, host: Optional[str], around: Surroundings, container: ContainerSpec, spec: EndpointSpec
) -> str:
    """Of an endpoint whose address a DHCP server gives. Several machines of one LAN may have this topology, and clones one machine-id: their
    network cards differ.
    """
    network = document.networks.get(spec.network)
    parents = network.options.parents if network else {}
    card = around.macs.get(parents.get(host or "") or parents.get("", ""), "")
    words = "\0".join((around.machine, host or "", card, document.name, container.name, spec.network))
    return local_mac(hashlib.sha256(words.encode()).digest())
