# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The properties of a link: which of them a wish manages, what they are, and how they are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any, Optional

from .._model.bridge import Bridge
from .._model.link import Link, LinkKey, Neighbour, Other
from .._model.plan import Wanted, World
from .._model.vxlan import FLOOD, Forward
from .effect import NEW_PORT, ports_of

# In the order in which a person would do them; `up` comes later, after what must be so before the first packet.
SETTINGS = ("mac", "mtu", "master", *NEW_PORT, "promiscuous")


def wishes(link: Link) -> Iterator[tuple[str, object]]:
    for name in SETTINGS:
        if getattr(link, name) is not None:
            yield name, getattr(link, name)
    if link.data is None:
        return
    for field in fields(link.data):
        value = getattr(link.data, field.name)
        if value is not None and field.name not in (*link.data.IDENTITY, "ports"):
            yield field.name, value


def current(seen: Link, name: str) -> object:
    return getattr(seen, name) if name in SETTINGS else getattr(seen.data, name, None)


def because(seen: Link, changes: dict[str, object]) -> str:
    """ "mtu 1500 -> 1400", one after the other."""
    parts, none = [], "none"
    for name, new in changes.items():
        if name == "altname":
            parts.append("to be marked as ours")
            continue
        if isinstance(new, bool):
            parts.append(f"{name} -> {str(new).lower()}")
            continue
        old = current(seen, name)
        parts.append(f"{name}{'' if old is None else f' {old or none}'} -> {new or none}")
    return ", ".join(parts)


def describe(wanted: Wanted, world: World) -> Optional[dict[str, Any]]:
    """The managed part of the link as it is in `world`."""
    link: Link = wanted.value
    seen = world.links.get(link.key)
    if seen is None:
        return None
    if not wanted.present:
        return {"kind": seen.kind, "owner": seen.owner}
    shown: dict[str, Any] = {}
    if link.data is not None:
        shown = {"kind": seen.kind, "owner": seen.owner}
        for name in link.data.IDENTITY:
            shown[name] = _plain(getattr(seen.data, name, None))
    shown.update((name, _plain(current(seen, name))) for name, _new in wishes(link))
    if link.up is not None:
        shown["up"] = seen.up
    for name in ("addresses", "gateways", "routes"):
        if getattr(link, name) is not None:
            shown[name] = _told(getattr(seen, name))
    if link.neighbours is not None:
        shown["neighbours"] = _told(seen.neighbours)
    if link.stations is not None:
        shown["stations"] = _told(seen.stations)
    if link.forwards is not None:
        shown["forwards"] = _told(managed(link, seen.forwards))
    if link.answers is not None:
        shown["answers"] = _told(answered(world, seen))
    if isinstance(link.data, Bridge) and link.data.ports is not None:
        shown["ports"] = sorted(port.key.name for port in ports_of(world, link.key))
    return shown


def _told(values: Optional[frozenset]) -> Optional[list[str]]:
    return None if values is None else [str(value) for value in in_order(values)]


def managed(wanted: Link, forwards: Optional[frozenset[Forward]]) -> frozenset[Forward]:
    """Of these entries those that are `wanted`'s to say."""
    if wanted.flooding is None:
        return forwards or frozenset()
    return frozenset(one for one in forwards or () if (one.mac == FLOOD) == wanted.flooding)


def answered(world: World, vxlan: Link, more: Iterable[Forward] = ()) -> frozenset[Neighbour]:
    """The neighbours on its bridge that have a MAC address of its entries, or of these."""
    bridge = world.links.get(LinkKey(vxlan.key.netns, vxlan.master or ""))
    macs = {one.mac for entries in (vxlan.forwards or (), more) for one in entries}
    return frozenset(one for one in (bridge and bridge.neighbours) or () if one.mac in macs)


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def facts(wanted: Wanted, world: World) -> dict[str, Any]:
    """What a later task may want to know of the link."""
    link: Link = wanted.value
    if link.data is None:
        return {}
    seen = world.links.get(link.key)
    shown = show(seen, world) if seen else {"name": link.key.name, "netns": link.key.netns}
    return {"links": {**shown, "present": seen is not None}}


def show(link: Link, world: World) -> dict[str, Any]:
    """All that was seen of a link, in plain types."""
    shown: dict[str, Any] = {"name": link.key.name, "netns": link.key.netns, "kind": link.kind, "owner": link.owner}
    shown.update(mac=link.mac or None, mtu=link.mtu, up=link.up, master=link.master or None)
    for field in fields(link.data) if link.data and not isinstance(link.data, Other) else ():
        shown[field.name] = _plain(getattr(link.data, field.name))
    if isinstance(link.data, Bridge):
        shown["ports"] = sorted(port.key.name for port in ports_of(world, link.key))
    if link.addresses is not None:
        routes = (link.gateways or frozenset()) | (link.routes or frozenset())
        shown["addresses"] = [str(value) for value in in_order(link.addresses)]
        shown["routes"] = [str(value) for value in in_order(routes)]
    for name in ("forwards", "neighbours"):
        if getattr(link, name) is not None:
            shown[name] = _told(getattr(link, name))
    return shown


def in_order(values: frozenset) -> list:
    return sorted(values, key=str) if len(values) > 1 else list(values)
