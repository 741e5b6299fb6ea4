# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running container of Podman's in a topology: attached as it runs, and afterwards what it was."""

from __future__ import annotations

import contextlib
import copy
import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.netwright.docknet.tests.kernel.machine import sh
from ansible_collections.netwright.docknet.tests.kernel.publishing import HOST4
from ansible_collections.netwright.docknet.tests.kernel.topologies import (
    Flow,
    address,
    built,
    endpoint,
    host,
    misses,
    reaches,
    steps,
    topology,
)

MOLECULE = Path(__file__).resolve().parents[2] / "molecule"
# What Podman knows of its containers. Without /run/libpod it would think that the machine was started anew, and forget them.
PODMAN = ("/var/lib/containers", "/etc/containers", "/run/containers", "/run/libpod")
NAME = f"docknet-test-{os.getpid()}"


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


class Container:
    """A container with an interface, a default route and a hosts file of its own."""

    def __init__(self, image):
        settings = ["--detach", f"--name={NAME}", "--hostname=legacy", "--network=none"]
        run("podman", "run", *settings, image, "sleep", "600")
        pid = run("podman", "inspect", "--format", "{{.State.Pid}}", NAME)
        self.inside = f"nsenter --target {pid} --net"
        own = """link add eth0 type bridge
            link set eth0 addrgenmode none
            link set eth0 up
            address add 10.88.0.5/16 dev eth0
            route add default via 10.88.0.1"""
        sh(f"{self.inside} ip -batch - <<'.'\n{own}\n.")
        self.ref = f"podman:{NAME}"

    def says(self, script):
        return run("podman", "exec", NAME, "sh", "-c", script)

    def portrait(self):
        """What is its own: its files to the byte, with their inodes, its links, routes and rules."""
        files = self.says("md5sum /etc/hosts /etc/resolv.conf; stat -c '%i %s %a' /etc/hosts /etc/resolv.conf")
        shown = ("-o address show", "route show table all", "-6 route show table all", "rule", "-6 rule")
        return files, *(sh(f"{self.inside} ip {words}") for words in shown)


@pytest.fixture(name="legacy")
def fixture_legacy(monkeypatch):
    monkeypatch.setenv("CONTAINERS_CONF", str(MOLECULE / "containers.conf"))
    image = run(str(MOLECULE / "default" / "image"))
    with host(keep=PODMAN) as here:
        try:
            here.legacy = Container(image)
            yield here
        finally:
            with contextlib.suppress(AssertionError):
                run("podman", "rm", "--force", "--time=0", NAME)


def shop(legacy):
    return {
        "name": "shop",
        "networks": {"front": {}, "back": {}},
        "containers": {
            "web": {"networks": ["front"]},
            "db": {"networks": ["back"]},
            "legacy": {"netns": legacy.ref, "networks": ["front"], "ports": ["8080:80"]},
        },
    }


def test_a_running_container_is_attached_and_afterwards_what_it_was(legacy):
    """It keeps its own interface and default route; it knows the others by name, and they it."""
    container = legacy.legacy
    before = container.portrait()
    document = shop(container)
    done = built(document)
    mine = address(done, "legacy", "front")
    assert endpoint(done, "legacy", "front")["interface"] == "eth1"
    container.says("ping -q -c1 -W2 web && ping -q -c1 -W2 web.front")
    assert reaches("web", "legacy") and misses("db", mine)
    assert "default via 10.88.0.1 dev eth0" in sh(f"{container.inside} ip route")
    container.says("grep -qP '^172.18.0.3\\tlegacy$' /etc/hosts")
    # Another machine reaches what is published, and the answer leaves by the interface that the question came to.
    port = {"client": "lan", "to": (HOST4, 8080), "server": container.ref, "port": 80}
    with Flow(legacy, **port) as flow:
        two = copy.deepcopy(document)
        two["containers"]["legacy"]["networks"] = ["front", "back"]
        done = built(two)
        assert endpoint(done, "legacy", "back")["interface"] == "eth2"
        container.says("ping -q -c1 -W2 db")
        built(document)
        assert flow.goes_on(), flow.error
    del document["containers"]["legacy"]
    gone = steps(topology(document))
    assert f"delete hosts block shop in {container.ref}" in gone
    assert not topology(document)["changed"]
    assert container.portrait() == before


def test_it_is_what_it_was_when_the_whole_topology_goes(legacy):
    before = legacy.legacy.portrait()
    built(shop(legacy.legacy))
    topology({"name": "shop"}, state="absent")
    assert legacy.legacy.portrait() == before
    assert not topology({"name": "shop"}, state="absent")["changed"]
