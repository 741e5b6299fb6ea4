# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""A plan while it is being made: the world as it will be after the steps so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Optional, Union

from .._model.bridge import Bridge
from .._model.errors import Conflict, InvalidRequest, Missing
from .._model.link import Link, LinkAddress, LinkKey, LinkNeighbour, LinkStation, Settings
from .._model.namespace import Namespace, NetnsRef, Sysctl, place
from .._model.owner import name_in
from .._model.plan import Operation, Wanted, World
from .._model.vxlan import LinkForward
from .effect import effect, hang


class Draft:
    """What the planners of the single kinds of object write into. `world` is theirs to read; `do` changes it.
    `before` is as it was when the plan began.

    `assume` (check mode): what should have been made by an earlier task is taken as made, with a warning.
    """

    def __init__(self, wanted: Sequence[Wanted], world: World, assume: bool) -> None:
        self.wanted = tuple(wanted)
        self.before, self.world = world, world.copy()
        self.assume = assume
        self.operations: list[Operation] = []
        self.warnings: list[str] = []
        self.masters = masters(wanted)
        # The ports of a bridge by name, counted when first needed.
        self.ports: dict[LinkKey, set[str]] = {}
        # Bridges that are told their MTU in this run.
        self.told: set[LinkKey] = set()
        # Marked links that are called otherwise now than when they were marked: by owner and the name they had.
        self.renamed = {
            (link.key.netns, link.owner, name_in(link.altname)): link.key
            for link in world.links.values()
            if link.altname and name_in(link.altname) != link.key.name
        }
        self.links = {one.value.key: one.value for one in wanted if one.present and isinstance(one.value, Link)}
        # The kernel settings of each namespace.
        self.settings: dict[NetnsRef, list[Wanted]] = {}
        for one in wanted:
            if one.present and isinstance(one.value, Sysctl):
                self.settings.setdefault(one.value.netns, []).append(one)
        # Of each namespace: the links that are there, or are to be; and those to be that have addresses.
        self.inside: dict[NetnsRef, list[LinkKey]] = {}
        for key in {**world.links, **self.links}:
            self.inside.setdefault(key.netns, []).append(key)
        self.addressed: dict[NetnsRef, list[Link]] = {}
        for link in self.links.values():
            if link.addresses:
                self.addressed.setdefault(link.key.netns, []).append(link)

    def do(self, wanted: Wanted, action: str, value: Any, reason: str, first: bool = False) -> None:
        operation = Operation(action, value, reason, wanted.what, first)
        self.operations.append(operation)
        effect(self.world, operation)

    def remove_link(self, wanted: Wanted, link: Link, reason: str, first: bool = False) -> None:
        """One that was adopted stays: our mark goes, and the addresses that we gave it."""
        if not link.adopted:
            self.do(wanted, "delete", link, reason, first)
            return
        for address in sorted((link.addresses or frozenset()) & link.marked, key=str):
            self.do(wanted, "remove", LinkAddress(link.key, address), "its link is given back")
        self.do(wanted, "release", Settings(link.key, {"altname": ""}), f"{reason}; adopted, so it is given back")

    def take_back(self, operation: Operation) -> None:
        """A route that was to be added."""
        self.operations.remove(operation)
        effect(self.world, operation._replace(action="remove"))

    def do_each(
        self, wanted: Wanted, action: str, values: Iterable[tuple[Union[LinkForward, LinkNeighbour, LinkStation], str]]
    ) -> None:
        """As `do`, for the many entries of one table of one link, each with its reason: the world changes once."""
        operations = [Operation(action, value, reason, wanted.what) for value, reason in values]
        self.operations += operations
        if operations:
            hang(self.world, action, [operation.value for operation in operations])

    def warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)

    def need_namespace(self, wanted: Wanted, ref: NetnsRef) -> None:
        """Errors: Missing, with the nearest name there is."""
        if ref is None or ref in self.world.namespaces:
            return
        if not self.assume:
            known = self.world.missing.get(ref)
            if known:
                raise Missing(wanted.what, str(known))
            near = closest(ref, self.world.near)
            raise Missing(
                wanted.what, f'namespace "{ref}" does not exist{near}', "make it first, with the netns module"
            )
        self.warn(f'{wanted.what}: namespace "{ref}" is not there yet; taken as made by an earlier task')
        self.world.namespaces[ref] = Namespace(ref)

    def need_link(self, wanted: Wanted, key: LinkKey, role: str, stand_in: Link) -> Link:
        """The link that `wanted` needs as its `role` ("master", "parent"). Errors: Missing, with the nearest name there is."""
        found = self.world.links.get(key)
        if found:
            return found
        if not self.assume:
            near = closest(key.name, tuple(other.name for other in self.world.links if other.netns == key.netns))
            raise Missing(
                wanted.what,
                f'{role} "{key.name}" does not exist{place(key.netns) or " on the host"}{near}',
                "make it first",
            )
        self.warn(f'{wanted.what}: {role} "{key}" is not there yet; taken as made by an earlier task')
        self.world.links[key] = stand_in
        return stand_in


def masters(wanted: Sequence[Wanted]) -> dict[LinkKey, str]:
    """The bridge of each port, as far as this run says. Errors: InvalidRequest where it says two things."""
    found: dict[LinkKey, tuple[str, str]] = {}
    links = [(one.what, one.value) for one in wanted if one.present and isinstance(one.value, Link)]
    exact = {
        link.key: (what, link.data.ports)
        for what, link in links
        if isinstance(link.data, Bridge) and link.data.ports is not None
    }
    claims = [(what, link.key, link.master) for what, link in links if link.master]
    claims += [
        (what, LinkKey(key.netns, name), key.name) for key, (what, ports) in exact.items() for name in sorted(ports)
    ]
    for what, port, bridge in claims:
        other, before = found.setdefault(port, (bridge, what))
        if other != bridge:
            why = f'{port} is to be a port of "{bridge}", and by {before} of "{other}"'
            raise InvalidRequest(what, why, "say which")
    for what, port, bridge in claims:
        other, ports = exact.get(LinkKey(port.netns, bridge), ("", None))
        if ports is not None and port.name not in ports:
            why = f'{port} is to be a port of "{bridge}", but is not among the ports that {other} asks for'
            raise InvalidRequest(what, why, "add it there")
    return {port: bridge for port, (bridge, _what) in found.items()}


def claim(wanted: Wanted, owner: Optional[str], sort: str) -> bool:
    """Whether what is there has still to be marked as the wanted owner's. Errors: Conflict where it is not his to take."""
    if owner == wanted.owner:
        return False
    if owner is not None:
        raise Conflict(
            wanted.what,
            f'the {sort} that is there belongs to owner "{owner}", not to "{wanted.owner}"',
            "choose another name or owner",
        )
    if not wanted.adopt:
        raise Conflict(
            wanted.what,
            f'{a(sort)} is there that owner "{wanted.owner}" did not make',
            "remove it, choose another name, or set adopt: true (of role topology: docknet_adopt)",
        )
    return True


def a(sort: str) -> str:
    """With its article."""
    return f"an {sort}" if sort[:1] in "aeiou" else f"a {sort}"


def closest(name: str, names: Sequence[str]) -> str:
    """' (did you mean "web"?)', or nothing."""
    import difflib  # only on the way to an error

    near = difflib.get_close_matches(name, [other for other in names if other != name], n=1)
    return f' (did you mean "{near[0]}"?)' if near else ""
