# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.


"""Small files that are wholly ours: /etc/netns/NAME/resolv.conf, which ip-netns(8) binds over /etc/resolv.conf, and nsswitch.conf.

It stays bound for as long as a process uses it, so it is written in place. A run that is killed in the middle leaves
it with our mark and lines of the old one below, which the next run sees.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Optional

from .._model.errors import Conflict, DocknetError, KernelRefused
from .._model.owner import PREFIX, SEPARATOR
from .._model.plan import Operation, Question, World
from .._model.text import TextFile, TextKey, read
from . import files
from .places import Done, Places

# Which files of a named namespace are ours to find again.
NAMES = ("resolv.conf", "nsswitch.conf")


def look(_places: Places, question: Question, world: World) -> None:
    """The files asked for, and with `owned` those that an owner's mark is in. Errors: Conflict for what is no plain file.

    What is no plain file where others may have one is a file without an owner.
    """
    for key in question.guests - question.texts:
        try:
            seen = _seen(key)
        except Conflict:
            seen = TextFile(key)
        if seen:
            world.texts[key] = seen
    keys = question.texts | (set(_marked()) if question.owned else set())
    for key in keys:
        seen = _seen(key)
        if seen and (key in question.texts or seen.owner in question.owners):
            world.texts[key] = seen


def _seen(key: TextKey) -> Optional[TextFile]:
    try:
        file = files.open_plain(f"file {key.path}", key.path, os.O_RDONLY)
        if file is None:
            return None
        with files.descriptor(file):
            return read(key, files.read(file))
    except OSError as error:
        raise KernelRefused(f"file {key.path}", f"it cannot be read: {error.strerror}", code=error.errno) from error


def _marked() -> Iterator[TextKey]:
    """Files that begin with a mark of ours. What is no plain file is nobody's of ours, and no error here."""
    with contextlib.suppress(OSError, Conflict):
        for netns in os.listdir(files.NETNS_ETC):
            for key in (TextKey(netns, name) for name in NAMES):
                with contextlib.suppress(OSError, DocknetError):
                    file = files.open_plain(key.path, key.path, os.O_RDONLY)
                    if file is not None:
                        with files.descriptor(file):
                            start = os.read(file, 100)
                        if start.startswith(f"# {PREFIX}{SEPARATOR}".encode()):
                            yield key


def change(_places: Places, operations: Sequence[Operation]) -> Done:
    for operation in operations:
        try:
            if operation.action == "delete":
                _delete(operation.what, operation.value)
            else:
                _write(operation.what, operation.value)
            yield operation, None
        except OSError as error:
            why = f"{operation.value.key.path} cannot be written: {error.strerror}"
            yield operation, KernelRefused(operation.what, why, code=error.errno)
        except DocknetError as error:
            yield operation, error


def _write(what: str, value: TextFile) -> None:
    path, content = value.key.path, value.content.encode()
    with files.opened(what, path, os.O_RDWR) as seen:
        if seen:
            files.put_all(seen.file, files.read(seen.file), content)
            return
    try:
        files.create(what, path, content)
    except OSError:
        files.tidy(os.path.dirname(path))
        raise


def _delete(what: str, value: TextFile) -> None:
    """It is emptied too: a process that has it mounted keeps it, and must not keep asking a name server that is removed.

    Its name is removed first: a run that is killed in between would leave a file without a mark, which nobody removes.
    """
    path = value.key.path
    with files.opened(what, path, os.O_RDWR) as seen:
        if seen:
            seen.unlink()
            os.ftruncate(seen.file, 0)
    files.tidy(os.path.dirname(path))
    if path.startswith("/run/"):
        # Folders that were made for it; whoever has them there makes them at each start.
        with contextlib.suppress(OSError):
            os.removedirs(os.path.dirname(path))
