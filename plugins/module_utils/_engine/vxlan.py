# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What goes with a VXLAN: its entries, the neighbours that its bridge answers for, its MTU, and that a segment has one in a namespace.

Neighbours on a bridge say not whose they are. Those with a MAC address of a VXLAN's entries are taken for that VXLAN's:
they come with it and go with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Optional

from .._model.errors import Conflict
from .._model.link import Address, Link, LinkKey
from .._model.namespace import place
from .._model.plan import Question, Wanted
from .._model.vxlan import FITTING, OVERHEAD, Vxlan
from .draft import Draft, claim
from .neighbour import exactly
from .properties import answered, managed

NONE: frozenset = frozenset()
ETHERNET = 1500


def question(wanted: Wanted) -> Question:
    link: Link = wanted.value
    asked = Question()
    if not isinstance(link.data, Vxlan):
        return asked
    if link.forwards is not None or not wanted.present:
        asked.forwards.add(link.key)
    if link.answers is not None and link.master:
        asked.permanent.add(LinkKey(link.key.netns, link.master))
    if link.mtu == FITTING:
        asked.addresses.add(link.key.netns)
        asked.targets |= {(link.key.netns, remote) for remote in _first_remote(link)}
    return asked


def fitted(wanted: Wanted, link: Link, draft: Draft) -> Link:
    """With the MTU that its underlay leaves, where that is asked for. An underlay that is not known is taken for Ethernet's."""
    if not isinstance(link.data, Vxlan) or link.mtu != FITTING:
        return link
    below = next(_underlays(link, draft), None)
    if below is None:
        ends = " or ".join(str(one) for one in (link.data.local, *_first_remote(link)) if one) or "its remote ends"
        where = place(link.key.netns) or " on the host"
        draft.warn(
            f"{wanted.what}: no interface{where} leads to {ends}, so its MTU fits one of {ETHERNET}; give mtu if that is not so"
        )
    return replace(link, mtu=(below or ETHERNET) - OVERHEAD[_family(link) or 4])


def _underlays(link: Link, draft: Draft) -> Iterator[int]:
    """The MTU of the interface with its local address, and of the one towards a remote end. A loopback's says nothing."""
    netns, local = link.key.netns, link.data.local if isinstance(link.data, Vxlan) else None
    ways = [draft.world.targets.get((netns, remote)) for remote in _first_remote(link)]
    near = [key for key in draft.inside.get(netns, ()) if local and _has(draft.world.links.get(key), local)]
    for key in (*near, *(LinkKey(netns, way.device) for way in ways if way and not way.own)):
        below = draft.world.links.get(key)
        if below and below.mtu and key.name not in ("lo", link.key.name):
            yield below.mtu


def _has(link: Optional[Link], address: Address) -> bool:
    return link is not None and any(one.ip == address for one in link.addresses or ())


def _first_remote(link: Link) -> list[Address]:
    """One of its remote ends, always the same."""
    return sorted({one.remote for one in link.forwards or ()}, key=lambda one: (one.version, int(one)))[:1]


def make_room(wanted: Wanted, link: Link, draft: Draft) -> None:
    """Before it is made: another one of its segment goes, if it is to. Errors: Conflict, where it stays.

    drivers/net/vxlan/vxlan_core.c vxlan_config_validate: one of a number and a port, and of a family, in a namespace.
    """
    if not isinstance(link.data, Vxlan):
        return
    for key in draft.inside.get(link.key.netns, ()):
        seen = draft.world.links.get(key)
        if seen is None or key == link.key or not isinstance(seen.data, Vxlan) or not _same_segment(link, seen):
            continue
        leaving = next((one for one in draft.wanted if not one.present and _is(one, key)), None)
        if leaving is None or seen.adopted:
            whose = f'of owner "{seen.owner}"' if seen.owner else "that this collection did not make"
            segment = f"VNI {link.data.vni} on port {link.data.port}"
            where = place(key.netns) or " on the host"
            why = f'{segment} has an interface already{where}: "{key.name}", {whose}'
            raise Conflict(wanted.what, why, "remove that one, or choose another vni or port")
        claim(leaving, seen.owner, seen.kind)
        release(leaving, seen, draft)
        draft.do(leaving, "delete", seen, f"its segment is for {link.key}", first=True)


def _is(one: Wanted, key: LinkKey) -> bool:
    return isinstance(one.value, Link) and one.value.key == key


def _same_segment(link: Link, seen: Link) -> bool:
    """Where a family is not known, the kernel will say."""
    one, other = link.data, seen.data
    if not isinstance(one, Vxlan) or not isinstance(other, Vxlan):
        return False
    if (one.vni, one.port) != (other.vni, other.port):
        return False
    family = _family(link)
    return family is not None and family == _family(seen)


def _family(link: Link) -> Optional[int]:
    local = link.data.local if isinstance(link.data, Vxlan) else None
    return next((one.version for one in (local, *_first_remote(link)) if one), None)


def settle(wanted: Wanted, link: Link, draft: Draft) -> None:
    """Exactly the entries that were given, and the neighbours behind them."""
    if not isinstance(link.data, Vxlan) or link.forwards is None:
        return
    before = draft.world.links[link.key]
    answers = answered(draft.world, before, link.forwards)
    exactly(wanted, link.key, link.forwards, managed(link, before.forwards), draft)
    if link.answers is not None and before.master:
        exactly(wanted, LinkKey(link.key.netns, before.master), link.answers, answers, draft)


def release(wanted: Wanted, seen: Link, draft: Draft) -> None:
    """Before it is deleted, or leaves its bridge: what the bridge knows of those behind it goes, unless that is somebody's wish."""
    bridge = LinkKey(seen.key.netns, seen.master or "")
    wish = draft.links.get(bridge)
    if isinstance(seen.data, Vxlan) and (wish is None or wish.neighbours is None):
        exactly(wanted, bridge, NONE, answered(draft.world, seen), draft)
