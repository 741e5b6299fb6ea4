# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Planning of what a link knows of others: permanent neighbours, who is behind a bridge's port, and the entries of a VXLAN (see vxlan.py)."""

from __future__ import annotations

from typing import Union

from .._model.link import Link, LinkKey, LinkNeighbour, LinkStation, Neighbour, Station
from .._model.plan import Question, Wanted
from .._model.vxlan import Forward, LinkForward
from .draft import Draft
from .properties import in_order

NONE: frozenset = frozenset()


def question(link: Link) -> Question:
    asked = Question()
    if link.neighbours is not None:
        asked.permanent.add(link.key)
    if link.stations is not None:
        asked.stations.add(link.key)
    return asked


def settle(wanted: Wanted, link: Link, draft: Draft) -> None:
    if link.stations is not None:
        exactly(wanted, link.key, link.stations, draft.world.links[link.key].stations or NONE, draft)
    if link.neighbours is not None:
        seen = draft.world.links[link.key].neighbours or NONE
        exactly(wanted, link.key, link.neighbours, seen, draft)


def exactly(wanted: Wanted, key: LinkKey, want: frozenset, seen: frozenset, draft: Draft) -> None:
    """What is in `want` and not in `seen` comes, and the other way round; of one whose place a new one takes nothing is said.

    There may be tens of thousands, so none is looked for among the others.
    """
    places = {one.slot: one for one in seen}
    kept = {one.slot for one in want}
    gone = frozenset(one for one in seen - want if one.slot not in kept)
    draft.do_each(wanted, "remove", [(_on(key, one), "not asked for") for one in in_order(gone)])
    draft.do_each(wanted, "add", [(_on(key, one), _why(places.get(one.slot))) for one in in_order(want - seen)])


def _on(key: LinkKey, entry: Union[Forward, Neighbour, Station]) -> Union[LinkForward, LinkNeighbour, LinkStation]:
    if isinstance(entry, Station):
        return LinkStation(key, entry)
    return LinkForward(key, entry) if isinstance(entry, Forward) else LinkNeighbour(key, entry)


def _why(there: object) -> str:
    return f"in place of {there}" if there else "missing"
