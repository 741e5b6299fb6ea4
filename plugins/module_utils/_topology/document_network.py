# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""`networks` of a document: drivers, subnets, and what is wrong within one network."""

from __future__ import annotations

from typing import Any, Optional

from .._model.link import Address, Network
from .._model.segment import ISOLATED
from .._model.topology import DEFAULT_BRIDGE, NetworkSpec, Options, Pool
from . import normalise
from .document_options import IPVLAN, ON_PARENT, options
from .hosts import host_name
from .link import IPV6_MTU
from .schema import Idle, Node

KEYS = ("driver", "name", "external", "ipam", "enable_ipv4", "enable_ipv6", "internal", "labels", "driver_opts")
IDLE = {"attachable": "every container of the topology can be attached", "ingress": "there is no routing mesh"}
# Of an external network only its name is said here, as in Compose.
EXTERNAL = ("name", "external", "labels", "attachable", "driver")
DRIVERS = {driver: driver for driver in ("bridge", "macvlan", "ipvlan", "overlay")}
# With a bridge on the host, in words.
A_BRIDGED = {"bridge": "a bridge network", "overlay": "an overlay"}
RESERVED = {DEFAULT_BRIDGE: "network_mode: bridge", "host": "network_mode: host", "none": "network_mode: none"}
IPAM = {"default": "default", "host-local": "default", "dhcp": "dhcp", "null": "none", "none": "none"}
# Docker's word for an address that containers are to use as their gateway, beside the bridge's own.
OTHER_GATEWAYS = ("DefaultGatewayIPv4", "DefaultGatewayIPv6")


def networks(node: Node) -> dict[str, NetworkSpec]:
    """All of them, also those with errors: what is said about their names is not to be told as another error."""
    found = {}
    for name, one in node.entries():
        if name in RESERVED:
            one.refuse(f"is a name that Docker has for its own: {RESERVED[name]} means it", "choose another")
        one.attempt(named, name)
        found[name] = network(one, name)
    return found


def named(what: str, option: str, name: str) -> str:
    """Names are asked for: CONTAINER, CONTAINER.NETWORK."""
    if not normalise.CONTAINER.fullmatch(name):
        raise normalise.refuse(what, option, name, "is no name", "begin with a letter or digit; use those and _ . -")
    return host_name(what, option, name)


def network(node: Node, name: str) -> NetworkSpec:
    node.check(KEYS, strange=STRANGE, idle=Idle(IDLE, "networks", name))
    labels(node["labels"])
    driver = read_driver(node["driver"])
    if node["external"].given and is_external(node["external"]):
        return external(node, name, driver)
    ipv4, ipv6, internal = (node[key].flag() for key in ("enable_ipv4", "enable_ipv6", "internal"))
    said = options(node["driver_opts"], driver, {"enable_ipv4": ipv4, "enable_ipv6": ipv6, "internal": internal})
    ipv4, ipv6, internal = said.ipv4, said.ipv6, said.internal
    ipam, pools = read_ipam(node["ipam"], {4: ipv4, 6: ipv6}, driver)
    # With a name for the bridge in driver_opts, `name` is Compose's alone.
    compose_name = node["name"].text() if said.device else None
    device = None if said.device else chosen(node)
    settings = said.settings
    if driver in ON_PARENT:
        settings = said.on_parent(node["name"], device)
        device = None
    if not ipv4 and not ipv6 and ipam == "default":
        node.refuse(
            "has neither IPv4 nor IPv6, so nothing could be given an address", "enable one, or use ipam driver none"
        )
    consistent(node, settings, internal, ipv6)
    spec = NetworkSpec(
        name, driver, device or said.device, False, ipam, pools, ipv4, ipv6, internal, settings, compose_name
    )
    if spec.routed and any(pool.gateway for pool in pools):
        why = f"has a gateway, and with ipvlan_mode {settings.mode} nobody asks for a neighbour: the way out is the interface"
        node["ipam"]["config"].refuse(why, "leave it out, or use ipvlan_mode l2")
    return spec


STRANGE = {
    "subnet": "write it in ipam: config: [{subnet: ...}]",
    "gateway": "write it in ipam: config: [{gateway: ...}]",
    "ipam_config": "write ipam: {config: [...]}",
    "parent": "write it in driver_opts",
    "mtu": "write it in driver_opts",
    "options": "Compose calls them driver_opts",
    "containers": "containers name their networks, not the other way round",
}


def labels(node: Node) -> None:
    """Kept by nobody, as nobody would ask for them: a mapping, or a list of KEY=VALUE."""
    if node.given and not isinstance(node.value, (dict, list, tuple)):
        node.mismatch("a mapping")


def read_driver(node: Node) -> str:
    text = node.text()
    if text is not None and text not in DRIVERS:
        node.choice(DRIVERS)
    return text if text in DRIVERS else "bridge"


def chosen(node: Node) -> Optional[str]:
    """The kernel's name for it: the bridge's, or the parent's."""
    return node["name"].parse(normalise.link_name)


def is_external(node: Node) -> bool:
    if isinstance(node.value, dict):
        node.refuse("is a mapping, which Compose gave up", "write external: true, and name beside it")
        return True
    return bool(node.flag())


def external(node: Node, name: str, driver: str) -> NetworkSpec:
    """Another topology's: the one with that bridge or name, as Compose or its own document has it; see _topology/allocate.py."""
    for key, one in node.entries():
        if key in KEYS and key not in EXTERNAL and one.given:
            one.refuse("belongs to the topology that makes the network", "leave it out where external is true")
    if driver != "bridge":
        why = "is of one topology alone" if driver == "overlay" else "has nothing to join: its network is the parent's"
        node["driver"].refuse(f"{driver!r} {why}", "leave external out")
    said = node["name"].text()
    if said is not None and not normalise.CONTAINER.fullmatch(said):
        node["name"].attempt(named, said)
    device = said if said and normalise.LINK_NAME.fullmatch(said) else None
    return NetworkSpec(name, device=device, external=True, compose_name=said)


def read_ipam(node: Node, families: dict[int, bool], driver: str) -> tuple[str, tuple[Pool, ...]]:
    node.check(("driver", "config", "options"))
    if node["options"].given and node["options"].value != {}:
        node["options"].refuse("are for address drivers of others, of which there is none here", "leave them out")
    ipam = node["driver"].choice(IPAM) or "default"
    items = node["config"].some()
    if ipam != "default" and driver == "overlay":
        node["driver"].refuse(f"{ipam} is not for overlays, whose hosts have to know each address", "leave it out")
        return "default", ()
    if ipam == "dhcp" and driver == IPVLAN:
        why = "dhcp knows a container by its MAC address, and in an ipvlan it has none of its own"
        node["driver"].refuse(why, "leave it out, or use driver macvlan")
        return "default", ()
    if ipam != "default" and items:
        node["config"].refuse(f"is of no use with driver {ipam}, by which no addresses are given", "leave one out")
        return ipam, ()
    found = [(item, one) for item in items for one in [pool(item)] if one]
    for item, one in found:
        version = one.subnet.version
        if not families[version]:
            way_out = "add enable_ipv6: true" if version == 6 else "leave out enable_ipv4: false"
            item["subnet"].refuse(f"{one.subnet} is IPv{version}, which the network does not have", way_out)
    distinct(found, driver)
    return ipam, tuple(one for _item, one in found)


def distinct(found: list[tuple[Node, Pool]], driver: str) -> None:
    for position, (item, one) in enumerate(found):
        for _other, earlier in found[:position]:
            if earlier.subnet.version != one.subnet.version:
                continue
            if driver in A_BRIDGED:
                why = (
                    f"{one.subnet} is a second subnet of IPv{one.subnet.version}, of which {A_BRIDGED[driver]} has one"
                )
                item["subnet"].refuse(why, "make another network for it")
                break
            if one.subnet.overlaps(earlier.subnet):
                item["subnet"].refuse(f"{one.subnet} overlaps with {earlier.subnet} of the same network")


def pool(node: Node) -> Optional[Pool]:
    node.check(("subnet", "ip_range", "gateway", "aux_addresses"))
    if node.given and not isinstance(node.value, dict):
        return None
    if not node["subnet"].given:
        node.refuse("has no subnet", "give one, or leave out the whole config, and a free one is chosen")
    subnet = node["subnet"].parse(usable)
    ip_range = node["ip_range"].parse(normalise.network)
    gateway = node["gateway"].parse(normalise.address)
    aux = [
        (name, one, address)
        for name, one in node["aux_addresses"].entries()
        for address in [one.parse(normalise.address)]
    ]
    if subnet is None:
        return None
    if ip_range is not None and (ip_range.version != subnet.version or not ip_range.subnet_of(subnet)):  # type: ignore[arg-type]
        node["ip_range"].refuse(f"{ip_range} is not inside the subnet {subnet}")
        ip_range = None
    if gateway is not None and not inside(node["gateway"], gateway, subnet):
        gateway = None
    taken = {gateway: "the gateway"} if gateway else {}
    reserved = []
    for name, one, address in aux:
        if address is None or not inside(one, address, subnet):
            continue
        if name in OTHER_GATEWAYS:
            one.refuse("cannot be given: a container's gateway is the network's own address here", "leave it out")
        elif address in taken:
            one.refuse(f"{address} is {taken[address]} already", "reserve each address once")
        else:
            taken[address] = f"aux address {name}"
            reserved.append((name, address))
    return Pool(subnet, ip_range, gateway, tuple(reserved))


def usable(what: str, option: str, value: str) -> Network:
    """A subnet with room for a gateway and a container."""
    found = normalise.network(what, option, value)
    if found.is_multicast or found.is_loopback or found.prefixlen == 0 or found.network_address.is_unspecified:
        raise normalise.refuse(what, option, value, "is no subnet that containers can have")
    if found.prefixlen == found.max_prefixlen:
        why, way_out = "is a single address", f"write a /{found.max_prefixlen - 1} at least"
        raise normalise.refuse(what, option, value, why, way_out)
    return found


def inside(node: Node, address: Address, subnet: Network) -> bool:
    """Whether an interface in the subnet can have the address; where not, it has been said."""
    if address.version != subnet.version:
        node.refuse(f"{address} is IPv{address.version}, and the subnet {subnet} is IPv{subnet.version}")
    elif address not in subnet:
        node.refuse(f"{address} is not inside the subnet {subnet}")
    elif address in ends(subnet):
        node.refuse(f"{address} is the network or broadcast address of {subnet}", "choose one between them")
    else:
        return True
    return False


def ends(subnet: Network) -> tuple[Any, ...]:
    """Addresses that none has: RFC 3021, RFC 4291 section 2.6.1."""
    if subnet.max_prefixlen - subnet.prefixlen < 2:
        return ()
    return (subnet.network_address, subnet.broadcast_address) if subnet.version == 4 else (subnet.network_address,)


def gateway_of(one: Pool, driver: str, settings: Options) -> Optional[Address]:
    """The address that the host has, said or (on a bridge) to be chosen: see _topology/allocate.py."""
    version = one.subnet.version
    if one.gateway or driver not in A_BRIDGED or settings.modes[version] == ISOLATED:
        return one.gateway
    within = one.ip_range or one.subnet
    first = within.network_address
    reserved = {address for _name, address in one.aux} | set(ends(one.subnet))
    while first in reserved:
        first += 1
    return first


def consistent(node: Node, settings: Options, internal: bool, ipv6: bool) -> None:
    if settings.mtu is not None and ipv6 and settings.mtu < IPV6_MTU:
        node["driver_opts"].refuse(f"mtu {settings.mtu} is too small for IPv6, which needs {IPV6_MTU}", "raise it")
    if ISOLATED in settings.modes.values() and not internal:
        node["driver_opts"].refuse("gateway mode isolated is for internal networks alone", "add internal: true")
