# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Planning of the saved specification."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Optional

from .._model.plan import Question, Wanted, World
from .._model.state import State
from .._model.statefile import plain
from .draft import Draft
from .effect import EFFECTS


def question(_wanted: Wanted) -> Question:
    return Question(states=True)


def plan(wanted: Wanted, draft: Draft) -> None:
    state: State = wanted.value
    seen = draft.world.states.get(state.name)
    if not wanted.present:
        if seen is not None:
            draft.do(wanted, "delete", seen, "to be absent")
    elif seen is None:
        draft.do(wanted, "create", state, "missing")
    elif seen is not state and spelled(seen) != spelled(state):
        first = state.meanwhile
        if first is not None and spelled(seen) != spelled(first):
            draft.do(wanted, "set", first, f"{', '.join(differences(seen, first))} changed")
            seen = first
        draft.do(wanted, "set", state, f"{', '.join(differences(seen, state))} changed")


def spelled(state: State) -> str:
    """All that its file says: in a document the order counts."""
    return json.dumps(plain(state))


def differences(one: State, other: State) -> Iterator[str]:
    """What is not the same, in words."""
    mine, yours = contents(one), contents(other)
    yield from (name for name in {**mine, **yours} if mine.get(name) != yours.get(name))


def contents(state: State) -> dict[str, Any]:
    """What is told of a state: what was chosen, and of the document that it is another."""
    whole = plain(state)
    endpoints = dict(leases(whole["endpoints"]))
    ports = {
        f"{container} {port}": published
        for container, published_of in whole["ports"].items()
        for port, published in published_of.items()
    }
    networks = {name: spell(words) for name, words in whole["networks"].items()}
    elsewhere = dict(leases(whole.get("elsewhere", {})))
    return {
        "host": state.host,
        "networks": networks,
        "endpoints": endpoints,
        "ports": ports,
        "attached": whole["attached"],
        **({"elsewhere": elsewhere} if elsewhere else {}),
        **{name: whole[name] for name in ("peers", "keys") if name in whole},
        "document": hashlib.sha256(json.dumps(whole["document"]).encode()).hexdigest()[:12],
    }


def leases(whole: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """ "web.front": "172.18.0.2 02:42:ac:12:00:02 eth0"."""
    for container, networks in whole.items():
        for network, words in networks.items():
            yield f"{container}.{network}", " ".join(word for word in words.values() if word)


def spell(words: dict[str, Any]) -> str:
    """What a network was given: "br-1f0c 172.18.0.0/16 172.18.0.1"."""
    numbers = [f"{name} {words[name]}" for name in ("vni", "mtu") if words.get(name)]
    slices = [f"{host} {' '.join(parts)}" for host, parts in words.get("slices", {}).items()]
    given = (words["device"], *words["subnets"], *words["gateways"], *words.get("shim", ()), *numbers, *slices)
    return " ".join(filter(None, given))


def describe(wanted: Wanted, world: World) -> Optional[dict[str, Any]]:
    seen = world.states.get(wanted.value.name)
    return None if seen is None else contents(seen)


def facts(_wanted: Wanted, _world: World) -> dict[str, Any]:
    """What is in it is what was found out on the way to it: see _topology/topology.py."""
    return {}


def effect(world: World, action: str, state: State) -> None:
    if action == "delete":
        world.states.pop(state.name, None)
    else:
        world.states[state.name] = state


EFFECTS[State] = effect
