# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The kinds of failure. Behaviour follows the class, never the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional


class DocknetError(Exception):
    """One sentence: what object, what is wrong with it, and the way out.

    `kind` is what a playbook can test for in the result's `failure.kind`.
    """

    kind = "error"

    def __init__(self, what: str, why: str, way_out: Optional[str] = None) -> None:
        self.what = what
        self.why = why
        self.way_out = way_out
        super().__init__(what, why, way_out)

    def __str__(self) -> str:
        return f"{self.what}: {self.why}" + (f"; {self.way_out}" if self.way_out else "")


class InvalidRequest(DocknetError):
    """The words themselves are wrong: found before anything is looked at."""

    kind = "invalid"


class Missing(DocknetError):
    """Something the object stands on (a namespace, a parent, a master) is not there."""

    kind = "missing"


class Conflict(DocknetError):
    """Something else has the place: foreign, another owner's, or of another identity."""

    kind = "conflict"


class KernelRefused(DocknetError):
    """The kernel, or a program that speaks to it, said no. `code` is the errno, when there is one."""

    kind = "refused"

    def __init__(self, what: str, why: str, way_out: Optional[str] = None, code: Optional[int] = None) -> None:
        super().__init__(what, why, way_out)
        self.code = code


class NotConverged(DocknetError):
    """Everything was accepted, and what is seen afterwards is still not what was asked for."""

    kind = "not_converged"


class Locked(DocknetError):
    """Another run holds the lock for longer than `lock_timeout`."""

    kind = "locked"


class Unsupported(DocknetError):
    """This machine cannot do it: not root, no such kernel module, a program that is not installed."""

    kind = "unsupported"


class Several(DocknetError):
    """More than one error: all of them, a line each. Used where work goes on after an error (removal, validation)."""

    kind = "several"

    def __init__(self, errors: list[DocknetError]) -> None:
        super().__init__(errors[0].what, errors[0].why, errors[0].way_out)
        self.errors = errors
        self.kind = errors[0].kind

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class Astray(BaseException):
    """The process cannot return to its own namespace, so every further step would be done in another one.

    No Exception, since nothing may go on after it: neither a removal nor a caller that suppresses errors. _engine/run.py makes it a
    sentence.
    """


def refuse(errors: Sequence[DocknetError]) -> None:
    """Raise these, if there are any."""
    if errors:
        raise Several([*errors]) if len(errors) > 1 else errors[0]
