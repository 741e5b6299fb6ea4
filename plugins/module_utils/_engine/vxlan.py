# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What goes with a VXLAN: its entries, the neighbours that its bridge answers for, and that a segment has one in a namespace.

Neighbours on a bridge say not whose they are. Those with a MAC address of a VXLAN's entries are taken for that VXLAN's:
they come with it and go with it.
"""

from __future__ import annotations

from typing import Optional

from .._model.errors import Conflict
from .._model.link import Link, LinkKey
from .._model.namespace import place
from .._model.plan import Question, Wanted
from .._model.vxlan import Vxlan
from .draft import Draft, claim
from .neighbour import exactly
from .properties import answered, managed

NONE: frozenset = frozenset()


def question(wanted: Wanted) -> Question:
    link: Link = wanted.value
    asked = Question()
    if not isinstance(link.data, Vxlan):
        return asked
    if link.forwards is not None or not wanted.present:
        asked.forwards.add(link.key)
    if link.answers is not None and link.master:
        asked.permanent.add(LinkKey(link.key.netns, link.master))
    return asked


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
        if leaving is None:
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
    family, its = _family(link), _family(seen)
    return (one.vni, one.port) == (other.vni, other.port) and None not in (family, its) and family == its


def _family(link: Link) -> Optional[int]:
    local = link.data.local if isinstance(link.data, Vxlan) else None
    addresses = [local] if local else [one.remote for one in link.forwards or ()]
    return addresses[0].version if addresses else None


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
