# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.


"""Names of containers: which name server each one asks, and what that is told.

The server is Debian's dnsmasq, one process for all containers of a host that are on the same bridge networks and want the
same servers asked for other names. It listens on those networks' gateways, at a port of its own; the packet filter
sends there what such a container asks its gateway (Segment.resolvers). So each container gets the names of its own
networks from an address that it shares with others, and no process runs per container.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from .._model.hosts import HostsBlock
from .._model.link import Address
from .._model.rule import Ports
from .._model.service import NameSocket, Service, ServiceFile
from .._model.text import TextFile, TextKey
from .._model.topology import DEFAULT_BRIDGE, ContainerSpec, NetworkSpec
from .._model.words import text_of
from . import container_files, nsswitch
from .container_files import Book, Entry
from .network import addresses
from .site import VERSIONS, Endpoint, Site

# Below the ports that a kernel chooses for clients, and above well-known ones; then, where all of those are published, above both.
PORTS = Ports(20000, 29999)
SPARE_PORTS = Ports(61000, 64999)


class Names(NamedTuple):
    """`resolvers`: by network, the port that each container's question to its gateway goes to, by the container's address.

    Other topologies' containers on a network are among them: its part of the packet filter is one.
    """

    services: tuple[Service, ...] = ()
    resolvers: Mapping[str, Mapping[Address, int]] = {}
    texts: tuple[TextFile, ...] = ()
    blocks: tuple[HostsBlock, ...] = ()
    warnings: tuple[str, ...] = ()


class Circle(NamedTuple):
    """Containers that get the same answers: by the networks they are on, and who is asked for names of elsewhere.

    `inside`: nobody is, since they are on internal networks only.
    """

    networks: tuple[str, ...]
    servers: tuple[Address, ...]
    inside: bool


def plan_names(site: Site, foreign: Collection[TextKey] = ()) -> Names:
    """Everything that makes names known on one host. Pure. `foreign`: files of others. Errors: InvalidRequest."""
    book = container_files.address_book(site)
    asking_here = list(asking(site))
    asked: dict[str, list[Address]] = {}
    # A question that comes by an internal network is answered as to its other containers, so the others are asked first.
    for endpoint, _circle, at in sorted(asking_here, key=lambda one: one[0].network.internal):
        asked.setdefault(endpoint.container.name, at)
    circles = {circle for _endpoint, circle, _listening in asking_here}
    texts, blocks = container_files.plan(site, book, asked)
    switches, left_alone = nsswitch.plan(site, book, foreign)
    warnings = (*cut_off(site, circles), *container_files.without_servers(site, asked), *left_alone)
    return plan_servers(site, book)._replace(texts=(*texts, *switches), blocks=blocks, warnings=warnings)


def cut_off(site: Site, circles: Collection[Circle]) -> Iterator[str]:
    """A warning where name servers of ours have no other to ask, because the host has no resolv.conf."""
    if site.around.no_resolver and any(not one.inside and not one.servers for one in circles):
        target = (
            f" (a link to {site.around.resolver})"
            if site.around.resolver not in (None, container_files.RESOLVER)
            else ""
        )
        why = f"the host's {container_files.RESOLVER}{target} does not exist or is empty"
        yield f"topology {site.owner}: {why}; containers resolve only each other's names until it names a server"


def plan_servers(site: Site, book: Book) -> Names:
    """The name servers alone, and whose questions go to them."""
    networks = {site.device(one): one.name for one in site.networks if one.bridged}
    resolvers: dict[str, dict[Address, int]] = {}
    ports = {one.owner: choose_ports(one) for one in (site, *site.neighbours)}
    for one in (site, *site.neighbours):
        for endpoint, circle, _listening in asking(one):
            name = networks.get(endpoint.given.device)
            if name is not None:
                own = (endpoint.lease.address(version) for version in VERSIONS)
                resolvers.setdefault(name, {}).update({at: ports[one.owner][circle] for at in own if at})
    return Names(tuple(service(site, book, circle, port) for circle, port in ports[site.owner].items()), resolvers)


def asking(site: Site) -> Iterator[tuple[Endpoint, Circle, list[Address]]]:
    """Where containers ask a name server of ours: which, and where it listens."""
    servers = {one.name: gateways(site, one) for one in site.networks}
    for one in site.containers:
        endpoints = site.endpoints(one) if asks(one) else []
        heard = [(each, listening(each, servers)) for each in endpoints]
        outward = any(at and not each.network.internal for each, at in heard)
        networks = [each.network for each in endpoints]
        for endpoint, at in heard:
            if at:
                shut = outward and endpoint.network.internal
                yield endpoint, circle_of(one, [each for each in networks if each.internal or not shut]), at


def asks(container: ContainerSpec) -> bool:
    """A real container keeps its own name server. One that asks itself gets the names of its networks in its hosts file."""
    return container.mode == "networks" and container.made and not any(one.is_loopback for one in container.dns)


def listening(endpoint: Endpoint, servers: Mapping[str, Sequence[Address]]) -> list[Address]:
    """Where the container can ask by this network. `servers`: where each network's can be asked."""
    return [at for at in servers[endpoint.network.name] if endpoint.lease.address(at.version)]


def circle_of(container: ContainerSpec, networks: Sequence[NetworkSpec]) -> Circle:
    """Who answers a container's questions that may tell of these networks.

    Those that come by an internal network, while the container has another network to ask by, tell of its internal networks
    only: a neighbour there can write the container's source address, and would reach the servers of outside.
    """
    inside = all(one.internal for one in networks)
    return Circle(tuple(sorted({one.name for one in networks})), () if inside else container.dns, inside)


def gateways(site: Site, network: NetworkSpec) -> list[Address]:
    """The host's own addresses on a user-defined bridge, where a name server can be asked."""
    if not network.bridged or network.name == DEFAULT_BRIDGE:
        return []
    return sorted((one.ip for one in addresses(network, site.given(network.name))), key=lambda at: (at.version, at))


def choose_ports(site: Site) -> dict[Circle, int]:
    """A port for each, the same in every run: from a hash of its name, and the next one where that is taken.

    In the way are ports that another process has on every address or on a gateway, published ports, and the name servers of
    topologies on the same networks: of two of these the first by name chooses first.
    """
    circles = {circle for _endpoint, circle, _listening in asking(site)}
    if not circles:
        return {}
    gates = {address for one in site.networks for address in gateways(site, one)}
    taken = {
        one.port
        for one in site.around.listeners
        if not one.service and (one.address.is_unspecified or one.address in gates)
    }
    for other in site.neighbours:
        if other.owner < site.owner:
            taken.update(choose_ports(other).values())
    good = candidates(site.around.free_ports) - taken
    best = good.difference(*published(site))
    found: dict[Circle, int] = {}
    for circle in sorted(circles, key=lambda one: digest(site, one)):
        start = int(digest(site, circle), 16)
        turn = (port for some in (best, good) for port in in_turn(start) if port in some)
        found[circle] = next(turn, PORTS.first + start % PORTS.size)
        best.discard(found[circle])
        good.discard(found[circle])
    return found


def candidates(free: Ports) -> set[int]:
    """Ports that the kernel does not choose for others; all where it chooses from all."""
    numbers = {*range(PORTS.first, PORTS.last + 1), *range(SPARE_PORTS.first, SPARE_PORTS.last + 1)}
    return numbers.difference(range(free.first, free.last + 1)) or numbers


def in_turn(start: int) -> Iterator[int]:
    for ports in (PORTS, SPARE_PORTS):
        yield from (ports.first + (start + step) % ports.size for step in range(ports.size))


def published(site: Site) -> Iterator[range]:
    """The host's ports that topologies publish."""
    for given in (site.allocation, *(state.allocation for state in site.around.states.values())):
        yield from (range(ports.first, ports.last + 1) for ports in given.ports.values())


def digest(site: Site, circle: Circle) -> str:
    words = [site.owner, *circle.networks, "", *map(str, circle.servers), str(circle.inside)]
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:8]


# -- what a server is told ------------------------------------------------------------------------------------


def service(site: Site, book: Book, circle: Circle, port: int) -> Service:
    """Names and servers are `live`: a name that comes or goes ends no answer that is under way, and is known at once."""
    what = f"topology {site.owner}, name server"
    files = (
        ServiceFile("conf", text_of(what, configuration(site, circle, port))),
        ServiceFile("hosts", text_of(what, hosts(book, circle)), live=True),
        ServiceFile("servers", text_of(what, servers(site, book, circle)), live=True),
    )
    command = ("dnsmasq", "--keep-in-foreground", "--conf-file={dir}/conf")
    name = f"{site.owner}-names-{digest(site, circle)}"
    listening = tuple(NameSocket(address, port) for address in listens_on(site, circle))
    return Service(name, site.owner, command=command, files=files, package="dnsmasq-base", answers_at=listening)


def listens_on(site: Site, circle: Circle) -> Iterator[Address]:
    for name in circle.networks:
        yield from gateways(site, site.network(name))


def configuration(site: Site, circle: Circle, port: int) -> Iterator[str]:
    """See dnsmasq(8). It runs as nobody, as it does by default, and keeps nothing but what it is told."""
    yield f"port={port}"
    # Its own questions come from the ports that the kernel keeps for clients; before 2.85 they came from any.
    yield f"min-port={site.around.free_ports.first}"
    yield f"max-port={site.around.free_ports.last}"
    # Bridges of ours may come and go under it; bound to single addresses it leaves the port of others free.
    yield "bind-dynamic"
    yield from (f"listen-address={address}" for address in listens_on(site, circle))
    yield "no-hosts"
    yield "addn-hosts={dir}/hosts"
    yield "servers-file={dir}/servers"
    yield upstream(site, circle)
    yield "domain-needed"
    yield "cache-size=0"
    yield "pid-file"
    yield "log-facility=-"


def upstream(site: Site, circle: Circle) -> str:
    """The host's own servers, whatever they become: the file is read again when it changes, but its folder has to exist."""
    alone = circle.inside or circle.servers or site.around.resolver is None
    return "no-resolv" if alone else f"resolv-file={site.around.resolver}"


def servers(site: Site, book: Book, circle: Circle) -> Iterator[str]:
    """The names that are answered from the hosts file alone, then the servers that are asked for others.

    Only names are ours, never a domain: `server=/NAME/` answers NAME here, so that one without an IPv6 address is an empty answer,
    and `server=/*.NAME/#` sends the names below it to the others (before dnsmasq 2.86 that has no effect, and they are hidden).
    A bridge network's addresses are all ours.
    """
    yield "server=//"
    for one in (site.network(name) for name in circle.networks):
        if one.driver == "bridge":
            for subnet in site.given(one.name).subnets:
                yield f"rev-server={subnet}"
    for name in answered_here(book, circle):
        yield f"server=/{name}/"
        yield f"server=/*.{name}/#"
    for address in circle.servers:
        yield f"server={address}"


def answered_here(book: Book, circle: Circle) -> list[str]:
    """Names with dots of which nothing is asked outside. dnsmasq does so by name alone, whatever the type.

    An alias or hostname with addresses of both families is complete in the hosts file, so its other records (TXT, MX) can be
    asked outside. Of one with a single family they are hidden, because the other family's address must not come from outside.
    """
    versions: dict[str, set[int]] = {}
    for address, names in entries(book, circle):
        for name in names:
            versions.setdefault(name.lower(), set()).add(address.version)
    suffixes = tuple(f".{name.lower()}" for name in circle.networks)
    return sorted(
        name
        for name, seen in versions.items()
        if "." in name and (name.endswith(suffixes) or len(seen) < len(VERSIONS))
    )


def hosts(book: Book, circle: Circle) -> Iterator[str]:
    for address, names in entries(book, circle):
        yield f"{address}\t{' '.join(names)}"


def entries(book: Book, circle: Circle) -> Iterator[Entry]:
    for name in circle.networks:
        yield from book[name]
