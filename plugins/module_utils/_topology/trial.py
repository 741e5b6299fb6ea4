# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Arguments of path_info -> what is looked at on the host, and what is tried there once that is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from .._model.errors import Conflict, DocknetError, Missing, Several
from .._model.link import Address
from .._model.plan import Question, World
from .._model.state import State
from .._model.topology import Document
from .._model.trial import UDP, Patience, Spot, Trial
from . import normalise
from .document import read
from .paths import paths
from .paths_published import Door, allows, doors, served
from .ports import wishes_of
from .reach import Ground, Verdict
from .site import Site

# What must work may take this much longer than silence must last to be an answer: neighbours are looked for first.
LONGER = 2.5


class Attempt:
    """One run of path_info. `peers`: what other hosts publish, to be tried from here, in place of this host's own paths."""

    def __init__(
        self,
        document: Document,
        host: Optional[str],
        patience: Patience,
        serve: float,
        address: Optional[Address],
        peers: Optional[Sequence[Mapping[str, Any]]],
    ) -> None:
        self.document, self.host, self.patience, self.serve = document, host, patience, serve
        self.address, self.peers = address, peers
        self.what = f"topology {document.name}"
        self.ground: Optional[Ground] = None
        self.warnings: list[str] = []
        self.question = Question(
            namespaces={None, *(one.netns for one in document.on(host))},
            links={None},
            addresses={None},
            owners={document.name},
            filters={None},
            states=True,
            survey=True,
        )

    def look(self, world: World) -> Ground:
        """Errors: Missing, Conflict, Several: what is to be tried is not what was built."""
        saved = world.states.get(self.document.name)
        if saved is None:
            way_out = "build it with netwright.docknet.topology first"
            raise Missing(self.what, "it is not on this host: nothing of it is saved there", way_out)
        others = {name: state for name, state in world.states.items() if name != self.document.name}
        around = replace(world.surroundings, states=others)
        site = Site(self.document, self.host, saved.allocation, around)
        errors = [*unbuilt(site, saved, self.what)]
        if errors:
            raise Several(errors) if len(errors) > 1 else errors[0]
        self.ground = Ground(site, own_addresses(world))
        return self.ground

    def trials(self, world: World) -> list[Trial]:
        if self.peers is None:
            return paths(self.look(world))
        return [one for peer in self.peers for one in self.remote(peer)]

    def spots(self, world: World) -> list[Spot]:
        """Where to listen for other hosts to try."""
        return [door.spot for door in doors(self.look(world))]

    def published(self, untold: Iterable[Spot]) -> list[dict[str, Any]]:
        """What other hosts need to know. `untold`: spots at which somebody else listens."""
        taken = set(untold)
        found: Iterable[Door] = doors(self.ground) if self.ground else ()
        return [served(door, door.spot not in taken) for door in found]

    def remote(self, peer: Mapping[str, Any]) -> Iterator[Trial]:
        """The published ports of another host, tried from this one. A server of ours there must see this host's own address."""
        name, address = peer["name"], normalise.address(self.what, "peers.address", peer["address"])
        for one in peer["published"]:
            verdict = self.from_here(name, address, one)
            if verdict is None:
                continue
            receiver, protocol, port = f"{one['container']} on {name}", one["protocol"], one["port"]
            if verdict.works and protocol == UDP and not one["served"]:
                self.warnings.append(
                    f"{self.what}: {receiver} ({protocol} {port}) was not tried: a server has the port, and need not answer"
                )
                continue
            same = self.address is not None and self.address.version == address.version
            seen = self.address if verdict.works and one["served"] and same else None
            yield Trial(None, address, protocol, port, verdict.works, verdict.why, "the host", receiver, None, seen)

    def from_here(self, name: str, address: Address, port: Mapping[str, Any]) -> Optional[Verdict]:
        host_ip = normalise.address(self.what, "peers.published.host_ip", port["host_ip"])
        mine = self.address if self.address and self.address.version == address.version else None
        if host_ip.version != address.version:
            return None
        if host_ip.is_loopback:
            return Verdict(False, f"it is published on {host_ip} of {name} alone")
        if not host_ip.is_unspecified and host_ip != address:
            return None
        allowed = [
            normalise.network(self.what, "peers.published.allowed_sources", one) for one in port["allowed_sources"]
        ]
        if mine and not allows(allowed, mine):
            return Verdict(False, f"{mine} is not in its allowed_sources")
        return Verdict(True, f"it is published as {port['port']} on {name}")


def unbuilt(site: Site, saved: State, what: str) -> Iterable[DocknetError]:
    """What the document has and the host does not: it was changed since it was built."""
    way_out = "run netwright.docknet.topology with this document first"
    if saved.host != site.host:
        yield Conflict(what, f"it was built here as host {saved.host!r}, not as {site.host!r}", way_out)
    for endpoint in site.all_endpoints():
        key = (endpoint.container.name, endpoint.network.name)
        if endpoint.network.ipam == "default" and key not in saved.allocation.endpoints:
            yield Missing(endpoint.what, "it has no address yet, so it was not built", way_out)
    for wish in wishes_of(site):
        if wish.key not in saved.allocation.ports:
            yield Missing(f"{wish.container.what}.ports", f"{wish.port} was not published yet", way_out)


def own_addresses(world: World) -> list[Address]:
    """The host's addresses on links that are up and not ours, the loopback's last: in the order in which the links were made."""
    mine = [one for one in world.links.values() if one.key.netns is None and one.up and one.owner is None]
    return [
        address.ip
        for link in sorted(mine, key=lambda one: (one.key.name == "lo", one.index))
        for address in sorted(link.addresses or (), key=lambda one: (one.version, one))
        if not (address.ip.is_loopback or address.ip.is_link_local)
    ]


def prepare(params: Mapping[str, Any]) -> Attempt:
    """The module's arguments -> what is tried. Errors: InvalidRequest or Several, of all that is wrong with the document."""
    document, host = read(params["topology"]), params["host"]
    what = f"topology {document.name}"
    placed = {one.host for one in document.containers.values()} - {None}
    # What others publish can be tried from anywhere.
    if placed and host not in placed and params["peers"] is None:
        known = ", ".join(sorted(map(str, placed)))
        raise normalise.refuse(what, "host", host, "is none of the document's", f"it names {known}")
    for option in ("timeout", "serve"):
        if params[option] is not None and not 0 < params[option] <= 3600:
            raise normalise.refuse(what, option, params[option], "is not from 0 to 3600", "give it in seconds")
    silence = params["timeout"]
    address = params["address"] and normalise.address(what, "address", params["address"])
    patience = Patience(silence, silence * LONGER)
    return Attempt(document, host, patience, params["serve"] or 0.0, address, params["peers"])
