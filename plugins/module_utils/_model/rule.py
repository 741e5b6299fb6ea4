# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Address translation: a source that is hidden, a port that is published, and the nftables table both live in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple, Optional, Union

from .link import Address, Network
from .namespace import NetnsRef, place

MASQUERADE = "masquerade"
EVERY_ADDRESS = {4: ip_address("0.0.0.0"), 6: ip_address("::")}
EVERYONE = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}
LOOPBACK = "lo"

SnatKey = tuple[NetnsRef, Network, Optional[str], Optional[str]]
DnatKey = tuple[NetnsRef, str, Address, "Ports"]


class Ports(NamedTuple):
    """One port, or several in a row."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    @property
    def size(self) -> int:
        return self.last - self.first + 1


class Path(NamedTuple):
    """How the host's packets get to an address: the interface, and the subnet on it that has the address (else the address alone).

    `own`: it is an address of the host. `localnet`: the interface's route_localnet, None where that does not apply.
    `marked`: the interface is one of ours.
    """

    device: str
    subnet: Network
    own: bool = False
    localnet: Optional[bool] = None
    marked: bool = False


@dataclass(frozen=True)
class Snat:
    """What leaves from `source` gets the address of the interface it leaves by, or the one given. `to` None: not managed."""

    netns: NetnsRef
    source: Network
    except_out_interface: Optional[str] = None
    out_interface: Optional[str] = None
    to: Optional[Union[str, Address]] = None
    owner: Optional[str] = None

    @property
    def key(self) -> SnatKey:
        return (self.netns, self.source, self.except_out_interface, self.out_interface)

    def __str__(self) -> str:
        beyond = f" not out {self.except_out_interface}" if self.except_out_interface else ""
        by = f" out {self.out_interface}" if self.out_interface else ""
        return f"snat {self.source}{by}{beyond}{place(self.netns)}"


@dataclass(frozen=True)
class Dnat:
    """A published port: what comes for `host_ip` (0.0.0.0, ::: every address of the host) and `ports` goes to `to_ip` and the ports from `to_port` on.

    In a wanted one None means "not managed"; in a seen one all but `via` is known. `allowed_sources` are
    disjoint; EVERYONE where anyone may. `via` is what the rule's other settings follow from: see Path.
    """

    netns: NetnsRef
    protocol: str
    host_ip: Address
    ports: Ports
    to_ip: Optional[Address] = None
    to_port: Optional[int] = None
    allowed_sources: Optional[frozenset[Network]] = None
    hairpin: Optional[bool] = None
    local: Optional[bool] = None
    owner: Optional[str] = None
    via: Optional[Path] = None

    @property
    def key(self) -> DnatKey:
        return (self.netns, self.protocol, self.host_ip, self.ports)

    @property
    def version(self) -> int:
        return self.host_ip.version

    @property
    def keeps_ports(self) -> bool:
        return self.to_port == self.ports.first

    @property
    def to_ports(self) -> Ports:
        first = self.to_port or self.ports.first
        return Ports(first, first + self.ports.size - 1)

    @property
    def open_to_all(self) -> bool:
        return self.allowed_sources is None or EVERYONE[self.version] in self.allowed_sources

    @property
    def needs_localnet(self) -> Optional[str]:
        """The interface that must let packets of 127.0.0.0/8 through, so that 127.0.0.1 on the host leads to the target."""
        if not self.local or self.version != 4 or not self.via or self.via.device == LOOPBACK:
            return None
        return self.via.device if self.host_ip.is_unspecified or self.host_ip.is_loopback else None

    def __str__(self) -> str:
        return f"dnat {endpoint(self.host_ip, self.ports)}/{self.protocol}{place(self.netns)}"

    def meets(self, other: Dnat) -> bool:
        """Whether one packet could be for both."""
        return (
            (self.netns, self.protocol, self.version) == (other.netns, other.protocol, other.version)
            and self.ports.first <= other.ports.last
            and other.ports.first <= self.ports.last
            and (self.host_ip == other.host_ip or self.host_ip.is_unspecified or other.host_ip.is_unspecified)
        )

    def leads(
        self, source: Address, destination: Address, port: int, own: Iterable[Address]
    ) -> Optional[tuple[Address, int]]:
        """Where a new connection goes by this rule alone, on a host with the addresses `own`; None: the rule leaves it as it is."""
        addresses = frozenset(own)
        from_host = source in addresses or source.is_loopback
        here = destination in addresses or (destination.is_loopback and from_host and destination.version == 4)
        meant = destination == self.host_ip or self.host_ip.is_unspecified
        if self.to_ip is None or not (here and meant and self.ports.first <= port <= self.ports.last):
            return None
        if destination.version == 6 and destination.is_link_local:
            return None
        if from_host and not self.local:
            return None
        if not from_host and not self.hairpin and self.via and source in self.via.subnet:
            return None
        if (
            not from_host
            and not self.open_to_all
            and not any(source in network for network in self.allowed_sources or ())
        ):
            return None
        return self.to_ip, self.to_ports.first + port - self.ports.first


Rule = Union[Dnat, Snat]
RuleKey = Union[DnatKey, SnatKey]


def endpoint(address: Address, ports: Ports) -> str:
    """10.0.0.1:8080, [::]:8000-8010."""
    return f"[{address}]:{ports}" if address.version == 6 else f"{address}:{ports}"


class Element(NamedTuple):
    """One element of a set or map of the table, spelt as nft does: "10.0.0.1 . 8080" to "172.17.0.3 . 80"."""

    set: str
    key: str
    value: str = ""
    comment: str = ""


ElementKey = tuple[str, str]


class Line(NamedTuple):
    """A rule in one of the table's chains. `snat`: what it says, where it is one of ours or could be."""

    chain: str
    handle: int
    comment: str
    snat: Optional[Snat] = None


@dataclass(frozen=True)
class Table:
    """The table of one namespace, as seen.

    `about` is, for a publication, the elements that say something about it beside the translation itself.
    `damage` says what of its fixed part is missing, empty when all is there. `foreign` are things in it that
    are not ours, which stay and keep it. `switches` is route_localnet of the interfaces in set
    "localnet", None for one that is gone. `segments` are by device; `bridge` is our other table, of the bridge family,
    None where there is none, else what of it is missing; `strange` is what in that one is not ours, `bridge_rules` are our rules' handles in it.
    """

    present: bool = False
    damage: tuple[str, ...] = ()
    elements: Mapping[ElementKey, Element] = field(default_factory=dict)
    lines: tuple[Line, ...] = ()
    about: Mapping[str, frozenset[ElementKey]] = field(default_factory=dict)
    rules: Mapping[RuleKey, Rule] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()
    switches: Mapping[str, Optional[bool]] = field(default_factory=dict)
    segments: Mapping[str, Any] = field(default_factory=dict)
    bridge: Optional[tuple[str, ...]] = None
    strange: tuple[str, ...] = ()
    bridge_rules: tuple[int, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.rules and not self.segments

    @property
    def dnats(self) -> list[Dnat]:
        return [rule for rule in self.rules.values() if isinstance(rule, Dnat)]

    @property
    def snats(self) -> list[Snat]:
        return [rule for rule in self.rules.values() if isinstance(rule, Snat)]


class RuleChange(NamedTuple):
    """The making, changing or removal of one rule. Changes of one namespace are sent as one transaction.

    `remove` and `add` are elements; `chain` (of a Snat) is all of the source rules as they are to be, in order.
    """

    rule: Rule
    before: Optional[Rule] = None
    remove: tuple[Element, ...] = ()
    add: tuple[Element, ...] = ()
    chain: Optional[tuple[Snat, ...]] = None

    @property
    def netns(self) -> NetnsRef:
        return self.rule.netns

    def __str__(self) -> str:
        return str(self.rule)


class TableChange(NamedTuple):
    """What several rules share: the table itself, its fixed part (`repair`: put it up anew), and the sets about subnets and interfaces.

    `bridge`: our table of the bridge family is put up (anew), or goes; None: it stays as it is.
    """

    netns: NetnsRef
    repair: bool = False
    drop: bool = False
    remove: tuple[Element, ...] = ()
    add: tuple[Element, ...] = ()
    bridge: Optional[bool] = None

    def __str__(self) -> str:
        return f"nftables table inet docknet{place(self.netns)}"


class Switch(NamedTuple):
    """route_localnet of one interface: whether packets of 127.0.0.0/8 may pass it."""

    netns: NetnsRef
    device: str
    on: bool

    def __str__(self) -> str:
        return f"sysctl net.ipv4.conf.{self.device.replace('.', '/')}.route_localnet{place(self.netns)}"
