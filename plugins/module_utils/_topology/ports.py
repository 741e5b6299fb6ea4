# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Ports of the host: those the document says must be free, and the free ones it leaves to be chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import NamedTuple, Optional

from .._model.errors import Conflict, DocknetError
from .._model.link import Address
from .._model.rule import EVERY_ADDRESS, Ports
from .._model.state import Allocation, Listener, Surroundings
from .._model.topology import ContainerSpec, PortSpec
from .listening import host_address, is_translated
from .site import VERSIONS, Site, by_default

LAST_PORT = 65535
# So many processes, and ports of each, are named in a warning.
SAID = 3


class Wish(NamedTuple):
    """One published port, and the host's addresses it is to be on."""

    container: ContainerSpec
    port: PortSpec
    addresses: tuple[Address, ...]

    @property
    def key(self) -> tuple[str, str]:
        return (self.container.name, str(self.port))

    @property
    def fixed(self) -> Optional[Ports]:
        """The host's ports, where the document says exactly which."""
        said = self.port.published
        return said if said is not None and said.size == self.port.target.size else None


class Holder(NamedTuple):
    """What has a port. `listens`: a process, which a publication can do without. `passing`: its socket looks like a client's."""

    address: Address
    who: str
    listens: bool = False
    passing: bool = False


class Taken:
    """What has which port, by protocol and number. Our own name servers are not in the way: no packet for them comes from outside."""

    def __init__(self, around: Surroundings) -> None:
        self._by: dict[tuple[str, int], list[Holder]] = {}
        for one in around.listeners:
            if not one.service:
                for address in all_of(one):
                    holder = Holder(address, one.process or "a process", True, one.passing)
                    self._by.setdefault((one.protocol, one.port), []).append(holder)
        for name, state in around.states.items():
            for (container, text), ports in state.allocation.ports.items():
                protocol, host_ip = split(text)
                on = state.allocation.published_on.get((container, text))
                for address in on or ((host_ip,) if host_ip else EVERY_ADDRESS.values()):
                    self.add(protocol, address, ports, f"container {container} of topology {name}")

    def add(self, protocol: str, address: Address, ports: Ports, who: str) -> None:
        for number in range(ports.first, ports.last + 1):
            self._by.setdefault((protocol, number), []).append(Holder(address, who))

    def by(self, wish: Wish, ports: Ports) -> Iterator[tuple[int, Holder]]:
        """(port, what has it) for each that one packet could be for."""
        for number in range(ports.first, ports.last + 1):
            for holder in self._by.get((wish.port.protocol, number), ()):
                if any(meet(address, holder.address) for address in wish.addresses):
                    yield number, holder

    def take(self, wish: Wish, ports: Ports) -> Ports:
        for address in wish.addresses:
            self.add(wish.port.protocol, address, ports, wish.container.what)
        return ports


def choose_ports(
    wishes: Sequence[Wish], around: Surroundings, known: Allocation, errors: list[DocknetError], warnings: list[str]
) -> dict[tuple[str, str], Ports]:
    """The host's ports of each published one: as said, as it had them, or the lowest that are free."""
    taken = Taken(around)
    chosen: dict[tuple[str, str], Ports] = {}
    # Below it nothing is free for a wish of that shape, and never will be in this run.
    lowest_of: dict[object, int] = {}
    for wish in wishes:
        if wish.fixed:
            complain(wish, wish.fixed, taken, known, errors, warnings)
            chosen[wish.key] = taken.take(wish, wish.fixed)
    for wish in wishes:
        kept = known.ports.get(wish.key)
        if kept and not wish.fixed and fits(wish, kept):
            if all(holder.listens for _port, holder in taken.by(wish, kept)):
                complain(wish, kept, taken, known, errors, warnings)
                chosen[wish.key] = taken.take(wish, kept)
    for wish in wishes:
        if wish.key not in chosen:
            shape = (wish.port.protocol, wish.port.published, wish.port.target.size, wish.addresses)
            found = lowest(wish, taken, around, lowest_of.get(shape, 0))
            if found is None:
                where = wish.port.published or around.free_ports
                why = f"none of the ports {where}/{wish.port.protocol} is free for {wish.port.words}"
                errors.append(Conflict(f"{wish.container.what}.ports", why, "say another range"))
            else:
                lowest_of[shape] = found.last + 1
                chosen[wish.key] = taken.take(wish, found)
    return {wish.key: chosen[wish.key] for wish in wishes if wish.key in chosen}


def wishes_of(site: Site) -> Iterator[Wish]:
    """Those that are published at all: see publication.py."""
    for container in site.containers:
        endpoints = site.endpoints(container) if container.ports else []
        leading = [(version, by_default(endpoints, version)) for version in VERSIONS]
        for port in container.ports:
            found = [
                host_address(port, endpoint.network.options, version)
                for version, endpoint in leading
                if endpoint and is_translated(endpoint.network, version)
            ]
            addresses = tuple(one for one in found if one is not None)
            if addresses:
                yield Wish(container, port, addresses)


def complain(
    wish: Wish, ports: Ports, taken: Taken, known: Allocation, errors: list[DocknetError], warnings: list[str]
) -> None:
    """Errors: Conflict, a sentence for each port. For a process that came to a port of ours: a warning.

    UDP does not tell a client's socket from a server's. A process that has a port of the kernel's choice is in the way of that one
    port, but not of a range, where clients come and go all the time: the first run that publishes it warns, once.
    """
    had, where = known.ports.get(wish.key) == ports, f"{wish.container.what}.ports"
    passing: dict[str, list[int]] = {}
    for number, who, listens, client in dict.fromkeys(
        (number, one.who, one.listens, one.passing) for number, one in taken.by(wish, ports)
    ):
        why = f"port {number}/{wish.port.protocol} is already taken by {who}"
        if client and (had or ports.size > 1):
            passing.setdefault(who, []).append(number)
        elif had and listens:
            warnings.append(f"{where}: port {number}/{wish.port.protocol} leads to the container, not to {who}")
        else:
            errors.append(Conflict(where, why, "publish another port, or free this one"))
    if passing and not had:
        used = ", ".join(f"{who} ({', '.join(map(str, numbers[:SAID]))})" for who, numbers in [*passing.items()][:SAID])
        why = f"some of the ports {ports}/{wish.port.protocol} are used by {used}"
        warnings.append(f"{where}: {why}; new packets to them go to the container, so no server may listen there")


def fits(wish: Wish, ports: Ports) -> bool:
    """Whether ports that were chosen before are still what the document asks for."""
    said = wish.port.published
    inside = said is None or (said.first <= ports.first and ports.last <= said.last)
    return inside and ports.size == wish.port.target.size


def lowest(wish: Wish, taken: Taken, around: Surroundings, start: int) -> Optional[Ports]:
    """The first free ones in a row of the said range, or of the kernel's own where none is said, from `start` on."""
    where, size = wish.port.published or around.free_ports, wish.port.target.size
    for first in range(max(where.first, start), min(where.last, LAST_PORT) - size + 2):
        ports = Ports(first, first + size - 1)
        kept_back = wish.port.published is None and any(
            first <= one.last and one.first <= ports.last for one in around.reserved
        )
        if not kept_back and next(taken.by(wish, ports), None) is None:
            return ports
    return None


def all_of(listener: Listener) -> tuple[Address, ...]:
    """A socket on :: has IPv4's packets too, as a rule (ipv6(7), bindv6only)."""
    return tuple(EVERY_ADDRESS.values()) if listener.address == EVERY_ADDRESS[6] else (listener.address,)


def meet(one: Address, other: Address) -> bool:
    return one.version == other.version and (one == other or one.is_unspecified or other.is_unspecified)


def split(text: str) -> tuple[str, Optional[Address]]:
    """Protocol and host address of a PortSpec's text."""
    rest, _slash, protocol = text.rpartition("/")
    host_ip = rest.rpartition(":")[0].rpartition(":")[0]
    return protocol, ip_address(host_ip) if host_ip else None
