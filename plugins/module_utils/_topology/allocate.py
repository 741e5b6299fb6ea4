# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What a document leaves to be chosen: subnets, gateways, addresses, ports. Pure, and the same again for what it gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Optional

from .._model.errors import Conflict, DocknetError, Missing, Several
from .._model.link import Address, Network
from .._model.segment import ISOLATED
from .._model.state import Allocation, Lease, NetworkLease, State, Surroundings
from .._model.topology import DEFAULT_BRIDGE, RESERVED_OWNER, Document, NetworkSpec, Pool
from . import names, overlay, pools
from .addresses import Space, choose, elsewhere, endpoints, shim_of
from .document import read
from .ports import choose_ports, wishes_of
from .site import DEFAULT_SPEC, VERSIONS, Site
from .slices import share

GIVE_ONE = "give it one that is free as ipam.config.subnet"


def allocate(
    document: Document,
    host: Optional[str],
    around: Surroundings,
    known: Allocation,
    leases: Optional[Mapping[tuple[str, str], Lease]] = None,
    told: Optional[Mapping[str, NetworkLease]] = None,
) -> tuple[Allocation, tuple[str, ...]]:
    """What one host's part of a document is given, and warnings. Errors: of all that cannot be, together (Several).

    `known` is what was given before; it stays, as long as the document lets it. `leases` are addresses in use on other
    hosts, by (container, network); without a word about one of these, what was known of it counts. `told`: what networks
    that hosts share were given on all of them.
    """
    leases = {**known.elsewhere, **(leases or {})}
    around = replace(around, states={name: one for name, one in around.states.items() if name != document.name})
    errors: list[DocknetError] = []
    warnings: list[str] = []
    networks = Networks(document, host, around, known, leases, told or {}, errors, warnings)
    given = networks.all()
    addresses = choose(document, host, networks.spaces, around, known, leases, errors)
    for name, lease in given.items():
        shim = {version: addresses.get((shim_of(host), name, version)) for version in VERSIONS}
        mine = {version: address for version, address in shim.items() if address}
        given[name] = replace(lease, shim=mine) if mine else lease
    there = elsewhere(document, host, addresses)
    chosen = Allocation(given, endpoints(document, host, around, known, addresses), elsewhere=there)
    wishes = [*wishes_of(Site(document, host, chosen, around))]
    ports = choose_ports(wishes, around, known, errors, warnings)
    if errors:
        raise Several(errors) if len(errors) > 1 else errors[0]
    return replace(chosen, ports=ports, published_on={one.key: one.addresses for one in wishes}), tuple(warnings)


class Networks:
    """The networks of one host while they are being chosen. `spaces`: what there is to be had in each, by family."""

    def __init__(
        self,
        document: Document,
        host: Optional[str],
        around: Surroundings,
        known: Allocation,
        leases: Mapping[tuple[str, str], Lease],
        told: Mapping[str, NetworkLease],
        errors: list[DocknetError],
        warnings: list[str],
    ) -> None:
        self.document, self.host, self.around, self.known, self.leases = document, host, around, known, leases
        self.told, self.errors, self.warnings = told, errors, warnings
        self.used = [one.name for one in document.used_on(host)]
        self.spaces: dict[str, dict[int, Space]] = {}
        # Subnets of this document: said or kept, by the network that has them, and those chosen in this run.
        self.settled = {one.name: self.settle(one) for one in document.networks.values() if not one.external}
        self.fresh: dict[tuple[str, int], Network] = {}
        self.given: dict[str, NetworkLease] = {}

    def all(self) -> dict[str, NetworkLease]:
        """Subnets are chosen for networks of other hosts too, so that a network's is the same on all of them, as far as can be."""
        for one in self.document.networks.values():
            if not one.external and one.ipam == "default":
                self.choose(one)
        given = self.given
        for one in self.document.used_on(self.host):
            lease = self.external(one) if one.external else self.lease(one)
            if lease is not None:
                given[one.name] = lease
        if any(one.mode == "bridge" for one in self.document.on(self.host)):
            given[DEFAULT_BRIDGE] = self.default_bridge()
        return given

    # -- subnets --------------------------------------------------------------------------------------------

    def settle(self, network: NetworkSpec) -> dict[int, Network]:
        """What the document says, else what it had."""
        found: dict[int, Network] = {}
        for subnet in [*(pool.subnet for pool in network.pools), *self.had(network).subnets]:
            if has(network, subnet.version):
                found.setdefault(subnet.version, subnet)
        return found if network.ipam == "default" else {}

    def had(self, network: NetworkSpec) -> NetworkLease:
        """What it was given before; not what another driver was: a macvlan's subnet is the LAN's, and a bridge's is not."""
        lease = self.known.networks.get(network.name, NetworkLease())
        return lease if bool(lease.device) == network.bridged else NetworkLease()

    def choose(self, network: NetworkSpec) -> None:
        """A subnet for each family that has none. Errors: Conflict, for a network of this host."""
        device = self.device(network)
        for version in VERSIONS:
            if not has(network, version) or version in self.settled[network.name]:
                continue
            others = [subnet for mine in self.settled.values() for subnet in mine.values()]
            others += [subnet for subnet, _who in pools.elsewhere(self.around, self.document.name, device)]
            others += lan_subnets(self.around)
            others += self.known.networks.get(DEFAULT_BRIDGE, NetworkLease()).subnets
            found = self.free(network, version, [*others, *self.fresh.values()])
            if found is None and network.name in self.used:
                # What was set aside for networks of other hosts is for want of better.
                mine = [subnet for (name, _version), subnet in self.fresh.items() if name in self.used]
                found = self.free(network, version, [*others, *mine])
                if found is None:
                    why = f"no IPv{version} subnet is free for it on this host"
                    self.errors.append(Conflict(network.what, why, GIVE_ONE))
            if found is not None:
                self.fresh[(network.name, version)] = found

    def free(self, network: NetworkSpec, version: int, taken: Sequence[Network]) -> Optional[Network]:
        """One without routes of others if there is one; else one of which a route leads elsewhere, for which `check` warns."""
        for routed in (self.around.routed, ()):
            found = pools.free(self.candidates(network, version), [*taken, *routed], self.around.servers)
            if found is not None:
                return found
        return None

    def candidates(self, network: NetworkSpec, version: int) -> Iterable[Network]:
        if version == 6:
            whose = self.document.name if network.shared else self.around.machine
            return pools.unique_local(whose, self.document.name, network.name)
        if network.driver == "overlay":
            return pools.sliced() if network.by_slices else pools.overlays()
        if not network.shared:
            return pools.POOLS
        # On one LAN there is one subnet: the one in which other hosts have addresses comes first.
        there = [lease.ipv4 for (_container, name), lease in self.leases.items() if name == network.name and lease.ipv4]
        return sorted(pools.POOLS, key=lambda pool: not any(address in pool for address in there))

    def device(self, network: NetworkSpec) -> str:
        if not network.bridged:
            return ""
        return network.device or names.device(self.document.name, network.name)

    # -- one network ----------------------------------------------------------------------------------------

    def lease(self, network: NetworkSpec) -> NetworkLease:
        device = self.device(network)
        spaces = self.spaces[network.name] = {}
        extra: list[Pool] = []
        shim = network.options.shim.said if network.options.shim else {}
        for version in VERSIONS if network.ipam == "default" else ():
            subnet = self.settled[network.name].get(version) or self.fresh.get((network.name, version))
            if subnet is None:
                continue
            said = [pool for pool in network.pools if pool.subnet.version == version]
            extra += said[1:]
            spaces[version] = Space(network.what, said[0] if said else Pool(subnet), [pool.subnet for pool in said[1:]])
            for pool in said or [Pool(subnet)]:
                spaces[version].reserve(pool)
            self.check(network, subnet, bool(said), device)
            if version in shim:
                spaces[version].taken[shim[version]] = "the host's own (host_shim)"
            spaces[version].gateway = self.gateway(network, spaces[version], said[0].gateway if said else None)
        pairs = [(one.subnet, one.gateway) for one in spaces.values()] + [(one.subnet, one.gateway) for one in extra]
        gateways = {subnet: gateway for subnet, gateway in pairs if gateway}
        found = NetworkLease(device, tuple(subnet for subnet, _gateway in pairs), gateways, shim)
        if network.driver != "overlay":
            return found
        if network.by_slices:
            return replace(found, mtu=self.mtu(network), slices=self.slices(network, spaces.values()))
        vni = overlay.vni(self.document, network, self.known, self.around, self.given, self.errors)
        return replace(found, vni=vni, mtu=self.mtu(network))

    def slices(self, network: NetworkSpec, spaces: Iterable[Space]) -> dict[str, tuple[Network, ...]]:
        """What each of its hosts has of it: as all were told, else as it was."""
        had = self.slices_had(network)
        # Where the document names no hosts, there is one.
        hosts = self.document.hosts_of(network.name) or ("",)
        found: dict[str, tuple[Network, ...]] = {}
        for space in spaces:
            space.slices = share(space.range, hosts, had)
            for host, part in space.slices.items():
                found[host] = (*found.get(host, ()), part)
        return found

    def slices_had(self, network: NetworkSpec) -> dict[str, tuple[Network, ...]]:
        return {**self.had(network).slices, **self.told.get(network.name, NetworkLease()).slices}

    def is_slice(self, network: NetworkSpec, other: Network) -> bool:
        """Whether a route is the network's own: to what another host has of it, or to somebody who is not where his address is from."""
        alone = network.by_slices and other.prefixlen == other.max_prefixlen
        return alone or any(other in parts for parts in self.slices_had(network).values())

    def mtu(self, network: NetworkSpec) -> int:
        """Of an overlay: what is said, else what fits into the underlay of all its hosts, as far as that is known here."""
        all_hosts = self.told.get(network.name, NetworkLease()).mtu
        here = overlay.mtu(network, self.around.underlay) if self.around.underlay else None
        without = overlay.usual_mtu(network)
        return network.options.mtu or all_hosts or here or self.had(network).mtu or without

    def gateway(self, network: NetworkSpec, space: Space, said: Optional[Address]) -> Optional[Address]:
        """The given one, else the one it had, else the first address. Without a word a macvlan, or what is isolated, has none."""
        version = space.subnet.version
        if said is not None:
            space.taken[said] = "its gateway"
            return said
        if not network.bridged or network.options.modes.get(version) == ISOLATED:
            return None
        kept = self.had(network).gateways.get(space.subnet)
        if kept is not None and kept not in space.taken:
            found: Optional[Address] = kept
        else:
            found = space.lowest()
        if found is None:
            self.errors.append(Conflict(network.what, f"{space.range} has no room for a gateway", "make it wider"))
        else:
            space.taken[found] = "its gateway"
        return found

    def check(self, network: NetworkSpec, subnet: Network, said: bool, device: str) -> None:
        """What a bridge's subnet must not overlap. A macvlan's is the LAN's, which others have too."""
        if not network.bridged:
            return
        where = f"{network.what}.ipam" if said else network.what
        found = [
            who
            for other, who in pools.elsewhere(self.around, self.document.name, device)
            if pools.overlap(subnet, other)
        ]
        found += [
            f"network {name} ({other})"
            for name, others in self.settled.items()
            for other in others.values()
            if name != network.name and pools.overlap(subnet, other) and self.document.networks[name].bridged
        ]
        for who in dict.fromkeys(found):
            if said:
                self.errors.append(Conflict(where, f"subnet {subnet} overlaps {who}", "choose another"))
            else:
                self.warnings.append(f"{where}: subnet {subnet}, which it has had, overlaps {who} now; {GIVE_ONE}")
        for other in self.around.routed:
            if pools.overlap(subnet, other) and not self.is_slice(network, other):
                inside = other.prefixlen > subnet.prefixlen
                why = (
                    "what is for its addresses goes that way"
                    if inside
                    else "what is for the subnet no longer goes that way"
                )
                self.warnings.append(
                    f"{where}: subnet {subnet} overlaps {other}, to which this host has a route; {why}"
                )

    # -- networks of others -----------------------------------------------------------------------------------

    def external(self, network: NetworkSpec) -> Optional[NetworkLease]:
        """Another topology's network, with its subnets and gateways. Errors: Missing, Conflict."""
        there = {
            f"{name}.{topology}": (name, topology, lease)
            for topology, state in sorted(self.around.states.items())
            for name, lease in state.allocation.networks.items()
            if lease.device and name != DEFAULT_BRIDGE
        }
        fitting = self.fitting(network, there.values())
        if len(fitting) != 1:
            asked = (
                f"with the device or name {network.compose_name}" if network.compose_name else f'named "{network.name}"'
            )
            known = ", ".join(sorted({f"{name} ({lease.device})" for name, _topology, lease in there.values()}))
            if fitting:
                why, out = f"several topologies on this host have a network {asked}", f"say which by name: {known}"
                self.errors.append(Conflict(network.what, why, out))
            else:
                why, out = (
                    f"no other topology on this host has a bridge network {asked}",
                    f"there are: {known or 'none'}",
                )
                self.errors.append(Missing(network.what, why, out))
            return None
        lease = next(iter(fitting.values()))
        if lease.vni is not None or lease.slices:
            why = f'"{network.compose_name or network.name}" is an overlay, which is of one topology alone'
            self.errors.append(Conflict(network.what, why, "put these containers into that topology"))
            return None
        said = [
            pool
            for name, topology, other in there.values()
            if other.device == lease.device
            for pool in pools_of(self.around.states[topology], name)
        ]
        self.spaces[network.name] = spaces_of(network.what, lease, said)
        return lease

    def fitting(self, network: NetworkSpec, there: Iterable[tuple[str, str, NetworkLease]]) -> dict[str, NetworkLease]:
        """Networks that are meant, by their bridges: that bridge, else that name, else Compose's name for it (PROJECT_NETWORK)."""
        known = list(there)
        asked = network.compose_name or network.name
        by_device = {lease.device: lease for _name, _topology, lease in known if lease.device == network.device}
        if network.device and by_device:
            return by_device
        by_name = {
            lease.device: lease
            for name, topology, lease in known
            if asked in (name, compose_name_of(self.around.states[topology], name))
        }
        composed = {lease.device: lease for name, topology, lease in known if asked == f"{topology}_{name}"}
        return by_name or composed

    def default_bridge(self) -> NetworkLease:
        """The host's one, as whoever has it knows it."""
        others = [state.allocation.networks.get(DEFAULT_BRIDGE) for state in self.around.states.values()]
        found = [lease for lease in (*others, self.known.networks.get(DEFAULT_BRIDGE)) if lease and lease.subnets]
        if found:
            lease = found[0]
        else:
            blocked = [subnet for subnet, _who in pools.elsewhere(self.around, RESERVED_OWNER, names.DEFAULT_DEVICE)]
            blocked += [subnet for mine in self.settled.values() for subnet in mine.values()]
            blocked += [*self.fresh.values(), *lan_subnets(self.around)]
            candidates = [pools.DEFAULT_SUBNET, *pools.POOLS]
            subnet = pools.free(candidates, [*blocked, *self.around.routed], self.around.servers)
            subnet = subnet or pools.free(candidates, blocked, self.around.servers)
            if subnet is None:
                why = "no subnet is free for it on this host"
                self.errors.append(Conflict("the default bridge", why, "use networks with subnets of their own"))
                return NetworkLease(names.DEFAULT_DEVICE)
            lease = NetworkLease(names.DEFAULT_DEVICE, (subnet,), {subnet: subnet[1]})
        self.spaces[DEFAULT_BRIDGE] = spaces_of(DEFAULT_SPEC.what, lease, [])
        return lease


def has(network: NetworkSpec, version: int) -> bool:
    return network.ipv4 if version == 4 else network.ipv6


def lan_subnets(around: Surroundings) -> list[Network]:
    """Subnets of other topologies' networks without a bridge: for an error too little, for a choice enough."""
    leases = [lease for state in around.states.values() for lease in state.allocation.networks.values()]
    return [subnet for lease in leases if not lease.device for subnet in lease.subnets]


def pools_of(state: State, network: str) -> tuple[Pool, ...]:
    """What the document of another topology says of its network: its range, and the addresses it keeps back."""
    try:
        return read(state.document).networks[network].pools
    except (DocknetError, KeyError):
        return ()  # A joined network is said elsewhere, and what an earlier version took need not be valid now.


def compose_name_of(state: State, network: str) -> Optional[str]:
    """The name outside of its document; none of one that is joined."""
    networks = state.document.get("networks")
    said = networks.get(network) if isinstance(networks, Mapping) else None
    return said.get("name") if isinstance(said, Mapping) and not said.get("external") else None


def spaces_of(what: str, lease: NetworkLease, said: Sequence[Pool]) -> dict[int, Space]:
    """A network that is there already."""
    found: dict[int, Space] = {}
    for subnet in lease.subnets:
        if subnet.version not in found:
            pool = next((pool for pool in said if pool.subnet == subnet), Pool(subnet))
            space = found[subnet.version] = Space(what, pool, [])
            space.reserve(pool)
            space.gateway = lease.gateways.get(subnet)
            if space.gateway:
                space.taken[space.gateway] = "its gateway"
    return found
