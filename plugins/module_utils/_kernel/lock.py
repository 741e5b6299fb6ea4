# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""One run at a time changes a host."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from .._model.errors import Locked, Unsupported
from . import files

LOCK = "/run/docknet/lock"


@contextlib.contextmanager
def locked(timeout: float) -> Iterator[None]:
    """Hold the host's lock. Errors: Locked after `timeout` seconds; the kernel frees it when its holder dies."""
    try:
        with files.existing(LOCK, os.path.dirname(LOCK), make=True) as folder:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(os.path.basename(LOCK), flags, 0o600, dir_fd=folder)
    except OSError as error:
        raise Unsupported(LOCK, f"it cannot be opened: {error.strerror}", "see what is in its place") from error
    try:
        hold(descriptor, LOCK, timeout)
        yield
    finally:
        os.close(descriptor)


def hold(descriptor: int, what: str, timeout: float) -> None:
    """Lock a file until its descriptor is closed. Errors: Locked after `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                why = f"another run has held it for more than {timeout:g} s"
                raise Locked(what, why, "wait for it, or give a longer lock_timeout") from None
            time.sleep(0.02)
