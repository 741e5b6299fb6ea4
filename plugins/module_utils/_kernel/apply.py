# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Carrying operations out on a host, in batches."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Callable, Optional

from .._model.errors import DocknetError, KernelRefused, Several
from .._model.hosts import HostsChange
from .._model.link import Birth, Link, LinkAddress, LinkKey, LinkNeighbour, LinkRoute, LinkStation, Settings
from .._model.namespace import Namespace, NetnsRef, Sysctl
from .._model.owner import altname
from .._model.passage import Passage
from .._model.plan import Operation, World
from .._model.rule import RuleChange, Switch, Table, TableChange
from .._model.segment import SegmentChange
from .._model.service import ServiceChange
from .._model.source import SourceRoute
from .._model.state import State
from .._model.text import TextFile
from .._model.vxlan import LinkForward, Vxlan
from .._model.wireguard import TunnelChange
from .._model.wireguard_key import WireguardKey
from . import (
    elsewhere,
    hosts,
    links,
    namespaces,
    passage,
    room,
    rule,
    service,
    source,
    state,
    sysctl,
    text,
    wireguard,
    wireguard_key,
)
from . import rtnetlink as rt
from .kinds import KINDS
from .netlink import Message, NetlinkError, Socket
from .places import Done, Places
from .refusals import refusal

# Refusals that mean "it is so already", by what went before or beside it. Looking again is the judge.
GONE = (errno.ENODEV, errno.ENOENT, errno.EADDRNOTAVAIL, errno.ESRCH)
FINE: dict[tuple[type, str], tuple[int, ...]] = {
    (Namespace, "set"): (errno.EEXIST,),
    (Namespace, "release"): GONE,
    (Link, "delete"): GONE,
    (Settings, "release"): GONE,
    (LinkAddress, "remove"): GONE,
    (LinkRoute, "remove"): GONE,
    (LinkRoute, "add"): (errno.EEXIST,),
    # A removal asks the bridge as well, also where there is none any more.
    (LinkForward, "remove"): (*GONE, errno.EOPNOTSUPP),
    (LinkNeighbour, "remove"): GONE,
    # A port that is none any more has none.
    (LinkStation, "remove"): (*GONE, errno.EOPNOTSUPP, errno.EINVAL),
    (SourceRoute, "remove"): GONE,
    (SourceRoute, "add"): (errno.EEXIST,),
}

# What is changed in nftables.
RULES = (RuleChange, SegmentChange, TableChange)

# Seconds for which an address that is in use is waited for, and between tries.
PATIENCE, STEP = 2.0, 0.02

# Who carries out what is neither netlink's nor nft's.
FILES: dict[type, Callable[[Places, Sequence[Operation]], Done]] = {
    Passage: passage.change,
    ServiceChange: service.change,
    TextFile: text.change,
    State: state.change,
    TunnelChange: wireguard.tell,
    WireguardKey: wireguard_key.change,
}


def apply(
    host: Places,
    world: World,
    operations: Sequence[Operation],
    rank: Callable[[Operation], int],
    removal: Iterable[int],
) -> Iterator[Operation]:
    """Carry out in order, one batch for neighbours of one rank and place; yields each operation that is done.

    Changes of rules that follow each other are one batch, and so one transaction for each namespace, whatever their ranks.
    Errors: stops at the first one, but not among removals, which all have their try: Several at the end.
    """
    room.check(operations)
    service.check(operations)
    wireguard.check(host, operations)
    writer = links.Writer(host, world.links)
    tables = dict(world.tables)
    late: list[DocknetError] = []
    for _step, some in itertools.groupby(operations, key=lambda one: -1 if isinstance(one.value, RULES) else rank(one)):
        for operation, error in answered(host, tables, list(some), writer):
            if error is None:
                yield operation
            elif rank(operation) in removal:
                late.append(error)
            else:
                raise error
    if late:
        raise Several(late) if len(late) > 1 else late[0]


def answered(host: Places, tables: dict[NetnsRef, Table], operations: list[Operation], writer: links.Writer) -> Done:
    """As `step_of`. An error that it raises instead is that of the first operation that has no answer yet: the others of its rank,
    and after a removal the other ranks, still have their turn in this run or in the next one."""
    waiting = {id(operation): operation for operation in operations}
    try:
        for operation, error in step_of(host, tables, operations, writer):
            waiting.pop(id(operation), None)
            yield operation, error
    except DocknetError as error:
        yield next(iter(waiting.values()), operations[-1]), error
    except (OSError, NetlinkError) as error:
        first = next(iter(waiting.values()), operations[-1])
        yield first, refusal(first.what, f"the step {first.action} {first.value} failed", error)


def step_of(host: Places, tables: dict[NetnsRef, Table], operations: list[Operation], writer: links.Writer) -> Done:
    """Each operation of one batch, with its error or None. Operations of a rank are of one family (see _engine/order.py)."""
    sort = type(operations[0].value)
    if sort is Namespace:
        yield from make_namespaces(host, operations)
    elif sort is Sysctl:
        yield from write_sysctls(host, operations)
    elif sort is Switch:
        yield from rule.switch(host, operations)
    elif sort in RULES:
        yield from rule.change(host, tables, operations)
    elif sort is HostsChange:
        yield from hosts.change(operations)
    elif sort in FILES:
        yield from FILES[sort](host, operations)
    else:
        yield from send_messages(host, operations, writer)


def make_namespaces(host: Places, operations: list[Operation]) -> Done:
    with namespaces.shared_directory():
        for operation in operations:
            name = operation.value.name
            if operation.action in ("set", "release"):
                messages = mark(operation.value) if operation.action == "set" else release(operation.value)
                yield from send(host, name, [(operation, messages)])
                continue
            try:
                if operation.action == "delete":
                    host.forget(name)
                    namespaces.delete(name)
                elif operation.value.same_as:
                    namespaces.name_again(name, host.descriptor(operation.value.same_as))
                else:
                    namespaces.create(name, mark(operation.value))
                yield operation, None
            except DocknetError as error:
                yield operation, error


def write_sysctls(host: Places, operations: list[Operation]) -> Done:
    for ref, some in itertools.groupby(operations, key=lambda operation: operation.value.netns):
        with host.inside(ref), contextlib.closing(sysctl.Tree()) as tree:
            for operation in some:
                try:
                    tree.write(operation.value)
                    yield operation, None
                except DocknetError as error:
                    yield operation, error


def send_messages(host: Places, operations: list[Operation], writer: links.Writer) -> Done:
    """Netlink: neighbours of one place go out together. What one of them needs of an earlier one (its index) ends a batch."""
    batch: list[tuple[Operation, list[Message]]] = []
    made: set[LinkKey] = set()
    place: NetnsRef = None
    for operation in operations:
        if isinstance(operation.value, Birth) and writer.hidden(operation.value.link):
            yield from send(host, place, batch)
            batch, made = [], set()
            yield from bear_and_name(host, operation, writer)
            continue
        if needs(operation.value) & made:
            yield from send(host, place, batch)
            batch, made = [], set()
        here, messages = encode(writer, operation)
        if batch and here != place:
            yield from send(host, place, batch)
            batch, made = [], set()
        place = here
        batch.append((operation, messages))
        made.update(makes(operation.value))
    yield from send(host, place, batch)


def bear_and_name(host: Places, operation: Operation, writer: links.Writer) -> Done:
    """Its name is taken where its parent is. Kernels before 6.13 look for it there (net/core/rtnetlink.c rtnl_newlink), so it is
    born with another name, and gets its own where it is."""
    key, stand_in = operation.value.link.key, f"docknet{os.getpid()}"
    place, messages = writer.create(operation.value, stand_in)
    for done in send(host, place, [(operation, messages)]):
        if done[1] is not None:
            yield done
            return
    index = writer.index(key._replace(name=stand_in))
    writer.forget(key._replace(name=stand_in))
    yield from send(host, key.netns, [(operation, [rt.rename_link(index, key.name)])])


def send(host: Places, place: NetnsRef, batch: list[tuple[Operation, list[Message]]]) -> Done:
    try:
        answers = iter(host.socket(place).send([message for _operation, messages in batch for message in messages]))
    except NetlinkError as error:
        raise KernelRefused(batch[0][0].what, error.refusal.text, code=error.refusal.code) from error
    failed: Done = iter(())
    for operation, messages in batch:
        try:
            some = list(itertools.islice(answers, len(messages)))
            check(host, operation, once_more(host.socket(place), operation, messages, some))
            yield operation, None
        except DocknetError as error:
            failed = itertools.chain(failed, [(operation, error)])
    yield from failed


def once_more(socket: Socket, operation: Operation, messages: list[Message], answers: list[Any]) -> list[Any]:
    """One of a deleted namespace is still there for a moment: a macvlan does not go up while another child of its parent has
    its MAC address, and an ipvlan gets no address that another one has."""
    end = time.monotonic() + PATIENCE
    value = operation.value
    busy = value.changes.get("up") if isinstance(value, Settings) else isinstance(value, LinkAddress)
    while busy and any(one and one.code == errno.EADDRINUSE for one in answers) and time.monotonic() < end:
        time.sleep(STEP)
        answers = list(socket.send(messages))
    return answers


def check(host: Places, operation: Operation, answers: Sequence[Any]) -> None:
    for answer in answers:
        if answer and answer.code not in FINE.get((type(operation.value), operation.action), ()):
            why = f"the kernel refused to {operation.action} {operation.value}: {answer.text} (errno {answer.code})"
            raise KernelRefused(operation.what, why, hint(host, operation.value, answer.code), code=answer.code)


def hint(host: Places, value: Any, code: int) -> Optional[str]:
    """What the refusal means for this kind of link, where the kernel's word alone does not say it."""
    if isinstance(value, Birth) and isinstance(value.link.data, Vxlan) and code == errno.EEXIST:
        return elsewhere.segment_holder(host, value.link)
    if isinstance(value, Settings) and code == errno.EADDRINUSE:
        mac = "of a macvlan its MAC address on that parent, maybe a process in a namespace that was deleted"
        return f"find who has the same: {mac}; of a VXLAN or WireGuard its UDP port (ss -lunp)"
    return getattr(KINDS.get(value.link.kind), "HINTS", {}).get(code) if isinstance(value, Birth) else None


def mark(value: Namespace) -> list[Message]:
    """Loopback up, in its owner's group, and with the readable name. That of an adopted one keeps its group."""
    name = altname(str(value.owner), "lo", value.adopted)
    group = {} if value.adopted else {"owner": value.owner}
    return rt.set_link(rt.LOOPBACK_INDEX, {"up": True, **group, "altname": name})


def release(value: Namespace) -> list[Message]:
    return [rt.drop_altname(rt.LOOPBACK_INDEX, altname(str(value.owner), "lo", value.adopted))]


def needs(value: Any) -> set[LinkKey]:
    """The links whose index is in the message, of what may stand beside a birth."""
    if isinstance(value, Birth):
        return set(value.link.under) | (set(value.peer.under) if value.peer else set())
    return {value.link} if isinstance(value, Settings) else set()


def makes(value: Any) -> tuple[LinkKey, ...]:
    if not isinstance(value, Birth):
        return ()
    return (value.link.key,) + ((value.peer.key,) if value.peer else ())


def encode(writer: links.Writer, operation: Operation) -> tuple[NetnsRef, list[Message]]:
    value = operation.value
    if isinstance(value, Birth):
        return writer.create(value)
    if isinstance(value, Link):
        return writer.delete(value)
    if isinstance(value, Settings):
        return writer.set(value)
    new = operation.action == "add"
    if isinstance(value, LinkAddress):
        return writer.address(new, value)
    if isinstance(value, LinkRoute):
        return writer.route(new, value)
    if isinstance(value, LinkForward):
        return writer.forward(new, value)
    if isinstance(value, LinkNeighbour):
        return writer.neighbour(new, value)
    if isinstance(value, LinkStation):
        return writer.station(new, value)
    if isinstance(value, SourceRoute):
        return source.encode(writer.index(value.link) if value.link.name else 0, new, value)
    raise TypeError(f"no message for {type(value).__name__}")
