# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What was chosen before: as it was saved, and where nothing was, as it is seen on the host.

Saved comes first, since what is seen may have been changed by hand. What is seen fills up what is not saved, so that a
lost file, or a run that was cut short, costs nobody his address.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from .._model.bridge import Bridge
from .._model.errors import Conflict
from .._model.link import Address, Interface, Link, LinkKey, Network
from .._model.plan import World
from .._model.rule import Ports
from .._model.state import Allocation, Inside, Lease, NetworkLease, State
from .._model.topology import DEFAULT_BRIDGE, RESERVED_OWNER, ContainerSpec, Document, EndpointSpec
from .._model.veth import Veth
from .._model.vxlan import Vxlan
from . import names
from .site import DEFAULT_SPEC


def recall(document: Document, host: Optional[str], world: World, saved: Optional[State]) -> Allocation:
    seen = see(document, host, world, saved.allocation if saved else Allocation())
    return merge(saved.allocation, seen) if saved else seen


def own_state(document: Document, host: Optional[str], world: World) -> Optional[State]:
    """What is saved, unless it is another host's of the document: a copy that came with a machine's image, of which nothing runs.

    Errors: Conflict, where something of it runs: then two names of the inventory are one machine.
    """
    saved = world.states.get(document.name)
    if saved is None or saved.host in (None, host) or saved.host not in document.hosts:
        return saved
    if not is_built(document.name, world):
        return None
    why = f"host {host} of the inventory is the machine on which the containers of host {saved.host} run, and the document has that host too"
    way_out = "leave out one of the two names; or, if the name of the machine has changed, remove the topology here first (state: absent)"
    raise Conflict(f"topology {document.name}", why, way_out)


def is_built(owner: str, world: World) -> bool:
    """After the start of a machine that is a copy nothing is."""
    places = (one.owner for ref, one in world.namespaces.items() if ref is not None)
    return owner in {*places, *(one.owner for one in world.links.values())}


def merge(saved: Allocation, seen: Allocation) -> Allocation:
    """What is saved, and what is seen of all that is not."""
    return Allocation(
        {**seen.networks, **saved.networks},
        {**seen.endpoints, **saved.endpoints},
        {**seen.ports, **saved.ports},
        elsewhere=saved.elsewhere,
    )


def see(document: Document, host: Optional[str], world: World, saved: Allocation) -> Allocation:
    """What the owner's links and rules say. `saved` tells which addresses are whose, for ports."""
    interfaces: dict[str, set[Interface]] = {}
    leases: dict[tuple[str, str], Lease] = {}
    for container in document.on(host):
        chosen = names.interfaces(container, document, names.kept(container, saved))
        for spec in container.endpoints:
            link = endpoint(document, container, spec, chosen[spec.network], world)
            if link is not None:
                mine = usable(link)
                interfaces.setdefault(spec.network, set()).update(mine)
                leases[(container.name, spec.network)] = lease(mine, link.mac, link.key.name)
    networks = dict(bridges(document, host, world, interfaces))
    ports = dict(publications(document, host, world, {**leases, **saved.endpoints}))
    return Allocation(networks, leases, ports)


def inside(document: Document, host: Optional[str], world: World) -> dict[str, Inside]:
    """What real containers have that is not the topology's, by namespace."""
    found: dict[str, list[Link]] = {one.netns: [] for one in document.on(host) if one.netns and not one.made}
    for link in world.links.values() if found else ():
        if link.key.netns in found and link.owner != document.name:
            found[link.key.netns].append(link)
    return {
        ref: Inside(
            frozenset(link.key.name for link in links),
            frozenset(route.to.version for link in links for route in link.gateways or ()),
        )
        for ref, links in found.items()
    }


def endpoint(
    document: Document, container: ContainerSpec, spec: EndpointSpec, name: str, world: World
) -> Optional[Link]:
    """The container's link: behind its host end, however it is called now; else by its name."""
    end = spec.host_interface or names.host_end(document.name, container.name, spec.network)
    port = world.links.get(LinkKey(None, end))
    key = port.data.peer if port and isinstance(port.data, Veth) else LinkKey(container.netns, name)
    link = world.links.get(key)
    if link is None or link.owner != document.name or key.netns is None or key.netns != container.netns:
        return None
    return link


def usable(link: Link) -> list[Interface]:
    """Its addresses that others can use, in a fixed order: of each family ours, where the link tells which those are."""
    found = sorted(
        (one for one in link.addresses or () if not one.ip.is_link_local), key=lambda one: (one.version, one)
    )
    ours = link.marked | derived(link)
    known = {one.version for one in found if one in ours}
    return [one for one in found if one in ours or one.version not in known]


def derived(link: Link) -> frozenset[Interface]:
    """Its addresses from which its MAC address follows: kernels before 5.18 keep no mark on an address."""
    pairs = ((one, (one.ip, None) if one.version == 4 else (None, one.ip)) for one in link.addresses or ())
    return frozenset(one for one, ips in pairs if link.mac == names.mac(*ips))


def adopted(owner: str, world: World, more: bool) -> frozenset[LinkKey]:
    """The host's links that the owner has adopted; with `more` also those that it may, which are nobody's."""
    owners = (owner, None) if more else (owner,)
    own = ((key, link) for key, link in world.links.items() if key.netns is None and link.owner in owners)
    return frozenset(key for key, link in own if link.adopted or link.owner is None)


def told_by_mac(owner: str, world: World) -> dict[LinkKey, frozenset[Interface]]:
    return {key: derived(link) for key, link in world.links.items() if link.owner == owner and key.netns is not None}


def lease(interfaces: list[Interface], mac: Optional[str], name: str) -> Lease:
    first: dict[int, Address] = {}
    for one in interfaces:
        first.setdefault(one.version, one.ip)
    return Lease(first.get(4), first.get(6), mac, name)


def bridges(
    document: Document, host: Optional[str], world: World, interfaces: dict[str, set[Interface]]
) -> Iterator[tuple[str, NetworkLease]]:
    """The subnets of networks: from the address of the bridge, and where it has none, of the containers."""
    owners = {one.name: (one, document.name) for one in document.used_on(host) if not one.external}
    for name, (network, owner) in {**owners, DEFAULT_BRIDGE: (DEFAULT_SPEC, RESERVED_OWNER)}.items():
        device, shim = "", network.options.shim
        gateways: dict[Network, Address] = {}
        found: dict[int, Network] = {}
        if network.bridged:
            device = network.device or names.device(owner, name)
            link = world.links.get(LinkKey(None, device))
            if link is None or not isinstance(link.data, Bridge) or link.owner != owner:
                continue
            for one in usable(link):
                gateways.setdefault(one.network, one.ip)
                found.setdefault(one.version, one.network)
        for one in sorted(interfaces.get(name, ()), key=lambda one: (one.version, one)):
            found.setdefault(one.version, one.network)
        own = world.links.get(LinkKey(None, shim.name)) if shim else None
        mine: dict[int, Address] = {}
        for one in usable(own) if own and own.owner == owner else ():
            mine.setdefault(one.version, one.ip)
        end = world.links.get(LinkKey(None, names.tunnel(owner, name)))
        vni = end.data.vni if end and isinstance(end.data, Vxlan) and end.owner == owner else None
        if found:
            yield name, NetworkLease(device, tuple(found[version] for version in sorted(found)), gateways, mine, vni)


def publications(
    document: Document, host: Optional[str], world: World, leases: dict[tuple[str, str], Lease]
) -> Iterator[tuple[tuple[str, str], Ports]]:
    """The host's ports that lead to a container, by what the document says of them."""
    table = world.tables.get(None)
    mine = [one for one in table.dnats if one.owner == document.name] if table else []
    at = {(one.protocol, one.to_ip, one.to_ports.first, one.ports.size): one for one in mine}
    for container in document.on(host):
        addresses = [
            address
            for spec in container.endpoints
            for has in [leases.get((container.name, spec.network))]
            for address in ((has.ipv4, has.ipv6) if has else ())
            if address
        ]
        for port in container.ports:
            for address in addresses:
                found = at.get((port.protocol, address, port.target.first, port.target.size))
                if found and port.host_ip in (None, found.host_ip):
                    yield (container.name, str(port)), found.ports
                    break
