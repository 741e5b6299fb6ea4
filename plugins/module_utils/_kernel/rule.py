# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Address translation of a host: its tables, ways and connections looked at; changes made, all of a namespace at once."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any, Optional

from .._model.errors import DocknetError, KernelRefused
from .._model.link import Address
from .._model.namespace import NetnsRef, Sysctl
from .._model.plan import Operation, Question, World
from .._model.rule import Dnat, RuleChange, Switch, Table
from .._model.segment import SegmentChange
from . import conntrack, nft, paths, sysctl
from .netlink import NetlinkError, Socket
from .places import Done, Places

# A table of which not all is known any more.
STALE = Table()


def look(places: Places, question: Question, world: World) -> None:
    """Put the tables and ways that are asked for into `world`."""
    tables = question.tables | question.filters
    for ref in (tables | {at for at, _target in question.targets}) & set(world.namespaces):
        wanted = {target for at, target in question.targets if at == ref}
        with _inside(places, ref):
            if ref in tables:
                world.tables[ref] = nft.read(ref, bridge=ref in question.filters)
            ways = paths.find(places.socket(ref), wanted) if wanted else {}
        world.targets.update({(ref, target): way for target, way in ways.items()})


def change(places: Places, tables: dict[NetnsRef, Table], operations: Sequence[Operation]) -> Done:
    """Make the changes of each namespace in one transaction; then forget the connections that it decides otherwise.

    `tables`: as they are before. One whose source rules are made anew is looked at again when they change a second time.
    """
    for ref, some in itertools.groupby(sorted(operations, key=_place), key=lambda operation: operation.value.netns):
        steps = list(some)
        error: Optional[DocknetError] = None
        try:
            with _inside(places, ref):
                if ref in tables and tables[ref] is STALE:
                    tables[ref] = nft.read(ref)
                nft.commit(tables.get(ref) or Table(), [step.value for step in steps])
                if any(isinstance(step.value, RuleChange) and step.value.chain is not None for step in steps):
                    tables[ref] = STALE
                changed = list(_changed(steps))
                if changed:
                    conntrack.forget(changed, _own(places.socket(ref)))
                asked = _asked_elsewhere(steps)
                if asked:
                    conntrack.forget_questions(asked, _own(places.socket(ref)))
        except DocknetError as refused:
            error = refused
        for step in steps:
            yield step, error


def _place(operation: Operation) -> str:
    return operation.value.netns or ""


def _changed(steps: Sequence[Operation]) -> Iterator[tuple[Dnat, Optional[Dnat]]]:
    for step in steps:
        if isinstance(step.value, RuleChange) and isinstance(step.value.rule, Dnat):
            before = step.value.before
            was = before if isinstance(before, Dnat) else step.value.rule
            yield was, None if step.action == "delete" else step.value.rule


def _asked_elsewhere(steps: Sequence[Operation]) -> dict[Address, Optional[int]]:
    """Containers whose questions for names go to another port than before: which one."""
    was: dict[str, str] = {}
    now: dict[str, str] = {}
    for step in steps:
        if isinstance(step.value, SegmentChange):
            was.update((one.key, one.value) for one in step.value.remove if one.set.startswith("resolver_"))
            now.update((one.key, one.value) for one in step.value.add if one.set.startswith("resolver_"))
    other = {key for key in was.keys() | now.keys() if was.get(key) != now.get(key)}
    return {ip_address(key): int(now[key]) if key in now else None for key in other}


def _own(socket: Socket) -> set[Address]:
    try:
        return {address.ip for _index, address in paths.addresses(socket)}
    except NetlinkError as error:
        words = f"the host's addresses cannot be read: {error.refusal.text}"
        raise KernelRefused("host", words, code=error.refusal.code) from error


def switch(places: Places, operations: Sequence[Operation]) -> Done:
    """Turn route_localnet on or off. Off where the interface is gone is done already."""
    for operation in operations:
        value: Switch = operation.value
        path = ("net", "ipv4", "conf", value.device, "route_localnet")
        try:
            with _inside(places, value.netns):
                if value.on or sysctl.read(path) is not None:
                    sysctl.write(Sysctl(value.netns, path, str(int(value.on))))
            yield operation, None
        except DocknetError as error:
            yield operation, error


def _inside(places: Places, ref: NetnsRef) -> Any:
    """The host's own namespace needs no entering."""
    return contextlib.nullcontext() if ref is None else places.inside(ref)
