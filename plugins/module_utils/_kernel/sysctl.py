# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Kernel settings below /proc/sys/net of the namespace the calling thread is in."""

from __future__ import annotations

import os
from typing import Optional

from .._model.errors import KernelRefused
from .._model.namespace import Sysctl

ROOT = "/proc/sys"
# Bytes. The kernel makes room for as many as are asked for, and gives no more to a second read.
LONGEST = 1 << 14


def read(path: tuple[str, ...]) -> Optional[str]:
    """The value with its blanks made single, or None when there is no such setting, or none that can be read."""
    try:
        descriptor = os.open(os.path.join(ROOT, *path), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return " ".join(os.read(descriptor, LONGEST).decode("ascii", "replace").split())
        finally:
            os.close(descriptor)
    except OSError:
        return None


def write(sysctl: Sysctl) -> None:
    try:
        # Without O_CREAT: a name that is not there is the kernel's to make, not ours.
        descriptor = os.open(os.path.join(ROOT, *sysctl.path), os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, sysctl.value.encode())
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise KernelRefused(
            str(sysctl), "this kernel has no such setting", "look below /proc/sys for its name"
        ) from None
    except OSError as error:
        raise KernelRefused(
            str(sysctl), f"the kernel does not take {sysctl.value!r}: {error.strerror}", code=error.errno
        ) from error
