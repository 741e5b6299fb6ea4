# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What one host is told of the others before it chooses: what they have, and what was chosen for all hosts at once.

Both come in the form in which module `topology` returns what a host is (topology.py `report`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from .._model.link import Address
from .._model.plan import World
from .._model.state import Allocation, Lease, NetworkLease
from .._model.topology import Document
from .._model.vxlan import Vxlan
from .._model.wireguard_key import PublicKey
from .._model.words import read_address, read_network
from .addresses import shim_of
from .wireguard import public_key


@dataclass(frozen=True)
class Leases:
    """By (container, network); a host's own child of a macvlan network stands there as `addresses.shim_of` has it.

    `networks`: what hosts have together was given. Of a network that is not told only endpoints are. `keys`: what the hosts'
    WireGuards are known by. `peers`: their underlay addresses.
    """

    endpoints: Mapping[tuple[str, str], Lease] = field(default_factory=dict)
    networks: Mapping[str, NetworkLease] = field(default_factory=dict)
    keys: Mapping[str, PublicKey] = field(default_factory=dict)
    peers: Mapping[str, Address] = field(default_factory=dict)


def leases(reports: Iterable[Mapping[str, Any]]) -> Leases:
    endpoints: dict[tuple[str, str], Lease] = {}
    networks: dict[str, NetworkLease] = {}
    keys: dict[str, PublicKey] = {}
    peers: dict[str, Address] = {}
    for report in reports:
        if report.get("host") and report.get("underlay"):
            peers[report["host"]] = read_address(report["underlay"])
        if report.get("host") and report.get("wireguard"):
            keys[report["host"]] = public_key(f"host {report['host']}", report["wireguard"])
        for name, one in report.get("networks", {}).items() if report.get("host") else ():
            own = {address.version: address for address in map(read_address, one.get("host_shim", ()))}
            endpoints[(shim_of(report["host"]), name)] = Lease(own.get(4), own.get(6))
            lease = networks.setdefault(name, network(one))
            if one.get("slices"):
                mine = {report["host"]: tuple(map(read_network, one["slices"]))}
                networks[name] = replace(lease, slices={**lease.slices, **mine})
        for name, one in report.get("containers", {}).items():
            for of, has in one.get("networks", {}).items():
                four, six = (has.get(word) and read_address(has[word]) for word in ("ipv4_address", "ipv6_address"))
                endpoints[(name, of)] = Lease(four, six, has.get("mac_address"))
    return Leases(endpoints, networks, keys, peers)


def network(words: Mapping[str, Any]) -> NetworkLease:
    subnets = tuple(read_network(one) for one in words.get("subnets", ()))
    gateways = {
        subnet: one for one in map(read_address, words.get("gateways", ())) for subnet in subnets if one in subnet
    }
    return NetworkLease("", subnets, gateways, vni=words.get("vni"), mtu=words.get("mtu"))


def told(document: Document, host: Optional[str], known: Allocation, given: Leases) -> Allocation:
    """What was known, but for what hosts share: of that what all were told counts. A network's device stays."""
    networks, endpoints = dict(known.networks), dict(known.endpoints)
    shared = {one.name for one in document.networks.values() if one.shared}
    for name, lease in given.networks.items():
        if name in shared and lease.subnets:
            had, shim = networks.get(name, NetworkLease()), given.endpoints.get((shim_of(host), name), Lease())
            own: dict[int, Address] = {address.version: address for address in (shim.ipv4, shim.ipv6) if address}
            networks[name] = replace(lease, device=had.device, shim=own or had.shim, mtu=had.mtu)
    for one in document.on(host):
        for key in [(one.name, spec.network) for spec in one.endpoints if spec.network in shared]:
            if key in given.endpoints:
                interface = endpoints.get(key, Lease()).interface
                endpoints[key] = replace(given.endpoints[key], interface=interface)
    return replace(known, networks=networks, endpoints=endpoints)


def strange_vnis(owner: str, world: World) -> dict[int, str]:
    """Numbers of VXLANs of the host that are not the owner's, wherever they are now."""
    here = (one for one in world.links.values() if one.key.netns is None and one.owner != owner)
    return {**world.surroundings.vnis} | {
        one.data.vni: one.key.name for one in here if isinstance(one.data, Vxlan) and one.data.vni is not None
    }
