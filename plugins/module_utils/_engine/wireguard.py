# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Planning of what a WireGuard interface is told. It comes and goes with its link; peers that stay keep their sessions."""

from __future__ import annotations

from typing import Any, Optional

from .._model.errors import Missing
from .._model.plan import Question, Wanted, World
from .._model.wireguard import Peer, Tunnel, TunnelChange
from .draft import Draft
from .effect import EFFECTS


def question(wanted: Wanted) -> Question:
    return Question(tunnels={wanted.value.link})


def plan(wanted: Wanted, draft: Draft) -> None:
    tunnel: Tunnel = wanted.value
    if not wanted.present:
        return
    _need_keys(wanted, tunnel, draft)
    seen: Tunnel = draft.world.tunnels.get(tunnel.link) or Tunnel(tunnel.link)
    there = {one.key: one for one in seen.peers}
    kept = {one.key for one in tunnel.peers}
    remove = tuple(one for one in seen.peers if one.key not in kept)
    wrong = {one: "is new" if one.key not in there else one.differs(there[one.key]) for one in tunnel.peers}
    change = TunnelChange(tunnel, seen.key != tunnel.key, remove, tuple(one for one in tunnel.peers if wrong[one]))
    reasons = ["it is to have the host's key"] if change.rekey else []
    reasons += [f"port {seen.port or 'none'} -> {tunnel.port}"] if seen.port != tunnel.port else []
    reasons += [f"host {one.host} {wrong[one]}" for one in change.add]
    reasons += [f"peer {one.key} is none of its hosts' any more" for one in remove]
    if reasons:
        draft.do(wanted, "set", change, ", ".join(reasons[:3]) + (" and more" if len(reasons) > 3 else ""))


def _need_keys(wanted: Wanted, tunnel: Tunnel, draft: Draft) -> None:
    """In check mode they are taken as made by an earlier task. Errors: Missing."""
    unknown = [one.host for one in tunnel.peers if not one.key]
    if tunnel.key and not unknown:
        return
    if not tunnel.key:
        why, way_out = (
            "this host has no WireGuard key for it",
            "make it first, with module wireguard_key (the role does)",
        )
    else:
        why = f"the public key of host {unknown[0]} is not known"
        way_out = "give what module wireguard_key returns there in leases (the role does)"
    if not draft.assume:
        raise Missing(wanted.what, why, way_out)
    draft.warn(f"{wanted.what}: {why} yet; taken as made by an earlier task")


def describe(wanted: Wanted, world: World) -> Optional[dict[str, Any]]:
    seen: Optional[Tunnel] = world.tunnels.get(wanted.value.link)
    if seen is None:
        return None
    names = {one.key: one.host for one in wanted.value.peers}
    peers = {names.get(one.key) or one.key: _plain(one) for one in seen.peers}
    return {"public_key": seen.key, "port": seen.port, "peers": dict(sorted(peers.items()))}


def _plain(peer: Peer) -> dict[str, Any]:
    """Where it was last heard is nobody's wish, and shown all the same: one wants to know it."""
    endpoint = " port ".join(map(str, peer.endpoint)) if peer.endpoint else None
    return {"public_key": peer.key, "endpoint": endpoint, "allowed": sorted(map(str, peer.allowed))}


def facts(_wanted: Wanted, _world: World) -> dict[str, Any]:
    """What of it others are to know is the key's."""
    return {}


def _change(world: World, _action: str, value: TunnelChange) -> None:
    link = value.tunnel.link
    world.tunnels[link] = value.after(world.tunnels.get(link) or Tunnel(link))


EFFECTS[TunnelChange] = _change
