# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Planning of named namespaces."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional

from .._model.hosts import Damaged, HostsBlock, HostsChange, HostsKey, find
from .._model.link import LinkKey
from .._model.namespace import Namespace
from .._model.plan import Question, Wanted, World
from . import child
from .draft import Draft, claim


def question(wanted: Wanted) -> Question:
    value = wanted.value
    asked = Question(namespaces={value.name} | ({value.same_as} if value.same_as else set()))
    if not wanted.present:
        asked.blocks.add(value.name)
    if not wanted.present or value.same_as:
        asked.links.add(value.name)
        asked.add(child.question(LinkKey(value.name, "")))
    return asked


def plan(wanted: Wanted, draft: Draft) -> None:
    value: Namespace = wanted.value
    seen = draft.world.namespaces.get(value.name)
    if not wanted.present:
        _absent(wanted, seen, draft)
        return
    if value.same_as:
        _name(wanted, seen, draft)
        return
    if seen and seen.same_as is not None and _is_ours(wanted, seen):
        _delete(wanted, seen, draft, f"it is only a name for {_whose(seen)}", first=True)
        seen = None
    if seen is None:
        draft.do(wanted, "create", Namespace(value.name, wanted.owner), "missing")
    elif claim(wanted, seen.owner, "namespace"):
        draft.do(wanted, "set", Namespace(value.name, wanted.owner, adopted=True), "adopted")
    elif not (seen.marked and seen.up):
        why = "its loopback is down" if seen.marked else "its mark is gone"
        draft.do(wanted, "set", Namespace(value.name, wanted.owner, adopted=seen.adopted), why)


def _absent(wanted: Wanted, seen: Optional[Namespace], draft: Draft) -> None:
    if seen is None:
        _forget_names(wanted, draft)
        if wanted.value.name in draft.world.left:
            draft.do(wanted, "delete", wanted.value, "an empty file of that name is left")
        return
    if _same(seen, _target(wanted, draft.world)):
        seen = replace(seen, same_as=wanted.value.same_as)
    elif not (seen.same_as is not None and _is_ours(wanted, seen)) and claim(wanted, seen.owner, "namespace"):
        return  # nobody's, and so absent as an owner's object
    _forget_names(wanted, draft)
    _delete(wanted, seen, draft, "to be absent")


def _forget_names(wanted: Wanted, draft: Draft) -> None:
    """The owner's block in its hosts file, which would outlive it, also over a reboot."""
    key = HostsKey(wanted.value.name)
    file = draft.world.files.get(key)
    if file is None or file.content is None:
        return
    try:
        if find(file.content, wanted.owner):
            change = HostsChange(HostsBlock(key, wanted.owner), file.path, ())
            draft.do(wanted, "delete", change, "its namespace goes")
    except Damaged:
        draft.warn(f"{wanted.what}: the marks in {file.path} are damaged, so what is left there of ours stays")


def _name(wanted: Wanted, seen: Optional[Namespace], draft: Draft) -> None:
    """A second name. One that already leads to that namespace is what was asked for, whoever's the namespace is.

    A namespace that is not ours bears no mark of ours, and gets none: the name is ours by what it leads to, or by how
    it is mounted (see _kernel/namespaces.py).
    """
    value: Namespace = wanted.value
    draft.need_namespace(wanted, value.same_as)
    if seen and _same(seen, _target(wanted, draft.world)):
        return
    if seen:
        if not _is_ours(wanted, seen):
            claim(wanted._replace(adopt=False), seen.owner, "namespace")
        _delete(wanted, seen, draft, f"to be a name for {value.same_as}", first=True)
    draft.do(wanted, "create", Namespace(value.name, wanted.owner, same_as=value.same_as), "missing")


def _target(wanted: Wanted, world: World) -> Optional[Namespace]:
    ref = wanted.value.same_as
    return world.namespaces.get(ref) if ref else None


def _same(seen: Namespace, target: Optional[Namespace]) -> bool:
    return target is not None and target.inode != 0 and seen.inode == target.inode


def _is_ours(wanted: Wanted, seen: Namespace) -> bool:
    """A name of the owner's namespace, or a second name that we gave to one that is nobody's of ours."""
    return seen.owner == wanted.owner or (seen.owner is None and seen.same_as is not None)


def _whose(seen: Namespace) -> str:
    return seen.same_as or "a namespace that has no other"


def _delete(wanted: Wanted, seen: Namespace, draft: Draft, reason: str, first: bool = False) -> None:
    """Our links in it go first: a process inside would keep them, and their other ends, alive. Not where another name stays.

    One that was adopted stays, without our links.
    """
    stays = bool(seen.same_as) or (seen.same_as == "" and seen.owner != wanted.owner)
    for key in sorted(key for key in draft.inside.get(seen.name, ()) if key.name != "lo"):
        link = draft.world.links.get(key)
        if link and link.owner == wanted.owner and not stays:
            if not link.adopted:
                child.release(wanted, link, draft, first)
            draft.remove_link(wanted, link, "its namespace goes", first)
    if seen.adopted and seen.same_as is None and not first:
        draft.do(wanted, "release", seen, f"{reason}; adopted, so it is given back")
        return
    draft.do(wanted, "delete", seen, reason, first)


def describe(wanted: Wanted, world: World) -> Optional[dict[str, Any]]:
    seen = world.namespaces.get(wanted.value.name)
    if seen is None:
        return None
    again = {} if seen.same_as is None else {"same_as": seen.same_as or wanted.value.same_as}
    return {"owner": seen.owner, "loopback_up": seen.up, **again}


def facts(wanted: Wanted, world: World) -> dict[str, Any]:
    name = wanted.value.name
    return {"namespaces": {**show(name, world), "present": name in world.namespaces}}


def show(name: str, world: World) -> dict[str, Any]:
    """A named namespace in plain types; path and owner are None where there is none."""
    seen = world.namespaces.get(name)
    return {"name": name, "path": f"/run/netns/{name}" if seen else None, "owner": seen.owner if seen else None}
