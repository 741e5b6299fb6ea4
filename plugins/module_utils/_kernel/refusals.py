# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""System calls that fail where no caller expects it: the error becomes a sentence, in one place for all of them."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import Optional, Union

from .._model.errors import KernelRefused
from .netlink import NetlinkError

# What to do about an error whose cause lies outside of the object at hand.
WAYS_OUT = {
    errno.EMFILE: "raise the limit of open files (ulimit -n), or name fewer objects at once",
    errno.ENFILE: "raise fs.file-max, or end processes that hold many files open",
    errno.ENOMEM: "free memory, and run again",
    errno.ENOBUFS: "free memory, and run again",
    errno.EPERM: "give the process all of root's capabilities, and see whether a security module denies it",
    errno.EACCES: "see whether a security module denies it",
    errno.EROFS: "mount the file system writable",
    errno.EDQUOT: "free space, or raise the quota",
}


def way_out(code: Optional[int]) -> Optional[str]:
    return WAYS_OUT.get(code) if code else None


def refusal(what: str, doing: str, error: Union[OSError, NetlinkError]) -> KernelRefused:
    """The sentence for an error; `doing` says what failed by it."""
    if isinstance(error, NetlinkError):
        code: Optional[int] = error.refusal.code
        words = error.refusal.text
    else:
        code = error.errno
        words = error.strerror or str(error) or type(error).__name__
        if isinstance(error.filename, (str, bytes)):
            words += f": {os.fsdecode(error.filename)}"
    return KernelRefused(what, f"{doing}: {words}", way_out(code), code=code)


@contextlib.contextmanager
def refused(what: str, doing: str) -> Iterator[None]:
    """Errors: KernelRefused for each system call that fails in the block."""
    try:
        yield
    except (OSError, NetlinkError) as error:
        raise refusal(what, doing, error) from error
