# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Planning of kernel settings. One that is asked for is set; there is no absent for it."""

from __future__ import annotations

from typing import Any, Optional

from .._model.namespace import Sysctl
from .._model.plan import Question, Wanted, World
from .draft import Draft


def question(wanted: Wanted) -> Question:
    value: Sysctl = wanted.value
    return Question(namespaces={value.netns}, sysctls={(value.netns, value.path)})


def plan(wanted: Wanted, draft: Draft) -> None:
    value: Sysctl = wanted.value
    draft.need_namespace(wanted, value.netns)
    seen = draft.world.sysctls.get((value.netns, value.path))
    if seen != value.value:
        draft.do(wanted, "set", value, f"it is {'not known yet' if seen is None else seen}, not {value.value}")


def describe(wanted: Wanted, world: World) -> Optional[dict[str, Any]]:
    return {"value": world.sysctls.get((wanted.value.netns, wanted.value.path))}


def facts(_wanted: Wanted, _world: World) -> dict[str, Any]:
    return {}
