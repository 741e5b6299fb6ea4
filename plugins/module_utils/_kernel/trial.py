# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Packets along many paths at once, from one process: a socket stays in the namespace that it was made in.

Where nothing listens yet at a path's end, we do: who reaches us is told so, and which address we saw. A path is judged by
that, since a connection alone may have ended at somebody else.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Callable, Union

from .._model.errors import DocknetError
from .._model.link import Address
from .._model.namespace import NetnsRef
from .._model.trial import Outcome, Patience, Spot, Trial
from .places import Places
from .trial_ends import STREAMS, Call, Listener

# Who talks to whom takes two entries of the kernel's neighbour table, one table a family for all namespaces, of 1,024
# (arp(7), gc_thresh3). An entry is given up for others five seconds after it was last updated (net/core/neighbour.c,
# neigh_forced_gc), which may be at its first probe, five seconds after its use. What else there is needs room too.
PAIRS = 150
SPACING = 11.0
# Seconds between two datagrams, or between two calls of one that must be answered.
AGAIN = 0.5


class Loop:
    """Who waits for which socket. One that is closed is forgotten by the kernel by itself."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._of: dict[int, Union[Call, Listener]] = {}

    def add(self, one: socket.socket, whose: Union[Call, Listener], write: bool = False) -> None:
        self._of[one.fileno()] = whose
        self._poll.register(one.fileno(), select.EPOLLIN | (select.EPOLLOUT if write else 0))

    def only_read(self, one: socket.socket) -> None:
        self._poll.modify(one.fileno(), select.EPOLLIN)

    def wait(self, seconds: float) -> Iterator[tuple[Union[Call, Listener], bool]]:
        """Whose socket is ready, and whether for writing."""
        for number, events in self._poll.poll(max(0.0, seconds)):
            yield self._of[number], bool(events & select.EPOLLOUT)

    def close(self) -> None:
        self._poll.close()


def attempt(places: Places, trials: Sequence[Trial], patience: Patience) -> list[Outcome]:
    """What came of each trial. All go on at the same time, up to what the kernel's neighbour table has room for."""
    spots = dict.fromkeys(one.spot for one in trials if one.spot)
    calls: list[Call] = []
    with place(places, spots) as (loop, listeners):
        calls += [Call(trial, listeners.get(trial.spot) if trial.spot else None) for trial in trials]
        try:
            begin = 0.0
            for wave in waves(calls):
                time.sleep(max(0.0, begin + SPACING - time.monotonic()) if begin else 0.0)
                begin = time.monotonic()
                converse(places, wave, loop, patience)
        finally:
            for call in calls:
                call.hang_up()
    return [call.outcome or Outcome(None, call.port, None, "it was not tried") for call in calls]


def waves(calls: Sequence[Call]) -> Iterator[list[Call]]:
    """All that ends at one container is in one wave: it has much of the neighbour table in common."""
    by: dict[str, list[Call]] = {}
    for call in calls:
        by.setdefault(call.trial.sender if call.trial.filtered else call.trial.receiver, []).append(call)
    wave: list[Call] = []
    known: set[tuple[NetnsRef, Address]] = set()
    for mine in by.values():
        fresh = {
            (call.trial.source, call.trial.spot.address if call.trial.spot else call.trial.target) for call in mine
        }
        if wave and max(sum(to.version == version for _who, to in known | fresh) for version in (4, 6)) > PAIRS:
            yield wave
            wave, known = [], set()
        known |= fresh
        wave += mine
    if wave:
        yield wave


def serve(places: Places, spots: Sequence[Spot], seconds: float) -> list[str]:
    """Listen at these for a while, for others to try. Returns what stood in the way at some; somebody who listens there himself does not."""
    with place(places, dict.fromkeys(spots)) as (loop, listeners):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for one, write in loop.wait(end - time.monotonic()):
                one.ready(write)
        return [f"{one.spot.netns}: {one.trouble}" for one in listeners.values() if one.trouble and not one.taken]


@contextlib.contextmanager
def place(places: Places, spots: Iterable[Spot]) -> Iterator[tuple[Loop, Mapping[Spot, Listener]]]:
    """Listeners at the spots where nobody listens, until the block ends."""
    listeners = {spot: Listener(spot, at) for at, spot in enumerate(spots)}
    with contextlib.closing(Loop()) as loop:
        try:
            by: dict[NetnsRef, list[Listener]] = {}
            for one in listeners.values():
                by.setdefault(one.spot.netns, []).append(one)
            for ref, mine in by.items():
                trouble = within(places, ref, [one.open for one in mine])
                for one in mine:
                    one.trouble = one.trouble or trouble
                    if one.socket is not None:
                        loop.add(one.socket, one)
            yield loop, listeners
        finally:
            for one in listeners.values():
                one.close()


def within(places: Places, ref: NetnsRef, work: Iterable[Callable[[], None]]) -> str:
    """Do it in a namespace. Returns why not, where that cannot be entered."""
    try:
        with places.inside(ref) if ref is not None else contextlib.nullcontext():
            for one in work:
                one()
    except DocknetError as error:
        return str(error)
    return ""


def converse(places: Places, calls: Sequence[Call], loop: Loop, patience: Patience) -> None:
    """Until all is told or time is up."""
    begin = time.monotonic()
    ends = {True: begin + max(patience), False: begin + patience.silence}
    left = [call for call in calls if not call.hopeless()]
    while left:
        now = time.monotonic()
        send(places, [call for call in left if call.next <= now], loop)
        until = min(min(call.next, ends[call.trial.works]) for call in left)
        for one, write in loop.wait(until - time.monotonic()):
            one.ready(write)
            if isinstance(one, Call) and one.socket is not None and one.connected and write:
                loop.only_read(one.socket)
        now = time.monotonic()
        for call in left:
            if now >= ends[call.trial.works]:
                call.finish()
        left = [call for call in left if call.outcome is None]


def send(places: Places, due: Sequence[Call], loop: Loop) -> None:
    """The first packet of each that has no socket yet; a further one where the kernel does not repeat it itself."""
    fresh = {call for call in due if call.socket is None}
    by: dict[NetnsRef, list[Call]] = {}
    for call in fresh:
        by.setdefault(call.trial.source, []).append(call)
    for ref, mine in by.items():
        trouble = within(places, ref, [call.open for call in mine])
        for call in mine:
            if trouble:
                call.settle(None, trouble)
    for call in due:
        new = call in fresh
        stream = call.trial.protocol in STREAMS
        if new or not stream:
            call.start()
        if new and call.socket is not None:
            loop.add(call.socket, call, write=stream)
        call.next = time.monotonic() + AGAIN
