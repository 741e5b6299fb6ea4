# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A network interface: what every kind shares. What one kind alone has is its `data`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Optional, Union

from .namespace import NetnsRef, place
from .owner import is_adopted

if TYPE_CHECKING:
    from .vxlan import Forward

Address = Union[IPv4Address, IPv6Address]
Interface = Union[IPv4Interface, IPv6Interface]
Network = Union[IPv4Network, IPv6Network]


class LinkKey(NamedTuple):
    """The identity of a link."""

    netns: NetnsRef
    name: str

    def __str__(self) -> str:
        return f"{self.name}{place(self.netns)}"


class Neighbour(NamedTuple):
    """The MAC address of an IP address, for good: nobody is asked for it."""

    address: Address
    mac: str

    @property
    def slot(self) -> object:
        """What a new one takes the place of another one in."""
        return self.address

    def __str__(self) -> str:
        return f"{self.address} at {self.mac}"


class Station(NamedTuple):
    """A MAC address that is behind one port of a bridge, for good: frames that come by another port with it do not move it there."""

    mac: str

    @property
    def slot(self) -> object:
        """Key under which the kernel replaces an entry."""
        return self.mac

    def __str__(self) -> str:
        return self.mac


class Route(NamedTuple):
    """A route through a link. `via` None: the destination is on the link itself. `metric` as the kernel shows it."""

    to: Network
    via: Optional[Address]
    metric: int

    @property
    def is_default(self) -> bool:
        return self.to.prefixlen == 0

    def __str__(self) -> str:
        to = "default" if self.is_default else str(self.to)
        return to + (f" via {self.via}" if self.via else "") + (f" metric {self.metric}" if self.metric else "")


@dataclass(frozen=True)
class Kind:
    """What one kind of link has beside the shared settings.

    `IDENTITY` names the fields that cannot change on a living link; all others can.
    `LINKS` names the fields that hold the LinkKey of a link this one stands on.
    """

    KIND: ClassVar[str] = ""
    IDENTITY: ClassVar[tuple[str, ...]] = ()
    LINKS: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True)
class Other(Kind):
    """A kind this collection does not make: only ever observed."""

    kind: str = ""


@dataclass(frozen=True)
class Link:
    """A link, wanted or seen. In a wanted one None means "not managed"; in a seen one everything is known.

    `data` None (wanted only): a link that is somebody else's, on which only the given settings are kept.
    `master` is a bridge in the same namespace, "" for none. `gateways` are the default routes (metric
    of the kernel's own choice), `routes` all others; both without what the kernel or a router made.
    `birth_mac` is what a new one gets where `mac` is not managed.

    `former` (wanted only) are addresses and routes that were ours and go; where it is given, those of others on the link
    stay, but for what bears our mark. `marked` (seen only) are those that bear it. `near` (seen only): the subnets of all
    its addresses, also of those that have a lifetime.

    `forwards` are the entries of a VXLAN that stay, `neighbours` the permanent neighbours on a link of any kind; both
    without what the kernel learned and what a routing daemon put there, and seen only where they were asked for.
    `flooding` says which forwards are managed: None all, True those of FLOOD alone, False all others. `answers` (wanted
    only) are the neighbours on the bridge that a VXLAN is a port of, as far as they have a MAC address of its entries.
    `stations` are the MAC addresses that are fixed to a bridge's port, seen only where they were asked for.
    `port_learning`, `port_flooding` and `neigh_suppress` are settings of a bridge's port, as `hairpin` and `isolated` are:
    whether the bridge learns who is behind it, whether it gets frames for unknown MAC addresses, multicasts and broadcasts,
    and whether the bridge keeps from it questions for neighbours that it can answer.
    """

    key: LinkKey
    data: Optional[Kind] = None
    owner: Optional[str] = None
    altname: Optional[str] = None
    mac: Optional[str] = None
    mtu: Optional[int] = None
    master: Optional[str] = None
    hairpin: Optional[bool] = None
    isolated: Optional[bool] = None
    port_learning: Optional[bool] = None
    port_flooding: Optional[bool] = None
    neigh_suppress: Optional[bool] = None
    promiscuous: Optional[bool] = None
    up: Optional[bool] = None
    addresses: Optional[frozenset[Interface]] = None
    gateways: Optional[frozenset[Route]] = None
    routes: Optional[frozenset[Route]] = None
    forwards: Optional[frozenset[Forward]] = None
    neighbours: Optional[frozenset[Neighbour]] = None
    answers: Optional[frozenset[Neighbour]] = None
    flooding: Optional[bool] = None
    stations: Optional[frozenset[Station]] = None
    former: Optional[frozenset[Union[Interface, Route]]] = None
    marked: frozenset[Union[Interface, Route]] = field(default=frozenset(), compare=False)
    near: Optional[frozenset[Network]] = field(default=None, compare=False)
    birth_mac: Optional[str] = field(default=None, compare=False)
    index: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"link {self.key}"

    @property
    def kind(self) -> str:
        if isinstance(self.data, Other):
            return self.data.kind
        return self.data.KIND if self.data else ""

    @property
    def adopted(self) -> bool:
        """Whether it was there before its owner had it."""
        return is_adopted(self.altname)

    @property
    def under(self) -> tuple[LinkKey, ...]:
        """The links that must be there before this one: its parent, its master."""
        below = tuple(getattr(self.data, name) for name in self.data.LINKS) if self.data else ()
        return below + ((LinkKey(self.key.netns, self.master),) if self.master else ())


class LinkAddress(NamedTuple):
    """One address on one link."""

    link: LinkKey
    address: Interface

    def __str__(self) -> str:
        return f"address {self.address} on {self.link}"


class LinkRoute(NamedTuple):
    """One route through one link."""

    link: LinkKey
    route: Route

    def __str__(self) -> str:
        return f"route {self.route} through {self.link}"


class LinkNeighbour(NamedTuple):
    """One permanent neighbour on one link."""

    link: LinkKey
    neighbour: Neighbour

    def __str__(self) -> str:
        return f"neighbour {self.neighbour} on {self.link}"


class LinkStation(NamedTuple):
    """One MAC address that is fixed to one port."""

    link: LinkKey
    station: Station

    def __str__(self) -> str:
        return f"MAC address {self.station} behind {self.link}"


class Settings(NamedTuple):
    """Changes to one living link: field names (of Link, or of its `data`) and their new values."""

    link: LinkKey
    changes: Mapping[str, object]

    def __str__(self) -> str:
        return f"link {self.link}"


class Birth(NamedTuple):
    """The making of one link; `peer` is the wanted other end of a veth pair."""

    link: Link
    peer: Optional[Link] = None

    def __str__(self) -> str:
        return str(self.link)
