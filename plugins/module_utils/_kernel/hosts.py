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
from typing import Optional

from .._model.errors import Conflict, DocknetError, KernelRefused, Missing
from .._model.hosts import HEADER, MARK, Damaged, HostsChange, HostsFile, HostsKey, find
from .._model.namespace import NetnsRef
from .._model.plan import Operation
from . import files
from .engines import inspect
from .files import NETNS_ETC

OWN = "/etc/hosts"
WAY_OUT = "move it away, or name the right file as path"


def look(key: HostsKey) -> Optional[HostsFile]:
    """The file as it is; None when what holds it (a directory, a process, a container) is not there.

    One that is the host's own where a container's is asked for is said to be so, and not read. Errors: Conflict for what is not a
    plain file, and for one that the container's user could not write.
    """
    try:
        path = locate(key)
        with files.opened(_what(key), path, os.O_RDONLY, WAY_OUT) as seen:
            if _is_own(key, path, seen):
                return HostsFile(path, None, host_own=True)
            if seen:
                _refuse_strange(key, seen)
                return HostsFile(path, files.read(seen.file))
    except Missing:
        return None
    except OSError as error:
        raise KernelRefused(_what(key), f"it cannot be read: {error.strerror}", code=error.errno) from error
    # Where a new one could be: an engine makes its own, and only the directory of a named namespace is made by us.
    can_be = is_named(key.container) or (not is_engine(key.container) and os.path.isdir(os.path.dirname(path)))
    return HostsFile(path, None) if can_be else None


def marked(owners: Iterable[str], names: Optional[Iterable[str]] = None) -> set[HostsKey]:
    """The hosts files of named namespaces (of these, or of all) in which one of the owners has a block.

    What cannot be read is nobody's, and neither is what somebody put in the place of a plain file.
    """
    found = set()
    with contextlib.suppress(OSError, Conflict):
        for name in files.content(NETNS_ETC, NETNS_ETC) if names is None else names:
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
        return os.path.join(NETNS_ETC, ref, "hosts")
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


def _what(key: HostsKey) -> str:
    return f"hosts file of {key}"


def _is_own(key: HostsKey, path: str, seen: Optional[files.Plain]) -> bool:
    """Whether the file, or the place where it would be, is the host's own although a container's was asked for."""
    if key.container is None:
        return False
    if seen:
        return _same(f"/proc/self/fd/{seen.file}", OWN)
    return not is_named(key.container) and _same(os.path.dirname(path), os.path.dirname(OWN))


def _same(one: str, other: str) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(os.stat(one), os.stat(other))
    return False


def _refuse_strange(key: HostsKey, seen: files.Plain) -> None:
    """A process in a user namespace can mount any file of the host over its /etc/hosts. Errors: Conflict, unless the file's owner exists in there.

    See user_namespaces(7), uid_map: the second number is the first user outside.
    """
    if key.container is None or is_named(key.container) or is_engine(key.container):
        return
    process = key.container[4:] if key.container.startswith("pid:") else key.container.split("/")[2]
    owner = os.fstat(seen.file).st_uid
    with open(f"/proc/{process}/uid_map", encoding="ascii") as file:
        ranges = [tuple(map(int, line.split())) for line in file]
    if not any(outside <= owner < outside + count for _inside, outside, count in ranges):
        why = f"{seen.path} belongs to user {owner} of the host, who does not exist in the container's user namespace"
        raise Conflict(_what(key), f"{why}: something of the host is mounted there", "unmount it in the container")


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
    key = change.block.key
    try:
        with files.opened(_what(key), change.path, os.O_RDWR, WAY_OUT) as seen:
            if _is_own(key, change.path, seen):
                raise KernelRefused(
                    what, f"{change.path} was replaced by the host's own {OWN} in the meantime", "run again"
                )
            if seen:
                _refuse_strange(key, seen)
                _rewrite(seen, change)
        if not seen:
            _create(change)
    except OSError as error:
        raise KernelRefused(what, f"{change.path} cannot be written: {error.strerror}", code=error.errno) from error
    except Damaged as damage:
        why = f"{change.path} was changed by something else in the meantime"
        raise KernelRefused(what, why, "run again") from damage


def _rewrite(seen: files.Plain, change: HostsChange) -> None:
    """A file that is removed is emptied too: a process that has it mounted must not keep its names.

    That comes after its name is removed: a run that is killed in between would leave a file without a block, which nobody removes.
    """
    before = files.read(seen.file)
    after = change.of(before)
    if after is None:
        seen.unlink()
    span = find(before, change.block.owner)
    below = before[span.end :] if span else b""
    try:
        replace(seen.file, before, HEADER if after is None else after, below)
    except OSError:
        # No space, for example. The room for what was there is there.
        with contextlib.suppress(OSError):
            files.put(seen.file, before, 0)
            os.ftruncate(seen.file, len(before))
        raise
    if after is None:
        _tidy(change)


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
    """Create the file, and the directory of a named namespace's."""
    try:
        files.create(_what(change.block.key), change.path, change.of(None) or b"")
    except OSError:
        _tidy(change)
        raise


def _tidy(change: HostsChange) -> None:
    """Take the directory of a named namespace away, if it is empty."""
    if is_named(change.block.key.container):
        files.tidy(os.path.dirname(change.path))
