# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Who holds what cannot be had, and who stands on a link: links in namespaces that nobody asked about."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Optional, cast

from .._model.child import Child
from .._model.ipvlan import Ipvlan
from .._model.link import Link, LinkKey
from .._model.namespace import NetnsRef
from .._model.vxlan import Vxlan
from . import links, namespaces, vxlan
from . import rtnetlink as rt
from .kinds import KINDS
from .netlink import Socket
from .places import Places


def segment_holder(places: Places, wanted: Link) -> Optional[str]:
    """The VXLAN of a segment that the kernel has already, in words; None where it is out of our sight.

    One that was moved to another namespace counts for the one it was made in (container engines do so with theirs).
    """
    for descriptor, link in _tied(places, wanted.key.netns, ()):
        if link.kind == Vxlan.KIND and _same(link, wanted):
            return f'"{link.name}" in {_spelled(descriptor)} has it: remove that one, or choose another vni'
    return None


def segments(places: Places) -> dict[int, str]:
    """The numbers of the host's VXLANs that were moved to other namespaces, and where each is."""
    return {
        vni: f"{raw.name} in {_spelled(descriptor)}"
        for descriptor, raw in _tied(places, None, {os.fstat(places.descriptor(None)).st_ino})
        if raw.kind == Vxlan.KIND
        for vni in [cast(Vxlan, vxlan.decode(raw.data, LinkKey(None, ""))).vni]
        if vni is not None
    }


def tenants(
    places: Places, asked: Collection[tuple[LinkKey, str]], seen: Mapping[LinkKey, Link], groups: Mapping[int, str]
) -> dict[LinkKey, tuple[Link, ...]]:
    """The children of these kinds on these parents, in namespaces other than those whose links were `seen`.

    A module that is not loaded has made none, so most hosts are spared the walk through all their namespaces.
    """
    found: dict[LinkKey, tuple[Link, ...]] = {}
    known = {os.fstat(places.descriptor(ref)).st_ino for ref in {key.netns for key in seen}}
    for parent in {parent for parent, kind in asked if kind != Ipvlan.KIND or os.path.isdir(LOADED)}:
        if parent not in seen:
            continue
        kinds = {kind for one, kind in asked if one == parent}
        for descriptor, raw in _tied(places, parent.netns, known):
            if raw.kind in kinds and raw.number(rt.IFLA_LINK) == seen[parent].index:
                data = replace(cast(Child, KINDS[raw.kind].decode(raw.data, parent)), parent=parent)
                key = LinkKey(_name(descriptor) or _spelled(descriptor), raw.name)
                found[parent] = (*found.get(parent, ()), Link(key, data=data, owner=raw.owner(groups)))
    return found


def _tied(places: Places, ref: NetnsRef, known: Collection[int]) -> Iterator[tuple[int, links.RawLink]]:
    """Each link of this machine that is tied to a namespace: is in it, or stands on something in there. Not in `known` ones."""
    mine = places.descriptor(ref)
    for descriptor in namespaces.everywhere():
        if os.fstat(descriptor).st_ino in known:
            continue
        with namespaces.inside(descriptor):
            socket = Socket()
        try:
            here = os.path.sameopenfile(descriptor, mine)
            number = None if here else rt.nsid(socket.get(rt.get_nsid(mine)))
            for link in links.raw_links(socket).values() if here or number is not None else ():
                if link.number(rt.IFLA_LINK_NETNSID) == number:
                    yield descriptor, link
        finally:
            socket.close()


LOADED = "/sys/module/ipvlan"


def _same(seen: links.RawLink, wanted: Link) -> bool:
    one = cast(Vxlan, vxlan.decode(seen.data, wanted.key))
    other = cast(Vxlan, wanted.data)
    return (one.vni, one.port) == (other.vni, other.port)


def _name(descriptor: int) -> Optional[str]:
    inode = os.fstat(descriptor).st_ino
    names = namespaces.named()
    return next((name for name in names if _inode(os.path.join(namespaces.NETNS_DIR, name)) == inode), None)


def _spelled(descriptor: int) -> str:
    """A namespace by its name, or by a process in it."""
    name = _name(descriptor)
    if name is not None:
        return f'namespace "{name}"'
    inode = os.fstat(descriptor).st_ino
    numbers = sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit())
    holder = next((number for number in numbers if _inode(f"/proc/{number}/ns/net") == inode), None)
    return f"the namespace of process {holder}" if holder else "a namespace without a name"


def _inode(path: str) -> Optional[int]:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None
