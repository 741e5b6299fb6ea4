# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.


"""Planning of small files that are wholly ours: a container's resolv.conf, the host's where it has none."""

from __future__ import annotations

from typing import Any, Optional

from .._model.plan import Question, Wanted, World
from .._model.text import TextFile
from .draft import Draft, claim
from .effect import EFFECTS


def question(wanted: Wanted) -> Question:
    file: TextFile = wanted.value
    return Question(texts={file.key}, namespaces={file.key.netns} if wanted.present else set())


def plan(wanted: Wanted, draft: Draft) -> None:
    file: TextFile = wanted.value
    seen = draft.world.texts.get(file.key)
    if not wanted.present:
        if seen:
            claim(wanted, seen.owner, f"file {wanted.value.key.path}")
            draft.do(wanted, "delete", seen, "to be absent")
        return
    draft.need_namespace(wanted, file.key.netns)
    value = TextFile(file.key, wanted.owner, file.lines)
    if seen is None:
        # The host's own comes first: a name server looks for it when it starts.
        draft.do(wanted, "create", value, "missing", first=file.key.netns is None)
    elif claim(wanted, seen.owner, f"file {wanted.value.key.path}"):
        draft.do(wanted, "set", value, "adopted")
    elif seen.lines != value.lines:
        draft.do(wanted, "set", value, _because(seen.lines, value.lines))


def _because(seen: tuple[str, ...], lines: tuple[str, ...]) -> str:
    """ "nameserver 10.0.0.1 is new", or whatever is the first to differ."""
    new = [line for line in lines if line not in seen]
    old = [line for line in seen if line not in lines]
    if new and old:
        return f'"{new[0]}" in place of "{old[0]}"'
    return f'"{new[0]}" is new' if new else f'"{old[0]}" is too much' if old else "in another order"


def describe(wanted: Wanted, world: World) -> Optional[dict[str, Any]]:
    seen = world.texts.get(wanted.value.key)
    return {"owner": seen.owner, "lines": list(seen.lines)} if seen else None


def facts(wanted: Wanted, world: World) -> dict[str, Any]:
    key = wanted.value.key
    seen = world.texts.get(key)
    return {"files": {"path": key.path, "present": seen is not None, "lines": list(seen.lines) if seen else []}}


def _text(world: World, action: str, value: TextFile) -> None:
    if action == "delete":
        world.texts.pop(value.key, None)
    else:
        world.texts[value.key] = value


EFFECTS[TextFile] = _text
