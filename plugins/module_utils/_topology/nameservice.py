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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Optional

from .._model.errors import InvalidRequest
from .._model.hosts import HostsBlock
from .._model.link import Address
from .._model.rule import Ports
from .._model.service import Service, ServiceFile
from .._model.text import TextFile
from .._model.topology import DEFAULT_BRIDGE, ContainerSpec, NetworkSpec
from . import container_files
from .container_files import Book, Entry
from .network import addresses
from .site import VERSIONS, Endpoint, Site

# Below the ports that a kernel gives away by itself, and above those that services are known by.
PORTS = Ports(20000, 29999)


class Names(NamedTuple):
    """`resolvers`: by network, the port that each container's question to its gateway goes to, by the container's address.

    Other topologies' containers on a network are among them: its part of the packet filter is one.
    """

    services: tuple[Service, ...] = ()
    resolvers: Mapping[str, Mapping[Address, int]] = {}
    texts: tuple[TextFile, ...] = ()
    blocks: tuple[HostsBlock, ...] = ()


class Circle(NamedTuple):
    """Containers that get the same answers: by the networks they are on, and who is asked for names of elsewhere.

    `inside`: nobody is, since they are on internal networks only.
    """

    networks: tuple[str, ...]
    servers: tuple[Address, ...]
    inside: bool


def plan_names(site: Site) -> Names:
    """All that makes names known on one host. Pure. Errors: InvalidRequest."""
    book = container_files.address_book(site)
    asked: dict[str, list[Address]] = {}
    for endpoint, _circle, listening in asking(site):
        asked.setdefault(endpoint.container.name, listening)
    texts, blocks = container_files.plan(site, book, asked)
    return plan_servers(site, book)._replace(texts=texts, blocks=blocks)


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
        circle = circle_of(site, one, servers)
        for endpoint in site.endpoints(one) if circle else []:
            listening = [at for at in servers[endpoint.network.name] if endpoint.lease.address(at.version)]
            if circle and listening:
                yield endpoint, circle, listening


def circle_of(site: Site, container: ContainerSpec, servers: Mapping[str, Sequence[Address]]) -> Optional[Circle]:
    """None for who has no name server of ours: a real container keeps its own, and a network may have nowhere to listen.

    `servers`: where each network's can be asked.
    """
    if container.mode != "networks" or not container.made:
        return None
    networks = [endpoint.network for endpoint in site.endpoints(container)]
    if not any(servers[one.name] for one in networks):
        return None
    named = sorted({one.name for one in networks})
    inside = all(one.internal for one in networks)
    for server in container.dns:
        if server.is_loopback:
            why = f"dns: {server} is in the container itself, where the name server of its networks cannot ask it"
            raise InvalidRequest(container.what, why, "name a server that the host reaches")
    return Circle(tuple(named), () if inside else container.dns, inside)


def gateways(site: Site, network: NetworkSpec) -> list[Address]:
    """The host's own addresses on a user-defined bridge, where a name server can be asked."""
    if not network.bridged or network.name == DEFAULT_BRIDGE:
        return []
    return sorted((one.ip for one in addresses(network, site.given(network.name))), key=lambda at: (at.version, at))


def choose_ports(site: Site) -> dict[Circle, int]:
    """A port for each, the same in every run: from a hash of who it is for, and the next one where that is taken.

    In the way are what listens on every address, and the name servers of topologies on the same networks: of two of
    these the one whose name comes first has its choice.
    """
    servers = {one.name: gateways(site, one) for one in site.networks}
    circles = {circle for one in site.containers for circle in [circle_of(site, one, servers)] if circle}
    free = site.around.free_ports
    all_ports = range(PORTS.first, PORTS.last + 1)
    good = [port for port in all_ports if not free.first <= port <= free.last] or list(all_ports)
    taken = {one.port for one in site.around.listeners if one.address.is_unspecified}
    for other in site.neighbours if circles else ():
        if other.owner < site.owner:
            taken.update(choose_ports(other).values())
    found: dict[Circle, int] = {}
    for circle in sorted(circles, key=lambda one: digest(site, one)):
        start = int(digest(site, circle), 16)
        turn = (good[(start + step) % len(good)] for step in range(len(good)))
        found[circle] = next((port for port in turn if port not in taken), good[start % len(good)])
        taken.add(found[circle])
    return found


def digest(site: Site, circle: Circle) -> str:
    words = [site.owner, *circle.networks, "", *map(str, circle.servers), str(circle.inside)]
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:8]


# -- what a server is told ------------------------------------------------------------------------------------


def service(site: Site, book: Book, circle: Circle, port: int) -> Service:
    """Names and servers are `live`: a name that comes or goes ends no answer that is under way, and is known at once."""
    files = (
        ServiceFile("conf", text(configuration(site, circle, port))),
        ServiceFile("hosts", text(hosts(book, circle)), live=True),
        ServiceFile("servers", text(servers(site, book, circle)), live=True),
    )
    command = ("dnsmasq", "--keep-in-foreground", "--conf-file={dir}/conf")
    name = f"{site.owner}-names-{digest(site, circle)}"
    return Service(name, site.owner, command=command, files=files, package="dnsmasq-base")


def text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def configuration(site: Site, circle: Circle, port: int) -> Iterator[str]:
    """See dnsmasq(8). It runs as nobody, as it does by default, and keeps nothing but what it is told."""
    yield f"port={port}"
    # Bridges of ours may come and go under it; bound to single addresses it leaves the port of others free.
    yield "bind-dynamic"
    for name in circle.networks:
        for address in gateways(site, site.network(name)):
            yield f"listen-address={address}"
    yield "no-hosts"
    yield "addn-hosts={dir}/hosts"
    yield "servers-file={dir}/servers"
    # The host's own servers, whatever they become: the file is read again when it changes.
    yield "no-resolv" if circle.inside or circle.servers else "resolv-file=/etc/resolv.conf"
    yield "domain-needed"
    yield "cache-size=0"
    yield "pid-file"
    yield "log-facility=-"


def servers(site: Site, book: Book, circle: Circle) -> Iterator[str]:
    """What is answered from the names alone, so that a name without an IPv6 address is an empty answer; then who else is asked.

    A bridge's domain and addresses are all ours; of a macvlan's, which are the LAN's too, only the names we know.
    """
    yield "server=//"
    bridges = [site.network(name) for name in circle.networks if site.network(name).driver == "bridge"]
    for one in bridges:
        yield f"server=/{one.name}/"
        for subnet in site.given(one.name).subnets:
            yield f"rev-server={subnet}"
    suffixes = tuple(f".{one.name}" for one in bridges)
    for name in sorted({name for _address, names in entries(book, circle) for name in names}):
        if "." in name and not name.endswith(suffixes):
            yield f"server=/{name}/"
    for address in circle.servers:
        yield f"server={address}"


def hosts(book: Book, circle: Circle) -> Iterator[str]:
    for address, names in entries(book, circle):
        yield f"{address}\t{' '.join(names)}"


def entries(book: Book, circle: Circle) -> Iterator[Entry]:
    for name in circle.networks:
        yield from book[name]
