# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The WireGuard of a topology's encrypted networks: one interface on each host, which their VXLANs go through.

Each host has an address on it that follows from its name, so that nobody has to be told; and each may send from its own
alone. Who has which key, and at which port, the hosts tell each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_interface, ip_network
from typing import Any, Optional

from .._model.errors import Conflict, InvalidRequest
from .._model.link import Link, LinkKey
from .._model.state import Underlay
from .._model.topology import Document, NetworkSpec
from .._model.vxlan import OVERHEAD as OF_VXLAN
from .._model.wireguard import OVERHEAD, PORT, Peer, Tunnel, Wireguard
from .._model.wireguard_key import PUBLIC, PublicKey
from . import names
from .network import settings
from .site import Site

# Ethernet's, of a host that is not known yet.
MTU = 1500
# RFC 8200 section 5: a link with less has no IPv6.
LEAST = 1280
UNKNOWN = PublicKey("", PORT)


def wanted(document: Document, host: Optional[str]) -> bool:
    """Whether a host is to have a key: role topology asks for the same. Which of the networks it is on does not count."""
    return bool(document.on(host)) and any(one.options.encrypted for one in document.networks.values())


def tunnel(site: Site, networks: list[NetworkSpec]) -> Iterator[Any]:
    """The interface that these networks of the host go through, and what it is told. Errors: Missing, Conflict."""
    hosts = {host: one for one in networks for host in site.document.hosts_of(one.name) if host != site.host}
    if not hosts:
        return
    key = LinkKey(None, names.wireguard(site.owner))
    own = names.wireguard_address(site.owner, site.host or "")
    size = max(site.given(one.name).mtu or 0 for one in networks) + OF_VXLAN[6]
    yield Link(
        key,
        data=Wireguard(),
        owner=site.owner,
        mtu=max(size, LEAST),
        up=True,
        addresses=frozenset({ip_interface(f"{own}/64")}),
    )
    yield from settings(key, ipv6=True)
    mine = site.keys.get(site.host or "", UNKNOWN)
    peers = tuple(peer(site, host, of) for host, of in sorted(hosts.items()))
    distinct(site, {**{one.host: one.key for one in peers}, site.host or "": mine.text})
    yield Tunnel(key, site.owner, mine.text, mine.port, peers)


def peer(site: Site, host: str, network: NetworkSpec) -> Peer:
    key = site.keys.get(host, UNKNOWN)
    at, before = site.underlay_of(network, host), site.peers_before.get(host)
    allowed = frozenset({ip_network(names.wireguard_address(site.owner, host))})
    return Peer(key.text, (at, key.port), allowed, host, before if before != at else None)


def distinct(site: Site, keys: Mapping[str, str]) -> None:
    """The kernel takes no peer that has its own key, and says nothing. Errors: Conflict."""
    seen: dict[str, str] = {}
    for host, key in keys.items():
        if key and key in seen:
            why = f"hosts {seen[key]} and {host} have one WireGuard key, as a machine and its copy have"
            raise Conflict(f"topology {site.owner}", why, "run role topology with docknet_rekey: true")
        seen[key] = host


def mtu(way: Optional[Underlay]) -> int:
    """How large a packet of a container fits into the underlay's, with all that is put before it."""
    size, version = (way.mtu, way.address.version) if way else (MTU, 4)
    return size - OVERHEAD[version] - OF_VXLAN[6]


def public_key(what: str, words: Mapping[str, Any]) -> PublicKey:
    """What module wireguard_key returned on another host; null is one that is not made yet. Errors: InvalidRequest."""
    text, port = words.get("public_key") or "", words.get("port") or PORT
    if not (text == "" or PUBLIC.fullmatch(str(text))) or not str(port).isdecimal() or not 0 < int(port) < 1 << 16:
        why = f"leases: {text!r} with port {port!r} is no WireGuard key"
        raise InvalidRequest(what, why, "give public_key and port as module wireguard_key returned them")
    return PublicKey(str(text), int(port))


def told(key: Optional[PublicKey]) -> Optional[dict[str, Any]]:
    """For the other hosts, as `public_key` reads it."""
    return {"public_key": key.text, "port": key.port} if key and key.text else None
