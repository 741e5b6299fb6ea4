# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""`ports` and `expose` of a container, in every form Compose has for them."""

from __future__ import annotations

from ipaddress import IPv6Address, collapse_addresses
from typing import Any, Optional

from .._model.link import Address, Network
from .._model.rule import Ports
from .._model.topology import PortSpec
from . import normalise
from .rule import port_range, published_on, reachable
from .schema import Idle, Node, kind, plain

PROTOCOLS = ("tcp", "udp", "sctp")
FORMS = 'write "8080:80", "127.0.0.1:8080:80", "[fd00::1]:8080:80/udp" or "80"'
LONG = ("target", "published", "host_ip", "protocol", "allowed_sources", "name", "mode")
SECONDS = 60
LAST = 65535
# Ports below 60 that people map: to themselves (22:22), or to a host port that ends in the same digits (1022:22).
SAME = frozenset((7, 9, 13, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 49, 53))
ALIKE = frozenset((20, 21, 22, 23, 25, 53))


def ports(node: Node, container: str) -> tuple[PortSpec, ...]:
    """All that is published; the same said twice is the same."""
    found: list[PortSpec] = []
    for item in node.items():
        if isinstance(item.value, dict):
            found += long(item, container)
        elif item.value is None:
            item.mismatch("a port")
        elif not isinstance(item.value, (str, int)) or isinstance(item.value, bool):
            item.refuse(f"is {kind(item.value)}, where a port is expected", 'write "8080:80", or a mapping with target')
        else:
            text = number(item) if isinstance(item.value, int) else item.text()
            found += short(item, text) if text is not None else ()
    return tuple(dict.fromkeys(found))


def number(node: Node) -> Optional[str]:
    """A port without quotes, where it is not likely that two were meant.

    YAML 1.1 reads 22:22 as 22 * 60 + 22. A number that is too large for a port, or that a usual pair of ports gives,
    is refused. Others are what they seem to be: nobody maps 1:20, which gives 80, or 134:40, which gives 8080.
    """
    value = int(node.value)
    first, second = divmod(value, SECONDS)
    is_port = value <= LAST
    if first <= LAST and (is_pair(first, second) or (second and not is_port)):
        pair = f"{first}:{second:02}"
        way_out = f'quote it: "{pair}"' + (f' or "{value}"' if is_port else "")
        node.refuse(f"{value} is not quoted, and may be what YAML makes of {pair}", way_out)
    elif not 1 <= value <= LAST:
        node.refuse(f"{plain(value)} is not from 1 to {LAST}")
    else:
        return str(value)
    return None


def is_pair(first: int, second: int) -> bool:
    return (second in SAME and first == second) or (second in ALIKE and first % 100 == second)


def short(node: Node, text: str) -> list[PortSpec]:
    """[[HOST_IP:]PUBLISHED:]TARGET[/PROTOCOL]. An address of IPv6 needs no brackets: the ports are the last two parts, as Docker has it."""
    spec, slash, protocol = text.strip().partition("/")
    front, _colon, target = spec.rpartition(":")
    host_ip, _colon, published = front.rpartition(":")
    if is_ipv6(front) and front.startswith("["):
        why = "has no published port between the address and the container's"
        node.attempt(refused, text, why, f'write "{front}::{target}" or "{front}:8080:{target}"')
        return []
    if "]" in published + target or (":" in host_ip and not is_ipv6(host_ip)):
        node.attempt(refused, text, "is no port", FORMS)
        return []
    return publication(node, target, published or None, host_ip or None, protocol if slash else None)


def is_ipv6(text: str) -> bool:
    try:
        IPv6Address(unbracketed(text))
    except ValueError:
        return False
    return True


def unbracketed(text: str) -> str:
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text


def refused(what: str, option: str, value: object, why: str, way_out: Optional[str] = None) -> None:
    raise normalise.refuse(what, option, value, why, way_out)


def long(node: Node, container: str) -> list[PortSpec]:
    idle = {"app_protocol": "ports are published by number, whatever speaks there"}
    node.check(LONG, idle=Idle(idle, "ports", container))
    if node["mode"].choice({"host": "host", "ingress": "ingress"}) == "ingress":
        node.findings.shrug("ports", "mode: ingress", container, "a port is published on its container's host alone")
    node["name"].text()
    if not node["target"].given:
        node["target"].refuse("is missing", "say which port of the container is meant")
        return []
    words = [node[key].scalar() for key in ("target", "published", "host_ip", "protocol")]
    if any(
        node[key].given and word is None for key, word in zip(("target", "published", "host_ip", "protocol"), words)
    ):
        return []
    target, published, host_ip, protocol = words
    return publication(node, str(target), published, host_ip, protocol, node["allowed_sources"])


def publication(
    node: Node,
    target: str,
    published: Optional[str],
    host_ip: Optional[str],
    protocol: Optional[str],
    sources: Optional[Node] = None,
) -> list[PortSpec]:
    inner = node.attempt(within, "target", target)
    outer = node.attempt(within, "published", published) if published else None
    address = node.attempt(listening, host_ip) if host_ip else None
    word = "tcp" if protocol is None else protocol.lower()
    if word not in PROTOCOLS:
        node.attempt(refused, protocol, "is no protocol that can be published", "write tcp, udp or sctp")
    allowed = allowed_sources(sources, address) if sources and sources.given else None
    if inner is None or word not in PROTOCOLS or (published and not outer) or (host_ip and not address):
        return []
    if outer and outer.size != inner.size and inner.size > 1:
        why = f"publishes {outer.size} ports ({outer}) for {inner.size} of the container ({inner})"
        node.refuse(why, "make both ranges as long as each other")
        return []
    targets = [inner] if outer else [Ports(one, one) for one in range(inner.first, inner.last + 1)]
    return [PortSpec(one, outer, address, word, allowed) for one in targets]


def within(what: str, option: str, name: str, value: str) -> Ports:
    return port_range(what, name, value)


def listening(what: str, option: str, value: str) -> Optional[Address]:
    found = published_on(what, unbracketed(value.strip()))
    if found is not None:
        reachable(what, found, None)
    return found


def allowed_sources(node: Node, host_ip: Optional[Address]) -> frozenset[Network]:
    """Disjoint subnets; an empty list is nobody."""
    found: list[Any] = []
    for item in node.items():
        subnet = item.parse(normalise.network)
        if subnet is not None and host_ip is not None and subnet.version != host_ip.version:
            item.refuse(f"{str(subnet)!r} is not IPv{host_ip.version}, as {host_ip} is", "leave it out")
        elif subnet is not None:
            found.append(subnet)
    return frozenset(
        subnet for version in (4, 6) for subnet in collapse_addresses(one for one in found if one.version == version)
    )


def expose(node: Node) -> None:
    """Without effect, as on Docker's user-defined networks; but what is no port is an error."""
    for item in node.items():
        text = item.scalar()
        if text is None:
            item.mismatch("a port") if not item.given else None
            continue
        port, slash, protocol = text.partition("/")
        item.attempt(port_range, port)
        if slash and protocol.lower() not in PROTOCOLS:
            item.attempt(refused, protocol, "is no protocol", "write tcp, udp or sctp")
