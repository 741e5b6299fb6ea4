# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""`ports` and `expose` of a container, in every form Compose has for them."""

from __future__ import annotations

import re
from ipaddress import collapse_addresses
from typing import Any, Optional

from .._model.link import Address, Network
from .._model.rule import Ports
from .._model.topology import PortSpec
from . import normalise
from .rule import port_range, published_on, reachable
from .schema import Idle, Node, kind, plain

PROTOCOLS = ("tcp", "udp", "sctp")
# [[HOST_IP:]PUBLISHED:]TARGET[/PROTOCOL]; the address of IPv6 in brackets, as Compose has it.
SHORT = re.compile(r"(?:(?:(\[[^]]*\]|[^:\[\]]*):)?([^:]*):)?([^:/]*)(?:/([^/]*))?", re.DOTALL)
LONG = ("target", "published", "host_ip", "protocol", "allowed_sources", "name", "mode")
SECONDS = 60
LAST = 65535


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
    """A port without quotes, where it can be nothing else.

    YAML 1.1 reads 22:22 as 22 * 60 + 22. So a number is taken only where no two ports joined by a colon give it:
    those below 60 (two ports give 61 at least), and multiples of 60 (the second port would be 0).
    """
    value = int(node.value)
    first, second = divmod(value, SECONDS)
    if value >= SECONDS and second and first <= LAST:
        why = f"{value} is not quoted, and may be what YAML makes of {first}:{second:02}"
        node.refuse(
            why,
            f'quote it: "{first}:{second:02}" or "{value}"' if value <= LAST else f'quote it: "{first}:{second:02}"',
        )
        return None
    if not 1 <= value <= LAST:
        node.refuse(f"{plain(value)} is not from 1 to {LAST}")
        return None
    return str(value)


def short(node: Node, text: str) -> list[PortSpec]:
    parts = SHORT.fullmatch(text.strip())
    if not parts:
        way_out = 'write "8080:80", "127.0.0.1:8080:80", "[fd00::1]:8080:80/udp" or "80"'
        node.attempt(refused, text, "is no port", way_out)
        return []
    host_ip, published, target, protocol = parts.groups()
    if host_ip is not None:
        host_ip = host_ip.strip("[]")
    return publication(node, target, published or None, host_ip or None, protocol)


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
    found = published_on(what, value)
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
