# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ten steps that every module has to pass, and two ways to walk them.

A module is described by a `Module`, one file each in `modules/`. The steps are made from it as plain data: a call of
the module, a shell line, or a look at everything. They are walked through real Ansible on a lab host, in one play, or
by calling the module's main in this process; what comes back is judged by the same function.
"""

from __future__ import annotations

import difflib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.integration import snapshot
from ansible_collections.netwright.docknet.tests.kernel.machine import machine, sh

COLLECTION = "netwright.docknet"
Arguments = dict[str, Any]


class Refusal(NamedTuple):
    """Arguments that must be refused before any change; `words` are in the sentence, and `name`: the object's.

    `before` is done first. `kind` is that of the failure.
    """

    arguments: Arguments
    words: str
    name: str
    kind: str = "invalid"
    before: str = ""


class Module(NamedTuple):
    """What the ten steps need to know of a module."""

    name: str
    before: str  # what the object stands on, as shell lines
    create: Arguments
    actions: Sequence[tuple[str, str]]  # what making it does: (action, object)
    change: Arguments  # the same object, otherwise
    identity: Arguments  # of the object, for state=absent
    foreign: str  # makes an object of that name that is nobody's
    refusals: Sequence[Refusal]
    result: Arguments  # what is returned once it is made: keys of the first entry, and their values
    returned: str = "links"


class Step(NamedTuple):
    """A call of the module, a shell line, or (neither) a look at everything."""

    name: str
    arguments: Arguments | None = None
    check: bool = False
    shell: str = ""


# Through Ansible, where a step takes half a second, not every step needs a look afterwards.
LOOKS = ("before", "check create", "create", "bad input", "remove", "foreign", "foreign absent")


def steps(module: Module, brief: bool = False) -> list[Step]:
    """The ten steps, each with a look afterwards; in a `brief` walk only LOOKS."""
    absent = {**module.identity, "state": "absent"}
    bad = module.refusals[0]
    walk = [
        Step("before", shell=module.before),
        Step("check create", module.create, check=True),
        Step("create", module.create),
        Step("repeat", module.create),
        Step("check change", module.change, check=True),
        Step("change", module.change),
        Step("repeat change", module.change),
        Step("bad input", bad.arguments),
        Step("good and bad input", {"config": [module.create, bad.arguments]}),
        Step("another owner", {**module.create, "owner": "somebody"}),
        Step("another owner absent", {**absent, "owner": "somebody"}),
        Step("check remove", absent, check=True),
        Step("remove", absent),
        Step("repeat remove", absent),
        Step("foreign", shell=module.foreign),
        Step("foreign present", module.create),
        Step("foreign absent", absent),
    ]
    looked = [step.name for step in walk if not brief or step.name in LOOKS]
    return [each for step in walk for each in (step, Step(f"after {step.name}")) if step is each or step.name in looked]


def judge(module: Module, got: dict[str, Any]) -> None:
    """All that is promised of every module, of the results by the names of the steps."""
    looks = {name.removeprefix("after "): look for name, look in got.items() if name.startswith("after ")}

    def same(name: str, other: str) -> None:
        if not {name, other} <= looks.keys():
            return
        texts = (json.dumps(looks[each], indent=1).splitlines() for each in (other, name))
        assert looks[name] == looks[other], "\n".join(difflib.unified_diff(*texts, other, name, n=2, lineterm=""))

    def worked(name: str) -> None:
        assert not got[name].get("failed"), got[name]
        assert got[name]["changed"] and got[name]["actions"], name
        assert got[name]["diff"]["before"] != got[name]["diff"]["after"], name

    def foreseen(name: str, before: str) -> None:
        """Check mode wrote nothing, and said what the run then did."""
        would, did = got[f"check {name}"], got[name]
        worked(f"check {name}")
        worked(name)
        same(f"check {name}", before)
        assert would["actions"] == did["actions"]
        assert would["diff"] == did["diff"]
        assert not would.get("warnings"), would["warnings"]

    def quiet(name: str) -> None:
        assert not got[name].get("failed"), got[name]
        assert (got[name]["changed"], got[name]["actions"]) == (False, []), got[name]
        assert got[name]["diff"]["before"] == got[name]["diff"]["after"], name

    def refused(name: str, before: str, *words: str) -> None:
        assert got[name].get("failed"), f"{name}: {got[name]}"
        assert not got[name].get("changed") and got[name]["actions"] == []
        for word in words:
            assert word in got[name]["msg"], f"{name}: {got[name]['msg']}"
        same(name, before)

    foreseen("create", "before")
    done = [(action["action"], action["object"]) for action in got["create"]["actions"]]
    assert done == list(module.actions), got["create"]["actions"]
    made = got["create"][module.returned][0]
    assert {name: made.get(name) for name in module.result} == module.result
    quiet("repeat")
    same("repeat", "create")
    foreseen("change", "repeat")
    quiet("repeat change")
    same("repeat change", "change")
    bad = module.refusals[0]
    refused("bad input", "change", bad.words, bad.name)
    refused("good and bad input", "bad input", bad.words, bad.name)
    refused("another owner", "change", 'belongs to owner "docknet", not to "somebody"')
    refused("another owner absent", "change", 'belongs to owner "docknet", not to "somebody"')
    foreseen("remove", "change")
    same("remove", "before")
    same("foreign absent", "foreign")
    quiet("repeat remove")
    same("repeat remove", "before")
    refused("foreign present", "foreign", 'that owner "docknet" did not make')
    refused("foreign absent", "foreign", 'that owner "docknet" did not make')


def walk_directly(module: Module) -> dict[str, Any]:
    """By the module's main, on a machine of this process's own."""
    got: dict[str, Any] = {}
    with machine():
        for step in steps(module):
            if step.arguments is not None:
                got[step.name] = call(module.name, **step.arguments, _ansible_check_mode=step.check)
            else:
                got[step.name] = sh(step.shell) if step.shell else snapshot.snapshot()
    return got


def walk_by_ansible(module: Module, inventory: Path) -> dict[str, Any]:
    """By one play on the lab host of an inventory. `ansible-playbook --diff` says what it prints as result "printed"."""
    tasks, names = [], []
    for number, step in enumerate(steps(module, brief=True)):
        names.append(step.name)
        may_fail = step.arguments is not None
        tasks.append(
            {"name": step.name, "register": f"result_{number}", "ignore_errors": may_fail, **task(module, step)}
        )
    results = ", ".join(f"result_{number}" for number in range(len(tasks)))
    target = inventory.with_name("results.json")
    tasks.append({"ansible.builtin.copy": {"content": f"{{{{ [{results}] | to_json }}}}", "dest": str(target)}})
    printed = play(inventory, tasks)
    got = dict(zip(names, json.loads(target.read_text())))
    for step in steps(module, brief=True):
        if step.arguments is None and not step.shell:
            got[step.name] = json.loads(got[step.name]["stdout"])
    return {**got, "printed": printed}


def task(module: Module, step: Step) -> dict[str, Any]:
    if step.arguments is not None:
        return {f"{COLLECTION}.{module.name}": step.arguments, "check_mode": step.check}
    if step.shell:
        return {"ansible.builtin.command": {"argv": ["sh", "-euc", step.shell]}}
    return {"ansible.builtin.command": {"argv": [sys.executable, snapshot.__file__]}, "diff": False}


def play(inventory: Path, tasks: Sequence[dict[str, Any]], *options: str) -> str:
    """Run tasks on all hosts of an inventory in one play. Returns what was printed."""
    file = inventory.with_name("play.json")
    file.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": list(tasks)}]))
    command = [sys.executable, "-m", "ansible", "playbook", "--diff", "-i", str(inventory), str(file), *options]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_DIFF_CONTEXT": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, env=environment)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    return done.stdout
