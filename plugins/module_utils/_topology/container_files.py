# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.


"""What is in the files of a container: /etc/resolv.conf and a block of /etc/hosts, as Docker writes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Union

from .._model.errors import InvalidRequest
from .._model.hosts import HostsBlock, HostsKey, HostsLink
from .._model.link import Address
from .._model.namespace import NetnsRef
from .._model.text import TextFile, TextKey, stand_in
from .._model.topology import DEFAULT_BRIDGE, HOST_GATEWAY, RESERVED_OWNER, ContainerSpec
from .site import VERSIONS, Endpoint, Remote, Site, by_default, is_ours

# An address with its names, and those of each network.
Entry = tuple[Address, tuple[str, ...]]
Book = dict[str, list[Entry]]
RESOLVER = "/etc/resolv.conf"
HOST_FILE = HostsKey(None, "/etc/hosts")
# Compose's and resolv.conf's word for "no search list".
NO_SEARCH = (".",)
# So many containers are named in a warning.
SAID = 5


def plan(
    site: Site, book: Book, asked: Mapping[str, Sequence[Address]]
) -> tuple[tuple[TextFile, ...], tuple[HostsBlock, ...]]:
    """The files of this host's containers. `asked`: the addresses of the name server that a container of that name asks.

    Members of another's namespace share that one's files, as in Docker. Errors: InvalidRequest.
    """
    texts: list[TextFile] = []
    blocks: list[HostsBlock] = []
    for one in site.containers:
        leader = site.document.containers[one.joins] if one.joins else one
        if leader.mode == "host" or one.netns is None:
            continue
        if has_resolv_conf(one, leader):
            lines = tuple(resolv_conf(site, leader, asked.get(leader.name, ())))
            texts.append(TextFile(TextKey(one.netns, "resolv.conf"), site.owner, lines))
        links = tuple(hosts(site, book, leader, leader.name in asked))
        if links and has_file(one.netns, leader):
            blocks.append(HostsBlock(HostsKey(one.netns), site.owner, links))
    if site.document.host_names:
        blocks.append(HostsBlock(HOST_FILE, site.owner, tuple(of_the_host(site))))
    return tuple(texts), tuple(blocks)


def has_resolv_conf(one: ContainerSpec, leader: ContainerSpec) -> bool:
    return leader.made and leader.mode not in ("none", "host") and is_ours(one.netns)


def own_files(site: Site) -> Iterator[ContainerSpec]:
    """This host's containers whose files below /etc/netns are ours."""
    for one in site.containers:
        if has_resolv_conf(one, site.document.containers[one.joins] if one.joins else one):
            yield one


def stand_ins(site: Site) -> list[TextFile]:
    """The host's own resolv.conf, where it has none for containers' to be mounted over."""
    path = site.around.resolver
    if path is None or not site.around.no_resolver or next(own_files(site), None) is None:
        return []
    return [stand_in(path, RESERVED_OWNER)]


def has_file(netns: NetnsRef, leader: ContainerSpec) -> bool:
    """A process's hosts file is mostly its host's: it is written to only where that was asked for."""
    engine = netns is not None and netns.startswith(("docker:", "podman:"))
    return is_ours(netns) or engine or bool(leader.links or leader.extra_hosts)


def resolv_conf(site: Site, container: ContainerSpec, asked: Sequence[Address]) -> Iterator[str]:
    """With a name server of ours that alone, which asks the others. Else the container's own, or those of the host that it can reach.

    Docker falls back to Google's servers; no question is sent there unless the document says so.
    """
    servers = asked or container.dns or reachable(site)
    for address in servers:
        yield f"nameserver {address}"
    if not servers:
        yield f"# {why_none(site)}; set dns for this container."
    search = container.dns_search or site.around.search
    if search and container.dns_search != NO_SEARCH:
        yield f"search {' '.join(search)}"
    options = list(container.dns_opt)
    if asked and not any(one.startswith("ndots:") for one in options):
        options.insert(0, "ndots:0")
    if options:
        yield f"options {' '.join(options)}"


def reachable(site: Site) -> list[Address]:
    """The host's name servers that a container reaches: not on its loopback, and not behind a link of the host (RFC 4291, 2.5.6)."""
    return [one for one in site.around.servers if not (one.is_loopback or (one.version == 6 and one.is_link_local))]


def why_none(site: Site) -> str:
    known = ", ".join(map(str, site.around.servers))
    return (
        f"The host's name servers ({known}) cannot be reached from a container"
        if known
        else "The host has no name server"
    )


def without_servers(site: Site, asked: Collection[str]) -> Iterator[str]:
    """A warning about containers that have no name server at all. `asked`: those that have one of ours."""
    if reachable(site):
        return
    lonely = [
        one.name
        for one in own_files(site)
        if not (one.joins or one.dns or one.name in asked or all(each.network.internal for each in site.endpoints(one)))
    ]
    if lonely:
        more = f" and {len(lonely) - SAID} more" if len(lonely) > SAID else ""
        why = why_none(site)
        yield f"containers {', '.join(lonely[:SAID])}{more}: {why[0].lower()}{why[1:]}; set dns for them"


def hosts(site: Site, book: Book, container: ContainerSpec, named: bool) -> Iterator[HostsLink]:
    """In Docker's order: what was asked for, the container's own line for each address, its links.

    `named`: a name server of ours tells it the names on its networks. To one that has none (on a macvlan, which has no gateway of
    the host's; a real container, which asks its engine's; one that asks itself), they are told here.
    """
    endpoints = site.endpoints(container)
    for name, to in container.extra_hosts:
        for address in host_gateway(site, container) if isinstance(to, str) else (to,):
            yield HostsLink(address, (name,))
    if container.mode == "none":
        yield HostsLink(ip_address("127.0.0.1"), (container.host_name,))
    for endpoint in endpoints:
        for address in found(endpoint):
            yield HostsLink(address, (container.host_name,))
    for target, alias in container.links:
        yield from link(site, container, target, alias)
    if not named:
        for endpoint in endpoints:
            yield from neighbours(book, endpoint)


def found(endpoint: Union[Endpoint, Remote]) -> list[Address]:
    """What is known of its addresses: on a network with DHCP, nothing."""
    return [address for version in VERSIONS for address in [endpoint.lease.address(version)] if address]


def host_gateway(site: Site, container: ContainerSpec) -> list[Address]:
    """Where the container reaches its host: on the bridge that its packets to elsewhere take, on another, at the shim.

    A macvlan's gateway is a router of the LAN. Errors: InvalidRequest where the host cannot be reached.
    """
    endpoints = site.endpoints(container)
    leading = [by_default(endpoints, version) for version in VERSIONS]
    for endpoint in [one for one in leading if one] + endpoints:
        if endpoint.network.bridged:
            offered = [endpoint.given.gateways.get(one.network) for one in endpoint.addresses.values()]
            if any(offered):
                return [address for address in offered if address]
    for endpoint in endpoints:
        if endpoint.given.shim:
            return [*endpoint.given.shim.values()]
    raise InvalidRequest(
        container.what,
        f"extra_hosts: {HOST_GATEWAY} is asked for, but none of its networks leads to its host",
        "add a bridge network, give its macvlan a host_shim, or name an address",
    )


def link(site: Site, container: ContainerSpec, target: str, alias: str) -> Iterator[HostsLink]:
    """The other's addresses on the first network they share, under the alias: only who asked for the link knows it.

    Errors: InvalidRequest where they share none.
    """
    other = site.document.containers[target]
    shared: list[Union[Endpoint, Remote]] = []
    for endpoint in site.endpoints(container):
        there = site.endpoints(other) if other in site.containers else ()
        shared += [one for one in there if one.network.name == endpoint.network.name]
        shared += [one for one in site.remotes(endpoint.network.name) if one.container.name == target]
    if not shared:
        why = f'links: it shares no network with "{target}"'
        raise InvalidRequest(container.what, why, "put both on one network")
    names = tuple(dict.fromkeys((alias, other.host_name, other.name)))
    for address in found(shared[0]):
        yield HostsLink(address, names)


def neighbours(book: Book, endpoint: Endpoint) -> Iterator[HostsLink]:
    """The others on its network; on the default bridge nobody has a name without a link."""
    if endpoint.network.name != DEFAULT_BRIDGE:
        own = found(endpoint)
        yield from (HostsLink(to, names) for to, names in book[endpoint.network.name] if to not in own)


def address_book(site: Site) -> Book:
    """Who is called what on each network of this host, other topologies' containers on it and those of other hosts too.

    The first name is what the address is called when it is asked for.
    """
    known: Book = {one.name: [] for one in site.networks}
    for endpoint in site.all_endpoints():
        known[endpoint.network.name] += called(endpoint, endpoint.network.name)
    for name, entries in known.items():
        for remote in site.remotes(name):
            entries += called(remote, name)
    for other in site.neighbours:
        for network in site.networks:
            if network.bridged and network.name != DEFAULT_BRIDGE:
                for endpoint in other.on(site.device(network)):
                    known[network.name] += called(endpoint, network.name)
    return known


def called(endpoint: Union[Endpoint, Remote], network: str) -> Iterator[Entry]:
    """Its names, on a network that other topologies may call otherwise."""
    own = (endpoint.container.name, endpoint.container.host_name, *endpoint.spec.aliases)
    yield from ((address, qualified(own, network)) for address in found(endpoint))


def qualified(names: Iterable[str], network: str) -> tuple[str, ...]:
    """Each name with the network's and alone."""
    return tuple(dict.fromkeys(one for name in names for one in (f"{name}.{network}", name)))


def of_the_host(site: Site) -> Iterator[HostsLink]:
    for endpoint in site.all_endpoints():
        for address in found(endpoint):
            name = endpoint.container.name
            yield HostsLink(address, (name, f"{name}.{endpoint.network.name}"))
