# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What the modules that only read return."""

from __future__ import annotations

from typing import Any, Optional, Protocol

from .._model.namespace import NetnsRef
from .._model.plan import Question, World
from .._model.state import State
from . import namespace, properties


class Host(Protocol):
    """What is needed of _kernel/host.py."""

    def names(self) -> list[str]: ...

    def observe(self, question: Question) -> World: ...


def namespaces(host: Host, name: Optional[str], owner: Optional[str]) -> list[dict[str, Any]]:
    """One named namespace, or all of them, with their links; of this owner alone, if one is given."""
    names = {name} if name else set(host.names())
    here: set[NetnsRef] = set(names)
    # The host's links too, so that the other end of a pair, or a parent, has a name.
    beside: set[tuple[NetnsRef, NetnsRef]] = {(each, None) for each in names}
    asked = Question(
        namespaces=here, links=here | {None}, addresses=here, neighbours=beside, owners={owner} if owner else set()
    )
    world = host.observe(asked)
    found = []
    for each in sorted(names & world.namespaces.keys()):
        if owner and world.namespaces[each].owner != owner:
            continue
        inside = [one for one in world.links.values() if one.key.netns == each]
        found.append({**namespace.show(each, world), "links": [properties.show(one, world) for one in inside]})
    return found


def topologies(host: Host, name: Optional[str]) -> list[dict[str, Any]]:
    """Each topology kept on the host, or the one of that name: what was chosen, and which of its links there are."""
    states = host.observe(Question(states=True)).states
    chosen = [state for _name, state in sorted(states.items()) if name in (None, state.name)]
    attached: set[NetnsRef] = {ref for state in chosen for ref in state.attached}
    world = host.observe(Question(namespaces=attached, owners={state.name for state in chosen}, owned=True))
    return [topology(state, world) for state in chosen]


def topology(state: State, world: World) -> dict[str, Any]:
    given = state.allocation
    links = [one for one in world.links.values() if one.owner == state.name]
    names = {one.key.name for one in links if one.key.netns is None}
    return {
        "name": state.name,
        "host": state.host,
        "document": dict(state.document),
        "networks": [
            {
                "name": name,
                "device": lease.device or None,
                "present": lease.device in names,
                "subnets": [str(subnet) for subnet in lease.subnets],
                "gateways": [str(gateway) for gateway in lease.gateways.values()],
            }
            for name, lease in given.networks.items()
        ],
        "endpoints": [
            {
                "container": container,
                "network": network,
                "addresses": [str(one) for one in (lease.ipv4, lease.ipv6) if one],
                "mac": lease.mac,
            }
            for (container, network), lease in given.endpoints.items()
        ],
        "ports": [
            {"container": container, "port": port, "published": str(ports)}
            for (container, port), ports in given.ports.items()
        ],
        "links": [properties.show(one, world) for one in links],
    }
