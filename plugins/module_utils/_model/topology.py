# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A topology as its document says it, valid and with everything said that is silent there. Compose's words and meanings.

What the document leaves to be chosen (a subnet, an address, a port) is None here, and chosen in _topology/allocate.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Optional, Union

from .link import Address, Network
from .namespace import NetnsRef
from .rule import Ports

# The names of networks that `network_mode` brings: a host's one default bridge, and who it belongs to.
DEFAULT_BRIDGE = "bridge"
DEFAULT_NETWORK = "default"
RESERVED_OWNER = "docknet"
HOST_GATEWAY = "host-gateway"
# The mode of an overlay whose hosts route for it, and put no header before its packets.
HOST_GW = "host-gw"
# Stands for all hosts where one is named; none can be called so (it is a pattern in an inventory).
EVERYWHERE = "*"


class Pool(NamedTuple):
    """One entry of `ipam.config`. `aux`: reserved addresses by their name."""

    subnet: Network
    ip_range: Optional[Network] = None
    gateway: Optional[Address] = None
    aux: tuple[tuple[str, Address], ...] = ()


class Shim(NamedTuple):
    """The host's own child of a network's parent. `address` None: one is allocated."""

    name: str
    address: Optional[Address] = None

    @property
    def said(self) -> dict[int, Address]:
        return {self.address.version: self.address} if self.address else {}


@dataclass(frozen=True)
class Options:
    """`driver_opts`, by Docker's or Podman's name, whichever was used. None: the driver's own default.

    `modes`: how the network is reached from outside by family, "nat", "nat-unprotected", "routed" or "isolated".
    `publish_on`: the address that ports without one are published on. `sources`: the address that packets to outside
    get, by family; None is masquerading. `trusted`: host interfaces whose packets may go to any address of the network.
    `parents`: the parent of a macvlan or ipvlan by host, whose own `mode` and `flag` are; the key "" is every other host's.
    `vni`: an overlay's number, whose `mode` is "vxlan" or "host-gw"; `control`: who tells its hosts where each address is,
    "static" (the run) or "evpn" (a routing daemon); `encrypted`: its packets go from host to host through a WireGuard.
    """

    mtu: Optional[int] = None
    icc: bool = True
    masquerade: bool = True
    modes: Mapping[int, str] = field(default_factory=lambda: {4: "nat", 6: "nat"})
    publish_on: Mapping[int, Address] = field(default_factory=dict)
    sources: Mapping[int, Address] = field(default_factory=dict)
    inhibit_ipv4: bool = False
    trusted: tuple[str, ...] = ()
    prefix: str = "eth"
    default_route: bool = True
    parents: Mapping[str, str] = field(default_factory=dict)
    mode: Optional[str] = None
    flag: Optional[str] = None
    vlan: Optional[int] = None
    shim: Optional[Shim] = None
    vni: Optional[int] = None
    control: str = "static"
    encrypted: bool = False


@dataclass(frozen=True)
class NetworkSpec:
    """A network. `device`: the name that was chosen for its bridge. `ipam`: "default", "dhcp" or "none".

    `compose_name`: the name outside of the document (`name` in Compose), by which other topologies join it too.
    """

    name: str
    driver: str = "bridge"
    device: Optional[str] = None
    external: bool = False
    ipam: str = "default"
    pools: tuple[Pool, ...] = ()
    ipv4: bool = True
    ipv6: bool = False
    internal: bool = False
    options: Options = field(default_factory=Options)
    compose_name: Optional[str] = None

    @property
    def what(self) -> str:
        return f"networks.{self.name}"

    @property
    def bridged(self) -> bool:
        """Whether it has a bridge on each of its hosts."""
        return self.driver in ("bridge", "overlay")

    @property
    def on_parent(self) -> bool:
        """Whether it is the network of an interface that each of its hosts has."""
        return self.driver in ("macvlan", "ipvlan")

    @property
    def own_macs(self) -> bool:
        """Whether its containers have MAC addresses of their own, and not their parent's."""
        return self.driver != "ipvlan" and self.options.mode != "passthru"

    @property
    def among(self) -> str:
        """How children of one parent reach each other: macvlan's mode, ipvlan's flag."""
        return (self.options.flag if self.driver == "ipvlan" else self.options.mode) or "bridge"

    @property
    def routed(self) -> bool:
        """Whether the host routes for its containers, who then ask for no neighbour: their way out is the interface itself."""
        return self.driver == "ipvlan" and self.options.mode in ("l3", "l3s")

    @property
    def by_slices(self) -> bool:
        """Whether each of its hosts has a part of its subnet, to which the others have routes: no frame leaves a host."""
        return self.driver == "overlay" and self.options.mode == HOST_GW

    @property
    def shared(self) -> bool:
        """Whether hosts have one such network together; a bridge alone each has for itself."""
        return self.driver != "bridge"


@dataclass(frozen=True)
class EndpointSpec:
    """One container's attachment to one network, in the document's order. `sysctls` are of its interface, below net.*.conf.IFNAME."""

    network: str
    aliases: tuple[str, ...] = ()
    ipv4: Optional[Address] = None
    ipv6: Optional[Address] = None
    mac: Optional[str] = None
    interface: Optional[str] = None
    host_interface: Optional[str] = None
    gw_priority: int = 0
    priority: int = 0
    sysctls: Mapping[tuple[str, ...], str] = field(default_factory=dict)


class PortSpec(NamedTuple):
    """One published port or range. `published` None: a free port of the host; one longer than `target`: the first free of it."""

    target: Ports
    published: Optional[Ports] = None
    host_ip: Optional[Address] = None
    protocol: str = "tcp"
    allowed_sources: Optional[frozenset[Network]] = None

    def __str__(self) -> str:
        """The key under which it is saved; for people, see `words`."""
        on = f"{self.host_ip}:" if self.host_ip else ""
        return f"{on}{self.published or ''}:{self.target}/{self.protocol}"

    @property
    def words(self) -> str:
        """As a document says it, an IPv6 address in brackets."""
        on = "" if self.host_ip is None else f"[{self.host_ip}]:" if self.host_ip.version == 6 else f"{self.host_ip}:"
        return f"{on}{self.published or ''}:{self.target}/{self.protocol}"


@dataclass(frozen=True)
class ContainerSpec:
    """A container. `mode`: "networks", "none", "host", "bridge" (one endpoint, on DEFAULT_BRIDGE) or "container:NAME".

    `netns` is its namespace; `made` says that we make it, and do not attach a running container's. `links` are (name of
    a container, alias). `extra_hosts` are (name, address or HOST_GATEWAY). `ports` know their place in the document.
    """

    name: str
    host: Optional[str] = None
    hostname: Optional[str] = None
    netns: NetnsRef = None
    made: bool = True
    mode: str = "networks"
    endpoints: tuple[EndpointSpec, ...] = ()
    ports: tuple[PortSpec, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    extra_hosts: tuple[tuple[str, Union[Address, str]], ...] = ()
    dns: tuple[Address, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_opt: tuple[str, ...] = ()
    sysctls: Mapping[tuple[str, ...], str] = field(default_factory=dict)

    @property
    def what(self) -> str:
        return f"containers.{self.name}"

    @property
    def host_name(self) -> str:
        return self.hostname or self.name

    @property
    def joins(self) -> Optional[str]:
        """The container whose namespace this one shares."""
        return self.mode.partition(":")[2] or None


@dataclass(frozen=True)
class Document:
    """A whole topology. `host_names`: the host itself knows its containers by name. `warnings`: what was taken and means nothing here."""

    name: str
    networks: Mapping[str, NetworkSpec] = field(default_factory=dict)
    containers: Mapping[str, ContainerSpec] = field(default_factory=dict)
    host_names: bool = False
    warnings: tuple[str, ...] = ()

    def on(self, host: Optional[str]) -> list[ContainerSpec]:
        """The containers of one host; all of them where the document names no hosts, or where that is EVERYWHERE."""
        return [one for one in self.containers.values() if one.host is None or host in (one.host, EVERYWHERE)]

    @property
    def hosts(self) -> tuple[str, ...]:
        """Those it places containers on, in its order."""
        return tuple(dict.fromkeys(one.host for one in self.containers.values() if one.host is not None))

    def hosts_of(self, network: str) -> tuple[str, ...]:
        """Those with a container on a network."""
        on = (one for one in self.containers.values() if any(spec.network == network for spec in one.endpoints))
        return tuple(dict.fromkeys(one.host for one in on if one.host is not None))

    def used_on(self, host: Optional[str]) -> list[NetworkSpec]:
        """The networks that a host's containers are on, in the document's order; the default bridge is not among them."""
        used = {endpoint.network for one in self.on(host) for endpoint in one.endpoints}
        return [one for one in self.networks.values() if one.name in used]
