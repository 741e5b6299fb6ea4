# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Plain files in directories that others may have prepared: opened without following links, written in place, or created whole.

A file that is bind-mounted while it is used must be written in place: another file of that name would not be seen.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple, Optional

from .._model.errors import Conflict

NETNS_ETC = "/etc/netns"
UNFINISHED = ".docknet"  # suffix of a new file's name until it is complete
SORTS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
# The system's own directories, which may be symbolic links. Below them every directory of ours is a plain one.
BASES = ("/etc", "/var/lib", "/run")
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Bytes; no file that is read here comes near it, and a container may grow its own without end.
LIMIT = 16 << 20


@contextlib.contextmanager
def descriptor(number: int) -> Iterator[int]:
    try:
        yield number
    finally:
        os.close(number)


def open_folder(what: str, path: str, make: bool = False) -> Optional[int]:
    """A descriptor of a directory, or None where it does not exist; with `make` it is created, readable by everybody.

    None of its components is a symbolic link, below BASES or, elsewhere, the last one. Errors: Conflict.
    """
    base = next((one for one in BASES if path.startswith(f"{one}/")), os.path.dirname(path))
    try:
        folder = os.open(base, DIRECTORY)
    except (FileNotFoundError, ProcessLookupError):
        return None
    here = base
    for name in filter(None, path[len(base) :].split("/")):
        here = os.path.join(here, name)
        with descriptor(folder):
            try:
                if make:
                    _make(name, folder)
                folder = os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            except (FileNotFoundError, ProcessLookupError):
                return None
            except (NotADirectoryError, FileExistsError):
                raise Conflict(what, f"{here} is {_sort(name, folder)}, not a directory", "move it away") from None
    return folder


def _sort(name: str, folder: int) -> str:
    with contextlib.suppress(OSError):
        return SORTS.get(stat.S_IFMT(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode), "a file")
    return "something else"


def _make(name: str, folder: int) -> None:
    """Like mkdir, but for everybody to read whatever the process's umask is; an existing directory keeps its mode."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=folder)
        os.chmod(name, 0o755, dir_fd=folder)


def open_plain(what: str, path: str, flags: int, way_out: str = "move it away") -> Optional[int]:
    """A descriptor of a plain file, or None where it does not exist. Errors: Conflict for anything else of that name, see `open_folder`."""
    folder = open_folder(what, os.path.dirname(path))
    if folder is None:
        return None
    with descriptor(folder):
        return open_in(what, folder, path, flags, way_out)


def open_in(what: str, folder: int, path: str, flags: int, way_out: str = "move it away") -> Optional[int]:
    """As `open_plain`, with the directory's descriptor."""
    try:
        spot = os.open(os.path.basename(path), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except (FileNotFoundError, ProcessLookupError):
        return None
    with descriptor(spot):
        status = os.fstat(spot)
        if not stat.S_ISREG(status.st_mode):
            sort = SORTS.get(stat.S_IFMT(status.st_mode), "something else")
            raise Conflict(what, f"{path} is {sort}, not a plain file", way_out)
        if status.st_nlink > 1 and flags & os.O_ACCMODE != os.O_RDONLY:
            why = f"{path} has {status.st_nlink} names (hard links), so another file would change with it"
            raise Conflict(what, why, way_out)
        # Through /proc: the very file that was looked at.
        return os.open(f"/proc/self/fd/{spot}", flags | os.O_CLOEXEC)


class Plain(NamedTuple):
    """An open file: the descriptors of its directory and of itself, and its path."""

    folder: int
    file: int
    path: str

    def unlink(self) -> None:
        """Remove the file's name, unless that is another file's by now."""
        name = os.path.basename(self.path)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(self.file), os.stat(name, dir_fd=self.folder, follow_symlinks=False)):
                os.unlink(name, dir_fd=self.folder)


@contextlib.contextmanager
def opened(what: str, path: str, flags: int, way_out: str = "move it away") -> Iterator[Optional[Plain]]:
    """A plain file with its directory, or None; see `open_plain`."""
    folder = open_folder(what, os.path.dirname(path))
    if folder is None:
        yield None
        return
    with descriptor(folder):
        file = open_in(what, folder, path, flags, way_out)
        if file is None:
            yield None
            return
        with descriptor(file):
            yield Plain(folder, file, path)


def read(file: int) -> bytes:
    """The whole file. Errors: OSError (EFBIG) beyond LIMIT."""
    found = b""
    if os.fstat(file).st_size > LIMIT:
        raise OSError(errno.EFBIG, f"it is larger than {LIMIT >> 20} MiB")
    while part := os.read(file, 1 << 20):
        found += part
        if len(found) > LIMIT:
            raise OSError(errno.EFBIG, f"it is larger than {LIMIT >> 20} MiB")
    return found


def put(file: int, data: bytes, offset: int) -> None:
    while data:
        count = os.pwrite(file, data, offset)
        data, offset = data[count:], offset + count


def put_all(file: int, before: bytes, content: bytes) -> None:
    """Write a file anew, in place. Errors: OSError; the file then says `before` again."""
    try:
        put(file, content, 0)
        os.ftruncate(file, len(content))
    except OSError:
        # No space, for example. The room for what was there is there.
        with contextlib.suppress(OSError):
            put(file, before, 0)
            os.ftruncate(file, len(before))
        raise


def create(what: str, path: str, content: bytes, mode: int = 0o644, sync: bool = False) -> None:
    """Create a file, complete from its first moment, and its directory. Errors: OSError (EEXIST, it replaces nothing), Conflict.

    `sync`: it survives a loss of power from then on.
    """
    name = os.path.basename(path)
    with existing(what, os.path.dirname(path), make=True) as folder:
        forget(unfinished_name(name), folder)
        file = _nameless(folder, mode)
        if file is None:
            with _unfinished(folder, name, content, mode, sync) as other:
                os.link(other, name, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            with descriptor(file):
                _fill(file, content, mode, sync)
                os.link(f"/proc/self/fd/{file}", name, dst_dir_fd=folder, follow_symlinks=True)
        if sync:
            os.fsync(folder)


def substitute(what: str, path: str, content: bytes, mode: int = 0o644, sync: bool = False) -> None:
    """As `create`, or in place of the file of that name: readers see the old one or the new one, whole. Errors: OSError, Conflict."""
    name = os.path.basename(path)
    with existing(what, os.path.dirname(path), make=True) as folder:
        try:
            os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            create(what, path, content, mode, sync)
            return
        with _unfinished(folder, name, content, mode, sync) as other:
            os.rename(other, name, src_dir_fd=folder, dst_dir_fd=folder)
        if sync:
            os.fsync(folder)


@contextlib.contextmanager
def existing(what: str, path: str, make: bool = False) -> Iterator[int]:
    """A descriptor of a directory. Errors: OSError (ENOENT, unless `make`), Conflict."""
    folder = open_folder(what, path, make)
    if folder is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    with descriptor(folder):
        yield folder


def _nameless(folder: int, mode: int) -> Optional[int]:
    """A new file without a name, which a killed run cannot leave behind; None where the file system has none (overlayfs before Linux 6.3)."""
    try:
        return os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, mode, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            return None
        raise


@contextlib.contextmanager
def _unfinished(folder: int, name: str, content: bytes, mode: int, sync: bool) -> Iterator[str]:
    """The name of a new, complete file. It is gone after the block, unless it was renamed."""
    other = unfinished_name(name)
    forget(other, folder)
    file = os.open(other, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode, dir_fd=folder)
    try:
        with descriptor(file):
            _fill(file, content, mode, sync)
        yield other
    finally:
        forget(other, folder)


def _fill(file: int, content: bytes, mode: int, sync: bool) -> None:
    os.fchmod(file, mode)
    put(file, content, 0)
    if sync:
        os.fsync(file)


def unfinished_name(name: str) -> str:
    return f".{name}{UNFINISHED}"


def forget(name: str, folder: int) -> None:
    """Remove a name from a directory, whatever plain thing it is; a missing one is fine."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def content(what: str, path: str) -> list[str]:
    """The names in a directory; none where it does not exist. Errors: Conflict, see `open_folder`; OSError."""
    folder = open_folder(what, path)
    if folder is None:
        return []
    with descriptor(folder):
        return os.listdir(folder)


def tidy(path: str) -> None:
    """Remove a directory of /etc/netns when it holds nothing but unfinished files of killed runs, and /etc/netns when it is empty."""
    above, name = os.path.split(path)
    if above != NETNS_ETC:
        return
    with contextlib.suppress(OSError, Conflict), existing(path, above) as parent:
        with existing(path, path) as folder:
            for one in os.listdir(folder):
                if one.startswith(".") and one.endswith(UNFINISHED):
                    os.unlink(one, dir_fd=folder)
        os.rmdir(name, dir_fd=parent)
    with contextlib.suppress(OSError):
        os.rmdir(NETNS_ETC)
