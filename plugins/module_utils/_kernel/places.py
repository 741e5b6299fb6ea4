# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What the files of this room know of a host: see host.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Optional, Protocol

from .._model.errors import DocknetError
from .._model.namespace import NetnsRef
from .._model.plan import Operation
from .netlink import Socket

# Operations that were tried, each with its error or None.
Done = Iterator[tuple[Operation, Optional[DocknetError]]]


class Places(Protocol):
    """A socket in a namespace, a descriptor of one, being in one, and forgetting one that goes."""

    def socket(self, ref: NetnsRef) -> Socket: ...

    def descriptor(self, ref: NetnsRef) -> int: ...

    def inside(self, ref: NetnsRef) -> AbstractContextManager[None]: ...

    def forget(self, ref: NetnsRef) -> None: ...
