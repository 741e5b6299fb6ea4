# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module of one kernel object walks the ten steps; see ten_steps.py, and a file each in modules/."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import pytest
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.integration import snapshot, ten_steps
from ansible_collections.netwright.docknet.tests.kernel.machine import machine, sh
from ansible_collections.netwright.docknet.tests.lab.lab import Lab

FOLDER = Path(__file__).with_name("modules")
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
MODULES = {
    name: importlib.import_module(f"ansible_collections.netwright.docknet.tests.integration.modules.{name}").MODULE
    for name in NAMES
}
MEETINGS = [(name, number) for name in NAMES for number, one in enumerate(MODULES[name].refusals) if one.before]


@pytest.mark.parametrize("name", NAMES)
def test_the_ten_steps(name):
    ten_steps.judge(MODULES[name], ten_steps.walk_directly(MODULES[name]))


@pytest.mark.parametrize("name", NAMES)
def test_the_ten_steps_by_ansible(name, tmp_path):
    with Lab(f"steps{os.getpid()}", ["node1"]) as lab:
        inventory = tmp_path / "hosts.yml"
        inventory.write_text(lab.inventory(sys.executable))
        got = ten_steps.walk_by_ansible(MODULES[name], inventory)
    ten_steps.judge(MODULES[name], got)
    assert "--- before" in got["printed"] and "+++ after" in got["printed"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_refused_is_refused_before_any_change(name):
    """As one object and as the second of two, in check mode and in the run."""
    module = MODULES[name]
    with machine():
        sh(module.before)
        before = snapshot.snapshot()
        wrong = [words for refusal in module.refusals if not refusal.before for words in try_it(module, refusal)]
        assert wrong == []
        assert snapshot.snapshot() == before


@pytest.mark.parametrize(("name", "number"), MEETINGS, ids=[f"{name}-{number}" for name, number in MEETINGS])
def test_what_is_in_the_way_is_left_untouched(name, number):
    module, refusal = MODULES[name], MODULES[name].refusals[number]
    with machine():
        sh(f"{module.before}\n{refusal.before}")
        before = snapshot.snapshot()
        assert list(try_it(module, refusal)) == []
        assert snapshot.snapshot() == before


def try_it(module, refusal):
    """What is wrong with the refusal: nothing, or sentences."""
    forms = [refusal.arguments]
    if refusal.kind != "refused" and "config" not in refusal.arguments:
        forms.append({"config": [decoy(module), refusal.arguments]})
    for arguments in forms:
        for check in (True, False):
            result = call(module.name, **arguments, _ansible_check_mode=check)
            if check and (refusal.kind == "refused" or (refusal.kind == "missing" and not result.get("failed"))):
                # The kernel alone knows; what is missing is taken as made by an earlier task, and said to be.
                if result.get("failed") or (refusal.kind == "missing" and not result["warnings"]):
                    yield f"check mode: {result}"
                continue
            said = result.get("msg", "")
            if not result.get("failed") or refusal.words not in said or refusal.name not in said:
                yield f"expected {refusal.words!r} of {refusal.name}: {result}"
            elif result["failure"]["kind"] != refusal.kind or said.endswith(".") or result["actions"]:
                yield f"not as an error should be: {result}"


def decoy(module):
    """A good object to go before a bad one."""
    if module.name == "netns":
        return {"name": "decoy"}
    if module.name == "veth_pair":
        return {"a": {"name": "decoy"}, "b": {"name": "decoy2"}}
    needed = {"macvlan_net": {"parent": "lan0"}, "ipvlan_net": {"parent": "lan1"}, "vxlan_link": {"vni": 1}}
    return {**needed.get(module.name, {}), "name": "decoy"}
