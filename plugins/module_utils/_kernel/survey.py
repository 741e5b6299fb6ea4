# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What else a host has: subnets, listeners, name servers. All of it of the namespace the run is in."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import NamedTuple, Optional

from .._model.link import Address, Interface, Link, LinkKey, Network
from .._model.owner import group
from .._model.plan import Question, World
from .._model.rule import Ports
from .._model.state import Listener, OnLink, Reached, Surroundings
from .._model.text import stand_in
from .._model.topology import RESERVED_OWNER
from . import elsewhere, links, paths, service, sysctl
from . import rtnetlink as rt
from .netlink import as_u32, attributes
from .places import Places
from .sockettable import lines, waiting

RESOLVER, NSSWITCH = "/etc/resolv.conf", "/etc/nsswitch.conf"
# systemd-resolved(8): where it answers on the host's loopback, and the file of the servers that it asks itself.
STUBS = frozenset(map(ip_address, ("127.0.0.53", "127.0.0.54")))
BEHIND_STUB = "/run/systemd/resolve/resolv.conf"
MACHINE = "/etc/machine-id"
BOOT = "/proc/sys/kernel/random/boot_id"
# Addresses that only a default route leads to; nothing is sent to them. Ansible's facts ask for these too, so both find the same address.
OUTSIDE = (ip_address("8.8.8.8"), ip_address("2404:6800:400a:800::1012"))
# linux/rtnetlink.h: several ways of a route, and who made it.
RTA_MULTIPATH, RTPROT_RA, RTPROT_KERNEL = 9, 9, 2
# Shorter prefixes are a default route in parts, as VPNs have it (0.0.0.0/1 and 128.0.0.0/1; 2000::/3).
SHORTEST = {4: 8, 6: 7}
RTN_UNICAST = 1
# How many open files of all processes are looked at, to name who listens. Beyond that nobody is named.
OPEN_FILES = 100_000


def look(places: Places, question: Question, world: World) -> None:
    if not question.survey:
        return
    seen = host_links(places, question, world)
    on_link, routed, uplinks = subnets(places, seen)
    own = addresses(places, seen)
    here = {OnLink(one.network, device, owner) for one, device, owner in own if is_elsewhere(one.network)}
    servers, search = resolver()
    path = followed(RESOLVER)
    # Those that a topology was told before are asked for with it: a run need not know them again.
    peers = question.peers.union(*(one.peers.values() for name, one in world.states.items() if name in question.owners))
    world.surroundings = Surroundings(
        on_link=tuple(sorted(on_link | here, key=str)),
        routed=tuple(sorted(routed, key=str)),
        servers=servers,
        search=search,
        resolver=path,
        no_resolver=is_missing(path),
        nsswitch=tuple(lines(NSSWITCH)) if os.path.isfile(NSSWITCH) else None,
        listeners=tuple(listeners()),
        free_ports=free_ports(),
        uplinks=tuple(sorted(uplinks)),
        machine=machine(),
        addresses=frozenset(one.ip for one, _device, owner in own if owner is None and is_elsewhere(one.network)),
        reserved=reserved_ports(),
        reached=reached(places, seen, peers, own),
        outward=next(filter(None, (way(places, seen, address) for address in OUTSIDE)), None),
        identity=identity(places),
        vnis=elsewhere.segments(places) if question.vxlans - {link.key for link in seen.values()} else {},
    )


def host_links(places: Places, question: Question, world: World) -> dict[int, Link]:
    """The host's own links by their index."""
    found: Mapping[LinkKey, Link] = world.links
    if None not in question.links:
        groups = {group(owner): owner for owner in question.owners}
        found = links.look(places, [None], (), (), groups, {})
    return {link.index: link for link in found.values() if link.key.netns is None}


class _Own(NamedTuple):
    address: Interface
    device: str
    owner: Optional[str]


def addresses(places: Places, seen: Mapping[int, Link]) -> list[_Own]:
    """Those of links that are down count too: they may come up."""
    found = paths.addresses(places.socket(None))
    return [_Own(address, seen[index].key.name, seen[index].owner) for index, address in found if index in seen]


def reached(
    places: Places, seen: Mapping[int, Link], peers: Iterable[Address], own: Sequence[_Own]
) -> dict[Address, Reached]:
    """How each of some hosts is reached; who is not, is not in it."""
    mine = {one.address.ip: Reached(one.address.ip, one.device) for one in own}
    ways = ((peer, mine.get(peer) or way(places, seen, peer)) for peer in peers)
    return {peer: found for peer, found in ways if found}


def way(places: Places, seen: Mapping[int, Link], peer: Address) -> Optional[Reached]:
    sort, words = paths.route(places.socket(None), peer) or (0, {})
    link = seen.get(as_u32(words[rt.RTA_OIF])) if rt.RTA_PREFSRC in words else None
    if link is None or sort != RTN_UNICAST:
        return None
    hop = words.get(rt.RTA_GATEWAY) or words.get(rt.RTA_VIA, b"")[2:]  # after the family
    source, size = ip_address(words[rt.RTA_PREFSRC]), paths.mtu(places.socket(None), peer, words)
    return Reached(source, link.key.name, ip_address(hop) if hop else None, size)


def identity(places: Places) -> str:
    """Clones have one machine-id and one hostname; a boot, and a network namespace in it, are of one machine alone."""
    return f"{''.join(lines(BOOT)).strip()} {os.fstat(places.descriptor(None)).st_ino}"


def is_elsewhere(network: Network) -> bool:
    """Whether a subnet says something about others: neither loopback, link-local, multicast nor the default route."""
    return network.prefixlen > 0 and not (network.is_loopback or network.is_link_local or network.is_multicast)


def subnets(places: Places, seen: Mapping[int, Link]) -> tuple[set[OnLink], set[Network], set[str]]:
    """What the main table has: subnets on links, other routes, links with an advertised default route.

    A foreign link's subnet is where the host has an address: the kernel made that route. A VPN has routes without a next
    hop for all that may be behind it (10.0.0.0/8), which is no subnet of the link: networks may be cut out of it.
    """
    on_link: set[OnLink] = set()
    routed: set[Network] = set()
    uplinks: set[str] = set()
    for family in rt.FAMILIES.values():
        for payload in links.routes_of(places.socket(None), family):
            _family, length, _from, _tos, _table, protocol, _scope, sort, flags = paths.ROUTE.unpack_from(payload)
            words = attributes(payload, paths.ROUTE.size)
            if sort != RTN_UNICAST or flags & rt.RTM_F_CLONED:
                continue
            link = seen.get(as_u32(words[rt.RTA_OIF])) if rt.RTA_OIF in words else None
            to = ip_network((words.get(rt.RTA_DST) or bytes(4 if family == socket.AF_INET else 16), length))
            if to.prefixlen == 0 and to.version == 6 and protocol == RTPROT_RA and link and takes_routes(link):
                uplinks.add(link.key.name)
            if not is_elsewhere(to):
                continue
            direct = link is not None and not {rt.RTA_GATEWAY, rt.RTA_VIA, RTA_MULTIPATH} & words.keys()
            if link is not None and direct and (link.owner or protocol == RTPROT_KERNEL):
                on_link.add(OnLink(to, link.key.name, link.owner))
            elif to.prefixlen >= SHORTEST[to.version]:
                routed.add(to)
    return on_link, routed, uplinks


def takes_routes(link: Link) -> bool:
    """Whether the kernel itself follows the advertisements there; a daemon that does goes on doing so."""
    return sysctl.read(("net", "ipv6", "conf", link.key.name, "accept_ra")) in ("1", "2")


def resolver() -> tuple[tuple[Address, ...], tuple[str, ...]]:
    """The name servers that the host's questions come to, and its search list: resolv.conf(5)."""
    said, search = resolv_conf(RESOLVER)
    behind = resolv_conf(BEHIND_STUB)[0] if STUBS.intersection(said) else []
    servers = [other for one in said for other in (behind if one in STUBS and behind else [one])]
    return tuple(dict.fromkeys(servers)), search


def resolv_conf(path: str) -> tuple[list[Address], tuple[str, ...]]:
    servers: list[Address] = []
    search: tuple[str, ...] = ()
    for line in lines(path):
        word, *rest = line.split() or [""]
        if word == "nameserver" and rest:
            with contextlib.suppress(ValueError):
                servers.append(ip_address(rest[0].partition("%")[0]))
        elif word in ("search", "domain"):
            search = tuple(rest)
    return servers, search


def followed(path: str) -> Optional[str]:
    """Where a link leads. None where no file is, and none can be made."""
    target = os.path.realpath(path)
    if os.path.exists(target):
        return target
    folder = os.path.dirname(target)
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    return target if os.path.isdir(folder) and os.access(folder, os.W_OK) and not os.path.islink(target) else None


def is_missing(path: Optional[str]) -> bool:
    """Whether nothing is there but what we made to stand in for it."""
    if path is None or not os.path.exists(path):
        return True
    return lines(path) == stand_in(path, RESERVED_OWNER).content.splitlines()


def machine() -> str:
    """What stays over boots: the machine's number, where it has one, else its name."""
    number = "".join(lines(MACHINE)[:1]).strip()
    return number if number and number != "uninitialized" else socket.gethostname()


# -- ports ------------------------------------------------------------------------------------------------------


def listeners() -> Iterator[Listener]:
    """Who waits for packets on which port. A socket for :: with both families is told as ::."""
    found = sockets("tcp", "udp")
    ours = service.sockets()
    names = processes({inode for _protocol, _address, _port, inode in found})
    # Sockets of clients, such as a resolver's, are often closed by now.
    still = sockets("udp")
    found = {one for one in found if one[0] != "udp" or one in still}
    free = free_ports()
    told = {
        Listener(
            protocol,
            address,
            port,
            names.get(inode, ""),
            ours.get(inode, ""),
            protocol == "udp" and inode in names and free.first <= port <= free.last,
        )
        for protocol, address, port, inode in found
        if not (protocol == "udp" and port == 0)
    }
    yield from sorted(told, key=lambda one: (one.protocol, one.port, str(one.address), one.process))


def sockets(*protocols: str) -> set[tuple[str, Address, int, int]]:
    return {(one.protocol, one.address, one.port, one.inode) for one in waiting(*protocols)}


def processes(inodes: set[int]) -> dict[int, str]:
    """ "nginx (pid 812)" for each socket; of several processes that have it the oldest."""
    found: dict[int, str] = {}
    left = OPEN_FILES
    sockets = {f"socket:[{inode}]": inode for inode in inodes}
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        if len(found) == len(sockets) or left <= 0:
            break
        for inode in held(pid, sockets):
            if inode == 0:
                left -= 1
            else:
                found.setdefault(inode, f"{''.join(lines(f'/proc/{pid}/comm')[:1])} (pid {pid})")
    return found


def held(pid: int, sockets: Mapping[str, int]) -> Iterator[int]:
    """For each open file of a process the inode, where it is one of these sockets, else 0."""
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                yield sockets.get(os.readlink(f"/proc/{pid}/fd/{name}"), 0)


def free_ports() -> Ports:
    first, last = (sysctl.read(("net", "ipv4", "ip_local_port_range")) or "32768 60999").split()
    return Ports(int(first), int(last))


def reserved_ports() -> tuple[Ports, ...]:
    """ "8080,9148-9150"."""
    words: Iterable[str] = (sysctl.read(("net", "ipv4", "ip_local_reserved_ports")) or "").split(",")
    pairs = [word.partition("-") for word in words if word]
    return tuple(Ports(int(first), int(last or first)) for first, _dash, last in pairs)
