# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""From the user's text to values. Every function gives the same for what it gave (idempotent), and InvalidRequest for what cannot be.

`what` is the object in the user's words, for the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Any, Callable, Optional, TypeVar, Union

from .._model.errors import InvalidRequest
from .._model.link import Address, Interface, Network, Route
from .._model.namespace import NetnsRef
from .._model.words import ZoneError, read_address, read_interface, read_network

Value = TypeVar("Value")

# net/core/dev.c dev_valid_name, and no more than what a shell or a log shows as it is.
LINK_NAME = re.compile(r"[A-Za-z0-9_.+-]{1,15}")
NETNS_NAME = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9_.+-]{0,126}")
OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
SYSCTL = re.compile(r"net(\.[A-Za-z0-9_/+-]+)+")
CONTAINER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
IPV6_METRIC = 1024
# One setting of the kernel's by two names (net/ipv4/devinet.c devinet_init_net).
FORWARDING = (("net", "ipv4", "ip_forward"), ("net", "ipv4", "conf", "all", "forwarding"))


def refuse(what: str, option: str, value: object, why: str, way_out: Optional[str] = None) -> InvalidRequest:
    """`option` empty: `what` is the option's whole path already."""
    return InvalidRequest(what, f"{option} {str(value)!r} {why}".lstrip(), way_out)


def link_name(what: str, option: str, value: str) -> str:
    if LINK_NAME.fullmatch(value) and value not in (".", "..", "all", "default"):
        return value
    if len(value.encode()) > 15:
        raise refuse(
            what,
            option,
            value,
            f"has {len(value.encode())} bytes; Linux allows 15 for the name of an interface",
            "shorten it",
        )
    raise refuse(what, option, value, "is no name for an interface", "use letters, digits and _ . + -")


def netns_name(what: str, option: str, value: str) -> str:
    """The name of a namespace we make."""
    if NETNS_NAME.fullmatch(value):
        return value
    raise refuse(
        what,
        option,
        value,
        "is no name for a namespace",
        "use up to 127 letters, digits and _ . + -, not beginning with a dot or a hyphen",
    )


def netns(what: str, option: str, value: Optional[str]) -> NetnsRef:
    """A reference to a namespace: see _model/namespace.py. Paths below /run/netns become names."""
    if value is None:
        return None
    for directory in ("/run/netns/", "/var/run/netns/"):
        if value.startswith(directory):
            return netns_name(what, option, value[len(directory) :])
    if value.startswith("/"):
        if (
            value.startswith("/proc/")
            and value.endswith("/ns/net")
            and ".." not in value.split("/")
            and value.isprintable()
        ):
            return value
        raise refuse(
            what,
            option,
            value,
            "is no path of a network namespace",
            "give a name, /proc/PID/ns/net, pid:, docker: or podman:",
        )
    scheme, colon, rest = value.partition(":")
    if not colon:
        return netns_name(what, option, value)
    if scheme == "pid" and rest.isascii() and rest.isdigit() and int(rest):
        return f"pid:{int(rest)}"
    if scheme in ("docker", "podman") and CONTAINER.fullmatch(rest):
        return value
    raise refuse(
        what,
        option,
        value,
        "names no namespace",
        "give a name, a path below /proc, pid:NUMBER, docker:NAME or podman:NAME",
    )


def owner(what: str, value: str) -> str:
    if OWNER.fullmatch(value):
        return value
    raise refuse(what, "owner", value, "is no owner's name", "use up to 32 letters, digits and _ . -")


def mac(what: str, option: str, value: Optional[str]) -> Optional[str]:
    if value is None:
        return None
    plain = value.strip().lower().replace("-", ":")
    if not MAC.fullmatch(plain):
        raise refuse(
            what, option, value, "is no MAC address", "write six pairs of hexadecimal digits, 02:42:ac:11:00:02"
        )
    if int(plain[:2], 16) & 1:
        raise refuse(
            what, option, value, "is a multicast address, which no interface can have", "make the second digit even"
        )
    if plain == "00:00:00:00:00:00":
        raise refuse(what, option, value, "is all zeros, which no interface can have")
    return plain


def number(what: str, option: str, value: Optional[int], low: int, high: int) -> Optional[int]:
    if value is None or low <= value <= high:
        return value
    raise refuse(what, option, value, f"is not from {low} to {high}")


def address(what: str, option: str, value: str) -> Address:
    try:
        return read_address(value.strip())
    except ZoneError:
        raise zone(what, option, value) from None
    except ValueError:
        raise refuse(what, option, value, "is no address", "write it without a prefix length, 172.17.0.1") from None


def zone(what: str, option: str, value: str) -> InvalidRequest:
    """A zone names an interface of one host; here the interface is known, or none is meant."""
    return refuse(what, option, value, "has a zone", "leave out the % and what follows")


def interface(what: str, option: str, value: str) -> Interface:
    """An address with its prefix length. Without one it would be a /32 by guess, so that is an error."""
    text = value.strip()
    try:
        found = read_interface(text)
    except ZoneError:
        raise zone(what, option, value) from None
    except ValueError:
        raise refuse(what, option, value, "is no address in CIDR form", "write it as 172.17.0.2/16") from None
    if "/" not in text:
        raise refuse(
            what, option, value, "has no prefix length", f"write it as {text}/{16 if found.version == 4 else 64}"
        )
    if found.ip.is_multicast or found.ip.is_unspecified:
        raise refuse(what, option, value, "is no address that an interface can have")
    network = found.network
    ends = (network.network_address, network.broadcast_address)
    if found.version == 4 and network.prefixlen < 31 and found.ip in ends:
        raise refuse(
            what, option, value, f"is the network or broadcast address of {network}", "choose one between them"
        )
    return found


def network(what: str, option: str, value: str) -> Network:
    text = value.strip()
    try:
        return read_network(text)
    except ZoneError:
        raise zone(what, option, value) from None
    except ValueError:
        pass
    try:
        right = ip_network(text, strict=False)
    except ValueError:
        raise refuse(what, option, value, "is no subnet", "write it as 172.17.0.0/16") from None
    raise refuse(what, option, value, "has bits set beyond its prefix", f"write {right}, if that is what you mean")


def each(
    function: Callable[[str, str, str], Value], what: str, option: str, values: Optional[Iterable[str]]
) -> Optional[frozenset[Value]]:
    """A set of the normalised values; None stays None (not managed)."""
    if values is None:
        return None
    return frozenset(function(what, f"{option}[{position}]", value) for position, value in enumerate(values))


def gateways(
    what: str,
    values: Optional[Iterable[str]],
    addresses: Optional[frozenset[Interface]],
    beside: Optional[frozenset[Route]] = None,
) -> Optional[frozenset[Route]]:
    """Default routes, at most one a family, each by a neighbour on the link: see on_link. `beside`: the link's other routes."""
    if values is None:
        return None
    found = [address(what, "gateway", value) for value in values]
    for version in (4, 6):
        if sum(1 for gateway in found if gateway.version == version) > 1:
            raise refuse(
                what,
                "gateway",
                ", ".join(map(str, found)),
                f"has more than one of IPv{version}",
                "give one for each family",
            )
    for gateway in found:
        on_link(what, "gateway", gateway, addresses, beside or ())
    return frozenset(default_route(gateway) for gateway in found)


def default_route(gateway: Address) -> Route:
    return Route(ip_network("0.0.0.0/0" if gateway.version == 4 else "::/0"), gateway, default_metric(gateway.version))


def direct_route(version: int) -> Route:
    """The default route to an interface itself, where nobody is asked for a neighbour."""
    return Route(ip_network("0.0.0.0/0" if version == 4 else "::/0"), None, default_metric(version))


def default_metric(version: int) -> int:
    """What the kernel takes when none is given (net/ipv6/route.c IP6_RT_PRIO_USER)."""
    return IPV6_METRIC if version == 6 else 0


def on_link(
    what: str, option: str, via: Address, addresses: Optional[frozenset[Interface]], beside: Iterable[Route]
) -> None:
    """A next hop must be on the link: inside one of its addresses, or of a route without a next hop; one of fe80::/10 always is.

    Where addresses are not managed, the planner knows those that are there (_engine/addressing.py).
    """
    if addresses is None or (via.version == 6 and via.is_link_local):
        return
    if any(via == mine.ip for mine in addresses):
        raise refuse(what, option, via, "is the link's own address", "give the neighbour's")
    near = [*(mine.network for mine in addresses), *(route.to for route in beside if route.via is None)]
    if not any(via in network for network in near):
        there = ", ".join(sorted(map(str, addresses))) or "none"
        why = f"is not inside one of the addresses ({there})"
        raise refuse(what, option, via, why, "give an address of the same subnet, or a route to it without via")


def routes(
    what: str, values: Optional[Iterable[dict[str, Any]]], addresses: Optional[frozenset[Interface]]
) -> Optional[frozenset[Route]]:
    if values is None:
        return None
    found: dict[tuple[Network, int], Route] = {}
    hops: dict[Route, str] = {}
    for position, value in enumerate(values):
        option = f"routes[{position}]"
        to = network(what, f"{option}.to", value["to"])
        via: Optional[Address] = address(what, f"{option}.via", value["via"]) if value.get("via") else None
        if to.prefixlen == 0:
            raise refuse(what, f"{option}.to", to, "is the default route", "use gateway for it")
        if via is not None:
            if via.version != to.version:
                raise refuse(what, f"{option}.via", via, f"is of another family than {to}")
        metric = number(what, f"{option}.metric", value.get("metric"), 0, 2**32 - 1)
        route = Route(to, via, default_metric(to.version) if metric is None else metric)
        if via is None and route.metric == 0 and any(to == mine.network for mine in addresses or ()):
            raise refuse(
                what, option, to, "is the subnet of an address, to which the kernel makes a route", "leave it out"
            )
        if found.setdefault((to, route.metric), route) != route:
            raise refuse(what, option, to, "has two different next hops", "give them different metrics")
        hops[route] = f"{option}.via"
    for route, option in hops.items():
        if route.via is not None:
            on_link(what, option, route.via, addresses, found.values())
    return frozenset(found.values())


def sysctls(what: str, values: Optional[Mapping[str, Any]], link: Optional[str] = None) -> dict[tuple[str, ...], str]:
    """Settings by their path; null is not managed. `link`: all are of this one, see sysctl_path."""
    found: dict[tuple[str, ...], str] = {}
    for name, value in (values or {}).items():
        if value is None:
            continue
        text = sysctl_value(what, f"sysctls.{name}", value)
        if found.setdefault(sysctl_path(what, "sysctls", name, link), text) != text:
            raise refuse(what, "sysctls", name, "is given twice with different values", "say it once")
    if two_values(found):
        raise InvalidRequest(what, f"sysctls: {two_values(found)}", "say it once")
    return found


def two_values(settings: Mapping[tuple[str, ...], str]) -> str:
    """What is wrong where one setting that has two names is given two values, or ""."""
    one, other = (settings.get(path) for path in FORWARDING)
    if one is None or other is None or one == other:
        return ""
    return f"{' and '.join('.'.join(path) for path in FORWARDING)} are one setting, and have different values"


def sysctl_path(what: str, option: str, name: str, link: Optional[str] = None) -> tuple[str, ...]:
    """The parts of a setting's name. Dots divide; as for sysctl(8), a slash stands for a dot within a part.

    IFNAME stands for `link`, as in Docker's endpoint sysctls.
    """
    if not SYSCTL.fullmatch(name):
        raise refuse(what, option, name, "is no setting below net.", "write it as net.ipv4.ip_forward")
    parts = tuple(part.replace("/", ".") for part in name.split("."))
    if any(part in (".", "..") for part in parts):
        raise refuse(what, option, name, "leads out of /proc/sys")
    if link is None:
        return parts
    if "IFNAME" not in parts and link not in parts:
        raise refuse(
            what,
            option,
            name,
            "is not a setting of this link",
            "write net.ipv4.conf.IFNAME.rp_filter, or use role host for the whole host",
        )
    return tuple(link if part == "IFNAME" else part for part in parts)


def sysctl_value(what: str, option: str, value: Union[str, int, bool]) -> str:
    text = str(int(value)) if isinstance(value, bool) else " ".join(str(value).split())
    if not text or not text.isascii() or not text.isprintable():
        raise refuse(what, option, value, "is no value for a setting")
    return text
