# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be closed before a run and after it is closed all the while, for containers that run and answer already.

A datagram a millisecond from the LAN, from another network and from a neighbour, while networks come, change and go: none is
answered. And connections that were let in end with the run that forbids them.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netwright.docknet.tests.kernel.machine import sh
from ansible_collections.netwright.docknet.tests.kernel.topologies import Flow, host, topology, until

HAMMER = """
import signal, socket, sys, time
ends, answers, on = [], {}, [True]
signal.signal(signal.SIGTERM, lambda *_given: on.clear())
for word in sys.argv[1:]:
    address, _colon, port = word.rpartition(":")
    client = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    client.setblocking(False)
    ends.append((client, (address, int(port)), word))
print("ready", flush=True)
while on:
    for client, end, word in ends:
        try:
            client.sendto(b"hello", end)
        except OSError:
            pass
        try:
            while client.recv(100):
                answers[word] = answers.get(word, 0) + 1
        except OSError:
            pass
    time.sleep(0.0007)
print(answers)
"""
# Those that run already, as an engine's containers do, each with a process.
RUNNING = dict.fromkeys(("web", "q1", "q2", "inner"), 0)
FRONT4, FRONT6, BACK, QUIET, INNER = "172.20.0.2", "fd20::2", "172.21.0.2", "172.23.0.2", "172.22.0.2"


def subnets(*some: str, **words: Any) -> dict[str, Any]:
    six = {"enable_ipv6": True} if any(":" in one for one in some) else {}
    return {**six, "ipam": {"config": [{"subnet": one} for one in some]}, **words}


def shop(front: dict[str, Any] | None = None, more: dict[str, Any] | None = None, **web: Any) -> dict[str, Any]:
    """`web` is on front, unless said otherwise, and published on 127.0.0.1."""
    ends = {name: {"netns": f"pid:{process}"} for name, process in RUNNING.items()}
    return {
        "name": "shop",
        "networks": {
            "front": subnets("172.20.0.0/24", "fd20::/64", **(front or {})),
            "back": subnets("172.21.0.0/24"),
            "quiet": subnets("172.23.0.0/24", driver_opts={"enable_icc": "false"}),
            "inner": subnets("172.22.0.0/24", internal=True),
        },
        "containers": {
            "web": {**ends["web"], "networks": ["front"], "ports": ["127.0.0.1:8081:80/udp"], **web},
            "q1": {**ends["q1"], "networks": ["quiet"]},
            "q2": {**ends["q2"], "networks": ["quiet"]},
            "inner": {**ends["inner"], "networks": ["inner"]},
            **(more or {}),
        },
    }


def documents() -> Iterator[dict[str, Any]]:
    """One after the other. What is asked below is closed in all of them."""
    yield shop()
    yield shop(ports=["8080:80/udp"], more={"new": {"networks": ["front", "quiet"]}})
    yield shop({"driver_opts": {"mtu": 1400}})
    yield shop({"internal": True}, more={"new": {"networks": ["quiet", "inner"]}})
    yield shop({"driver_opts": {"enable_icc": "false"}}, networks=["back"])
    yield shop(networks=["quiet", "front"])


@pytest.fixture
def here():
    with host() as found, contextlib.ExitStack() as stack:
        sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
        sh("ip -n lan route add 172.16.0.0/12 via 198.51.100.1; ip -n lan -6 route add fd20::/16 via fd51::1")
        for name in RUNNING:
            sh(f"ip netns add {name}; ip -n {name} link set lo up; cp /etc/hosts /run/hosts.{name}")
            found.serve(name, 80)
            own = f"mount --bind /run/hosts.{name} /etc/hosts; exec sleep 600"
            process = stack.enter_context(subprocess.Popen(["ip", "netns", "exec", name, "sh", "-ec", own]))
            stack.callback(process.kill)
            RUNNING[name] = process.pid
        assert until(lambda: all(Path(f"/proc/{pid}/comm").read_text() == "sleep\n" for pid in RUNNING.values()))
        yield found


@contextlib.contextmanager
def hammered(here: Any, **places: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Ask these all the time, from these places. What it yields says afterwards who was answered how often."""
    running, found = {}, {}
    for where, ends in places.items():
        with here.inside(where):
            running[where] = subprocess.Popen(
                [sys.executable, "-ISc", HAMMER, *ends], stdout=subprocess.PIPE, text=True
            )
        assert running[where].stdout.readline() == "ready\n"
    try:
        yield found
    finally:
        for where, process in running.items():
            process.terminate()
            found[where] = process.communicate(timeout=20)[0].strip()


def test_nothing_is_answered_while_networks_come_change_and_go(here):
    topology(
        {"name": "base", "networks": {"own": subnets("172.29.0.0/24")}, "containers": {"other": {"networks": ["own"]}}}
    )
    closed = tuple(f"{one}:80" for one in (FRONT4, FRONT6, BACK, QUIET, INNER))
    with hammered(
        here, lan=(*closed, "198.51.100.1:8081"), other=closed, q2=(f"{QUIET}:80", f"{FRONT4}:80")
    ) as answered:
        for _round in range(2):
            for document in documents():
                topology(document)
            topology({"name": "shop"}, state="absent")
    assert answered == {"lan": "{}", "other": "{}", "q2": "{}"}
    topology(shop(ports=["8080:80/udp"]))
    with hammered(here, lan=("198.51.100.1:8080",)) as answered:
        assert until(lambda: here.ask("lan", "198.51.100.1", 8080, "udp", 0.2))
        time.sleep(0.3)
    assert "8080" in answered["lan"], "what is published is answered, and counted"


def alone(**options: str) -> dict[str, Any]:
    """Nothing but web, on front, with a published port, as rules of the kernel's connections need one."""
    document = shop({"driver_opts": options}, ports=["8082:80/udp", "8082:81"])
    some = {"networks": ("front",), "containers": ("web",)}
    return {"name": "shop", **{sort: {name: document[sort][name] for name in names} for sort, names in some.items()}}


ALLOWED = {
    "mode nat-unprotected": {"gateway_mode": "nat-unprotected"},
    "mode routed": {"gateway_mode": "routed"},
    "a trusted interface": {"trusted_host_interfaces": "lan0"},
}


@pytest.mark.parametrize("way", [*ALLOWED, "the table was away"])
def test_a_connection_ends_with_the_run_that_forbids_it(here, way):
    """Also one that came in while our table was away, beside somebody else's rules that track connections."""
    sh("nft 'table inet other { chain i { type filter hook input priority 0; ct state established accept; }; }'")
    topology(alone(**ALLOWED.get(way, {})))
    if way not in ALLOWED:
        sh("nft delete table inet docknet")
    with Flow(here, "lan", (FRONT4, 81), "web", 81) as four, Flow(here, "lan", (FRONT6, 81), "web", 81) as six:
        asked = [(address, 4000 + number) for number, address in enumerate((FRONT4, FRONT6))]
        for address, own_port in asked:
            assert here.ask("lan", address, 80, "udp", own_port=own_port)
        assert four.goes_on() and six.goes_on()
        topology(alone())
        for address, own_port in asked:
            assert not here.ask("lan", address, 80, "udp", 0.2, own_port)
        assert not four.goes_on(0.3) and not six.goes_on(0.3)


def test_a_connection_that_a_container_began_goes_on(here):
    topology(alone(gateway_mode="nat-unprotected"))
    with (
        Flow(here, "web", ("198.51.100.2", 81), "lan", 81) as four,
        Flow(here, "web", ("fd51::2", 82), "lan", 82) as six,
    ):
        topology(alone())
        assert four.goes_on() and six.goes_on()
