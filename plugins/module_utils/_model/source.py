# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Routing by source: answers of a container on several networks leave by the interface they came to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from typing import NamedTuple, Optional

from .link import Address, LinkKey, Network
from .namespace import NetnsRef, place


class SourceRoute(NamedTuple):
    """What an address of a link sends goes by a gateway of that link, whatever the default route is.

    It is a routing rule ("from ADDRESS lookup TABLE", priority PRIORITY, protocol PROTOCOL) and, in that table and
    with that protocol, a default route through the link and one to the link's own subnet: its neighbours are not
    reached by way of the gateway. `table` is the number of the table; one link has one.

    Wanted: `address` and `gateway` are given; `network` is found on the link when it is not. Seen, and in steps: a
    part that is None is not there, or not meant, and a link without a name is one that no route shows. `foreign`: a
    default route in a table, which somebody else made (its `network` says of which IP version).
    """

    link: LinkKey
    address: Optional[Address]
    gateway: Optional[Address]
    table: int
    network: Optional[Network] = None
    foreign: bool = False

    @property
    def version(self) -> int:
        return next(part.version for part in (self.address, self.gateway, self.network) if part is not None)

    @property
    def key(self) -> tuple[NetnsRef, int, int, Optional[Address]]:
        """The identity: one of this address, wherever its routes lead."""
        return self.link.netns, self.version, self.table, self.address

    def __str__(self) -> str:
        through = f" through {self.link}" if self.link.name else place(self.link.netns)
        by = f" via {self.gateway}" if self.gateway else ""
        source = f" from {self.address}" if self.address else f" of table {self.table}"
        return f"source route{source}{by}{through}"


# Of rules of ours: after the kernel's for local addresses, before its main table. `ip rule` shows the protocol's number.
PRIORITY = 1000
PROTOCOL = 219


class SourceRule(NamedTuple):
    """The rule alone."""

    address: Address
    table: int


class TableRoute(NamedTuple):
    """A route in a table of its own; `via` None: on the link."""

    link: LinkKey
    to: Network
    via: Optional[Address]
    table: int
    foreign: bool = False


def default_of(version: int) -> Network:
    return ip_network("0.0.0.0/0" if version == 4 else "::/0")


def rules_of(values: Iterable[SourceRoute]) -> Iterator[SourceRule]:
    return (SourceRule(one.address, one.table) for one in values if one.address is not None)


def routes_of(values: Iterable[SourceRoute]) -> Iterator[TableRoute]:
    """A gateway is reached through the subnet, which so comes first."""
    for one in values:
        if one.network is not None and not one.foreign:
            yield TableRoute(one.link, one.network, None, one.table)
        if one.gateway is not None or one.foreign:
            yield TableRoute(one.link, default_of(one.version), one.gateway, one.table, one.foreign)


def joined(netns: NetnsRef, rules: Iterable[SourceRule], routes: Iterable[TableRoute]) -> frozenset[SourceRoute]:
    """Rules with what is in their tables; then routes that no rule leads to, and others' default routes."""
    tables: dict[tuple[int, int], list[TableRoute]] = {}
    for route in routes:
        tables.setdefault((route.to.version, route.table), []).append(route)
    found = []
    led = set()
    for rule in rules:
        led.add((rule.address.version, rule.table))
        here = [route for route in tables.get((rule.address.version, rule.table), []) if not route.foreign]
        way = next((route for route in here if route.to.prefixlen == 0), None)
        beside = next((route for route in here if route.to.prefixlen and rule.address in route.to), None)
        shown: Optional[TableRoute] = way or beside
        found.append(
            SourceRoute(
                shown.link if shown else LinkKey(netns, ""),
                rule.address,
                way.via if way else None,
                rule.table,
                beside.to if beside and shown and beside.link == shown.link else None,
            )
        )
    for at, several in tables.items():
        for route in several:
            network = route.to if route.to.prefixlen or route.foreign else None
            if route.foreign or at not in led:
                found.append(SourceRoute(route.link, None, route.via, route.table, network, route.foreign))
    return frozenset(found)


def without(
    netns: NetnsRef, values: Iterable[SourceRoute], link: LinkKey, version: Optional[int] = None
) -> frozenset[SourceRoute]:
    """What is left when the kernel drops a link's routes, of all tables, of one IP version or both. Rules stay."""
    values = list(values)
    left = [route for route in routes_of(values) if route.link != link or version not in (None, route.to.version)]
    return joined(netns, rules_of(values), dict.fromkeys(left))
