# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation shows is run: the examples of every module, each task twice, on a lab host of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from ansible_collections.netwright.docknet.tests.lab.lab import Lab

CHECKOUT = Path(__file__).resolve().parents[2]
# Not every kernel has what these need: tests/vm runs their examples.
STOCK = ("ipvlan_net", "wireguard_key")
FILES = (CHECKOUT / "plugins" / "modules").glob("*.py")
MODULES = sorted(path.stem for path in FILES if path.stem not in ("__init__", *STOCK))

NETWORK = [
    {"netwright.docknet.linux_bridge": {"name": "docknet0", "addresses": ["172.17.0.1/16"]}},
    {"netwright.docknet.netns": {"config": [{"name": "web"}, {"name": "db"}]}},
    {
        "netwright.docknet.veth_pair": {
            "config": [
                {
                    "a": {"name": f"v{name}", "master": "docknet0"},
                    "b": {"name": "eth0", "netns": name, "addresses": [address], "gateway": ["172.17.0.1"]},
                }
                for name, address in (("web", "172.17.0.2/16"), ("db", "172.17.0.3/16"))
            ]
        }
    },
]
README = "readme"
# What an example takes for granted.
BEFORE = {"dnat_rule": NETWORK, "container_hosts_link": NETWORK, "netns_info": NETWORK}


def examples(module: str) -> list[dict]:
    tree = compile((CHECKOUT / "plugins" / "modules" / f"{module}.py").read_text(), module, "exec", 0x400)
    texts = {
        node.targets[0].id: node.value.value
        for node in tree.body
        if type(node).__name__ == "Assign" and hasattr(node.value, "value")
    }
    return yaml.safe_load(texts["EXAMPLES"])


def readme() -> list[dict]:
    """The first playbook of README.md."""
    return yaml.safe_load((CHECKOUT / "README.md").read_text().split("```yaml\n")[1].split("```")[0])


def twice(task: dict) -> list[dict]:
    """The task, and its repeat, which fails if it changes anything."""
    result = task.get("register", "again")
    repeat = {"register": result, "failed_when": f"{result} is failed or {result} is changed"}
    return [task, {**task, **repeat, "name": f"{task['name']} (again)"}]


def run(folder: Path, modules: Sequence[str], more: Sequence[dict] = ()) -> tuple[dict[str, str], str]:
    """One ansible-playbook over these modules' examples, each on a lab host of its own: host -> its line of the recap, and all output."""
    with Lab(f"ex{os.getpid()}", [*map(host_of, modules), README]) as lab:
        (folder / "inventory.yml").write_text(lab.inventory(sys.executable))
        plays = [
            {
                "hosts": host_of(module),
                "gather_facts": False,
                "pre_tasks": BEFORE.get(module, []),
                "tasks": [step for task in examples(module) for step in twice(task)],
            }
            for module in modules
        ]
        (folder / "play.yml").write_text(yaml.safe_dump([*plays, *more], sort_keys=False))
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "inventory.yml", "play.yml"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=1000, check=False)
    lines = dict(re.findall(r"^(\S+)\s+: (ok=.*)$", done.stdout, re.MULTILINE))
    return lines, done.stdout + done.stderr


def judge(module: str, lines: dict[str, str], output: str) -> None:
    assert re.search(r"unreachable=0 +failed=0 ", lines.get(host_of(module), "")), output[-6000:]
    assert not lines[host_of(module)].startswith("ok=0")


@pytest.fixture(name="recap", scope="module")
def fixture_recap(tmp_path_factory):
    # Without the sudo that a bare machine does not have.
    more = [{**play, "hosts": README, "become_method": "su"} for play in readme()] * 2
    return run(tmp_path_factory.mktemp("examples"), MODULES, more)


def host_of(module: str) -> str:
    return module.replace("_", "-")


@pytest.mark.parametrize("module", MODULES)
def test_examples_when_run_twice_then_the_second_time_changes_nothing(recap, module):
    judge(module, *recap)


def test_readme_when_its_playbook_is_run_then_there_is_a_container_on_a_bridge(recap):
    lines, output = recap
    assert re.search(r"unreachable=0 +failed=0 ", lines.get(README, "")), output[-6000:]
