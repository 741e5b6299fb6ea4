# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An overlay that changes from static entries to a routing daemon's and back, while packets go through it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import pytest
import yaml
from ansible_collections.netwright.docknet.tests.lab.lab import Lab

NODES = ("node1", "node2", "node3")
PATIENCE = 600
ROLES = """
- name: Build
  hosts: nodes
  gather_facts: false
  roles: [{roles}]
"""
BOTH = "netwright.docknet.evpn, netwright.docknet.topology"


def document(control):
    net = {"driver": "overlay", "enable_ipv6": True, "driver_opts": {"control_plane": control}}
    containers = {f"c{number}": {"host": f"node{number}", "networks": ["net"]} for number in (1, 2, 3)}
    return {"name": "shop", "networks": {"net": net}, "containers": containers}


@pytest.fixture(name="lab", scope="module")
def fixture_lab():
    with Lab(f"swap{os.getpid()}", NODES) as lab:
        yield lab


@pytest.fixture(name="play", scope="module")
def fixture_play(lab, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    (home / "hosts.yml").write_text(lab.inventory())

    def play(control, roles=BOTH, **variables):
        (home / "play.yml").write_text(ROLES.format(roles=roles))
        (home / "vars.yml").write_text(yaml.safe_dump({"docknet_topology": document(control), **variables}))
        command = [sys.executable, "-m", "ansible", "playbook", "play.yml", "-i", "hosts.yml", "-e", "@vars.yml"]
        done = subprocess.run(
            command,
            env={**os.environ, "HOME": str(home), "ANSIBLE_NOCOLOR": "1"},
            cwd=home,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr
        return sum(int(count) for count in re.findall(r"changed=(\d+)", done.stdout))

    return play


class Flow:
    """A ping every 10 ms from c1 to c3, from its making on; `end` gives how many were sent and how many of them lost."""

    def __init__(self, lab):
        command = ["ip", "netns", "exec", "c1", "ping", "-q", "-i0.01", "c3"]
        script = '"$@" & read -r _; kill -INT $!; wait $!'  # nsenter hands on no signals
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = lab.hosts["node1"].popen(["sh", "-c", script, "sh", *command], **pipes)

    def end(self):
        said = self.process.communicate("\n", timeout=60)[0]
        sent, received = re.search(r"(\d+) packets transmitted, (\d+) received", said).groups()
        return int(sent), int(sent) - int(received)


def entries(lab, name="node1"):
    return lab.hosts[name].run(["sh", "-c", "bridge fdb show | grep ' dst '"], check=False).stdout


def reaches(lab, name):
    words = ["ip", "netns", "exec", "c2", "ping", "-c1", "-W1", name]
    return lab.hosts["node2"].run(words, check=False).returncode == 0


def until(condition, what):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def test_from_static_to_evpn_and_back(lab, play):
    play("static", "netwright.docknet.topology")
    assert reaches(lab, "c1") and reaches(lab, "c3")

    there = Flow(lab)
    play("evpn")
    until(lambda: "extern_learn" in entries(lab), "BGP has told where c3 is")
    time.sleep(1)
    sent, lost = there.end()
    print(f"static -> evpn: {lost} of {sent} lost")
    assert sent > 100 and lost <= 100, "what a second has, at most"
    assert " static" not in entries(lab), "none of ours is left"
    assert play("evpn") == 0, "the second run changes nothing"

    # A container that is no document's appears on the others without any run there.
    lab.hosts["node2"].run(["ip", "-n", "c2", "address", "add", "10.0.1.200/24", "dev", "eth0"])
    lab.hosts["node2"].run(["ip", "-n", "c2", "link", "set", "eth0", "address", "02:00:00:00:00:c8"])
    stranger = ["ip", "netns", "exec", "c1", "ping", "-c1", "-W1", "10.0.1.200"]
    until(lambda: lab.hosts["node1"].run(stranger, check=False).returncode == 0, "the new one is found")
    until(lambda: "02:00:00:00:00:c8" in entries(lab), "and known")

    # Back: the daemon takes its entries with it, and the run that follows puts ours.
    back = Flow(lab)
    play("static", docknet_evpn_state="absent")
    time.sleep(1)
    sent, lost = back.end()
    print(f"evpn -> static: {lost} of {sent} lost")
    assert sent > 100
    assert lost < sent, "it goes on"
    assert "extern_learn" not in entries(lab)
    assert reaches(lab, "c1") and reaches(lab, "c3")
    assert play("static", docknet_evpn_state="absent") == 0
