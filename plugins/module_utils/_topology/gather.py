# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What one host tells before anything is chosen for all of them: `tell` there, `Told.read` where it is chosen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .._model.errors import Conflict, DocknetError
from .._model.link import Address
from .._model.plan import World
from .._model.state import Allocation, OnLink, State, Surroundings, Underlay
from .._model.statefile import decode_state, plain
from .._model.topology import Document
from .._model.wireguard_key import PublicKey
from .._model.words import read_address, read_network
from .document import read
from .leases import Leases, strange_vnis
from .recall import recall
from .topology import Topology, peers
from .underlay import known_peers
from .wireguard import public_key, told


@dataclass(frozen=True)
class Told:
    """`known`: what the topology has had on the host. `around`: what else the host has, its other topologies among it. `keys`: what
    its WireGuard is known by, and those of hosts that do not tell themselves; `peers`: the underlay addresses of these. `obstacles`: what
    keeps the host from its part. `document`: what the host read must be the same on all.
    """

    host: str
    known: Allocation
    around: Surroundings
    keys: Mapping[str, PublicKey] = field(default_factory=dict)
    peers: Mapping[str, Address] = field(default_factory=dict)
    obstacles: tuple[DocknetError, ...] = ()
    document: str = ""

    @classmethod
    def read(cls, words: Mapping[str, Any]) -> Told:
        host, way = words["host"], words["underlay"]
        around = Surroundings(
            on_link=tuple(OnLink(read_network(net), device, owner, host) for net, device, owner in words["on_link"]),
            routed=tuple(map(read_network, words["routed"])),
            servers=tuple(map(read_address, words["servers"])),
            states={f"{one['name']} on {host}": decode_state(one) for one in words["others"]},
            addresses=frozenset(map(read_address, words["addresses"])),
            vnis={int(number): f"{device} on {host}" for number, device in words["vnis"].items()},
            underlay=Underlay(read_address(way["address"]), way["device"], way["mtu"]) if way else None,
            identity=words["identity"],
        )
        known = decode_state(words["known"])
        own = words.get("wireguard")
        mine = {host: public_key(f"host {host}", own)} if own else {}
        obstacles = tuple(Conflict(*each) for each in words["obstacles"])
        return cls(host, known.allocation, around, {**known.keys, **mine}, known.peers, obstacles, words["document"])


def tell(topology: Topology, absent: Collection[str], world: World) -> dict[str, Any]:
    """In plain types. `absent`: hosts that will not tell themselves, so that what is known of them here is told."""
    document, host = topology.document, topology.host
    states = {name: one for name, one in world.states.items() if name != document.name}
    obstacles, saved = [*topology.obstacles(world)], None
    try:
        saved = topology.saved(world)
    except Conflict as error:
        obstacles = [error]
    known = recall(document, host, world, saved)
    theirs = {name for name, one in document.containers.items() if one.host in absent}
    elsewhere = {key: lease for key, lease in known.elsewhere.items() if key[0] in theirs}
    own = world.keys.get(document.name)
    keys = {name: key for name, key in (saved.keys if saved else {}).items() if name in absent}
    peers = known_peers(document, host, topology.peers, saved)
    peers = {name: address for name, address in peers.items() if name in absent}
    mine = State(document.name, host, allocation=replace(known, elsewhere=elsewhere), peers=peers, keys=keys)
    around, way = world.surroundings, None if obstacles else topology.underlay(world)
    return {
        "host": host,
        "identity": around.identity,
        "document": digest(document),
        "obstacles": [[one.what, one.why, one.way_out] for one in obstacles],
        "built": saved is not None,
        "known": bare(mine),
        "wireguard": told(own.public if own else None),
        "others": [bare(one) for _name, one in sorted(states.items())],
        "on_link": [[str(one.network), one.device, one.owner] for one in around.on_link],
        "routed": [str(one) for one in around.routed],
        "servers": [str(one) for one in around.servers],
        "addresses": sorted(map(str, around.addresses)),
        "vnis": {str(number): device for number, device in strange_vnis(document.name, world).items()},
        "underlay": {"address": str(way.address), "device": way.device, "mtu": way.mtu} if way else None,
    }


def digest(document: Document) -> str:
    """What all hosts must read alike of a document, so that no address is given twice: who is where, on which of the networks that they share.

    What they share may hang on other interfaces, and what is published may differ.
    """
    networks = [one for one in document.networks.values() if one.shared and not one.external]
    names = {one.name for one in networks}
    places = [
        [
            one.name,
            one.host,
            [[spec.network, spec.ipv4, spec.ipv6, spec.mac] for spec in one.endpoints if spec.network in names],
        ]
        for one in document.containers.values()
    ]
    of_networks = [
        [one.name, one.driver, one.pools, one.options.vni, one.options.control, one.by_slices] for one in networks
    ]
    return hashlib.sha256(json.dumps([of_networks, places], default=str).encode()).hexdigest()[:16]


def bare(state: State) -> dict[str, Any]:
    """A state without its document, which is nobody's to choose from."""
    return plain(replace(state, document={}))


def prepare(params: Mapping[str, Any]) -> Topology:
    """The module's arguments -> what is asked of the host. Errors: InvalidRequest or Several, of all that is wrong with the document."""
    document = read(params["topology"])
    return Topology(document, params["host"], params["topology"], Leases(), peers(document, params))
