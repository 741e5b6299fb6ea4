# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A plan's steps in order, where changes of rules that both close and open are divided, if links or services change between.

See order.py for the reason. A change that stays whole is one transaction with all others of its namespace.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from .._model.filter import GUARDS, RANGES
from .._model.link import Address, LinkAddress
from .._model.namespace import NetnsRef
from .._model.passage import Passage
from .._model.plan import Operation
from .._model.rule import Dnat, Element, RuleChange, Switch
from .._model.segment import SegmentChange
from .order import RULES, Step, rank

# Which part of a change it is, for its reason.
DOES = ("what it closes", "what it opens", "what it need not guard any more")


def in_order(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    steps = _handed_over(operations)
    if any(_is_between(step) for step in steps):
        coming = {
            step.value.address.ip for step in steps if isinstance(step.value, LinkAddress) and step.action == "add"
        }
        steps = [part for step in steps for part in _divided(step, coming)]
    return tuple(sorted(steps, key=rank))


def _is_between(step: Operation) -> bool:
    """Whether something is done between the transactions that the packet filter must be closed for."""
    return not isinstance(step.value, (*RULES, Switch, Passage)) and Step.GUARD < rank(step) < Step.UNGUARD


def _handed_over(operations: Sequence[Operation]) -> list[Operation]:
    """Guards that one change removes and another one of the namespace adds are both the latter's, to be replaced in one go."""
    steps = list(operations)
    changes = [(at, step.value) for at, step in enumerate(steps) if isinstance(step.value, SegmentChange)]
    takers = {_place(change.netns, one): at for at, change in changes for one in change.add if one.set in GUARDS}
    for at, change in changes if takers else ():
        given = {one: takers.get(_place(change.netns, one), at) for one in change.remove}
        steps[at] = _with(steps[at], tuple(one for one in steps[at].value.remove if given.get(one, at) == at))
        for one, taker in given.items():
            if taker != at:
                steps[taker] = _with(steps[taker], (*steps[taker].value.remove, one))
    return steps


def _with(step: Operation, remove: tuple[Element, ...]) -> Operation:
    return step._replace(value=step.value._replace(remove=remove))


def _place(netns: NetnsRef, element: Element) -> tuple[NetnsRef, str, str]:
    """What no two elements can have. Any two of a set of ranges may overlap."""
    return netns, element.set, "" if element.set in RANGES else element.key


def _divided(step: Operation, coming: Collection[Address]) -> Iterator[Operation]:
    """`coming`: addresses that a link gets in this run."""
    value = step.value
    if step.action == "set" and isinstance(value, SegmentChange):
        some = [(part, does) for part, does in zip(parts(value), DOES) if part.remove or part.add]
        for part, does in some if len(some) > 1 else ():
            yield step._replace(value=part, reason=f"{step.reason} ({does})")
        if len(some) < 2:
            yield step
    elif step.action == "set" and isinstance(value, RuleChange) and _leads_to(value, coming):
        yield step._replace(action="delete", value=RuleChange(value.before or value.rule, value.before, value.remove))
        yield step._replace(action="create", value=RuleChange(value.rule, None, (), value.add))
    else:
        yield step


def parts(change: SegmentChange) -> tuple[SegmentChange, SegmentChange, SegmentChange]:
    """A change in three: what closes, what opens, what no longer guards. Parts may be empty.

    An element that is replaced by one in its place is replaced in one go, within one part.
    """
    places = {_place(None, element) for element in change.add}
    gone: dict[tuple[bool, bool], list[Element]] = {}
    new: dict[bool, list[Element]] = {True: [], False: []}
    for element in change.remove:
        gone.setdefault((element.set in GUARDS, _place(None, element) in places), []).append(element)
    for element in change.add:
        new[element.set in GUARDS].append(element)
    closing = (*gone.get((False, False), ()), *gone.get((True, True), ()))
    return (
        change._replace(remove=closing, add=tuple(new[True])),
        change._replace(remove=tuple(gone.get((False, True), ())), add=tuple(new[False])),
        change._replace(remove=tuple(gone.get((True, False), ())), add=()),
    )


def _leads_to(change: RuleChange, coming: Collection[Address]) -> bool:
    """Whether a published port leads, or led, to an address that comes in this run: it may be another container's by then."""
    ends = (one.to_ip for one in (change.rule, change.before) if isinstance(one, Dnat))
    return any(end in coming for end in ends if end)
