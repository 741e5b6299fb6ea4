# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The arguments of wireguard_key -> the host's key for a topology, and the UDP port that its WireGuard has there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from .._model.errors import Conflict
from .._model.plan import Question, Wanted, World
from .._model.wireguard import PORT
from .._model.wireguard_key import PublicKey, WireguardKey
from . import normalise

LAST_PORT = 65535


class Key:
    """It is kept, and so is its port; with `rotate` the key becomes another one."""

    def __init__(self, name: str, present: bool, rotate: bool) -> None:
        self.name, self.present, self.rotate = name, present, rotate
        self.warnings: list[str] = []
        self.question = Question(keys=True, states=True, survey=True)

    def wanted(self, world: World) -> Sequence[Wanted]:
        what = f"wireguard_key {self.name}"
        seen = world.keys.get(self.name)
        unlike = seen.public.text if seen and self.rotate else None
        port = self.port(world, what) if self.present else PORT
        value = WireguardKey(self.name, PublicKey("", port), unlike)
        return [Wanted(value, what, self.name, self.present)]

    def port(self, world: World, what: str) -> int:
        """The one it has, unless a program has taken that, else the first that is free. Errors: Conflict."""
        seen = world.keys.get(self.name)
        mine = seen.public.port if seen else None
        taken = {*self.taken(world)}
        # In the table of sockets the kernel's own, of which one may be this key's, are nobody's.
        programs = {one.port for one in world.surroundings.listeners if one.protocol == "udp" and one.process}
        if mine is not None and mine not in programs:
            return mine
        found = next((port for port in range(PORT, LAST_PORT + 1) if port not in taken), None)
        if found is None:
            raise Conflict(what, f"no UDP port from {PORT} up is free on this host", "end what listens on them")
        return found

    def taken(self, world: World) -> Iterator[int]:
        yield from (one.port for one in world.surroundings.listeners if one.protocol == "udp")
        yield from (key.public.port for name, key in world.keys.items() if name != self.name)
        for state in world.states.values():
            for ports in state.allocation.ports.values():
                yield from range(ports.first, ports.last + 1)

    def facts(self, _wanted: Sequence[Wanted], world: World) -> dict[str, Any]:
        """What other hosts are to know."""
        seen = world.keys.get(self.name)
        return {"public_key": (seen and seen.public.text) or None, "port": seen.public.port if seen else None}


def prepare(params: Mapping[str, Any]) -> Key:
    """Errors: InvalidRequest."""
    name: Optional[str] = normalise.owner("wireguard_key", params["topology"])
    return Key(str(name), params["state"] == "present", params["rotate"])
