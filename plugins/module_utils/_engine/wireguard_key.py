# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Planning of a host's WireGuard key. That it has one is wished by its module; that it has none any more by the topology."""

from __future__ import annotations

from typing import Any, Optional

from .._model.plan import Question, Wanted, World
from .._model.wireguard_key import WireguardKey
from .draft import Draft
from .effect import EFFECTS


def question(_wanted: Wanted) -> Question:
    return Question(keys=True)


def plan(wanted: Wanted, draft: Draft) -> None:
    key: WireguardKey = wanted.value
    seen: Optional[WireguardKey] = draft.world.keys.get(key.name)
    if not wanted.present:
        if seen:
            draft.do(wanted, "delete", seen, "to be absent")
    elif seen is None:
        draft.do(wanted, "create", key, "missing")
    elif seen.public.text == key.unlike:
        draft.do(wanted, "set", key, "to be another one")
    elif seen.public.port != key.public.port:
        draft.do(wanted, "set", key, f"port {seen.public.port} -> {key.public.port}, which is free")


def describe(wanted: Wanted, world: World) -> Optional[dict[str, Any]]:
    seen: Optional[WireguardKey] = world.keys.get(wanted.value.name)
    return {"public_key": seen.public.text or "(known when it is made)", "port": seen.public.port} if seen else None


def facts(_wanted: Wanted, _world: World) -> dict[str, Any]:
    """What other hosts are to know is told by its module: see _topology/wireguard_key.py."""
    return {}


def _key(world: World, action: str, value: WireguardKey) -> None:
    if action == "delete":
        world.keys.pop(value.name, None)
        return
    seen = world.keys.get(value.name)
    same = seen is not None and seen.public.text != value.unlike
    text = seen.public.text if seen and same else ""
    world.keys[value.name] = WireguardKey(value.name, value.public._replace(text=text))


EFFECTS[WireguardKey] = _key
