# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wishes carried out on this machine as a module does it: looked at, planned, applied, looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.netwright.docknet.plugins.module_utils._engine.order import REMOVAL, rank
from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import plan, question
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Plan, Wanted, World


def wish(value: Any, present: bool = True, owner: str = "shop") -> Wanted:
    return Wanted(value, str(value), owner, present)


def look(wanted: Sequence[Wanted]) -> World:
    with Host() as host:
        return host.observe(question(wanted))


def carry_out(*wanted: Wanted) -> Plan:
    """The plan that was carried out. Afterwards nothing must be left to do."""
    with Host() as host:
        made = plan(wanted, host.observe(question(wanted)))
        list(host.apply(made.operations, rank, REMOVAL))
    left = plan(wanted, look(wanted)).operations
    assert not left, left
    return made


def steps(made: Plan) -> list[tuple[str, str, str]]:
    return [(one.action, str(one.value), one.reason) for one in made.operations]
