# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What a container says about one of its networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

from .._model.link import Address
from .._model.topology import EndpointSpec, NetworkSpec
from . import normalise
from .document_network import RESERVED, named
from .document_options import device
from .schema import Node, suggestion

KEYS = (
    "aliases",
    "ipv4_address",
    "ipv6_address",
    "mac_address",
    "interface_name",
    "gw_priority",
    "priority",
    "driver_opts",
    "link_local_ips",
)
PRIORITY = 2**31 - 1
# Names of an endpoint's options, and which one it is.
DOCKER = "com.docker.network.endpoint."
OPTIONS = {
    f"{DOCKER}sysctls": "sysctls",
    f"{DOCKER}ifname": "interface_name",
    "interface_name": "interface_name",
    "host_interface_name": "host_interface",
}


def endpoints(node: Node, networks: Mapping[str, NetworkSpec]) -> list[tuple[Node, EndpointSpec]]:
    """A list of names, or a mapping of names to what is said there, in the document's order."""
    if isinstance(node.value, (list, tuple)):
        named = [(name, item, Node(None, item.path, item.findings)) for item in node.items() for name in [item.text()]]
    else:
        named = [(name, one, one) for name, one in node.entries()]
    if isinstance(node.value, (list, tuple, Mapping)) and not node.value:
        node.refuse("is empty", "leave it out to be on network default, or write network_mode: none")
    found: dict[str, tuple[Node, EndpointSpec]] = {}
    for name, place, settings in named:
        if name is None:
            if not place.given:
                place.mismatch("a network's name")
        elif name in found:
            place.refuse(f"{name!r} is named twice", "name it once")
        elif name not in networks:
            way_out = RESERVED.get(name) and f"write {RESERVED[name]}"
            way_out = way_out or suggestion(name, networks) or "add it to the document's networks"
            place.refuse(f"{name!r} is not among the document's networks", way_out)
        else:
            found[name] = (place, endpoint(settings, networks[name]))
    # Compose connects a container to its networks in this order, and so are its interfaces numbered.
    return sorted(found.values(), key=lambda one: -one[1].priority)


def endpoint(node: Node, network: NetworkSpec) -> EndpointSpec:
    node.check(KEYS)
    if node["link_local_ips"].given and node["link_local_ips"].value != []:
        node["link_local_ips"].refuse("are not given here", "leave them out; IPv6 has a link-local address by itself")
    ipv4, ipv6 = node["ipv4_address"].parse(address, 4), node["ipv6_address"].parse(address, 6)
    mac = node["mac_address"].parse(normalise.mac)
    if mac and not network.own_macs:
        sort = "driver ipvlan" if network.driver == "ipvlan" else "mode passthru"
        node["mac_address"].refuse(f"{mac} cannot be on a network of {sort}, which has the parent's", "leave it out")
        mac = None
    interface, host_interface, sysctls = options(node, network)
    gw_priority, priority = (node[key].whole(-PRIORITY, PRIORITY) or 0 for key in ("gw_priority", "priority"))
    aliases = tuple(dict.fromkeys(name for name in (one.parse(alias) for one in node["aliases"].items()) if name))
    return EndpointSpec(
        network.name, aliases, ipv4, ipv6, mac, interface, host_interface, gw_priority, priority, sysctls
    )


def alias(what: str, option: str, value: str) -> str:
    """A dot at the end, by which DNS knows a whole name, says nothing more here."""
    return named(what, option, value.removesuffix("."))


def address(what: str, option: str, value: str, version: int) -> Address:
    found = normalise.address(what, option, value)
    if found.version != version:
        raise normalise.refuse(what, option, value, f"is not IPv{version}", f"write it as ipv{found.version}_address")
    return found


def options(node: Node, network: NetworkSpec) -> tuple[Optional[str], Optional[str], dict[tuple[str, ...], str]]:
    interface = node["interface_name"].parse(inner)
    host_interface: Optional[str] = None
    found: dict[tuple[str, ...], str] = {}
    for key, one in node["driver_opts"].entries():
        name = OPTIONS.get(key)
        if name is None:
            one.refuse("is not known", suggestion(key, OPTIONS))
        elif name == "sysctls":
            found = sysctls(one)
        elif name == "interface_name":
            said = one.parse(inner)
            if interface and said and said != interface:
                one.refuse(f"{said!r} is not {interface!r}, which is said already", "say it once")
            interface = interface or said
        elif not network.bridged:
            one.refuse(f"has no meaning with driver {network.driver}, which has no end on the host", "leave it out")
        else:
            host_interface = device(one)
    return interface, host_interface, found


def inner(what: str, option: str, value: str) -> str:
    found = normalise.link_name(what, option, value)
    if found == "lo":
        raise normalise.refuse(what, option, value, "is every namespace's loopback", "choose another name")
    return found


def sysctls(node: Node) -> dict[tuple[str, ...], str]:
    """As Docker's command line has it, net.ipv4.conf.IFNAME.log_martians=1,net...; or a mapping, or a list."""
    if isinstance(node.value, str):
        pairs = [(node, *part.partition("=")[::2]) for part in node.value.split(",")]
    else:
        pairs = settings(node)
    found: dict[tuple[str, ...], str] = {}
    for place, name, value in pairs:
        path = place.attempt(normalise.sysctl_path, name.strip(), "IFNAME")
        text = place.attempt(normalise.sysctl_value, value)
        if path and text and found.setdefault(path, text) != text:
            place.refuse(f"{name!r} is given twice with different values", "say it once")
    return found


def settings(node: Node) -> list[tuple[Node, str, str]]:
    """A mapping of names to values, or a list of NAME=VALUE. A value of null is not managed."""
    if isinstance(node.value, (list, tuple)):
        texts = [(item, item.text()) for item in node.items()]
        found = []
        for item, text in texts:
            name, equals, value = (text or "").partition("=")
            if text is not None and not equals:
                item.refuse(f"{name!r} has no value", "write NAME=VALUE")
            elif text is not None:
                found.append((item, name, value))
        return found
    pairs = [(one, name, one.scalar()) for name, one in node.entries()]
    return [(one, name, value) for one, name, value in pairs if value is not None]
