# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""This host, as the engine sees it: answer a question, carry out operations. Decides nothing."""

from __future__ import annotations

import contextlib
import itertools
import os
import resource
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Callable, Optional

from .._model.announcement import Announcement
from .._model.errors import DocknetError, KernelRefused, Missing
from .._model.link import Link
from .._model.namespace import Namespace, NetnsRef
from .._model.owner import group
from .._model.plan import Operation, Question, World
from .._model.trial import Outcome, Patience, Spot, Trial
from .._model.vlan import Vlan
from . import (
    announce,
    elsewhere,
    hosts,
    links,
    namespaces,
    neighbour,
    passage,
    rule,
    service,
    source,
    state,
    survey,
    sysctl,
    text,
    trial,
    wireguard,
    wireguard_key,
)
from . import rtnetlink as rt
from .apply import apply
from .netlink import Socket
from .refusals import refused


class Host:
    """One run's view: each namespace is opened once, by one descriptor and one socket, which are closed at the end.

    So a run may have to open more files than the usual 1,024.
    """

    def __init__(self) -> None:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self._descriptors: dict[NetnsRef, int] = {}
        self._sockets: dict[NetnsRef, Socket] = {}
        self._world = World()
        # All that was looked at: more than was asked where a question says "all of an owner's".
        self.looked = Question()

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_exception: object) -> None:
        for socket in self._sockets.values():
            socket.close()
        for descriptor in self._descriptors.values():
            os.close(descriptor)

    # -- places ---------------------------------------------------------------------------------------------

    def find(self, ref: NetnsRef) -> Optional[int]:
        """A descriptor of the namespace, or None. Never makes one."""
        if ref not in self._descriptors:
            found = namespaces.open_namespace(ref)
            if found is None:
                return None
            self._descriptors[ref] = found
        return self._descriptors[ref]

    def descriptor(self, ref: NetnsRef) -> int:
        found = self.find(ref)
        if found is None:
            raise KernelRefused(f"netns {ref}", "it went away while we worked", "run again")
        return found

    def socket(self, ref: NetnsRef) -> Socket:
        if ref not in self._sockets:
            try:
                with namespaces.inside(self.descriptor(ref)):
                    self._sockets[ref] = Socket()
            except OSError as error:
                raise namespaces.refused(f"netns {ref}", error) from error
        return self._sockets[ref]

    def inside(self, ref: NetnsRef) -> Any:
        return namespaces.inside(self.descriptor(ref))

    def names(self) -> list[str]:
        """The named namespaces that are what they should be; other files below /run/netns are left out."""
        found = []
        for name in namespaces.named():
            with contextlib.suppress(DocknetError):
                if self.find(name) is not None:
                    found.append(name)
        return found

    def forget(self, ref: NetnsRef) -> None:
        """A namespace of that name may be another one from now on."""
        socket = self._sockets.pop(ref, None)
        if socket:
            socket.close()
        descriptor = self._descriptors.pop(ref, None)
        if descriptor is not None:
            os.close(descriptor)

    # -- looking --------------------------------------------------------------------------------------------

    def observe(self, question: Question, upon: Optional[World] = None) -> World:
        """What is asked, on top of what was seen a moment ago."""
        groups = {group(owner): owner for owner in question.owners}
        if upon is None:
            self.looked = Question()
        with refused("host", "the kernel's objects cannot be read"):
            seen = self._observe(question, groups, upon or World())
        if upon is not None:
            upon.add(seen)
        self._world = seen if upon is None else upon
        return self._world

    def _observe(self, question: Question, groups: dict[int, str], known: World) -> World:
        world = World(namespaces=dict(known.namespaces), ipv6=sysctl.has_ipv6())
        if question.owned:
            question = self._with_owned(question, groups, world.namespaces)
        self.looked.add(question)
        raw: dict[NetnsRef, links.Raw] = {}
        for ref in (question.namespaces | {None}) - world.namespaces.keys():
            try:
                if self.find(ref) is None:
                    continue
            except Missing as error:
                world.missing[ref] = error
                continue
            if ref is not None and namespaces.is_name(ref):
                if ref in question.links:
                    raw[ref] = links.raw_links(self.socket(ref))
                world.namespaces[ref] = self._named(ref, groups, raw.get(ref))
            else:
                world.namespaces[ref] = Namespace(ref or "", inode=os.fstat(self.descriptor(ref)).st_ino)
        question = self._with_first_names(question, world)
        gone = question.namespaces - world.namespaces.keys()
        world.left = frozenset(ref for ref in gone if ref and namespaces.left(ref))
        if gone:
            world.near = tuple(namespaces.named())
        there = [ref for ref in question.links if ref in world.namespaces]
        world.links = links.look(self, there, question.addresses & question.links, question.neighbours, groups, raw)
        neighbour.look(self, question, world, known)
        if question.users:
            world.users = {link.key: self._users(link) for link in world.links.values() if self._asked(link, question)}
        if question.tenants:
            world.tenants = elsewhere.tenants(self, question.tenants, world.links, groups)
        rule.look(self, question, world)
        world.sysctls = self._read_sysctls(question, world)
        for part in (passage, text, source, service, state, survey, wireguard, wireguard_key):
            part.look(self, question, world)
        keys = question.files | hosts.marked(question.owners, question.blocks)
        world.files = {key: file for key in keys for file in [hosts.look(key)] if file}
        return world

    def _named(self, ref: str, groups: dict[int, str], raw: Optional[links.Raw] = None) -> Namespace:
        loopback = raw[rt.LOOPBACK_INDEX] if raw else links.loopback(self.socket(ref))
        seen = links.namespace(ref, loopback, groups)
        return replace(seen, inode=os.fstat(self.descriptor(ref)).st_ino)

    def _with_owned(self, question: Question, groups: dict[int, str], known: dict[NetnsRef, Namespace]) -> Question:
        """The question, and with it the owners' namespaces and all links in them and on the host."""
        seen = {one: self._named(one, groups) for one in self.names()}
        named = {one for one, namespace in seen.items() if namespace.owner in question.owners}
        known.update({one: seen[one] for one in named})
        inside = named | {ref for ref in question.namespaces if ref is not None}
        whole: set[NetnsRef] = {None, *inside}
        pairs: set[tuple[NetnsRef, NetnsRef]] = {(one, None) for one in inside}
        pairs |= {(None, one) for one in inside}
        more = Question(namespaces=set(named), links=whole, addresses=set(whole), neighbours=pairs, tables={None})
        more.files = hosts.marked(question.owners)
        more.add(question)
        return more

    @staticmethod
    def _with_first_names(question: Question, world: World) -> Question:
        """Second names get their first ones; links are looked at under one name, or they would be there twice."""
        named = [ref for ref in world.namespaces if ref is not None and namespaces.is_name(ref)]
        if not named:
            return question
        names = namespaces.mounted()
        first = {name.inode: text for text, name in reversed(list(names.items())) if not name.second}
        second = {ref for ref in named if ref in names and names[ref].second}
        for ref in second:
            world.namespaces[ref] = replace(world.namespaces[ref], same_as=first.get(names[ref].inode, ""))
        there = {world.namespaces[ref].inode for ref in question.links - second if ref in world.namespaces}
        twice = {ref for ref in second if world.namespaces[ref].inode in there}
        links_of = question.links - twice
        pairs = {pair for pair in question.neighbours if not twice & set(pair)}
        return replace(question, links=links_of, addresses=question.addresses - twice, neighbours=pairs)

    @staticmethod
    def _asked(link: Link, question: Question) -> bool:
        return isinstance(link.data, Vlan) and link.owner in question.owners and link.key.netns in question.users

    def _users(self, link: Link) -> int:
        """How many links of this machine stand on this one, in whatever namespace."""
        key = link.key
        count = 0
        for descriptor in namespaces.everywhere():
            with namespaces.inside(descriptor):
                socket = Socket()
            try:
                number = socket.get(rt.get_nsid(self.descriptor(key.netns)))
                here = os.path.sameopenfile(descriptor, self.descriptor(key.netns))
                count += links.standing_on(socket, link.index, None if here else rt.nsid(number), here)
            finally:
                socket.close()
        return count

    def _read_sysctls(self, question: Question, world: World) -> dict[tuple[NetnsRef, tuple[str, ...]], str]:
        """Each namespace is entered once."""
        found = {}
        for ref, keys in itertools.groupby(sorted(question.sysctls, key=lambda key: key[0] or ""), lambda key: key[0]):
            if ref in world.namespaces:
                with self.inside(ref) if ref else contextlib.nullcontext(), contextlib.closing(sysctl.Tree()) as tree:
                    found.update({key: value for key in keys for value in [tree.read(key[1])] if value is not None})
        return found

    # -- doing ----------------------------------------------------------------------------------------------

    def apply(
        self, operations: Sequence[Operation], rank: Callable[[Operation], int], removal: Iterable[int]
    ) -> Iterator[Operation]:
        """Carry out what was planned from the world last seen; see apply.py."""
        return apply(self, self._world, operations, rank, removal)

    def announce(self, announcements: Sequence[Announcement]) -> list[str]:
        """Tell the neighbours; returns what could not be told, in sentences."""
        with refused("host", "changed addresses cannot be announced"):
            return announce.announce(self, announcements) if announcements else []

    # -- trying ---------------------------------------------------------------------------------------------

    def attempt(self, trials: Sequence[Trial], patience: Patience) -> list[Outcome]:
        """Packets along each of these paths; nothing is changed."""
        with refused("host", "paths cannot be tried"):
            return trial.attempt(self, trials, patience)

    def serve(self, spots: Sequence[Spot], seconds: float) -> list[str]:
        """Listen there for other hosts' packets."""
        with refused("host", "there can be no listeners"):
            return trial.serve(self, spots, seconds)
