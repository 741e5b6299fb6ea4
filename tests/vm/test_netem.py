# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad lines (tc-netem(8)), on a stock Debian kernel: what is carried over them, and whose the queues are that make them bad."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys

import pytest
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.machine import ip, sh
from ansible_collections.netwright.docknet.tests.kernel.topologies import built, host
from ansible_collections.netwright.docknet.tests.lab.lab import Lab
from ansible_collections.netwright.docknet.tests.vm.encrypted import PATIENCE, Build, ask

BAD = "netem delay 5ms reorder 25% 50% loss 2% duplicate 1%"
NODES = ("node1", "node2")
LAB = {
    "name": "shop",
    "networks": {
        "wire": {"driver": "overlay", "driver_opts": {"encrypted": ""}},
        "plain": {"driver": "overlay"},
    },
    "containers": {
        "a1": {"host": "node1", "networks": ["wire", "plain"], "ports": ["8080:80"]},
        "b1": {"host": "node2", "networks": ["wire", "plain"]},
    },
}
# Gives back what it is given, and says who gave it.
SERVE = """
import socket
server = socket.create_server(("", 80))
print("ready", flush=True)
there, peer = server.accept()
there.sendall(b"".join(iter(lambda: there.recv(1 << 16), b"")))
there.close()
print(peer[0], flush=True)
"""
SEND = """
import random, socket, sys
data = random.Random(4).randbytes(1 << 20)
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as there:
    there.sendall(data)
    there.shutdown(socket.SHUT_WR)
    print(b"".join(iter(lambda: there.recv(1 << 16), b"")) == data)
"""


@pytest.fixture(name="lab", scope="module")
def fixture_lab():
    with Lab("bad", NODES, outside=True) as lab:
        for name in NODES:
            lab.hosts[name].run(["sh", "-c", f"tc qdisc add dev eth0 root {BAD}"], timeout=120)
        yield lab


@pytest.fixture(name="build", scope="module")
def fixture_build(lab):
    build = Build(lab, NODES)
    build.run(LAB)
    return build


def queue(host, statistics=False):
    """The queue of its underlay, as tc(8) tells it."""
    words = ["tc", "-s", "-j", "qdisc"] if statistics else ["tc", "-j", "qdisc"]
    return json.loads(host.run([*words, "show", "dev", "eth0"]).stdout)[0]


def dropped(lab):
    return sum(queue(lab.hosts[name], statistics=True)["drops"] for name in NODES)


@contextlib.contextmanager
def served(host, container):
    """A list that has in the end whom the server there served."""
    command = ["ip", "netns", "exec", container, sys.executable, "-c", SERVE]
    guests = []
    with host.popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert select.select([process.stdout], [], [], PATIENCE)[0]
            assert process.stdout.readline() == "ready\n"
            yield guests
            guests.append(process.stdout.readline().strip())
        finally:
            process.kill()


def carried(host, address, port, container=None):
    """Whether a megabyte goes there and comes back as it was."""
    inside = ["ip", "netns", "exec", container] if container else []
    done = host.run([*inside, sys.executable, "-c", SEND, address, str(port)], timeout=PATIENCE, check=False)
    return done.stdout == "True\n", done.stderr


@pytest.mark.parametrize("network", ["wire", "plain"])
def test_an_overlay_carries_all_of_it(lab, build, network):
    lost = dropped(lab)
    with served(lab.hosts["node2"], "b1") as guests:
        assert carried(lab.hosts["node1"], build.address("b1", network), 80, "a1") == (True, "")
    assert guests == [build.address("a1", network)]
    assert dropped(lab) > lost, "the line was none of the good ones"


def test_a_published_port_too(lab, build):
    assert build.answers
    lost = dropped(lab)
    with served(lab.hosts["node1"], "a1") as guests:
        assert carried(lab.hosts["outside"], lab.hosts["node1"].address4, 8080) == (True, "")
    assert guests == [lab.hosts["outside"].address4]
    assert dropped(lab) > lost


def test_a_run_changes_nothing_of_it_and_neither_does_the_end(lab, build):
    before = {name: queue(lab.hosts[name]) for name in NODES}
    assert {one["kind"] for one in before.values()} == {"netem"}
    assert not any(one["changed"] for one in build.run(LAB).values())
    assert {name: queue(lab.hosts[name]) for name in NODES} == before
    for name in NODES:
        assert ask(lab.hosts[name], "topology", topology={"name": "shop"}, state="absent")["changed"]
    assert {name: queue(lab.hosts[name]) for name in NODES} == before


SHOP = {
    "name": "shop",
    "networks": {"front": {"enable_ipv6": True, "name": "front0"}, "back": {"internal": True}},
    "containers": {
        "web": {"networks": ["front"], "ports": ["8080:80", "5353:53/udp"]},
        "mate": {"networks": ["front"]},
        "db": {"networks": ["back"]},
        "log": {"networks": ["back"]},
    },
}


def queues():
    """All that somebody set, wherever it is: tc(8) calls the kernel's own noqueue."""
    found = {}
    for place in ("", *sh("ip netns list | cut -d' ' -f1").split()):
        said = sh(f"tc {f'-n {place}' if place else ''} -j qdisc show")
        found |= {(place, one["dev"]): one for one in json.loads(said or "[]") if one["kind"] != "noqueue"}
    return found


def test_queues_on_what_is_ours_are_whose_they_are():
    """Of a container's two ends, of its bridge, and of a pair by hand: while all is as it should be, and while it changes."""
    with host():
        built(SHOP)
        inner = ip("-n web link show eth0")[0]["link_index"]
        end = next(link["ifname"] for link in ip("link show master front0") if link["ifindex"] == inner)
        pair = {"a": {"name": "va"}, "b": {"name": "vb"}}
        assert call("veth_pair", **pair)["changed"]
        sh(f"""
        tc qdisc add dev {end} root tbf rate 50mbit burst 64kb latency 400ms
        tc qdisc add dev front0 root netem delay 1ms
        tc -n web qdisc add dev eth0 root netem delay 2ms loss 1%
        tc qdisc add dev va root netem delay 3ms
        """)
        before = queues()
        assert {place for place, _device in before} == {"", "web"} and len(before) == 4
        assert not call("topology", topology=SHOP)["changed"]
        assert not call("veth_pair", **pair)["changed"]
        assert queues() == before
        changed = json.loads(json.dumps(SHOP))
        changed["networks"]["front"]["driver_opts"] = {"mtu": 1400}
        changed["containers"]["web"] = {
            "networks": {"front": {"aliases": ["www"], "mac_address": "02:42:00:00:00:99"}, "back": {}},
            "ports": ["8081:80"],
        }
        built(changed)
        assert call("veth_pair", **pair, mtu=1400)["changed"]
        assert queues() == before


def test_paths_are_judged_by_what_arrives_not_by_when():
    """As role validate tries them: three packets of a hundred are lost, and an answer takes most of a second."""
    with host():
        built(SHOP)
        for name in SHOP["containers"]:
            sh(f"tc -n {name} qdisc add dev eth0 root netem delay 300ms 50ms loss 3%")
        answer = call("path_info", topology=SHOP, timeout=10)
        assert not answer.get("failed"), answer["msg"]
        assert {(one["protocol"], one["expected"]) for one in answer["paths"]} >= {
            ("icmp", True),
            ("tcp", True),
            ("udp", True),
            ("tcp", False),
        }
        sh("ip -n mate link set eth0 down")
        answer = call("path_info", topology=SHOP, timeout=10)
        wrong = {(one["source"], one["target"]) for one in answer["paths"] if one["ok"] is False}
        assert wrong and all("mate" in pair for pair in wrong), wrong
