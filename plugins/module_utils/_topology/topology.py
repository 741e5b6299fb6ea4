# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A topology's document and one host -> what is wanted there, once the host has been looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from .._model.errors import DocknetError, InvalidRequest, Several, Unsupported, refuse
from .._model.hosts import HostsKey
from .._model.link import Address, Link, LinkKey, LinkRoute
from .._model.plan import Question, Wanted, World
from .._model.state import Allocation, NetworkLease, State, Underlay
from .._model.text import TextKey, stand_in
from .._model.topology import DEFAULT_BRIDGE, RESERVED_OWNER, ContainerSpec, Document
from .._model.wireguard_key import PublicKey
from . import container, network, normalise, nsswitch, overlay, publication, slices, underlay, wireguard
from .allocate import allocate
from .container_files import stand_ins
from .document import read
from .leases import Leases, leases, strange_vnis, told
from .names import tunnel
from .nameservice import plan_names
from .recall import adopted, inside, own_state, recall, told_by_mac
from .shared import follow, unread, uproots
from .site import Site, is_ours
from .sweep import default_bridge, detached, gone, meanwhile

HOSTS = HostsKey(None, "/etc/hosts")


class Topology:
    """One host's part of a document.

    `raw` is the document as it was given, to be kept. `peers`: the address at which each host is reached by the others.
    """

    def __init__(
        self,
        document: Document,
        host: Optional[str],
        raw: Mapping[str, Any],
        leases: Leases,
        peers: Optional[Mapping[str, Address]] = None,
        present: bool = True,
        adopt: bool = False,
        recreate: bool = False,
    ) -> None:
        self.document = document if present else Document(document.name)
        self.host, self.raw, self.leases, self.peers = host, raw, leases, peers or {}
        self.present, self.adopt, self.recreate = present, adopt, recreate
        self.warnings: list[str] = list(document.warnings) if present else []
        self.site: Optional[Site] = None
        # Links whose place an earlier endpoint's may have: that one goes, as what is no longer in the document does.
        self.fresh: set[LinkKey] = set()
        places = {one.netns for one in self.document.on(host) if one.netns}
        tunnels = [one for one in self.document.used_on(host) if one.driver == "overlay" and not one.by_slices]
        self.question = Question(
            namespaces=places | {None},
            sources={one.netns for one in self.document.on(host) if len(one.endpoints) > 1},
            filters={None},
            files={HOSTS},
            guests={TextKey(one, nsswitch.FILE) for one in places if is_ours(one)},
            owners={document.name, RESERVED_OWNER},
            peers=set(self.peers.values()),
            vxlans={LinkKey(None, tunnel(document.name, one.name)) for one in tunnels},
            states=True,
            keys=True,
            survey=True,
            owned=True,
        )

    def wanted(self, world: World) -> list[Wanted]:
        """Errors: Several, of all that cannot be allocated; Conflict, where other topologies need what is to go."""
        site = self.site = self.choose(world)
        saved = self.saved(world)
        earlier = saved.allocation if saved else Allocation()
        refuse([*self.obstacles(world), *underlay.ends_apart(self.document, site.peers)])
        uproots(site, earlier, world)
        need_ipv6(site, world)
        self.warnings += unread(site)
        states = [state for name, state in world.states.items() if name != site.owner]
        if saved:
            self.fresh = container.connected(site, saved.allocation)
        foreign = [key for key, file in world.texts.items() if key.name == nsswitch.FILE and file.owner is None]
        values = [*self.values(site, foreign)] if self.present else []
        self.fresh |= overlay.refounded([value for _what, value in values], world)
        found = [self.wish(what, value) for what, value in values]
        found += [self.wish(f"topology {value.owner}", value) for value in follow(site, earlier, world)]
        routes = {value for _what, value in values if isinstance(value, LinkRoute)}
        places = {one.netns for one in site.containers}
        hosts = {*site.peers.values(), *site.peers_before.values()}
        routes_left = slices.old((earlier, site.allocation), hosts, places, routes, world)
        old = [*gone(site.owner, [value for _what, value in values], world), *routes_left]
        found += [self.wish(f"topology {site.owner}", value, present=False) for value in old]
        bridge: list[Any] = []
        if not any(one.mode == "bridge" for one in site.containers) and self.used_default(world):
            bridge = [*default_bridge(world, site.owner, states)]
        found += [Wanted(value, "the default bridge", RESERVED_OWNER, present=False) for value in bridge]
        if not states and site.around.resolver and site.around.no_resolver and not stand_ins(site):
            alone = stand_in(site.around.resolver, RESERVED_OWNER)
            found.append(Wanted(alone, "the host", RESERVED_OWNER, present=False))
        attached = tuple(one.netns for one in site.containers if one.netns and not is_ours(one.netns))
        left = [*detached(saved, attached)] if saved else []
        found += [self.wish(f"topology {site.owner}", value, present=False) for value in left]
        keys = self.known_keys(site)
        state = State(
            site.owner, self.host, self.raw, site.allocation, attached, site.peers if self.present else {}, keys
        )
        lost = container.lost(site)
        if saved and (bridge or left or lost or routes_left or (keys and saved.peers != state.peers)):
            state = replace(state, meanwhile=meanwhile(saved, state, lost))
        kept = self.present and bool(site.containers)
        if site.owner in world.keys and not wireguard.wanted(self.document, self.host):
            found.append(self.wish(f"topology {site.owner}", world.keys[site.owner], present=False))
        return [*found, self.wish(f"topology {site.owner}", state, present=kept)]

    def choose(self, world: World) -> Site:
        """Subnets, addresses and ports: as they were kept, as they are seen, or new ones."""
        name = self.document.name
        states = {other: state for other, state in world.states.items() if other != name}
        around = replace(world.surroundings, states=states, inside=inside(self.document, self.host, world))
        saved = self.saved(world)
        if not self.present:
            before = saved.peers if saved else {}
            return Site(self.document, self.host, Allocation(), around, peers=self.peers, peers_before=before)
        mtus, peers = underlay.links(world), underlay.known_peers(self.document, self.host, self.peers, saved)
        macs = {key.name: link.mac for key, link in world.links.items() if key.netns is None and link.mac}
        around = replace(around, vnis=strange_vnis(name, world), underlay=self.underlay(world), macs=macs)
        if around.underlay and self.host:
            peers[self.host] = around.underlay.address
        known = told(self.document, self.host, recall(self.document, self.host, world, saved), self.leases)
        allocation, warnings = allocate(
            self.document, self.host, around, known, self.leases.endpoints, self.leases.networks
        )
        self.warnings += warnings
        earlier = saved.allocation if saved else Allocation()
        before, keys = (saved.peers, saved.keys) if saved else ({}, {})
        keys = {**keys, **self.leases.keys}
        if name in world.keys:
            keys[self.host or ""] = world.keys[name].public
        own, derived = adopted(name, world, self.adopt), told_by_mac(name, world)
        return Site(self.document, self.host, allocation, around, earlier, mtus, peers, before, keys, own, derived)

    def saved(self, world: World) -> Optional[State]:
        return own_state(self.document, self.host, world) if self.present else world.states.get(self.document.name)

    def underlay(self, world: World) -> Optional[Underlay]:
        """A host without networks that cross it needs none."""
        if self.host not in underlay.hosts(self.document):
            return None
        saved = self.saved(world)
        peers = underlay.known_peers(self.document, self.host, self.peers, saved)
        return underlay.underlay(self.host, peers, saved, world)

    def obstacles(self, world: World) -> list[DocknetError]:
        """What is in the way on this host whatever is chosen; module topology_info tells it before anything is changed on any host."""
        if not self.present or self.host is None or self.host not in underlay.hosts(self.document):
            return []
        way = self.underlay(world)
        port = underlay.port_taken(self.document, self.host, way.address.version if way else 4, world)
        return [*underlay.not_own(self.document, self.host, self.peers, world), *port]

    def known_keys(self, site: Site) -> dict[str, PublicKey]:
        """They are kept, as a later run may not reach everybody."""
        if not wireguard.wanted(self.document, self.host):
            return {}
        return {name: key for name, key in site.keys.items() if key.text and name in (self.host, *self.document.hosts)}

    def used_default(self, world: World) -> bool:
        saved = world.states.get(self.document.name)
        return saved is not None and any(network == DEFAULT_BRIDGE for _one, network in saved.allocation.endpoints)

    def wish(self, what: str, value: Any, present: bool = True) -> Wanted:
        owner = getattr(value, "owner", None) if present else None
        recreate = self.recreate or (isinstance(value, Link) and value.key in self.fresh and not self.adopt)
        return Wanted(value, what, owner or self.document.name, present, self.adopt, recreate)

    def values(self, site: Site, foreign: Collection[TextKey]) -> Iterator[tuple[str, Any]]:
        """Everything that is to be there, with the document's path to it. `foreign`: files that are not ours."""
        names = plan_names(site, foreign)
        self.warnings += names.warnings
        yield from (("the host", value) for value in (*stand_ins(site), *network.forwarding(site)))
        for one in site.networks:
            if one.on_parent:
                yield from ((one.what, value) for value in network.on_parent(site, one))
            elif one.driver == "overlay":
                yield from ((one.what, value) for value in overlay.overlay(site, one))
                yield one.what, overlay.segment(site, one, names.resolvers.get(one.name, {}))
            elif not one.external:
                yield from ((one.what, value) for value in network.bridge(site, one))
                yield one.what, network.segment(site, one, names.resolvers.get(one.name, {}))
        encrypted = overlay.through_wireguard(site)
        yield from ((f"topology {site.owner}", value) for value in wireguard.tunnel(site, encrypted))
        for each in site.containers:
            yield from ((each.what, value) for value in self.container(site, each))
        files: tuple[Any, ...] = (*names.services, *names.texts, *names.blocks)
        yield from ((f"topology {site.owner}", value) for value in files)

    def container(self, site: Site, one: ContainerSpec) -> Iterator[Any]:
        yield from container.namespace(site, one)
        yield from container.attachments(site, one)
        yield from publication.publications(site, one)
        self.warnings += publication.unserved(site, one)

    def facts(self, _wanted: Sequence[Wanted], _world: World) -> dict[str, Any]:
        """What was chosen, in plain types."""
        return {"topology": report(self.site)} if self.site else {}


def need_ipv6(site: Site, world: World) -> None:
    """Errors: Several, of all networks that cannot be on this host."""
    without = [one for one in site.networks if (one.ipv6 or one.options.encrypted) and not world.ipv6]
    errors: list[DocknetError] = [
        Unsupported(
            one.what,
            f"it is to have IPv6{'' if one.ipv6 else ' between hosts, as it is encrypted'}, and this host's kernel has none",
            "start the kernel without ipv6.disable=1, or set enable_ipv6: false"
            if one.ipv6
            else "start the kernel without ipv6.disable=1, or leave out encrypted",
        )
        for one in without
    ]
    if errors:
        raise Several(errors) if len(errors) > 1 else errors[0]


def report(site: Site) -> dict[str, Any]:
    networks = {
        one.name: {
            "driver": one.driver,
            "device": site.device(one) if one.bridged else None,
            "subnets": [str(subnet) for subnet in site.given(one.name).subnets],
            "gateways": [str(gateway) for gateway in site.given(one.name).gateways.values()],
            "host_shim": [str(address) for address in site.given(one.name).shim.values()],
            **(between_hosts(site.given(one.name), site.host) if one.driver == "overlay" else {}),
        }
        for one in site.networks
    }
    return {
        "name": site.owner,
        "host": site.host,
        **({"wireguard": wireguard.told(site.keys.get(site.host or ""))} if overlay.through_wireguard(site) else {}),
        "networks": networks,
        "containers": {one.name: report_container(site, one) for one in site.containers},
    }


def between_hosts(given: NetworkLease, host: Optional[str]) -> dict[str, Any]:
    mine = [str(one) for one in given.slices.get(host or "", ())]
    return {"vni": given.vni, "mtu": given.mtu, **({"slices": mine} if given.slices else {})}


def report_container(site: Site, one: ContainerSpec) -> dict[str, Any]:
    return {
        "netns": one.netns,
        "networks": {
            endpoint.network.name: {
                "interface": endpoint.key.name,
                "ipv4_address": str(endpoint.lease.ipv4) if endpoint.lease.ipv4 else None,
                "ipv6_address": str(endpoint.lease.ipv6) if endpoint.lease.ipv6 else None,
                "mac_address": endpoint.lease.mac,
            }
            for endpoint in site.endpoints(one)
        },
        "ports": [
            {
                "protocol": port.protocol,
                "host_ip": str(port.host_ip) if port.host_ip else None,
                "published": str(published) if published else None,
                "target": str(port.target),
            }
            for port in one.ports
            for published in [publication.host_ports(site, one, port)]
        ],
    }


def prepare(params: Mapping[str, Any]) -> Topology:
    """The module's arguments -> the design. Errors: InvalidRequest or Several, of all that is wrong with the document."""
    raw, host, present = params["topology"], params["host"], params["state"] == "present"
    document = read(raw) if present else read({"name": raw.get("name")})
    placed = {one.host for one in document.containers.values()} - {None}
    if present and placed and host not in placed:
        known = ", ".join(sorted(map(str, placed)))
        if host is None:
            raise InvalidRequest(
                f"topology {document.name}",
                "host is missing, and the document names hosts",
                f"say which of {known} this is",
            )
        # Its last container may have moved to another host: what is left here goes.
        away = f"topology {document.name}: host {host!r} is none of the document's ({known}), so nothing of it is to be here"
        document = replace(document, warnings=(*document.warnings, away))
    given = leases(params["leases"])
    reached = {**peers(document, params), **given.peers}
    return Topology(document, host, raw, given, reached, present, params["adopt"], params["recreate"])


def peers(document: Document, params: Mapping[str, Any]) -> dict[str, Address]:
    """The addresses at which hosts reach each other, by name. Errors: InvalidRequest."""
    what, found = f"topology {document.name}", {}
    for name, address in (params["peers"] or {}).items():
        found[name] = normalise.address(what, f"peers.{name}", str(address))
        if found[name].is_unspecified or found[name].is_multicast or found[name].is_loopback:
            why = "is no address at which other hosts reach one"
            raise normalise.refuse(what, f"peers.{name}", address, why, "give the host's address on the underlay")
    return found
