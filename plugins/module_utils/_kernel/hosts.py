# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Hosts files: where a container's is, what is in it, and how it is changed.

A hosts file is bind-mounted while its container runs, so it is never replaced by another: it is written in place,
and that cannot be atomic. What stands above the change is not written at all. What stands below it and has to move
is copied to the end first, so that at every moment each of its lines is whole somewhere in the file.

What can be lost: a run that is killed between two of these steps, or a machine that loses power, can leave our
block torn (the next run refuses to touch it, and says where), and below it blank lines, or lines twice. No line of
anybody else is lost by a killed run; after a power cut, what the file system promises without fsync.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import NoReturn, Optional

from .._model.errors import Conflict, DocknetError, KernelRefused, Missing
from .._model.hosts import HEADER, MARK, Damaged, HostsChange, HostsFile, HostsKey, find
from .._model.namespace import NetnsRef
from .._model.plan import Operation
from . import files
from .engines import inspect
from .files import NETNS_ETC

OWN = "/etc/hosts"
# A new file until it is complete, in the same directory.
UNFINISHED = f".hosts{files.UNFINISHED}"


def look(key: HostsKey) -> Optional[HostsFile]:
    """The file as it is; None when what holds it (a directory, a process, a container) is not there.

    Errors: Conflict for what is no plain file, and for the host's own file where a container's is asked for.
    """
    try:
        path = locate(key)
        file = _open(key, path, os.O_RDONLY)
        if file is not None:
            with files.descriptor(file):
                return HostsFile(path, files.read(file))
    except Missing:
        return None
    except OSError as error:
        raise KernelRefused(f"hosts file of {key}", f"it cannot be read: {error.strerror}", code=error.errno) from error
    # Where a new one could be: an engine makes its own, and only the directory of a named namespace is made by us.
    can_be = is_named(key.container) or (not is_engine(key.container) and os.path.isdir(os.path.dirname(path)))
    return HostsFile(path, None) if can_be else None


def marked(owners: Iterable[str], names: Optional[Iterable[str]] = None) -> set[HostsKey]:
    """The hosts files of named namespaces (of these, or of all) in which one of the owners has a block.

    What cannot be read is nobody's, and neither is what somebody put in the place of a plain file.
    """
    found = set()
    with contextlib.suppress(OSError):
        for name in os.listdir(NETNS_ETC) if names is None else names:
            with contextlib.suppress(OSError, DocknetError):
                file = look(HostsKey(name))
                marks = MARK.finditer(file.content or b"") if file else ()
                if {mark[2].decode() for mark in marks} & set(owners):
                    found.add(HostsKey(name))
    return found


def locate(key: HostsKey) -> str:
    """The path of the file, with no symbolic link among its directories. Errors: Missing.

    A named namespace's is where ip-netns(8) looks for it, an engine's where the engine says; that of another
    process is below its own root.
    """
    ref = key.container
    if ref is None:
        path = str(key.path)
    elif is_named(ref):
        path = os.path.join(NETNS_ETC, ref, "hosts")
    elif is_engine(ref):
        engine, _colon, name = ref.partition(":")
        path = inspect(engine, name, "{{.HostsPath}}")
        if not path.startswith("/"):
            raise Missing(f"container {ref}", "its engine keeps no hosts file for it")
    else:
        process = f"/proc/{ref[4:]}/" if ref.startswith("pid:") else ref[: -len("ns/net")]
        # Not to be resolved: an absolute link inside would lead out of the container. See _open.
        return f"{process}root/etc/hosts"
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def is_named(ref: NetnsRef) -> bool:
    return ref is not None and ref[0] != "/" and ":" not in ref


def is_engine(ref: NetnsRef) -> bool:
    return ref is not None and ref.startswith(("docker:", "podman:"))


def _open(key: HostsKey, path: str, flags: int) -> Optional[int]:
    """A descriptor of the file, or None; see files.py. Errors: Conflict, also for the host's own where a container's is asked for."""
    file = files.open_plain(f"hosts file of {key}", path, flags, "move it away, or name the right file as path")
    if file is None:
        if not is_named(key.container) and key.container and _same(os.path.dirname(path), os.path.dirname(OWN)):
            _refuse_own(key)
        return None
    if key.container and _same(f"/proc/self/fd/{file}", OWN):
        os.close(file)
        _refuse_own(key)
    return file


def _same(one: str, other: str) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(os.stat(one), os.stat(other))
    return False


def _refuse_own(key: HostsKey) -> NoReturn:
    way_out = f"give the namespace by the name it has for ip netns, or path: {OWN} to mean the host's"
    raise Conflict(f"hosts file of {key}", f"it is the host's own {OWN}", way_out)


def change(operations: Iterable[Operation]) -> Iterator[tuple[Operation, Optional[DocknetError]]]:
    """Carry out changes, each of which comes back with its error or None."""
    for operation in operations:
        try:
            write(operation.what, operation.value)
            yield operation, None
        except DocknetError as error:
            yield operation, error


def write(what: str, change: HostsChange) -> None:
    """Make the change, in the file as it now is. Errors: KernelRefused, Conflict."""
    try:
        file = _open(change.block.key, change.path, os.O_RDWR)
        if file is None:
            _create(change)
            return
        with files.descriptor(file):
            after = _rewrite(file, change)
        if after is None:
            _tidy(change)
    except OSError as error:
        raise KernelRefused(what, f"{change.path} cannot be written: {error.strerror}", code=error.errno) from error
    except Damaged as damage:
        why = f"{change.path} was changed by something else in the meantime"
        raise KernelRefused(what, why, "run again") from damage


def _rewrite(file: int, change: HostsChange) -> Optional[bytes]:
    """Returns what the file is to be. One that is to go is emptied: whoever has it mounted keeps it, and must not keep its names.

    That comes after its name has gone: a run that dies in between would leave a file without a block, which is nobody's.
    """
    before = files.read(file)
    after = change.of(before)
    if after is None:
        os.unlink(change.path)
    span = find(before, change.block.owner)
    below = before[span.end :] if span else b""
    try:
        replace(file, before, HEADER if after is None else after, below)
    except OSError:
        # No space, for one. The room for what was there is there.
        with contextlib.suppress(OSError):
            files.put(file, before, 0)
            os.ftruncate(file, len(before))
        raise
    return after


def replace(file: int, before: bytes, after: bytes, below: bytes) -> None:
    """Turn `before` into `after`, both of which end in `below`. How and why: see the docstring of this file.

    Line ends fill up what would else be the rest of an old line, until the file is cut.
    """
    start = next(
        (place for place, pair in enumerate(zip(before, after)) if pair[0] != pair[1]), min(len(before), len(after))
    )
    end = len(before)
    if below and len(after) != end:
        end = max(end, len(after)) + 1
        files.put(file, b"\n" * (end - len(before)) + below, len(before))
    files.put(file, after[start:].ljust(end - start, b"\n"), start)
    os.ftruncate(file, len(after))


def _create(change: HostsChange) -> None:
    """Make the file, and the directory of a named namespace's."""
    try:
        if is_named(change.block.key.container):
            files.make_directory(os.path.dirname(change.path))
        files.create(change.path, change.of(None) or b"", UNFINISHED)
    except OSError:
        _tidy(change)
        raise


def _tidy(change: HostsChange) -> None:
    """Take the directory of a named namespace away, if it is empty."""
    if is_named(change.block.key.container):
        files.tidy(os.path.dirname(change.path))
