# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running container of Docker's or Podman's in a topology: attached as it runs, and afterwards what it was."""

from __future__ import annotations

import contextlib
import copy
import os
import subprocess
import time
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
NAME = f"docknet-test-{os.getpid()}"
PATIENCE = 60.0  # seconds for an engine to start, on a machine that has other things to do


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


class Container:
    """A container with an interface, a default route and a hosts file of its own. `ref`: what a document calls it."""

    ref: str

    def __init__(self, engine, image, *settings):
        self.engine = engine
        run(engine, "run", "--detach", f"--name={NAME}", "--hostname=legacy", *settings, image, "sleep", "600")
        self.pid = run(engine, "inspect", "--format", "{{.State.Pid}}", NAME)
        self.inside = f"nsenter --target {self.pid} --net"

    def says(self, script):
        return run(self.engine, "exec", NAME, "sh", "-c", script)

    def portrait(self):
        """What is its own: its files to the byte, with their inodes, its links, routes and rules."""
        files = self.says("md5sum /etc/hosts /etc/resolv.conf; stat -c '%i %s %a' /etc/hosts /etc/resolv.conf")
        shown = ("-o address show", "route show table all", "-6 route show table all", "rule", "-6 rule")
        return files, *(sh(f"{self.inside} ip {words}") for words in shown)

    def remove(self):
        with contextlib.suppress(AssertionError):
            run(self.engine, "rm", "--force", *(["--time=0"] if self.engine == "podman" else []), NAME)


# What Podman knows of its containers. Without /run/libpod it would think that the machine was started anew, and forget them.
PODMAN = ("/var/lib/containers", "/etc/containers", "/run/containers", "/run/libpod")


@contextlib.contextmanager
def podman():
    """The machine's Podman. Its networks are the machine's too, so the container has none of them."""
    image = run(str(MOLECULE / "default" / "image"))
    with host(keep=PODMAN) as here:
        container = Container("podman", image, "--network=none")
        try:
            own = """link add eth0 type bridge
                link set eth0 addrgenmode none
                link set eth0 up
                address add 172.17.0.2/16 dev eth0
                route add default via 172.17.0.1"""
            sh(f"{container.inside} ip -batch - <<'.'\n{own}\n.")
            yield here, container
        finally:
            container.remove()


# BusyBox with the libraries that it is linked with, where Debian's is.
IMAGE = r"""
root=/run/image
for file in /bin/busybox $(ldd /bin/busybox | grep -o '/[^ ]*' || true); do
    mkdir -p $root$(dirname $file) && cp $file $root$file
done
for name in sh sleep ping md5sum stat grep; do ln -s busybox $root/bin/$name; done
tar -C $root -c . | docker import - legacy
"""
# Debian's iptables is a choice made there.
DOCKER = ("/etc/alternatives",)
CGROUPS = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def docker():
    """An engine of the test's own, with its bridge and its iptables: what it has and makes is gone with the machine.

    But for processes, which end here, and their cgroups. A profile for AppArmor would stay, so it sees none.
    """
    settings = ["--storage-driver=vfs", "--exec-opt=native.cgroupdriver=cgroupfs", f"--cgroup-parent=/{NAME}"]
    with host(keep=DOCKER) as here, contextlib.ExitStack() as stack:
        sh("test ! -d /sys/kernel/security/apparmor || mount -t tmpfs none /sys/kernel/security")
        stack.callback(forget_cgroups)
        log = stack.enter_context(open("/run/dockerd.log", "w+"))
        daemon = subprocess.Popen(["dockerd", *settings], stdout=log, stderr=log)
        stack.callback(end, daemon)
        until_it_answers(daemon, log)
        sh(IMAGE)
        container = Container("docker", "legacy")
        stack.callback(container.remove)
        yield here, container


def until_it_answers(daemon, log):
    deadline = time.monotonic() + PATIENCE
    while subprocess.run(["docker", "version"], capture_output=True, timeout=60, check=False).returncode:
        log.seek(0)
        assert daemon.poll() is None and time.monotonic() < deadline, f"dockerd does not answer:\n{log.read()}"
        time.sleep(0.1)


def end(daemon):
    """It ends containerd, which it started."""
    daemon.terminate()
    try:
        daemon.wait(PATIENCE)
    finally:
        daemon.kill()


def forget_cgroups():
    """The kernel's folders are removed by removing them, from within."""
    for pattern in (NAME, f"*/{NAME}"):  # of version 2, and of version 1, where each controller has its own tree
        for top in CGROUPS.glob(pattern):
            for folder, _names, _files in os.walk(top, topdown=False):
                os.rmdir(folder)


@pytest.fixture(name="legacy", params=["podman by name", "docker by name", "docker by pid"])
def fixture_legacy(request, monkeypatch):
    monkeypatch.setenv("CONTAINERS_CONF", str(MOLECULE / "containers.conf"))
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/docker.sock")
    engine, _by, word = request.param.split()
    with {"podman": podman, "docker": docker}[engine]() as (here, container):
        container.ref = f"{engine}:{NAME}" if word == "name" else f"pid:{container.pid}"
        here.legacy = container
        yield here


def shop(legacy):
    # A process may have its host's files, so by its number it is told names only where something of that was asked for.
    names = {"links": ["web"]} if legacy.ref.startswith("pid:") else {}
    return {
        "name": "shop",
        "networks": {"front": {}, "back": {}},
        "containers": {
            "web": {"networks": ["front"]},
            "db": {"networks": ["back"]},
            "legacy": {"netns": legacy.ref, "networks": ["front"], "ports": ["8080:80"], **names},
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
    assert "default via 172.17.0.1 dev eth0" in sh(f"{container.inside} ip route")
    container.says("grep -qx '172.18.0.3\tlegacy' /etc/hosts")
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
