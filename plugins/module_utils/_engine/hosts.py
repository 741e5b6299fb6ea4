# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Planning of hosts files: the addresses of each target make the lines of one block."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Optional

from .._model.errors import Conflict, Missing
from .._model.hosts import Damaged, HostsBlock, HostsChange, HostsFile, HostsLine, Line, find
from .._model.link import Address, Link, LinkKey, Other
from .._model.namespace import place
from .._model.plan import Question, Wanted, World
from .draft import Draft

HOST_FILE = "/etc/hosts"
# How many lines a reason quotes.
QUOTED = 3


def question(wanted: Wanted) -> Question:
    block: HostsBlock = wanted.value
    asked = Question(files={block.key})
    if wanted.present:
        targets = {link.to.netns for link in block.links if isinstance(link.to, LinkKey)}
        asked.links |= targets
        asked.addresses |= targets
        asked.namespaces |= targets | ({block.key.container} if block.key.container else set())
    return asked


def plan(wanted: Wanted, draft: Draft) -> None:
    block: HostsBlock = wanted.value
    if wanted.present and block.key.container:
        draft.need_namespace(wanted, block.key.container)
    lines = tuple(_lines(wanted, draft)) if wanted.present else ()
    file = draft.world.files.get(block.key) or _place(wanted, draft)
    if file is None:
        return
    if file.host_own:
        if wanted.present:
            way_out = f"give the namespace by the name it has for ip netns, or path: {HOST_FILE} to mean the host's"
            raise Conflict(f"hosts file of {block.key}", f"it is the host's own {HOST_FILE}", way_out)
        return  # nothing of ours is ever written there
    try:
        _change(wanted, file, lines, draft)
    except Damaged as damage:
        where = f"line{'s'[: len(damage.lines) - 1]} {', '.join(map(str, damage.lines))}"
        why = f'in {file.path} the marks of owner "{block.owner}" ({where}) are not one BEGIN followed by its END'
        raise Conflict(wanted.what, why, "mend the file by hand; nothing of it was changed") from None


def _change(wanted: Wanted, file: HostsFile, lines: tuple[HostsLine, ...], draft: Draft) -> None:
    """Errors: Damaged."""
    change = HostsChange(wanted.value, file.path, lines)
    seen = find(file.content or b"", wanted.value.owner)
    after = change.of(file.content)
    if seen is not None and seen.lines == lines if lines else after == file.content:
        return
    if lines:
        action, why = ("set", _because(seen.lines, lines)) if seen else ("create", "missing")
    else:
        action, why = "delete", "no links" if wanted.present else "to be absent"
    if file.content is None or after is None:
        why += ", and the file with it"
    draft.do(wanted, action, change, why)


def _place(wanted: Wanted, draft: Draft) -> Optional[HostsFile]:
    """Where the file would be, when there is not even a place for it; None: then it is absent, as it is to be."""
    key = wanted.value.key
    if not wanted.present:
        return None
    if not draft.assume:
        if key.path:
            raise Missing(wanted.what, f'directory "{os.path.dirname(key.path)}" does not exist', "make it first")
        raise Missing(wanted.what, "the container has no hosts file of its own", "name one as path")
    if key.path:
        where = os.path.dirname(key.path)
        draft.warn(f'{wanted.what}: directory "{where}" is not there yet; taken as made by an earlier task')
    return draft.world.files.setdefault(key, HostsFile(key.path or "unknown", None))


def _lines(wanted: Wanted, draft: Draft) -> Iterator[HostsLine]:
    block: HostsBlock = wanted.value
    for link in block.links:
        addresses = _addresses(wanted, link.to, draft) if isinstance(link.to, LinkKey) else [link.to]
        yield from (HostsLine(address, link.names) for address in addresses)


def _addresses(wanted: Wanted, key: LinkKey, draft: Draft) -> Sequence[Optional[Address]]:
    """One of each family the interface has, IPv4 first; of several the lowest, so that it does not depend on their order."""
    draft.need_namespace(wanted, key.netns)
    seen = draft.need_link(wanted, key, "interface", Link(key=key, data=Other("device")))
    usable = [one.ip for one in seen.addresses or () if not (one.ip.is_link_local or one.ip.is_loopback)]
    if usable:
        versions = sorted({one.version for one in usable})
        return [min(one for one in usable if one.version == version) for version in versions]
    if not draft.assume:
        why = f'interface "{key.name}"{place(key.netns) or " on the host"} has no address that others can use'
        raise Missing(wanted.what, why, "give it one first, or name the address itself in to")
    if seen.addresses is not None:
        draft.warn(f'{wanted.what}: interface "{key}" has no address yet; taken as given by an earlier task')
    return [None]


def _because(seen: Sequence[Line], lines: Sequence[Line]) -> str:
    """ "172.17.0.9 web in place of 172.17.0.3 web", or what there is of it."""
    new = _quote([line for line in lines if line not in seen])
    old = _quote([line for line in seen if line not in lines])
    if new and old:
        return f"{new} in place of {old}"
    return f"{new} is new" if new else f"{old} is too much" if old else "in another order"


def _quote(lines: Sequence[Line]) -> str:
    more = f" and {len(lines) - QUOTED} more" if len(lines) > QUOTED else ""
    return ", ".join(" ".join(str(line).split()) for line in lines[:QUOTED]) + more


def finish(draft: Draft) -> None:
    """Errors: Conflict where two names of one file (a container's, a path) have one owner write two blocks into it."""
    made: dict[tuple[str, str], str] = {}
    for operation in draft.operations:
        change = operation.value
        if not isinstance(change, HostsChange):
            continue
        other = made.setdefault((change.path, change.block.owner), operation.what)
        if other != operation.what:
            why = f"its file {change.path} is the one of {other} too"
            raise Conflict(operation.what, why, "give all its links there")


def _block(wanted: Wanted, world: World) -> Optional[list[str]]:
    file = world.files.get(wanted.value.key)
    try:
        seen = find(file.content or b"", wanted.value.owner) if file else None
    except Damaged:
        return None
    return [str(line) for line in seen.lines] if seen else None


def describe(wanted: Wanted, world: World) -> Optional[dict[str, Any]]:
    lines = _block(wanted, world)
    return None if lines is None else {"path": world.files[wanted.value.key].path, "lines": lines}


def facts(wanted: Wanted, world: World) -> dict[str, Any]:
    key = wanted.value.key
    file, lines = world.files.get(key), _block(wanted, world)
    shown = {"container": key.container, "path": file.path if file else key.path, "owner": wanted.value.owner}
    return {"hosts": {**shown, "present": lines is not None, "lines": lines or []}}
