# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The saved specifications, /var/lib/docknet/NAME.json: root's alone, each whole at every moment."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Optional

from .._model.errors import DocknetError, KernelRefused
from .._model.plan import Operation, Question, World
from .._model.state import State
from .._model.statefile import DIRECTORY, FILE, DamagedState, decode, encode, path_of
from . import files
from .places import Done, Places


def look(_places: Places, question: Question, world: World) -> None:
    """All of them: what one topology has, no other may choose. Errors: DamagedState, Unsupported, Conflict, KernelRefused."""
    if not (question.states or question.survey):
        return
    try:
        names = sorted(found[1] for found in map(FILE.fullmatch, files.content(DIRECTORY, DIRECTORY)) if found)
    except OSError as error:
        raise KernelRefused(DIRECTORY, f"it cannot be read: {error.strerror}", code=error.errno) from error
    for name in names:
        content = read(name)
        if content is not None:
            world.states[name] = decode(name, content)


def read(name: str) -> Optional[str]:
    path = path_of(name)
    what = f"topology {name}"
    try:
        file = files.open_plain(what, path, os.O_RDONLY)
        if file is None:
            return None
        with files.descriptor(file):
            return files.read(file).decode()
    except OSError as error:
        raise KernelRefused(what, f"{path} cannot be read: {error.strerror}", code=error.errno) from error
    except UnicodeDecodeError:
        why = f"{path} is damaged (it is no text)"
        raise DamagedState(what, why, "remove the file, and it is made again from what is seen on the host") from None


def change(_places: Places, operations: Sequence[Operation]) -> Done:
    for operation in operations:
        state: State = operation.value
        try:
            if operation.action == "delete":
                take(path_of(state.name))
            else:
                put(path_of(state.name), encode(state).encode())
            yield operation, None
        except OSError as error:
            why = f"{path_of(state.name)} cannot be written: {error.strerror}"
            yield operation, KernelRefused(operation.what, why, code=error.errno)
        except DocknetError as error:
            yield operation, error


def put(path: str, content: bytes) -> None:
    """A file in DIRECTORY that only root reads; a run that is killed, or a loss of power, leaves the old one."""
    files.substitute(path, path, content, 0o600, sync=True)


def take(path: str) -> None:
    """Remove a file of DIRECTORY, and that with its last one."""
    folder = files.open_folder(path, os.path.dirname(path))
    if folder is None:
        return
    with files.descriptor(folder):
        name = os.path.basename(path)
        for one in (files.unfinished_name(name), name):
            files.forget(one, folder)
        os.fsync(folder)
    with contextlib.suppress(OSError):
        os.rmdir(DIRECTORY)
