# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The words that every link's options share -> the shared part of a Link."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from ipaddress import ip_interface
from typing import Any, Optional

from .._model.link import LinkKey
from . import normalise

# Argument specs, for the modules' own.
ROUTES = {
    "type": "list",
    "elements": "dict",
    "options": {"to": {"type": "str", "required": True}, "via": {"type": "str"}, "metric": {"type": "int"}},
}
ADDRESSING = {
    "addresses": {"type": "list", "elements": "str"},
    "gateway": {"type": "list", "elements": "str"},
    "routes": ROUTES,
}
MTU = (68, 65535)
IPV6_MTU = 1280


def addressing(what: str, params: Mapping[str, Any], size: Optional[int]) -> dict[str, Any]:
    """`addresses`, `gateway` and `routes` as fields of a Link. Gateways and next hops must be on the link.

    `size`: the link's MTU. Below 1280 it has no IPv6 at all (RFC 8200 section 5; net/ipv6/addrconf.c ipv6_find_idev).
    """
    addresses = normalise.each(normalise.interface, what, "addresses", params.get("addresses"))
    if addresses is not None and len({address.ip for address in addresses}) < len(addresses):
        raise normalise.refuse(
            what,
            "addresses",
            ", ".join(sorted(map(str, addresses))),
            "has one address twice, with different prefix lengths",
        )
    if size and size < IPV6_MTU and any(address.version == 6 for address in addresses or ()):
        raise normalise.refuse(what, "mtu", size, f"is too small for IPv6, which needs {IPV6_MTU}", "raise it")
    routes = normalise.routes(what, params.get("routes"), addresses)
    gateways = normalise.gateways(what, params.get("gateway"), addresses, routes)
    return {"addresses": addresses, "gateways": gateways, "routes": routes}


def mtu(what: str, params: Mapping[str, Any]) -> Any:
    return normalise.number(what, "mtu", params.get("mtu"), *MTU)


def derived_mac(owner: str, key: LinkKey) -> str:
    """A fixed MAC address for a link that must not take one from its ports: locally administered, from whose and which it is."""
    return local_mac(hashlib.sha256("\0".join((owner, key.netns or "", key.name)).encode()).digest())


def endpoint_mac(params: Mapping[str, Any]) -> Optional[str]:
    """The MAC address that a container's new link gets from its (valid) `addresses`: from the first of IPv4, else a hash of the first.

    Made again, it has the same, so its neighbours need not forget anything. Docker did so until 27.
    """
    if not params.get("netns") or not params.get("addresses"):
        return None
    found = [ip_interface(text.strip()).ip for text in params["addresses"]]
    first = min(found, key=lambda address: address.version)
    return local_mac(first.packed if first.version == 4 else hashlib.sha256(first.packed).digest())


def local_mac(data: bytes) -> str:
    """A locally administered MAC address from four bytes of one's own."""
    return ":".join(f"{byte:02x}" for byte in b"\x02\x42" + data[:4])
