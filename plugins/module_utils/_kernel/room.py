# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Whether files can be written where a run will write them, found before its first change."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Any, Optional

from .._model.errors import KernelRefused
from .._model.hosts import HostsChange
from .._model.plan import Operation
from .._model.service import ServiceChange
from .._model.state import State
from .._model.statefile import DIRECTORY
from .._model.text import TextFile
from .service import ROOT


def check(operations: Sequence[Operation]) -> None:
    """Removals are not checked: they do what they can. Errors: KernelRefused."""
    known: set[str] = set()
    for operation in operations:
        folder = _folder(operation.value) if operation.action not in ("delete", "remove") else None
        if folder is None or folder in known:
            continue
        known.add(folder)
        try:
            status = os.statvfs(_existing(folder))
        except OSError:
            continue  # the write itself says what is wrong
        if status.f_flag & os.ST_RDONLY:
            why = f"{folder} is on a read-only file system"
            raise KernelRefused(operation.what, why, "mount it writable", code=errno.EROFS)
        if status.f_blocks and not status.f_bfree:
            why = f"the file system of {folder} is full"
            raise KernelRefused(operation.what, why, "free space on it", code=errno.ENOSPC)


def _folder(value: Any) -> Optional[str]:
    if isinstance(value, HostsChange):
        return os.path.dirname(value.path)
    if isinstance(value, TextFile):
        return os.path.dirname(value.key.path)
    if isinstance(value, State):
        return DIRECTORY
    return ROOT if isinstance(value, ServiceChange) else None


def _existing(folder: str) -> str:
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    return folder
