# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The properties of a link: which of them a wish manages, what they are, and how they are told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Optional

from .._model.bridge import Bridge
from .._model.link import Link, LinkKey, Other
from .._model.plan import Wanted, World
from .effect import ports_of

# In the order in which a person would do them; `up` comes later, after what must be so before the first packet.
SETTINGS = ("mac", "mtu", "master", "hairpin", "isolated", "promiscuous")


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
    shown.update((name, current(seen, name)) for name, _new in wishes(link))
    if link.up is not None:
        shown["up"] = seen.up
    for name in ("addresses", "gateways", "routes"):
        if getattr(link, name) is not None:
            shown[name] = (
                None if getattr(seen, name) is None else [str(value) for value in in_order(getattr(seen, name))]
            )
    if isinstance(link.data, Bridge) and link.data.ports is not None:
        shown["ports"] = sorted(port.key.name for port in ports_of(world, link.key))
    return shown


def _plain(value: object) -> object:
    return str(value) if isinstance(value, LinkKey) else value


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
    return shown


def in_order(values: frozenset) -> list:
    return sorted(values, key=str) if len(values) > 1 else list(values)
