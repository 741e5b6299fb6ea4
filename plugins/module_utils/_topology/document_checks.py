# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What is wrong between the parts of a document: two that want one thing, one that names what is not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from .._model.link import Address
from .._model.topology import ContainerSpec, EndpointSpec, NetworkSpec, PortSpec
from .document_network import ends, gateway_of
from .listening import listens
from .schema import Node, suggestion

Networks = Mapping[str, NetworkSpec]
Containers = Mapping[str, tuple[ContainerSpec, Mapping[str, Node]]]
Attached = tuple[ContainerSpec, EndpointSpec, Node]
OVERLAY = "put both on one host, or use overlay"


def check(root: Node, networks: Networks, containers: Containers) -> None:
    specs = {name: spec for name, (spec, _places) in containers.items()}
    between_networks(root["networks"], networks)
    placing(root["containers"], specs)
    attached = [
        (spec, one, places[one.network])
        for spec, places in containers.values()
        for one in spec.endpoints
        if one.network in networks
    ]
    parents(root["networks"], networks, attached)
    addresses(networks, attached)
    unique(networks, attached)
    for name, spec in specs.items():
        joining(root["containers"][name], spec, specs)
        linking(root["containers"][name], spec, specs, networks)
    publishing(root["containers"], networks, specs)


def between_networks(node: Node, networks: Networks) -> None:
    """Subnets that overlap, and bridges of one name."""
    pools = [(one.name, position, pool) for one in networks.values() for position, pool in enumerate(one.pools)]
    for number, (name, position, pool) in enumerate(pools):
        for other, _place, earlier in pools[:number]:
            if name != other and pool.subnet.overlaps(earlier.subnet):
                config = node[name]["ipam"]["config"]
                place = config.items()[position] if isinstance(config.value, (list, tuple)) else config
                place["subnet"].refuse(
                    f"{pool.subnet} overlaps with {earlier.subnet} of network {other}", "choose another"
                )
    devices: dict[str, str] = {}
    for name, one in networks.items():
        if one.device and devices.setdefault(one.device, name) != name:
            node[name].refuse(f"has the bridge {one.device!r}, as network {devices[one.device]} has", "name another")


def placing(node: Node, specs: Mapping[str, ContainerSpec]) -> None:
    """Hosts, and the names of namespaces on each."""
    placed = [name for name, spec in specs.items() if node[name]["host"].given]
    for name in specs if placed and len(placed) < len(specs) else ():
        if name not in placed:
            node[name]["host"].refuse(f"is missing, and container {placed[0]} has one", "say it for all or for none")
    taken: dict[tuple[Optional[str], str], str] = {}
    for name, spec in specs.items():
        if spec.netns and taken.setdefault((spec.host, spec.netns), name) != name:
            other = taken[spec.host, spec.netns]
            node[name].refuse(
                f"has the namespace {spec.netns!r}, as container {other} has", "choose another netns_name"
            )


def parents(node: Node, networks: Networks, attached: list[Attached]) -> None:
    """Each host of a macvlan or ipvlan network has a parent; in mode passthru one container alone has it."""
    for name, network in networks.items():
        if not network.on_parent:
            continue
        options = node[name]["driver_opts"]
        known = network.options.parents
        mine = [spec for spec, one, _place in attached if one.network == name]
        if not known and not options["parent"].given and not node[name]["name"].given:
            options["parent"].refuse("is missing", "name the host's interface that the network stands on")
        for host in dict.fromkeys(spec.host for spec in mine):
            here = [spec.name for spec in mine if spec.host == host]
            if known and "" not in known and host not in known:
                options["parent"].refuse(f"has none for host {host}, on which {here[0]} is", "add it")
            if network.options.mode == "passthru" and len(here) > 1:
                on = f" on host {host}" if host else ""
                why = f"has mode passthru, which is for one container a host, and{on} has {', '.join(here)}"
                node[name].refuse(why, "use mode bridge")


def addresses(networks: Networks, attached: list[Attached]) -> None:
    """Static addresses are inside a subnet that was given, and nobody else's."""
    taken: dict[tuple[Any, ...], str] = {}
    for spec, one, node in attached:
        network = networks[one.network]
        for key, address in (("ipv4_address", one.ipv4), ("ipv6_address", one.ipv6)):
            if address is None or not static(node[key], address, network):
                continue
            # A bridge is local to its host, and so are its addresses.
            place = (network.name, address, spec.host if network.driver == "bridge" else None)
            other = taken.setdefault(place, spec.name)
            if other != spec.name:
                node[key].refuse(f"{address} is container {other}'s already", "choose another")


def static(node: Node, address: Address, network: NetworkSpec) -> bool:
    if network.external:
        return True
    pools = [pool for pool in network.pools if pool.subnet.version == address.version]
    if not pools:
        why = f"{address} is asked of network {network.name}, whose subnet is not given"
        node.refuse(why, f"give ipam: config: [{{subnet: ...}}] with a subnet of IPv{address.version}")
        return False
    pool = next((pool for pool in pools if address in pool.subnet), None)
    reserved = {other: f"reserved as {name}" for one in pools for name, other in one.aux}
    if network.options.shim and network.options.shim.address:
        reserved[network.options.shim.address] = "the host's own (host_shim)"
    if pool is None:
        node.refuse(f"{address} is not inside {pools[0].subnet} of network {network.name}", "choose one of it")
    elif address in ends(pool.subnet):
        node.refuse(f"{address} is the network or broadcast address of {pool.subnet}", "choose one between them")
    elif address == gateway_of(pool, network.driver, network.options):
        node.refuse(f"{address} is the gateway of network {network.name}", "choose another")
    elif address in reserved:
        node.refuse(f"{address} is {reserved[address]}", "choose another")
    else:
        return True
    return False


def unique(networks: Networks, attached: list[Attached]) -> None:
    """What one alone can have: a MAC address on a network, an interface's name in a container and on a host."""
    taken: dict[tuple[Any, ...], str] = {}
    devices = {one.device: name for name, one in networks.items() if one.device}
    for spec, one, node in attached:
        local = spec.host if networks[one.network].driver == "bridge" else None
        claims = [
            (one.mac, ("mac", one.network, local, one.mac), f"{one.mac} is on this network"),
            (one.interface, ("inside", spec.name, one.interface), f"interface {one.interface} is in this container"),
            (one.host_interface, ("host", spec.host, one.host_interface), f"{one.host_interface} is on the host"),
        ]
        for value, place, said in claims:
            mine = f"containers.{spec.name}.networks.{one.network}"
            if value and taken.setdefault(place, mine) != mine:
                node.refuse(f"{said} already, from {taken[place]}", "choose another")
        if one.host_interface in devices:
            node.refuse(
                f"{one.host_interface} is the bridge of network {devices[one.host_interface]}", "choose another"
            )


def joining(node: Node, spec: ContainerSpec, specs: Mapping[str, ContainerSpec]) -> None:
    """container:X is one with a namespace of its own, on the same host."""
    other = spec.joins
    if other is None:
        return
    place, target = node["network_mode"], specs.get(other)
    if other == spec.name:
        place.refuse("names the container itself", "leave it out")
    elif target is None:
        place.refuse(f"names container {other!r}, which is not in the document", suggestion(other, specs))
    elif target.host != spec.host:
        place.refuse(f"names container {other}, which is on another host ({target.host})", "put both on one host")
    elif target.joins:
        first = target.joins
        way_out = f"write container:{first}" if first != spec.name else "let one of the two have networks"
        place.refuse(f"names container {other}, which itself is in the namespace of {first}", way_out)
    elif target.mode == "host":
        place.refuse(f"names container {other}, which is in the host's own namespace", "write network_mode: host")


def linking(node: Node, spec: ContainerSpec, specs: Mapping[str, ContainerSpec], networks: Networks) -> None:
    """A link leads to a container on a common network: of the same host, or one that hosts share."""
    mine = {one.network for one in spec.endpoints}
    for item in node["links"].items() if mine else ():
        other = item.value.partition(":")[0] if isinstance(item.value, str) else None
        target = specs.get(other) if other is not None else None
        if other is None:
            continue
        if other == spec.name:
            item.refuse("leads to the container itself", "leave it out")
        elif target is None:
            item.refuse(f"leads to container {other!r}, which is not in the document", suggestion(other, specs))
        elif target.joins:
            item.refuse(
                f"leads to container {other}, which is in the namespace of {target.joins}", f"link to {target.joins}"
            )
        elif target.host != spec.host and not any(networks[name].shared for name in common(spec, target, networks)):
            item.refuse(f"leads to container {other}, which is on another host ({target.host})", OVERLAY)
        elif not mine & {one.network for one in target.endpoints}:
            item.refuse(
                f"leads to container {other}, which is on none of this one's networks", "put both on one network"
            )


def common(one: ContainerSpec, other: ContainerSpec, networks: Networks) -> set[str]:
    """The networks that both are on."""
    return {mine.network for mine in one.endpoints} & {its.network for its in other.endpoints} & networks.keys()


def publishing(node: Node, networks: Networks, specs: Mapping[str, ContainerSpec]) -> None:
    """No port of a host twice. One that is to be chosen from a range waits for what else is there."""
    taken: dict[tuple[str, int], list[tuple[ContainerSpec, PortSpec, frozenset[Address]]]] = {}
    for spec in specs.values():
        for port in spec.ports:
            if port.published is None or port.published.size != port.target.size:
                continue
            on = frozenset(listens(spec, port, networks))
            places = [(port.protocol, number) for number in range(port.published.first, port.published.last + 1)]
            for other, earlier, there in (one for at in places for one in taken.get(at, ())):
                if other.host == spec.host and meet(port, on, earlier, there):
                    where = f"on host {spec.host}" if spec.host else "on this host"
                    who = "this container" if other is spec else f"container {other.name}"
                    why = f"{port.words} is published {where} by {who} too ({earlier.words})"
                    node[spec.name]["ports"].refuse(why, "choose another host port")
                    break
            for at in places:
                taken.setdefault(at, []).append((spec, port, on))


def meet(one: PortSpec, on: frozenset[Address], other: PortSpec, there: frozenset[Address]) -> bool:
    if one.protocol != other.protocol or one.published is None or other.published is None:
        return False
    if one.published.first > other.published.last or other.published.first > one.published.last:
        return False
    return any(a.version == b.version and (a == b or a.is_unspecified or b.is_unspecified) for a in on for b in there)
