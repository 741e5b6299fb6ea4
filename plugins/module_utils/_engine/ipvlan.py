# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What is peculiar to ipvlan: children of one parent share its mode, its flag and its addresses, and have no macvlan beside them."""

from __future__ import annotations

from collections.abc import Iterator

from .._model.child import Child
from .._model.errors import Conflict, InvalidRequest
from .._model.ipvlan import Ipvlan
from .._model.link import Address, Link, LinkKey
from .._model.macvlan import Macvlan
from .._model.plan import Question, Wanted
from . import child
from .draft import Draft
from .effect import children

APART = "ipvlan and macvlan cannot stand on one interface"
ONE_MODE = "all ipvlans of one parent have one mode and one flag"


def question(wanted: Wanted) -> Question:
    """Who else stands on the parent, wherever: only ipvlan has to know of macvlans and of its like."""
    link: Link = wanted.value
    if not wanted.present or not isinstance(link.data, Child):
        return Question()
    kinds = (Ipvlan.KIND, Macvlan.KIND) if isinstance(link.data, Ipvlan) else (Ipvlan.KIND,)
    return Question(tenants={(link.data.parent, kind) for kind in kinds})


def prepare(draft: Draft) -> None:
    """Errors: InvalidRequest, Conflict where children of one parent cannot be together, before anything is planned."""
    leaves = child.leaving(draft)
    parents: dict[LinkKey, list[Wanted]] = {}
    for wanted in draft.wanted:
        if wanted.present and isinstance(wanted.value, Link) and isinstance(wanted.value.data, Child):
            parents.setdefault(wanted.value.data.parent, []).append(wanted)
    for parent, some in parents.items():
        first = some[0]
        for wanted in some[1:]:
            why = _clash(first.value, wanted.value)
            if why:
                raise InvalidRequest(wanted.what, f"it does not go with {first.what}: {why}", "say the same of both")
        for other in [*children(draft.world, parent), *draft.world.tenants.get(parent, ())]:
            if other.key not in draft.links:
                _meet(first, other, leaves(other), draft)
        if isinstance(first.value.data, Ipvlan):
            _make_room(parent, some, draft)


def _clash(link: Link, other: Link) -> str:
    """Why two cannot stand on one parent, or ''."""
    if link.kind != other.kind:
        return APART if Ipvlan.KIND in (link.kind, other.kind) else ""
    if isinstance(link.data, Ipvlan) and isinstance(other.data, Ipvlan):
        mine, its = ((one.mode, one.flag) for one in (link.data, other.data))
        return ONE_MODE if mine != its else ""
    return ""


def _meet(wanted: Wanted, other: Link, leaves: bool, draft: Draft) -> None:
    """One that stands on the parent already, and is not asked for in this run."""
    why = _clash(wanted.value, other)
    if not why:
        return
    if leaves:
        if why == APART and other.key in draft.world.links:
            child.release(wanted, other, draft, first=True)
            draft.do(wanted, "delete", other, f"its parent is for {wanted.value.kind}", first=True)
        return
    parent = wanted.value.data.parent
    whose = f'of owner "{other.owner}"' if other.owner else "that we did not make"
    if why == APART:
        what = f'its parent "{parent}" has the {other.kind} "{other.key}" on it, {whose}, and {APART}'
        raise Conflict(wanted.what, what, f"use {other.kind}, remove that one, or name another parent")
    if other.owner != wanted.owner:
        there = f"{other.data.mode}, {other.data.flag}"  # type: ignore[union-attr]
        what = f'its parent "{parent}" has the ipvlan "{other.key}" ({there}) on it, {whose}, and {ONE_MODE}'
        raise Conflict(wanted.what, what, "say the same, or name another parent")
    draft.warn(f'{wanted.what}: mode and flag of "{other.key}" change too: {ONE_MODE}')


def _make_room(parent: LinkKey, some: list[Wanted], draft: Draft) -> None:
    """The kernel gives an address to one child alone (ipvlan_addr_busy): one that leaves with it does so first."""
    leaves = child.leaving(draft)
    taken: dict[Address, str] = {}
    holders = dict(_holders(parent, draft))
    for wanted in some:
        link: Link = wanted.value
        for address in sorted(link.addresses or (), key=str):
            other = taken.setdefault(address.ip, wanted.what)
            if other != wanted.what:
                raise InvalidRequest(wanted.what, f"its address {address.ip} is {other}'s", "give another")
            holder = holders.get(address.ip)
            if holder is None or holder.key == link.key or holder.key not in draft.world.links:
                continue
            if leaves(holder):
                child.release(wanted, holder, draft, first=True)
                draft.do(wanted, "delete", holder, f"its address is for {link.key}", first=True)
            elif holder.key not in draft.links:
                what = f'its address {address.ip} is that of "{holder.key}" on the same parent'
                raise Conflict(wanted.what, what, "give another")


def _holders(parent: LinkKey, draft: Draft) -> Iterator[tuple[Address, Link]]:
    for link in children(draft.world, parent):
        for address in link.addresses or ():
            yield address.ip, link
