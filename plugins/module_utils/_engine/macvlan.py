# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What is peculiar to macvlan: each child that is up has a MAC address of its own."""

from __future__ import annotations

from .._model.link import Link, Settings
from .._model.macvlan import Macvlan
from . import child
from .draft import Draft


def prepare(draft: Draft) -> None:
    """Children of one parent that are up have each a MAC address of their own (drivers/net/macvlan.c macvlan_addr_busy).

    So who has one that is to be another's goes first, where he goes at all, and else is down until all have theirs.
    """
    leaves = child.leaving(draft)
    holders = {
        (link.data.parent, link.mac): link
        for link in draft.world.links.values()
        if isinstance(link.data, Macvlan) and link.mac
    }
    for wanted in draft.wanted:
        link = wanted.value
        if not wanted.present or not isinstance(link, Link) or not isinstance(link.data, Macvlan):
            continue
        holder = holders.get((link.data.parent, link.mac or ""))
        if holder is None or holder.key == link.key or holder.owner != wanted.owner:
            continue
        new = draft.links.get(holder.key)
        if leaves(holder):
            child.release(wanted, holder, draft, first=True)
            draft.do(wanted, "delete", holder, f"its MAC address is for {link.key}", first=True)
        elif new and new.mac not in (None, holder.mac) and holder.up:
            draft.do(
                wanted, "set", Settings(holder.key, {"up": False}), f"its MAC address is for {link.key}", first=True
            )
