# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Network namespaces: find, enter, make, remove.

Nothing here makes a namespace by looking at it, and no path but one directly below /run/netns is ever unmounted or unlinked.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from typing import NamedTuple, Optional

from .._model.errors import Astray, Conflict, DocknetError, KernelRefused
from .._model.namespace import NetnsRef
from . import files
from .engines import engine_pid
from .lock import hold
from .netlink import Message, NetlinkError, Socket

NETNS_DIR = "/run/netns"
HERE = "/proc/thread-self/ns/net"
CLONE_NEWNET = 0x40000000
# linux/nsfs.h: what kind of namespace a file is. Any file that is no namespace answers ENOTTY.
NS_GET_NSTYPE = 0xB703
MS_BIND, MS_REC, MS_SHARED = 0x1000, 0x4000, 1 << 20
# How a second name is told from a first one, and is known as ours where the namespace is not and so bears no mark: its
# mount is read-only and not for programs. Neither means anything for a namespace, and nobody else sets them.
MS_REMOUNT, SECOND = 0x20, 0x1 | 0x8
SECOND_WORDS = {"ro", "noexec"}
MNT_DETACH, UMOUNT_NOFOLLOW = 0x2, 0x8
# Seconds; `ip netns` holds it for milliseconds.
LOCK_TIMEOUT = 30.0

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> None:
    """A system call through libc; OSError when it fails."""
    if getattr(_libc, name)(*arguments):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _return(home: int) -> None:
    """Errors: Astray."""
    try:
        _call("setns", home, CLONE_NEWNET)
    except OSError as error:
        raise Astray(f"the process cannot return to its network namespace: {error.strerror}") from error


@contextlib.contextmanager
def inside(namespace: int) -> Iterator[None]:
    """The calling thread is in the namespace of this descriptor until the block ends; then back where it was.

    Sockets and files of /proc/sys opened in the block keep that namespace. Processes started in it are in it.
    """
    home = os.open(HERE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("setns", namespace, CLONE_NEWNET)
        try:
            yield
        finally:
            _return(home)
    finally:
        os.close(home)


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """The calling thread is in a new namespace, which nobody else can see, until the block ends; then back where it was."""
    home = os.open(HERE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("unshare", CLONE_NEWNET)
        try:
            yield
        finally:
            _return(home)
    finally:
        os.close(home)


def path_of(ref: NetnsRef) -> str:
    """The file that is this namespace. Engines are asked for their container's process; Missing when it does not run."""
    if ref is None:
        return HERE
    if ref.startswith("/"):
        return ref
    scheme, colon, name = ref.partition(":")
    if not colon:
        return os.path.join(NETNS_DIR, ref)
    return f"/proc/{name if scheme == 'pid' else engine_pid(scheme, name)}/ns/net"


def open_namespace(ref: NetnsRef) -> Optional[int]:
    """A descriptor of the namespace, or None when there is none. Errors: Conflict for a file that is something else.

    What has a name below /run/netns is a mount; a symbolic link there could lead anywhere and is not followed.
    """
    path = path_of(ref)
    named = ref is not None and is_name(ref)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_NOFOLLOW if named else 0))
    except (FileNotFoundError, ProcessLookupError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            way_out = "remove it, or name what it leads to (pid:, docker:, podman:, /proc/PID/ns/net)"
            raise Conflict(f"netns {ref}", f"{path} is a symbolic link, not a network namespace", way_out) from None
        raise refused(path, error) from error
    try:
        if is_network_namespace(descriptor):
            _refuse_own(ref, descriptor)
            return descriptor
        if named and is_placeholder(descriptor):
            os.close(descriptor)
            return None
        sort = "a directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "a file"
        way_out = "move it away, or choose another name"
        raise Conflict(f"netns {ref}", f"{path} is {sort}, not a network namespace", way_out)
    except DocknetError:
        os.close(descriptor)
        raise


def refused(path: str, error: OSError) -> KernelRefused:
    way_out = "raise the limit (ulimit -n), or name fewer at once" if error.errno == errno.EMFILE else None
    return KernelRefused(path, f"it cannot be opened: {error.strerror}", way_out, code=error.errno)


def is_name(ref: str) -> bool:
    """Whether a reference is a named namespace, which alone can have an owner."""
    return not ref.startswith("/") and ":" not in ref


def is_network_namespace(descriptor: int) -> bool:
    return kind_of_namespace(descriptor) == CLONE_NEWNET


def kind_of_namespace(descriptor: int) -> int:
    """The clone flag of its kind, or 0 for a file that is no namespace."""
    try:
        return fcntl.ioctl(descriptor, NS_GET_NSTYPE)
    except OSError:
        return 0


def is_placeholder(descriptor: int) -> bool:
    """An empty plain file: where a named namespace goes, left by a run that was killed, and nobody's."""
    status = os.fstat(descriptor)
    return stat.S_ISREG(status.st_mode) and not status.st_size and not kind_of_namespace(descriptor)


def left(ref: str) -> bool:
    """Whether a name that no namespace has is taken by a placeholder."""
    return is_name(ref) and os.path.lexists(os.path.join(NETNS_DIR, ref))


def _refuse_own(ref: NetnsRef, descriptor: int) -> None:
    """A process number that was reused, or a container with the host's network, must not lead us into the host's own."""
    if ref is not None and os.path.samestat(os.fstat(descriptor), os.stat(HERE)):
        raise Conflict(
            f"netns {ref}", "it is the host's own network namespace", "leave the namespace out to mean the host"
        )


def named() -> list[str]:
    """The names below /run/netns, whatever stands behind them."""
    try:
        return sorted(os.listdir(NETNS_DIR))
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        raise Conflict(NETNS_DIR, "it is not a directory, so no namespace can have a name", "move it away") from None


def everywhere() -> Iterator[int]:
    """A descriptor of each network namespace of this machine that a name or a process holds, once each. Closed by us."""
    paths = [os.path.join(NETNS_DIR, name) for name in named()]
    paths += [f"/proc/{entry}/ns/net" for entry in os.listdir("/proc") if entry.isdigit()]
    known: set[int] = set()
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            inode = os.fstat(descriptor).st_ino
            if inode not in known and is_network_namespace(descriptor):
                known.add(inode)
                yield descriptor
        finally:
            os.close(descriptor)


def create(name: str, mark: list[Message]) -> None:
    """Make a namespace, send `mark` to it, and only then give it its name: nobody sees it unmarked.

    A run that is killed on the way leaves at most an empty file, which the next one takes over.
    """
    path = os.path.join(NETNS_DIR, name)
    home = os.open(HERE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _take_place(path)
        _call("unshare", CLONE_NEWNET)
        try:
            _send_all(mark)
            _call("mount", HERE.encode(), path.encode(), b"none", MS_BIND, None)
        finally:
            _return(home)
    except OSError as error:
        raise KernelRefused(f"netns {name}", f"it cannot be made: {error.strerror}", code=error.errno) from error
    finally:
        os.close(home)


def name_again(name: str, namespace: int) -> None:
    """Give the namespace of this descriptor a second name. A run that is killed in between leaves one without its mark."""
    path = os.path.join(NETNS_DIR, name)
    try:
        _take_place(path)
        _call("mount", f"/proc/self/fd/{namespace}".encode(), path.encode(), b"none", MS_BIND, None)
        _call("mount", b"none", path.encode(), None, MS_REMOUNT | MS_BIND | SECOND, None)
    except OSError as error:
        raise KernelRefused(f"netns {name}", f"it cannot be made: {error.strerror}", code=error.errno) from error


class Name(NamedTuple):
    """A name as it is mounted: the namespace's inode, and whether it is a second name that we gave."""

    inode: int
    second: bool


def mounted() -> dict[str, Name]:
    """What the named namespaces are, by name (Documentation/filesystems/proc.rst, mountinfo)."""
    with open("/proc/thread-self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        found = {}
        for line in lines:
            words = line.split(" ")
            root, path, options = words[3:6]
            if root.startswith("net:[") and os.path.dirname(path) == NETNS_DIR:
                name = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), os.path.basename(path))
                found[name] = Name(int(root[5:-1]), SECOND_WORDS <= set(options.split(",")))
        return found


def _take_place(path: str) -> None:
    """The empty file that the namespace is mounted on, made or found."""
    flags = os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o444)
    try:
        if not is_placeholder(descriptor):
            raise OSError(errno.EEXIST, f"something has taken {path} meanwhile")
    finally:
        os.close(descriptor)


def _send_all(messages: list[Message]) -> None:
    """Errors: OSError."""
    socket = Socket()
    try:
        for no in socket.send(messages):
            if no:
                raise OSError(no.code, no.text)
    except NetlinkError as error:
        raise OSError(error.refusal.code, error.refusal.text) from error
    finally:
        socket.close()


@contextlib.contextmanager
def shared_directory() -> Iterator[None]:
    """/run/netns exists and passes its mounts on to other mount namespaces; prepared under the lock that `ip netns` takes too."""
    try:
        os.makedirs(NETNS_DIR, mode=0o755, exist_ok=True)
        lock = os.open(NETNS_DIR, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise KernelRefused(NETNS_DIR, f"it cannot be made: {error.strerror}", code=error.errno) from error
    try:
        hold(lock, NETNS_DIR, LOCK_TIMEOUT)
        _share(NETNS_DIR.encode())
        yield
    finally:
        os.close(lock)


def _share(directory: bytes) -> None:
    try:
        try:
            _call("mount", b"", directory, b"none", MS_SHARED | MS_REC, None)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            _call("mount", directory, directory, b"none", MS_BIND | MS_REC, None)
            _call("mount", b"", directory, b"none", MS_SHARED | MS_REC, None)
    except OSError as error:
        raise KernelRefused(NETNS_DIR, f"it cannot be shared: {error.strerror}", code=error.errno) from error


def delete(name: str) -> None:
    """Take the name away, as `ip netns del` does, and /etc/netns/NAME when it is empty (see files.py). No name: nothing to do.

    The namespace itself ends when no process is in it any more.
    """
    path = os.path.join(NETNS_DIR, name)
    # First, as nobody would come back for it once the name is gone.
    files.tidy(os.path.join(files.NETNS_ETC, name))
    try:
        # Mounts pile up when something bound the name twice; each call takes one away.
        for _each in range(100):
            try:
                _call("umount2", path.encode(), MNT_DETACH | UMOUNT_NOFOLLOW)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOENT):
                    raise
                break
        _unlink(path)
    except OSError as error:
        raise KernelRefused(
            f"netns {name}", f"its name cannot be removed: {error.strerror}", code=error.errno
        ) from error


def _unlink(path: str) -> None:
    for _each in range(100):
        try:
            os.unlink(path)
            return
        except FileNotFoundError:
            return
        except OSError as error:
            # Another mount namespace still has it mounted, for as long as the lazy unmount takes to arrive there.
            if error.errno != errno.EBUSY:
                raise
            time.sleep(0.01)
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
