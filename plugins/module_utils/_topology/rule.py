# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The words of address translation -> Snat and Dnat values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import collapse_addresses
from typing import Any, Optional

from .._model.link import Address, Network
from .._model.rule import EVERY_ADDRESS, MASQUERADE, Dnat, Ports, Snat
from . import normalise

PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)
PROXY = "cannot be served without a proxy process: packets of ::1 never leave the loopback interface"


def snat(what: str, params: Mapping[str, Any]) -> Snat:
    source = normalise.network(what, "source", params["source"])
    if source.is_multicast or source.is_loopback:
        raise normalise.refuse(what, "source", source, "is no subnet that packets come from")
    out, beyond = (_link(what, name, params.get(name)) for name in ("out_interface", "except_out_interface"))
    if out is not None and out == beyond:
        raise normalise.refuse(what, "except_out_interface", beyond, "is out_interface too", "leave one of them out")
    to: Any = params.get("to")
    if to not in (None, MASQUERADE):
        to = _host_address(what, "to", str(to))
        _same_family(what, "to", to, "source", source)
    return Snat(normalise.netns(what, "netns", params.get("netns")), source, beyond, out, to)


def dnat(what: str, params: Mapping[str, Any]) -> list[Dnat]:
    """The rule; to remove one of every address, without a to_ip to tell the family, is to remove both families'."""
    ports = port_range(what, "host_port", str(params["host_port"]))
    to_ip = _target(what, params.get("to_ip"))
    present = params["state"] == "present"
    if present and to_ip is None:
        raise normalise.refuse(what, "to_ip", "", "is missing", "say which address the port leads to")
    netns = normalise.netns(what, "netns", params.get("netns"))
    given = published_on(what, params.get("host_ip"))
    hosts = [given] if given else [EVERY_ADDRESS[version] for version in ((to_ip.version,) if to_ip else (4, 6))]
    if not present:
        return [Dnat(netns, params["protocol"], host_ip, ports) for host_ip in hosts]
    _same_family(what, "host_ip", hosts[0], "to_ip", to_ip)
    reachable(what, hosts[0], params.get("local"))
    to_ports = None if params.get("to_port") is None else port_range(what, "to_port", str(params["to_port"]))
    if to_ports and to_ports.size != ports.size:
        why = f"has {to_ports.size} ports, and host_port {ports} has {ports.size}"
        raise normalise.refuse(what, "to_port", to_ports, why, "make both as long as each other")
    return [
        Dnat(
            netns,
            params["protocol"],
            hosts[0],
            ports,
            to_ip,
            to_ports.first if to_ports else None,
            _sources(what, params.get("allowed_sources"), hosts[0].version),
            params.get("hairpin"),
            params.get("local"),
        )
    ]


def _link(what: str, option: str, value: Optional[str]) -> Optional[str]:
    return None if value is None else normalise.link_name(what, option, value)


def port_range(what: str, option: str, value: str) -> Ports:
    found = PORTS.fullmatch(value.strip())
    if not found:
        raise normalise.refuse(what, option, value, "is no port", "write a port, 8080, or a range, 8000-8010")
    ports = Ports(int(found[1]), int(found[2] or found[1]))
    if not 1 <= ports.first <= 65535 or ports.last > 65535:
        raise normalise.refuse(what, option, value, "is not from 1 to 65535")
    if ports.last < ports.first:
        raise normalise.refuse(what, option, value, "ends before it begins", f"write {ports.last}-{ports.first}")
    return ports


def _host_address(what: str, option: str, value: str) -> Address:
    """An address that one host can have and that routes lead to."""
    found = normalise.address(what, option, value)
    if found.is_multicast or found.is_unspecified or found.is_loopback or str(found) == "255.255.255.255":
        raise normalise.refuse(what, option, value, "is no address of one host beside this one's loopback")
    if found.version == 6 and found.is_link_local:
        raise normalise.refuse(what, option, value, "is link-local, which no address translation reaches")
    return found


def _target(what: str, value: Optional[str]) -> Optional[Address]:
    return None if value is None else _host_address(what, "to_ip", value)


def published_on(what: str, value: Optional[str]) -> Optional[Address]:
    """0.0.0.0 and :: are every address of their family; loopback addresses are the host's own."""
    if value is None:
        return None
    found = normalise.address(what, "host_ip", value)
    return found if found.is_unspecified or found.is_loopback else _host_address(what, "host_ip", value)


def reachable(what: str, host_ip: Address, local: Optional[bool]) -> None:
    if not host_ip.is_loopback:
        return
    if host_ip.version == 6:
        raise normalise.refuse(what, "host_ip", host_ip, PROXY, "publish on 127.0.0.1, or on an address of the host")
    if local is False:
        why = "is reached by the host alone, which local: false excludes"
        raise normalise.refuse(what, "host_ip", host_ip, why, "leave out local, or choose another address")


def _same_family(what: str, option: str, mine: Any, other: str, its: Any) -> None:
    if mine.version != its.version:
        why = f"is IPv{mine.version}, and {other} {its} is IPv{its.version}: they are not translated into each other"
        raise normalise.refuse(what, option, mine, why, "give both of one family")


def _sources(what: str, values: Optional[Iterable[str]], version: int) -> Optional[frozenset[Network]]:
    """Disjoint subnets; an empty list is nobody."""
    given = normalise.each(normalise.network, what, "allowed_sources", values)
    if given is None:
        return None
    for network in sorted(given, key=str):
        if network.version != version:
            raise normalise.refuse(
                what, "allowed_sources", network, f"is not IPv{version}, as the rule is", "leave it out"
            )
    found: frozenset[Network] = frozenset(collapse_addresses(given))  # type: ignore[type-var]
    return found
