# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted overlays by role topology: under a kernel that has WireGuard (`make test-vm`), and under one that has not.

What their packets do is told in tests/vm.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.netwright.docknet.tests.lab.lab import Lab
from ansible_collections.netwright.docknet.tests.lab.play import play_roles

NODES = ("node1", "node2")
DOCUMENT = {
    "name": "shop",
    "networks": {"net": {"driver": "overlay", "driver_opts": {"encrypted": ""}}},
    "containers": {"a1": {"host": "node1", "networks": ["net"]}, "b1": {"host": "node2", "networks": ["net"]}},
}
LEFT = "ip -o link | grep -v -e ' lo:' -e ' eth0@'; ls -A /var/lib/docknet /run/netns; nft list ruleset"


def wireguard():
    """Whether the kernel has it."""
    command = ["unshare", "-n", "ip", "link", "add", "type", "wireguard"]
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


@pytest.fixture(name="lab", scope="module")
def fixture_lab():
    with Lab(f"enc{os.getpid()}", NODES) as lab:
        yield lab


@pytest.fixture(name="play", scope="module")
def fixture_play(lab, tmp_path_factory):
    """Run role topology, as a user would who has the collection installed: (exit code, all that was said)."""
    home = tmp_path_factory.mktemp("home")

    def once(raw, *options, inventory=None, **variables):
        log = {"ANSIBLE_LOG_PATH": str(home / "log")}
        done = play_roles(
            home, inventory or lab.inventory(), options=options, environment=log, docknet_topology=raw, **variables
        )
        return done.code, done.whole + (home / "log").read_text()

    return once


class Watch:
    """The arguments and environments of all processes that were seen meanwhile."""

    def __init__(self):
        self.seen, self._ends = set(), threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exception):
        self._ends.set()
        self._thread.join()

    def _look(self):
        while not self._ends.is_set():
            for pid in filter(str.isdigit, os.listdir("/proc")):
                for file in ("cmdline", "environ"):
                    try:
                        self.seen.add(Path("/proc", pid, file).read_bytes())
                    except OSError:
                        continue
            time.sleep(0.05)


def key(host):
    return json.loads(host.run(["cat", "/var/lib/docknet/shop.key"]).stdout)


def left(host):
    said = host.run(["sh", "-c", LEFT], check=False).stdout
    return said.replace("/run/netns:", "").replace("/var/lib/docknet:", "").split()


def changed(text):
    """How many tasks changed something, by host."""
    return {host: int(number) for host, number in re.findall(r"^(\w+) +: ok=\d+ +changed=(\d+)", text, re.M)}


def reaches(lab):
    """From a1 to b1, by its name."""
    command = ["ip", "netns", "exec", "a1", "ping", "-c1", "-W2", "b1"]
    deadline = time.monotonic() + 60
    while lab.hosts["node1"].run(command, check=False, timeout=60).returncode:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def test_by_the_role(lab, play):
    if wireguard():
        the_whole_story(lab, play)
    else:
        refused_before_anything_is_changed(lab, play)


def refused_before_anything_is_changed(lab, play):
    code, text = play(DOCUMENT)
    assert code != 0
    assert re.search(r"Kernel \S+ has no links of type wireguard\. Install the package", text), text
    assert changed(text) == {"node1": 0, "node2": 0}
    assert [left(lab.hosts[name]) for name in NODES] == [[], []]


def the_whole_story(lab, play):
    foretold = play(DOCUMENT, "--check")
    assert foretold[0] == 0, foretold[1][-3000:]
    assert [left(lab.hosts[name]) for name in NODES] == [[], []]

    with Watch() as watch:
        code, said = play(DOCUMENT, "-vvvv", "--diff")
        assert code == 0, said[-3000:]
        assert reaches(lab)
        first = {name: key(lab.hosts[name]) for name in NODES}
        code, more = play(DOCUMENT, "-vvvv", "--diff", docknet_rekey=True)
        assert code == 0, more[-3000:]
        assert reaches(lab)
    second = {name: key(lab.hosts[name]) for name in NODES}
    public = {one["public_key"] for one in (*first.values(), *second.values())}
    assert len(public) == 4, "new ones everywhere"
    assert all(one in said + more for one in public), "what is told is told"
    for one in (*first.values(), *second.values()):
        assert one["private_key"] not in said + more
        assert not any(one["private_key"].encode() in words for words in watch.seen)
    assert watch.seen

    code, text = play(DOCUMENT)
    assert (code, changed(text)) == (0, {"node1": 0, "node2": 0})
    for options, away in (
        (["--limit=node1"], lab.inventory()),
        ([], lab.inventory().replace("/node2", "/node2-is-gone")),
    ):
        code, text = play(DOCUMENT, *options, inventory=away, docknet_rekey=True)
        assert code != 0
        assert "node2 cannot be given one in this run, so nothing is changed on any host" in " ".join(text.split())
    assert {name: key(lab.hosts[name]) for name in NODES} == second

    code, text = play({"name": "shop"}, docknet_state="absent")
    assert code == 0, text[-3000:]
    assert [left(lab.hosts[name]) for name in NODES] == [[], []]
