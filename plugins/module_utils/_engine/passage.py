# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Planning of our rules in other people's filters: where one may drop what ours lets through, it is told to let it through too.

Such a rule comes with the first segment that needs it, and goes with the last one.
"""

from __future__ import annotations

from dataclasses import replace

from .._model.namespace import NetnsRef, place
from .._model.passage import FORWARD, INPUT, Passage
from .._model.plan import Wanted, World
from .draft import Draft
from .effect import EFFECTS
from .table import table_of


def settle(draft: Draft, asked: Wanted, netns: NetnsRef) -> None:
    """After all segments of a namespace. Questions to a name server on the host must get in, and what comes for an overlay; everything else through."""
    segments = table_of(draft.world, netns).segments.values()
    needed = {FORWARD: bool(segments), INPUT: any(segment.resolvers or segment.vteps for segment in segments)}
    for gate in draft.world.gates.get(netns, ()):
        if not needed[gate.hook]:
            if gate.ours:
                draft.do(asked, "delete", Passage(netns, gate), "no segment needs it any more")
        elif gate.drops and not gate.open:
            if gate.why_not:
                draft.warn(
                    f"{gate}{place(netns)} may drop what is let through here, and cannot be told: {gate.why_not}"
                )
            else:
                reason = "it may drop what is let through" + (", before our rule is reached" if gate.ours else "")
                draft.do(asked, "set" if gate.ours else "create", Passage(netns, gate), reason)


def _passage(world: World, action: str, value: Passage) -> None:
    ours = () if action == "delete" else (0,)
    world.gates[value.netns] = tuple(
        replace(gate, open=bool(ours), ours=ours) if gate.key == value.gate.key else gate
        for gate in world.gates.get(value.netns, ())
    )


EFFECTS[Passage] = _passage
