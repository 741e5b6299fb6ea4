# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Topologies on lab hosts by the modules alone, in the steps of role topology: for what Ansible's way there would only make slow."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.netwright.docknet.plugins.module_utils._topology.cluster import choose
from ansible_collections.netwright.docknet.tests.lab.lab import Host, Lab

# Seconds. The virtual machine may be a slow one.
PATIENCE = 300
CALL = """
import json, sys
from ansible_collections.netwright.docknet.tests.direct import call
print(json.dumps(call(sys.argv[1], **json.load(sys.stdin))))
"""


def ask(host: Host, module: str, **words: Any) -> dict[str, Any]:
    """The module's answer there, whatever it is."""
    command = [sys.executable, "-c", CALL, module]
    done = host.run(command, input=json.dumps(words), timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def each(hosts: Sequence[Host], module: str, words: Callable[[Host], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The answers of several, asked at once. None may fail."""
    command = [sys.executable, "-c", CALL, module]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    running = [(host, host.popen(command, **pipes)) for host in hosts]
    for host, process in running:
        process.stdin.write(json.dumps(words(host)))
        process.stdin.close()
        process.stdin = None
    found = {}
    for host, process in running:
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, out + err
        found[host.name] = json.loads(out.splitlines()[-1])
        assert not found[host.name].get("failed"), found[host.name]["msg"]
    return found


class Build:
    """A document on the lab's hosts: who is reached where, and what each answered last."""

    def __init__(self, lab: Lab, names: Sequence[str]) -> None:
        self.hosts = [lab.hosts[name] for name in names]
        self.peers = {host.name: host.address4 for host in self.hosts}
        self.keys: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, dict[str, Any]] = {}

    def run(self, raw: dict[str, Any], rotate: bool = False, **more: Any) -> dict[str, dict[str, Any]]:
        """As the role: a key for each that has containers, what each has, what all share, each one's part."""
        on = {one["host"] for one in raw["containers"].values()}
        some = [host for host in self.hosts if host.name in on]
        if any("encrypted" in one.get("driver_opts", {}) for one in raw["networks"].values()):
            self.keys = each(some, "wireguard_key", lambda _host: {"topology": raw["name"], "rotate": rotate})
        gathered = each(
            self.hosts, "topology_info", lambda host: {"topology": raw, "host": host.name, "peers": self.peers}
        )
        leases = choose(raw, [one["gathered"] for one in gathered.values()])
        self.answers = each(
            self.hosts,
            "topology",
            lambda host: {"topology": raw, "host": host.name, "peers": self.peers, "leases": leases, **more},
        )
        return self.answers

    def address(self, container: str, network: str, version: int = 4) -> str:
        found = [one["topology"]["containers"].get(container) for one in self.answers.values()]
        return next(one for one in found if one)["networks"][network][f"ipv{version}_address"]


def pings(host: Host, container: str, address: str, *options: str, patience: float = 30.0) -> bool:
    """Whether it is answered in that time: a first packet makes the two hosts agree on a session."""
    end = time.monotonic() + patience
    command = ["ip", "netns", "exec", container, "ping", "-n", "-c1", "-W2", *options, address]
    while host.run(command, check=False, timeout=60).returncode:
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def misses(host: Host, container: str, address: str) -> bool:
    return not pings(host, container, address, patience=0)


def udp_ports(frames: Sequence[bytes]) -> set[int]:
    """The ports that UDP over IPv4 and IPv6 is sent to."""
    starts = {b"\x08\x00": (23, 34), b"\x86\xdd": (20, 54)}
    found = set()
    for frame in frames:
        protocol, start = starts.get(frame[12:14], (0, 0))
        if protocol and frame[protocol] == 17:
            found.add(int.from_bytes(frame[start + 2 : start + 4], "big"))
    return found
