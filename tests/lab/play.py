# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles played on lab hosts, as a user does who has the collection installed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from ansible_collections.netwright.docknet.tests.lab.lab import Lab
from ansible_collections.netwright.docknet.tests.patience import FACTOR

# Seconds for one run, on a machine that has other things to do.
PATIENCE = 1200 * FACTOR
TOPOLOGY = "netwright.docknet.topology"
LAST_TASK = f"{TOPOLOGY} : Bring this host to its part of the topology"


class Run(NamedTuple):
    """A finished ansible-playbook: when each line of its output came, by time.time(), and what it said on standard error."""

    code: int
    seen: list[tuple[float, str]]
    errors: str

    @property
    def whole(self) -> str:
        """All that it said."""
        return "\n".join([*(line for _when, line in self.seen), self.errors])

    @property
    def text(self) -> str:
        """The same, without long results: for a person."""
        return re.sub(r"=> \{.{2000,}", "=> {...}", self.whole)

    @property
    def changed(self) -> dict[str, int]:
        """The number of tasks that changed something on each host."""
        return {host: int(number) for host, number in re.findall(r"^(\w+) +: .*changed=(\d+)", self.whole, re.M)}

    @property
    def steps(self) -> dict[str, list[str]]:
        """Those tasks, in order."""
        found: dict[str, list[str]] = {host: [] for host in self.changed}
        for task, (_when, line) in self.of_tasks():
            if one := re.match(r"changed: \[(\w+)", line):
                found[one[1]].append(task.rpartition(" : ")[2])
        return found

    @property
    def built(self) -> dict[str, dict[str, Any]]:
        """What module topology returned on each host; it takes the option -v."""
        return {host: answer for host, (_when, answer) in self.answers(LAST_TASK).items()}

    def actions(self, host: str) -> list[str]:
        """What module topology did there."""
        return [f"{one['action']} {one['object']}" for one in self.built[host]["actions"]]

    def answers(self, wanted: str) -> dict[str, tuple[float, dict[str, Any]]]:
        """When each host was ready with a task, and what it answered."""
        found = {}
        for task, (when, line) in self.of_tasks():
            one = re.match(r"(?:ok|changed|fatal): \[(\w+)\](?:: \S+!)? => (\{.*)$", line)
            if one and task == wanted:
                with contextlib.suppress(ValueError):
                    found[one[1]] = (when, json.loads(one[2]))
        return found

    def of_tasks(self) -> Iterator[tuple[str, tuple[float, str]]]:
        """Each line with the task it is about."""
        task = ""
        for when, line in self.seen:
            title = re.match(r"TASK \[(.*)\] \*", line)
            task = title[1] if title else task
            yield task, (when, line)


def play_roles(
    home: Path,
    inventory: str,
    roles: Iterable[Any] = (TOPOLOGY,),
    options: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
    **variables: Any,
) -> Run:
    """Play roles on the group `nodes`, from the folder `home`."""
    return play_book(home, inventory, [{"roles": [*roles]}], options, environment, **variables)


def play_book(
    home: Path,
    inventory: str,
    plays: Iterable[Mapping[str, Any]],
    options: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
    **variables: Any,
) -> Run:
    """The same with plays of any kind, of which the hosts are `nodes` where they do not say others."""
    book = [{"name": "Play", "hosts": "nodes", "gather_facts": False, **play} for play in plays]
    (home / "play.yml").write_text(yaml.safe_dump(book, sort_keys=False))
    (home / "hosts.yml").write_text(inventory)
    (home / "vars.yml").write_text(yaml.safe_dump(variables))
    command = [sys.executable, "-m", "ansible", "playbook", "play.yml", "-i", "hosts.yml", "-e", "@vars.yml", *options]
    own = {"HOME": str(home), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_INJECT_FACT_VARS": "false", "PYTHONUNBUFFERED": "1"}
    with open(home / "errors", "w+", encoding="utf-8") as errors:
        pipes = {"stdout": subprocess.PIPE, "stderr": errors, "text": True}
        with subprocess.Popen(command, env={**os.environ, **own, **(environment or {})}, cwd=home, **pipes) as process:
            end = threading.Timer(PATIENCE, process.kill)
            end.start()
            try:
                seen = [(time.time(), line.rstrip("\n")) for line in process.stdout]
            finally:
                end.cancel()
        errors.seek(0)
        return Run(process.returncode, seen, errors.read())


def topology_player(home: Path, lab: Lab) -> Callable[..., Run]:
    """What runs role topology on a lab: with a document, options of ansible-playbook, another inventory, further variables."""

    def once(
        raw: Mapping[str, Any], *options: str, inventory: str | None = None, state: str = "present", **more: Any
    ) -> Run:
        words = {"docknet_topology": raw, "docknet_state": state}
        return play_roles(home, inventory or lab.inventory(), options=["-v", *options], **words, **more)

    return once
