# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""`containers` of a document: where each is, what networks it is on, what is said for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Optional

from .._model.link import Address
from .._model.topology import DEFAULT_BRIDGE, DEFAULT_NETWORK, HOST_GATEWAY, ContainerSpec, EndpointSpec, NetworkSpec
from . import normalise
from .document_endpoint import endpoints, settings
from .document_network import labels, named
from .document_ports import expose, ports
from .document_words import IDLE, STRANGE
from .hosts import host_name
from .schema import Idle, Node

KEYS = (
    *("host", "hostname", "netns", "netns_name", "networks", "network_mode", "mac_address", "ports", "expose", "links"),
    *("extra_hosts", "dns", "dns_search", "dns_opt", "sysctls", "labels"),
)
MODES = {"none": "none", "host": "host", "bridge": "bridge"}
# What belongs to the namespace's first container, or to nobody: Docker refuses them too.
OWN = ("hostname", "mac_address", "links", "extra_hosts", "dns", "dns_search", "dns_opt", "sysctls")
OF_ANOTHER = {
    "host": (*OWN, "netns", "netns_name"),
    "container": (*OWN, "netns"),
    "none": ("mac_address", "links", "netns"),
}
PUBLISHERS = {
    "none": "a container without networks has none; put it on a network",
    "host": "what listens in the host's namespace is reachable as it is; leave them out",
}
HOST = re.compile(r"[^\s,/]{1,253}")
# resolv.conf(5): ndots:2, rotate, use-vc.
OPTION = re.compile(r"[a-z0-9-]{1,32}(:[0-9]{1,5})?")


def containers(node: Node, networks: Mapping[str, NetworkSpec]) -> dict[str, tuple[ContainerSpec, dict[str, Node]]]:
    """All of them, with the place of each of their endpoints."""
    found = {}
    for name, one in node.entries():
        one.attempt(named, name)
        found[name] = container(one, name, networks)
    return found


def container(node: Node, name: str, networks: Mapping[str, NetworkSpec]) -> tuple[ContainerSpec, dict[str, Node]]:
    node.check(KEYS, strange=STRANGE, idle=Idle(IDLE, "containers", name))
    labels(node["labels"])
    mode = network_mode(node["network_mode"], networks)
    kind = mode.partition(":")[0]
    belong(node, kind, mode)
    attached = attachments(node, mode, networks)
    netns, made = namespace(node, name, kind)
    expose(node["expose"])
    spec = ContainerSpec(
        name,
        node["host"].parse(placed),
        node["hostname"].parse(whole_name),
        netns,
        made,
        mode,
        with_mac(node["mac_address"], [one for _place, one in attached]),
        ports(node["ports"], name),
        links(node["links"]),
        extra_hosts(node["extra_hosts"]),
        tuple(found for found in (one.parse(server) for one in node["dns"].some()) if found),
        tuple(found for found in (one.parse(search) for one in node["dns_search"].some()) if found),
        tuple(found for found in (one.parse(option) for one in node["dns_opt"].some()) if found),
        sysctls(node["sysctls"]),
    )
    return spec, {one.network: place for place, one in attached}


def whole_name(what: str, option: str, value: str) -> str:
    """A dot at the end, by which DNS knows a whole name, says nothing more here."""
    return host_name(what, option, value.removesuffix("."))


def placed(what: str, option: str, value: str) -> str:
    if HOST.fullmatch(value) and value.isprintable():
        return value
    raise normalise.refuse(what, option, value, "is no host's name", "write it as in the inventory")


def network_mode(node: Node, networks: Mapping[str, NetworkSpec]) -> str:
    text = node.text()
    if text is None:
        return "networks"
    scheme, _colon, rest = text.partition(":")
    if scheme == "container" and rest:
        return text
    if scheme == "service":
        node.refuse(f"{text!r} is of Compose's services", f"write container:{rest}")
    elif text in networks:
        node.refuse(f"{text!r} is a network", f"write networks: [{text}]")
    elif text not in MODES:
        node.choice({**MODES, "container:NAME": ""})
    return MODES.get(text, "networks")


def belong(node: Node, kind: str, mode: str) -> None:
    """Keys that cannot be with the network mode."""
    if kind == "networks":
        return
    if node["networks"].value:
        node["networks"].refuse(f"cannot be with network_mode {mode}", "leave out one of the two")
    for key in OF_ANOTHER.get(kind, ()):
        if node[key].given and node[key].value not in ([], {}):
            owner = (
                mode if kind == "container" else {"host": "the host", "none": "a container that is on a network"}[kind]
            )
            node[key].refuse(f"cannot be with network_mode {mode}", f"it belongs to {owner}")
    if node["ports"].value and kind != "bridge":
        way_out = PUBLISHERS.get(kind) or f"they belong to {mode}: publish them there"
        node["ports"].refuse(f"cannot be with network_mode {mode}", way_out)


def attachments(node: Node, mode: str, networks: Mapping[str, NetworkSpec]) -> list[tuple[Node, EndpointSpec]]:
    if mode == DEFAULT_BRIDGE:
        return [(node, EndpointSpec(DEFAULT_BRIDGE))]
    if mode != "networks":
        return []
    if not node["networks"].given:
        return [(node, EndpointSpec(DEFAULT_NETWORK))]
    return endpoints(node["networks"], networks)


def with_mac(node: Node, found: list[EndpointSpec]) -> tuple[EndpointSpec, ...]:
    """A container's own MAC address is of its first network, as in Compose."""
    mac = node.parse(normalise.mac)
    if mac is None or not found:
        return tuple(found)
    first = found[0]
    if first.mac not in (None, mac):
        node.refuse(f"{mac} is not {first.mac}, which its first network says", "say one of them")
    return (replace(first, mac=first.mac or mac), *found[1:])


def namespace(node: Node, name: str, kind: str) -> tuple[Optional[str], bool]:
    """Whose namespace it is, and whether we make it."""
    chosen = node["netns_name"].parse(normalise.netns_name)
    real = node["netns"].parse(normalise.netns)
    if kind == "host":
        return None, False
    if not node["netns"].given:
        return chosen or name, True
    if chosen:
        node["netns_name"].refuse("cannot be with netns, which is a running container's", "leave out one of the two")
    if real and ":" not in real and "/" not in real:
        why = f"{real!r} is the name of a namespace, where that of a running container is expected"
        node["netns"].refuse(why, f"write docker:{real}, or netns_name: {real} for one that is made for the topology")
    if node["sysctls"].value:
        node["sysctls"].refuse("cannot be with netns: a running container's settings are its engine's", "leave it out")
    return real or name, False


def links(node: Node) -> tuple[tuple[str, str], ...]:
    """Which containers there are is looked at later."""
    found = []
    for item in node.items():
        text = item.text()
        if text is None:
            continue
        target, colon, alias = text.partition(":")
        word = item.attempt(named, alias) if colon else target
        if word:
            found.append((target, word))
    return tuple(dict.fromkeys(found))


def extra_hosts(node: Node) -> tuple[tuple[str, Any], ...]:
    """A list of NAME:ADDRESS or NAME=ADDRESS, or a mapping of names to an address or several."""
    pairs: list[tuple[Node, str, Optional[str]]] = []
    if isinstance(node.value, (list, tuple)):
        for item in node.items():
            text = item.text()
            parts = re.fullmatch(r"([^:=]*)[:=](.*)", text, re.DOTALL) if text is not None else None
            if text is not None and parts is None:
                item.attempt(refused, text, "gives no address", "write NAME:ADDRESS")
            elif parts is not None:
                pairs.append((item, parts[1], parts[2]))
    else:
        pairs = [(each, name, each.text()) for name, one in node.entries() for each in one.some()]
    found = []
    for place, name, value in pairs:
        host = place.attempt(named, name)
        to = place.attempt(target, value) if value is not None else None
        if host and to:
            found.append((host, to))
    return tuple(dict.fromkeys(found))


def refused(what: str, option: str, value: object, why: str, way_out: str) -> None:
    raise normalise.refuse(what, option, value, why, way_out)


def target(what: str, option: str, value: str) -> Any:
    text = value.strip()
    if text == HOST_GATEWAY:
        return text
    return normalise.address(what, option, text[1:-1] if text.startswith("[") and text.endswith("]") else text)


def server(what: str, option: str, value: str) -> Address:
    found = normalise.address(what, option, value)
    if found.is_unspecified or found.is_multicast:
        raise normalise.refuse(what, option, value, "is no address of a name server")
    return found


def search(what: str, option: str, value: str) -> str:
    """A lone dot is "none", as in Docker."""
    return value if value == "." else host_name(what, option, value.rstrip("."))


def option(what: str, option: str, value: str) -> str:
    if OPTION.fullmatch(value):
        return value
    raise normalise.refuse(what, option, value, "is no option of resolv.conf", "write it as ndots:2")


def sysctls(node: Node) -> dict[tuple[str, ...], str]:
    found: dict[tuple[str, ...], str] = {}
    for place, name, value in settings(node):
        path, text = place.attempt(normalise.sysctl_path, name), place.attempt(normalise.sysctl_value, value)
        if path and text and found.setdefault(path, text) != text:
            place.refuse(f"{name!r} is given twice with different values", "say it once")
    if normalise.two_values(found):
        node.refuse(normalise.two_values(found), "say it once")
    return found
