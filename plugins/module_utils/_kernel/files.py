# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.


"""Plain files of others' directories: found without being led astray, written in place, made whole.

What is bind-mounted while it is used must be written in place: another file of that name would not be seen.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import Optional

from .._model.errors import Conflict

NETNS_ETC = "/etc/netns"
UNFINISHED = ".docknet"  # the end of a new file's name until it is complete
SORTS = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a directory"}


def open_plain(what: str, path: str, flags: int, way_out: str = "move it away") -> Optional[int]:
    """A descriptor of the file, or None. Neither it nor its directory may be a symbolic link. Errors: Conflict."""
    folder, name = os.path.split(path)
    try:
        with descriptor(os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)) as directory:
            spot = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except (FileNotFoundError, ProcessLookupError):
        return None
    except NotADirectoryError:
        raise Conflict(what, f"{folder} is no directory", "move it away") from None
    with descriptor(spot):
        status = os.fstat(spot)
        if not stat.S_ISREG(status.st_mode):
            sort = SORTS.get(stat.S_IFMT(status.st_mode), "something else")
            raise Conflict(what, f"{path} is {sort}, not a plain file", way_out)
        # By way of /proc: the very file that was looked at.
        return os.open(f"/proc/self/fd/{spot}", flags | os.O_CLOEXEC)


@contextlib.contextmanager
def descriptor(number: int) -> Iterator[int]:
    try:
        yield number
    finally:
        os.close(number)


def read(file: int) -> bytes:
    found = b""
    while part := os.read(file, 1 << 20):
        found += part
    return found


def put(file: int, data: bytes, offset: int) -> None:
    while data:
        count = os.pwrite(file, data, offset)
        data, offset = data[count:], offset + count


def create(path: str, content: bytes, unfinished: str) -> None:
    """Make the file, complete from its first moment; until then it is called `unfinished`. Whoever runs in a container reads it."""
    folder, name = os.path.split(path)
    with descriptor(os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)) as directory:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished, dir_fd=directory)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        file = os.open(unfinished, flags, 0o644, dir_fd=directory)
        try:
            with descriptor(file):
                os.fchmod(file, 0o644)
                put(file, content, 0)
            # Unlike a renaming, this replaces nothing.
            os.link(unfinished, name, src_dir_fd=directory, dst_dir_fd=directory)
        finally:
            os.unlink(unfinished, dir_fd=directory)


def make_directory(folder: str) -> None:
    """With those above it, for everybody to read."""
    umask = os.umask(0o022)
    try:
        os.makedirs(folder, exist_ok=True)
    finally:
        os.umask(umask)


def tidy(folder: str) -> None:
    """Take a directory below /etc/netns away, if nothing is in it but what killed runs left unfinished, and that with it."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.suppress(OSError), descriptor(os.open(folder, flags)) as directory:
        for name in os.listdir(directory):
            if name.startswith(".") and name.endswith(UNFINISHED):
                os.unlink(name, dir_fd=directory)
    with contextlib.suppress(OSError):
        os.rmdir(folder)
        os.rmdir(NETNS_ETC)
