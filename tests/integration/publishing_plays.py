# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays of the rule modules on a lab host: a bridge with a container `web`, a neighbour, and an outside."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.netwright.docknet.tests.lab.lab import Lab

NETWORK = """
sysctl -qw net.ipv4.ip_forward=1
ip link add docknet0 type bridge; ip address add 172.17.0.1/16 dev docknet0; ip link set docknet0 up
ip netns add web; ip link add vweb type veth peer name eth0 netns web
ip link set vweb master docknet0 up; bridge link set dev vweb hairpin on
ip -n web link set lo up; ip -n web address add 172.17.0.3/16 dev eth0; ip -n web link set eth0 up
ip -n web route add default via 172.17.0.1
"""
# Says to each client how it sees him.
SERVER = """
import socket
with socket.create_server(("", 80)) as server:
    print("ready", flush=True)
    while True:
        peer, client = server.accept()
        with peer:
            peer.sendall(client[0].encode())
"""
CLIENT = "import socket, sys; print(socket.create_connection((sys.argv[1], int(sys.argv[2])), 3).recv(99).decode())"


@contextlib.contextmanager
def site(name: str) -> Iterator[Lab]:
    """Hosts node1 (with the bridge), node2 and outside; `web` and the outside have a server on port 80."""
    servers: list[subprocess.Popen] = []
    try:
        with Lab(f"{name}{os.getpid()}", ["node1", "node2"], outside=True) as lab:
            lab.hosts["node1"].run(["sh", "-euc", NETWORK])
            inside = ["ip", "netns", "exec", "web", sys.executable, "-c", SERVER]
            servers.append(lab.hosts["node1"].popen(inside, stdout=subprocess.PIPE))
            servers.append(lab.hosts["outside"].popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE))
            for server in servers:
                server.stdout.readline()
            yield lab
    finally:
        for server in servers:  # they end with the lab
            server.communicate(timeout=10)


def seen_by(lab: Lab, host: str, address: str, port: int, netns: str | None = None) -> str:
    """How the server that answers there sees this client; "" when none does."""
    inside = ["ip", "netns", "exec", netns] if netns else []
    return lab.hosts[host].run([*inside, sys.executable, "-c", CLIENT, address, str(port)], check=False).stdout.strip()


def play(lab: Lab, folder: Path, *tasks: Any) -> str:
    """Run tasks on node1. Returns what Ansible printed."""
    flat = [step for task in tasks for step in (task if isinstance(task, list) else [task])]
    (folder / "inventory.yml").write_text(lab.inventory(sys.executable))
    (folder / "play.json").write_text(json.dumps([{"hosts": "node1", "gather_facts": False, "tasks": flat}]))
    command = [sys.executable, "-m", "ansible", "playbook", "--diff", "-i", "inventory.yml", "play.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    return done.stdout


def run(module: str, words: dict[str, Any], register: str, check: bool = False, **keywords: Any) -> dict[str, Any]:
    return {f"netwright.docknet.{module}": words, "register": register, "check_mode": check, **keywords}


def expect(*conditions: str) -> dict[str, Any]:
    return {"ansible.builtin.assert": {"that": list(conditions), "quiet": True}}


def shell(line: str, **keywords: Any) -> dict[str, Any]:
    return {"ansible.builtin.shell": line, "changed_when": False, **keywords}


LOOK = "nft list ruleset; grep . /proc/sys/net/ipv4/conf/*/route_localnet"


def refused(module: str, *cases: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Each task, (its words, sentences), fails with the sentences and says that it has done nothing; and so it is."""
    tasks = []
    for words, *sentences in cases:
        wrong = ["no.msg is not defined", "no.changed", "no.actions != []"]
        wrong += [f"sentences[{number}] not in no.msg" for number in range(len(sentences))]
        tasks.append({**run(module, words, "no"), "failed_when": " or ".join(wrong), "vars": {"sentences": sentences}})
    return untouched(*tasks)


def untouched(*tasks: dict[str, Any]) -> list[dict[str, Any]]:
    """After these tasks the host's rules are what they were."""
    same = expect("rules_before.stdout == rules_after.stdout")
    return [shell(LOOK, register="rules_before"), *tasks, shell(LOOK, register="rules_after"), same]


def checked_then_done(module: str, words: dict[str, Any], register: str, *conditions: str) -> list[dict[str, Any]]:
    """In check mode, which writes nothing and says what will be; done; and again, which changes nothing."""
    return [
        *untouched(run(module, words, "checked", check=True)),
        run(module, words, register),
        run(module, words, "repeated"),
        expect(
            "checked is changed",
            f"{register} is changed",
            f"checked.actions == {register}.actions",
            f"checked.diff == {register}.diff",
            "repeated is not changed",
            "repeated.actions == []",
            "repeated.diff.before == repeated.diff.after",
            *conditions,
        ),
    ]
