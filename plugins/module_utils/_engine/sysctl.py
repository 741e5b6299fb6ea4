# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Planning of kernel settings. One that is asked for is set; there is no absent for it.

On a kernel without IPv6 "no IPv6 here" is so already, whoever asks for it.
"""

from __future__ import annotations

from typing import Any, Optional

from .._model.errors import Unsupported
from .._model.namespace import Sysctl
from .._model.plan import Question, Wanted, World
from .draft import Draft
from .inheritance import settings_of

NO_IPV6 = "this kernel has no IPv6"
BOOT = "start the kernel without ipv6.disable=1"


def question(wanted: Wanted) -> Question:
    value: Sysctl = wanted.value
    return Question(namespaces={value.netns}, sysctls={(value.netns, value.path)})


def plan(wanted: Wanted, draft: Draft) -> None:
    value: Sysctl = wanted.value
    draft.need_namespace(wanted, value.netns)
    if value.path[:2] == ("net", "ipv6") and not draft.world.ipv6:
        if is_ipv6_off(value):
            return
        raise Unsupported(wanted.what, f"{value} cannot be set: {NO_IPV6}", f"leave it out, or {BOOT}")
    seen = draft.world.sysctls.get((value.netns, value.path))
    if seen != value.value:
        draft.do(wanted, "set", value, f"it is {'not known yet' if seen is None else seen}, not {value.value}")


def is_ipv6_off(value: Sysctl) -> bool:
    found = settings_of(value.path)
    return found is not None and (found[0], found[2]) == ("ipv6", "disable_ipv6") and value.value != "0"


def describe(wanted: Wanted, world: World) -> Optional[dict[str, Any]]:
    return {"value": world.sysctls.get((wanted.value.netns, wanted.value.path))}


def facts(_wanted: Wanted, _world: World) -> dict[str, Any]:
    return {}
