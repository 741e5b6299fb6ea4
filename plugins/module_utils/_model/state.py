# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What is kept of a topology on a host, and what was found there: from both, what is still free follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Optional

from .link import Address, Network
from .rule import Ports
from .wireguard_key import PublicKey

VERSION = 1


@dataclass(frozen=True)
class NetworkLease:
    """What a network was given. `gateways` are addresses by the subnet they are in; `device` is its bridge on the host.

    `shim`: the addresses of the host's own child of a macvlan network, by family. `vni` and `mtu` are an overlay's, the
    same on all of its hosts; and so are `slices`, the parts of its subnets that each host has where hosts route for it.
    """

    device: str = ""
    subnets: tuple[Network, ...] = ()
    gateways: Mapping[Network, Address] = field(default_factory=dict)
    shim: Mapping[int, Address] = field(default_factory=dict)
    vni: Optional[int] = None
    mtu: Optional[int] = None
    slices: Mapping[str, tuple[Network, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Lease:
    """What an endpoint was given: an address a family, without its prefix length, a MAC address, its interface's name."""

    ipv4: Optional[Address] = None
    ipv6: Optional[Address] = None
    mac: Optional[str] = None
    interface: Optional[str] = None

    def address(self, version: int) -> Optional[Address]:
        return self.ipv4 if version == 4 else self.ipv6


@dataclass(frozen=True)
class Allocation:
    """All that was chosen for one topology on one host: by network; by (container, network); by (container, PortSpec as text).

    `published_on`: the host's addresses that the latter are on. `elsewhere`: what endpoints on other hosts were given, on
    networks that this host shares with them. A file of an earlier version says neither.
    """

    networks: Mapping[str, NetworkLease] = field(default_factory=dict)
    endpoints: Mapping[tuple[str, str], Lease] = field(default_factory=dict)
    ports: Mapping[tuple[str, str], Ports] = field(default_factory=dict)
    published_on: Mapping[tuple[str, str], tuple[Address, ...]] = field(default_factory=dict)
    elsewhere: Mapping[tuple[str, str], Lease] = field(default_factory=dict)

    @cached_property
    def interfaces(self) -> Mapping[str, Mapping[str, str]]:
        """The names of interfaces, by container and network."""
        found: dict[str, dict[str, str]] = {}
        for (container, network), lease in self.endpoints.items():
            if lease.interface:
                found.setdefault(container, {})[network] = lease.interface
        return found


@dataclass(frozen=True)
class State:
    """The saved specification of one topology, /var/lib/docknet/NAME.json: the document as given, and what was chosen for it.

    `attached`: namespaces of containers that are not ours, in which something of ours is. `peers`: by name, the address at
    which each host is reached by the others; `keys`: what each one's WireGuard is known by. `meanwhile` is what is saved
    until everything else is done, where this one does not tell any more what has to go.
    """

    name: str
    host: Optional[str] = None
    document: Mapping[str, Any] = field(default_factory=dict)
    allocation: Allocation = field(default_factory=Allocation)
    attached: tuple[str, ...] = ()
    peers: Mapping[str, Address] = field(default_factory=dict)
    keys: Mapping[str, PublicKey] = field(default_factory=dict)
    meanwhile: Optional[State] = None

    def __str__(self) -> str:
        return f"state {self.name}"


class OnLink(NamedTuple):
    """A subnet of which a host has an address on a link. `owner` None: the link is nobody's of ours. `host` None: it is this one."""

    network: Network
    device: str
    owner: Optional[str] = None
    host: Optional[str] = None


class Listener(NamedTuple):
    """A port that a process of the host's own namespace has. `process`: "nginx (pid 812)", "" where it is not known.

    `service`: the service of ours (a name server) that has it. `passing`: the kernel chose the port, as it does for a client's
    socket; UDP does not tell such a socket from a server's.
    """

    protocol: str
    address: Address
    port: int
    process: str = ""
    service: str = ""
    passing: bool = False


class Inside(NamedTuple):
    """What a real container has of others': names of interfaces; the IP versions by which one of them leads to elsewhere."""

    names: frozenset[str] = frozenset()
    leads: frozenset[int] = frozenset()


class Reached(NamedTuple):
    """The host's way to an address: the address that it sends from (itself, for one of its own), the link, a router between.

    `mtu`: what the route is configured to carry, where that is said.
    """

    source: Address
    device: str
    via: Optional[Address] = None
    mtu: Optional[int] = None


class Underlay(NamedTuple):
    """How a host reaches the others: from which of its addresses, by which link, and how much that carries."""

    address: Address
    device: str
    mtu: int


@dataclass(frozen=True)
class Surroundings:
    """What else a host has, that a topology must do without.

    `routed`: subnets that other routes lead to, by a next hop or into a tunnel. `servers`: the name servers it
    asks, behind systemd-resolved's stub too; `search` goes with them. `resolver`: the file that names them, links followed;
    None where no file can be made there. `no_resolver`: there is none, or only our stand-in. `nsswitch`: the lines of
    /etc/nsswitch.conf, None where there is none. `free_ports`: the kernel's range for ports of its own choice, `reserved` what is not for
    its choice. `uplinks`: links that take a default route from router advertisements, which IPv6 forwarding would end. `states`: every topology saved on the
    host, by name. `machine`: what is stable about the host, for addresses that are derived from it. `addresses`: its
    own, on links that are not ours. `inside`: real containers of the topology, by their namespaces. `vnis`: the numbers of
    VXLANs that are not ours, by the link that has each. `underlay` None: there is no other host, or no way to it. `reached`:
    how other hosts are, as far as that was asked; `outward`: the default route. `identity`: what no other host has, until the
    next boot. `macs`: the MAC addresses of its links, by name.
    """

    on_link: tuple[OnLink, ...] = ()
    routed: tuple[Network, ...] = ()
    servers: tuple[Address, ...] = ()
    search: tuple[str, ...] = ()
    resolver: Optional[str] = "/etc/resolv.conf"
    no_resolver: bool = False
    nsswitch: Optional[tuple[str, ...]] = None
    listeners: tuple[Listener, ...] = ()
    free_ports: Ports = Ports(32768, 60999)
    uplinks: tuple[str, ...] = ()
    states: Mapping[str, State] = field(default_factory=dict)
    machine: str = ""
    addresses: frozenset[Address] = frozenset()
    reserved: tuple[Ports, ...] = ()
    inside: Mapping[str, Inside] = field(default_factory=dict)
    vnis: Mapping[int, str] = field(default_factory=dict)
    underlay: Optional[Underlay] = None
    reached: Mapping[Address, Reached] = field(default_factory=dict)
    outward: Optional[Reached] = None
    macs: Mapping[str, str] = field(default_factory=dict)
    identity: str = ""
