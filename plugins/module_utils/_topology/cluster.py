# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What hosts share, chosen once for all of them: subnets, addresses, the numbers and the MTU of overlays.

It is the choice that one host makes, made for one that stands for all: it has every container, and around it is
whatever is around any of them. So addresses are chosen, and kept, by the same rules everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from .._model.errors import Conflict, DocknetError, Missing, refuse
from .._model.link import Address, Network
from .._model.state import Allocation, Lease, NetworkLease, Surroundings
from .._model.topology import EVERYWHERE, ContainerSpec, Document
from . import overlay, underlay, wireguard
from .addresses import shim_of
from .allocate import allocate
from .document import read
from .gather import Told


def choose(raw: Mapping[str, Any], words: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The document, and what each host tells (gather.py) -> `leases` for all of them. Errors: InvalidRequest, Conflict, Missing, Several.

    Hosts that do not tell anything count as they are known to those that do.
    """
    whole = read(raw)
    document, told = shared_part(whole), [*words]
    hosts = [Told.read(one) for one in told]
    refuse([*different(whole, hosts), *twice(document, hosts)])
    complete(document, told)
    peers = ends(document, hosts)
    refuse([*(error for one in hosts for error in one.obstacles), *underlay.ends_apart(document, peers)])
    chosen, _warnings = allocate(
        document, EVERYWHERE, together(hosts), known(document, hosts), shims(hosts), sizes(document, hosts)
    )
    keys = {name: key for one in hosts for name, key in one.keys.items()}
    keys.update({one.host: one.keys[one.host] for one in hosts if one.host in one.keys})
    here: dict[Optional[str], list[ContainerSpec]] = {}
    for container in document.containers.values():
        here.setdefault(container.host, []).append(container)
    return [
        {
            **report(document, host, here[host], chosen),
            "underlay": str(peers[host]) if host in peers else None,
            "wireguard": wireguard.told(keys.get(host)),
        }
        for host in document.hosts
    ]


def shared_part(document: Document) -> Document:
    """The document with nothing in it but networks that hosts share, and who is on them."""
    networks = {name: one for name, one in document.networks.items() if one.shared and not one.external}
    containers = {}
    for name, one in document.containers.items():
        endpoints = tuple(spec for spec in one.endpoints if spec.network in networks)
        if endpoints:
            containers[name] = replace(one, endpoints=endpoints, ports=(), links=())
    return replace(document, networks=networks, containers=containers)


def different(document: Document, hosts: Sequence[Told]) -> Iterator[DocknetError]:
    """Hosts that read another document than the first one."""
    others = [one.host for one in hosts if one.document != hosts[0].document]
    if others:
        why = f"hosts {hosts[0].host} and {', '.join(others)} read different documents (docknet_topology), so an address could be given twice"
        way_out = "name all containers, each with its host, in one document for all hosts, without inventory_hostname and variables of one host"
        yield Conflict(f"topology {document.name}", why, way_out)


def twice(document: Document, hosts: Sequence[Told]) -> Iterator[DocknetError]:
    """Machines that have two names in the inventory, one of them in the document."""
    names: dict[str, list[str]] = {}
    for one in hosts:
        names.setdefault(one.around.identity, []).append(one.host)
    for identity, same in names.items():
        if len(same) > 1 and identity and not set(same).isdisjoint(document.hosts):
            why = f"hosts {' and '.join(same)} of the inventory are one machine, so one would remove what the other builds"
            yield Conflict(
                f"topology {document.name}", why, "leave out all names but one, and place its containers on that one"
            )


def complete(document: Document, told: Sequence[Mapping[str, Any]]) -> None:
    """Errors: Missing, where a host does not tell what it has, none that does can know it, and the document leaves anything open."""
    absent = [host for host in document.hosts if host not in {one["host"] for one in told}]
    if absent and not any(one["built"] for one in told) and not says_all(document):
        why = f"what {', '.join(absent)} {'has' if len(absent) == 1 else 'have'} of it is not known to any host of this run"
        way_out = "run it on all of its hosts once, or give each network its subnet (an overlay its vni too) and each container its addresses"
        raise Missing(f"topology {document.name}", why, way_out)


def says_all(document: Document) -> bool:
    """Whether every host comes to the same without the others."""
    for name, one in document.networks.items():
        given = {pool.subnet.version for pool in one.pools}
        needed = {version for version, on in ((4, one.ipv4), (6, one.ipv6)) if on}
        if one.ipam != "default":
            continue
        if not needed <= given or one.by_slices or one.options.shim or one.options.encrypted:
            return False
        if one.driver == "overlay" and one.options.vni is None:
            return False
        for container in document.containers.values():
            for spec in container.endpoints:
                said = {4: spec.ipv4, 6: spec.ipv6}
                if spec.network == name and not all(said[version] for version in needed):
                    return False
    return True


def ends(document: Document, hosts: Sequence[Told]) -> dict[str, Address]:
    """Where each host of a network that crosses the underlay is reached: as it says itself, else as others know it. Errors: Missing."""
    found = {name: address for one in hosts for name, address in one.peers.items()}
    found.update({one.host: one.around.underlay.address for one in hosts if one.around.underlay})
    stuck = {one.host for one in hosts if one.obstacles}
    unknown = sorted(underlay.hosts(document) - found.keys() - stuck)
    if unknown:
        why = f"the address at which {' and '.join(unknown)} can be reached by the other hosts is not known"
        raise Missing(f"topology {document.name}", why, f"{underlay.SET}, or its default route")
    return {name: address for name, address in found.items() if name in underlay.hosts(document)}


def together(hosts: Sequence[Told]) -> Surroundings:
    """What is around any of them is around all."""
    around = [one.around for one in hosts]
    return Surroundings(
        on_link=tuple(dict.fromkeys(each for one in around for each in one.on_link)),
        routed=tuple(dict.fromkeys(each for one in around for each in one.routed)),
        servers=tuple(dict.fromkeys(each for one in around for each in one.servers)),
        states={name: state for one in around for name, state in one.states.items()},
        addresses=frozenset(each for one in around for each in one.addresses),
        vnis={number: device for one in around for number, device in one.vnis.items()},
    )


def known(document: Document, hosts: Sequence[Told]) -> Allocation:
    """What networks and endpoints have had: on the host that has them, on the one that had them, as others know it."""
    networks: dict[str, NetworkLease] = {}
    for name in document.networks:
        had = (one.known.networks[name] for one in hosts if name in one.known.networks)
        several = [lease for lease in had if lease.subnets]
        if several:
            networks[name] = replace(several[0], slices=dict(parts(name, hosts)))
    by_host = {one.host: one.known.endpoints for one in hosts}
    everybody = {key: lease for one in hosts for key, lease in one.known.endpoints.items()}
    heard = {key: lease for one in hosts for key, lease in one.known.elsewhere.items()}
    endpoints = {}
    for container in document.containers.values():
        own: Mapping[tuple[str, str], Lease] = by_host.get(container.host or "", {})
        for spec in container.endpoints:
            key = (container.name, spec.network)
            lease = own.get(key) or heard.get(key) or everybody.get(key)
            if lease is not None:
                endpoints[key] = lease
    return Allocation(networks, endpoints)


def parts(network: str, hosts: Sequence[Told]) -> Iterator[tuple[str, tuple[Network, ...]]]:
    """What each host has of a network, as others know it and then, which counts, as it says itself."""
    said = [(one.host, one.known.networks.get(network, NetworkLease()).slices) for one in hosts]
    yield from (pair for _host, slices in said for pair in slices.items())
    yield from ((host, slices[host]) for host, slices in said if host in slices)


def shims(hosts: Sequence[Told]) -> dict[tuple[str, str], Lease]:
    """What the hosts' own children of macvlan networks have."""
    heard = {key: lease for one in hosts for key, lease in one.known.elsewhere.items()}
    own = {
        (shim_of(one.host), name): Lease(lease.shim.get(4), lease.shim.get(6))
        for one in hosts
        for name, lease in one.known.networks.items()
    }
    return {**heard, **own}


def sizes(document: Document, hosts: Sequence[Told]) -> dict[str, NetworkLease]:
    """The MTU of each overlay: what fits into the underlay of every host that is on it."""
    ways = {one.host: one.around.underlay for one in hosts}
    had = {name: lease.mtu for one in hosts for name, lease in one.known.networks.items()}
    found = {}
    for name, network in document.networks.items():
        if network.driver == "overlay":
            fit = [overlay.mtu(network, way) for host in document.hosts_of(name) for way in [ways.get(host)] if way]
            silent = [had.get(name)] if any(host not in ways for host in document.hosts_of(name)) else []
            found[name] = NetworkLease(mtu=min([*fit, *filter(None, silent)], default=None))
    return found


# -- what the hosts are told ----------------------------------------------------------------------------------


def report(document: Document, host: str, containers: Sequence[ContainerSpec], chosen: Allocation) -> dict[str, Any]:
    used = {spec.network for one in containers for spec in one.endpoints}
    return {
        "name": document.name,
        "host": host,
        "networks": {name: network(name, host, chosen) for name in document.networks if name in used},
        "containers": {
            one.name: {"networks": {spec.network: endpoint(one.name, spec.network, chosen) for spec in one.endpoints}}
            for one in containers
        },
    }


def network(name: str, host: str, chosen: Allocation) -> dict[str, Any]:
    given, shim = chosen.networks[name], chosen.elsewhere.get((shim_of(host), name), Lease())
    return {
        "subnets": [str(subnet) for subnet in given.subnets],
        "gateways": [str(gateway) for gateway in given.gateways.values()],
        "host_shim": [*addresses(shim)],
        "vni": given.vni,
        "mtu": given.mtu,
        **({"slices": [str(one) for one in given.slices.get(host, ())]} if given.slices else {}),
    }


def endpoint(container: str, name: str, chosen: Allocation) -> dict[str, Any]:
    lease = chosen.endpoints[(container, name)]
    four, six = (None if one is None else str(one) for one in (lease.ipv4, lease.ipv6))
    return {"ipv4_address": four, "ipv6_address": six, "mac_address": mac(lease)}


def addresses(lease: Lease) -> Iterator[str]:
    yield from (str(one) for one in (lease.ipv4, lease.ipv6) if one)


def mac(lease: Lease) -> Optional[str]:
    """Without an address it is for the host to choose."""
    return lease.mac if lease.ipv4 or lease.ipv6 else None
