# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Kernel settings below /proc/sys/net of the namespace the calling thread is in."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Optional

from .._model.errors import KernelRefused
from .._model.namespace import Sysctl

ROOT = "/proc/sys"
# Bytes. The kernel makes room for as many as are asked for, and gives no more to a second read.
LONGEST = 1 << 14


def has_ipv6() -> bool:
    """Not with ipv6.disable=1 on the kernel's command line, nor where its module is not loaded."""
    return os.path.isdir(f"{ROOT}/net/ipv6/conf")


class Tree:
    """The settings of one namespace. Its net/ipv4, net/ipv6 and their like are looked for once each.

    The kernel looks through those of all namespaces for them (fs/proc/proc_sysctl.c proc_sys_compare).
    """

    def __init__(self) -> None:
        self._folders: dict[tuple[str, ...], int] = {}

    def close(self) -> None:
        for descriptor in self._folders.values():
            os.close(descriptor)

    @contextlib.contextmanager
    def _opened(self, path: tuple[str, ...], flags: int) -> Iterator[int]:
        folder = path[:-1][:2]
        if folder not in self._folders:
            self._folders[folder] = os.open(os.path.join(ROOT, *folder), os.O_PATH | os.O_CLOEXEC)
        # Without O_CREAT: a name that is not there is the kernel's to make, not ours.
        descriptor = os.open(os.path.join(*path[len(folder) :]), flags | os.O_CLOEXEC, dir_fd=self._folders[folder])
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def read(self, path: tuple[str, ...]) -> Optional[str]:
        """The value with its blanks made single, or None when there is no such setting, or none that can be read."""
        try:
            with self._opened(path, os.O_RDONLY) as descriptor:
                return " ".join(os.read(descriptor, LONGEST).decode("ascii", "replace").split())
        except OSError:
            return None

    def write(self, sysctl: Sysctl) -> None:
        try:
            with self._opened(sysctl.path, os.O_WRONLY) as descriptor:
                os.write(descriptor, sysctl.value.encode())
        except FileNotFoundError:
            raise KernelRefused(
                str(sysctl), "this kernel has no such setting", "look below /proc/sys for its name"
            ) from None
        except OSError as error:
            raise KernelRefused(
                str(sysctl), f"the kernel does not take {sysctl.value!r}: {error.strerror}", code=error.errno
            ) from error


def read(path: tuple[str, ...]) -> Optional[str]:
    with contextlib.closing(Tree()) as tree:
        return tree.read(path)


def write(sysctl: Sysctl) -> None:
    with contextlib.closing(Tree()) as tree:
        tree.write(sysctl)
