# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Who holds what cannot be had: a link in a namespace that nobody asked about."""

from __future__ import annotations

import os
from typing import Optional, cast

from .._model.link import Link
from .._model.vxlan import Vxlan
from . import links, namespaces, vxlan
from . import rtnetlink as rt
from .netlink import Socket
from .places import Places


def segment_holder(places: Places, wanted: Link) -> Optional[str]:
    """The VXLAN of a segment that the kernel has already, in words; None where it is out of our sight.

    One that was moved to another namespace counts for the one it was made in (container engines do so with theirs).
    """
    mine = places.descriptor(wanted.key.netns)
    for descriptor in namespaces.everywhere():
        with namespaces.inside(descriptor):
            socket = Socket()
        try:
            here = os.path.sameopenfile(descriptor, mine)
            number = None if here else rt.nsid(socket.get(rt.get_nsid(mine)))
            if not here and number is None:
                continue
            for link in links.raw_links(socket).values():
                if link.kind == Vxlan.KIND and link.number(rt.IFLA_LINK_NETNSID) == number and _same(link, wanted):
                    return f'"{link.name}" in {_spelled(descriptor)} has it: remove that one, or choose another vni'
        finally:
            socket.close()
    return None


def _same(seen: links.RawLink, wanted: Link) -> bool:
    one = cast(Vxlan, vxlan.decode(seen.data, wanted.key))
    other = cast(Vxlan, wanted.data)
    return (one.vni, one.port) == (other.vni, other.port)


def _spelled(descriptor: int) -> str:
    """A namespace by its name, or by a process in it."""
    inode = os.fstat(descriptor).st_ino
    for name in namespaces.named():
        if _inode(os.path.join(namespaces.NETNS_DIR, name)) == inode:
            return f'namespace "{name}"'
    numbers = sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit())
    holder = next((number for number in numbers if _inode(f"/proc/{number}/ns/net") == inode), None)
    return f"the namespace of process {holder}" if holder else "a namespace without a name"


def _inode(path: str) -> Optional[int]:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None
