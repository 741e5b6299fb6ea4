# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of a topology where systemd runs: transient units, kept running, told of changes, gone without a trace.

A real systemd is the first process of namespaces of its own. It knows no units but the test's and those it is asked for,
and sees none of the machine's /tmp, /run, /etc and state: nothing of the machine is its to start, mount or clean.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NAME = f"docknet-test-{os.getpid()}"
CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0  # seconds, on a machine that has other things to do

# In a mount namespace of its own, whatever version of cgroups the machine uses: a group of version 2, the root of what
# systemd sees of them.
GROUP = r"""
mount -t cgroup2 cgroup /mnt
mkdir /mnt/$NAME
echo $$ >/mnt/$NAME/cgroup.procs
umount /mnt
exec unshare --cgroup --pid --fork --kill-child --net --uts --ipc sh -euc "$BOOT"
"""
FORGET = r"""
mount -t cgroup2 cgroup /mnt
test ! -d /mnt/$NAME || find /mnt/$NAME -depth -type d -exec rmdir {} +
"""
# `container`: systemd is told that it is in one, and leaves to the machine what is the machine's, such as its console.
BOOT = r"""
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup /sys/fs/cgroup
for folder in fs kernel vm; do
    mount --bind /proc/sys/$folder /proc/sys/$folder
    mount -o remount,bind,ro /proc/sys/$folder
done
mount --rbind "$CHECKOUT" /mnt
for folder in /run /tmp /etc /var/lib /var/log /var/tmp; do mount -t tmpfs own $folder; done
mkdir -p "$CHECKOUT"
mount --rbind /mnt "$CHECKOUT"
mkdir /run/dev /run/dev/shm /run/dev/pts
for node in null zero full random urandom; do
    touch /run/dev/$node
    mount --bind /dev/$node /run/dev/$node
done
ln -s /proc/self/fd /run/dev/fd
mount --rbind /run/dev /dev

printf 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n' >/etc/passwd
printf 'root:x:0:\nnogroup:x:65534:\n' >/etc/group
printf '127.0.0.1\tlocalhost\n' >/etc/hosts
printf 'nameserver 198.51.100.2\n' >/etc/resolv.conf
printf '0123456789abcdef0123456789abcdef\n' >/etc/machine-id
ip link set lo up
ip link add lan0 type veth peer name lan1
ip link set lan0 up
ip link set lan1 up

mkdir /run/units
for unit in sysinit basic shutdown default; do
    printf '[Unit]\nDefaultDependencies=no\n' >/run/units/$unit.target
done
exec env --ignore-environment PATH=$PATH container=docknet SYSTEMD_UNIT_PATH=/run/systemd/transient:/run/units \
    SYSTEMD_GENERATOR_PATH=/run/none SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/run/none \
    /lib/systemd/systemd --system --log-target=console
"""
CALL = """
import json, sys
from ansible_collections.netwright.docknet.tests.direct import call
print(json.dumps(call("topology", **json.load(sys.stdin))))
"""


class Machine:
    """`first`: the process that is systemd."""

    def __init__(self, first: int) -> None:
        self.first = first

    def says(self, *words: str, text: str = "", check: bool = True) -> str:
        inside = ["nsenter", "--target", str(self.first), "--all", "--", *words]
        done = subprocess.run(inside, input=text, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0 or not check, f"{words}\n{done.stdout}{done.stderr}"
        return done.stdout

    def topology(self, document: dict[str, Any], **words: Any) -> list[str]:
        """The steps of a run, foretold by check mode, after which another has none."""
        foretold, done, again = (
            json.loads(self.says(sys.executable, "-c", CALL, text=json.dumps({"topology": document, **words, **more})))
            for more in ({"_ansible_check_mode": True}, {}, {})
        )
        for answer in (foretold, done, again):
            assert not answer.get("failed"), answer["msg"]
        assert (foretold["actions"], again["actions"]) == (done["actions"], [])
        return [f"{one['action']} {one['object']}: {one['reason']}" for one in done["actions"]]

    def units(self) -> dict[str, str]:
        """Those of ours that systemd knows, in whatever state, with that state."""
        told = self.says("systemctl", "list-units", "--all", "--plain", "--no-legend", "docknet-*")
        return {words[0]: " ".join(words[1:4]) for words in map(str.split, told.splitlines())}

    def process(self, unit: str) -> int:
        return int(self.says("systemctl", "show", "--property=MainPID", "--value", unit))

    def address_of(self, name: str, asker: str = "web") -> str:
        """What a container is told when it asks for a name."""
        told = self.says("ip", "netns", "exec", asker, "getent", "ahostsv4", name, check=False)
        return told.partition(" ")[0]


@pytest.fixture(name="machine")
def fixture_machine() -> Iterator[Machine]:
    words = {**os.environ, "NAME": NAME, "BOOT": BOOT, "CHECKOUT": str(CHECKOUT)}
    apart = ["unshare", "--mount", "--propagation", "private", "sh", "-euc"]
    parent = subprocess.Popen(
        [*apart, GROUP], env=words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        yield booted(parent)
    finally:
        parent.kill()  # and with it systemd, and with that all else
        parent.communicate()
        until(lambda: subprocess.run([*apart, FORGET], env=words, capture_output=True, check=False).returncode == 0)


def booted(parent: subprocess.Popen) -> Machine:
    """Once its systemd answers."""

    def running() -> bool:
        assert parent.poll() is None, parent.communicate()[0].decode()
        with contextlib.suppress(ValueError):
            machine.first = int(Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text())
            return machine.says("systemctl", "is-active", "default.target", check=False) == "active\n"
        return False

    machine = Machine(0)
    assert until(running), "systemd does not come up"
    return machine


def until(condition: Any) -> bool:
    end = time.monotonic() + PATIENCE
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def shop(*aliases: str) -> dict[str, Any]:
    return {
        "name": "shop",
        "networks": {"front": {"ipam": {"config": [{"subnet": "172.20.0.0/16"}]}}},
        "containers": {"web": {"networks": ["front"]}, "db": {"networks": {"front": {"aliases": list(aliases)}}}},
    }


def test_a_name_server_is_a_unit_that_comes_and_goes(machine):
    machine.topology(shop())
    (unit,) = machine.units()
    assert unit.startswith("docknet-shop-names-") and machine.units()[unit] == "loaded active running"
    assert machine.address_of("db") == machine.address_of("db.front") == "172.20.0.3"
    process = machine.process(unit)
    steps = machine.topology(shop("database"))
    assert any(step.startswith("set service shop-names-") for step in steps)
    assert machine.process(unit) == process and machine.address_of("database") == "172.20.0.3"
    machine.topology({"name": "shop"}, state="absent")
    assert machine.units() == {}
    assert machine.says("find", "/run/docknet/service", "/run/systemd/transient", "-mindepth", "1", check=False) == ""


def test_one_that_dies_is_started_again_by_systemd(machine):
    machine.topology(shop())
    (unit,) = machine.units()
    process = machine.process(unit)
    machine.says("systemctl", "kill", "--signal=KILL", unit)
    assert until(lambda: machine.process(unit) not in (0, process) and machine.address_of("db"))
    assert machine.topology(shop()) == []


def test_one_that_was_stopped_is_started_again_by_the_next_run(machine):
    machine.topology(shop())
    (unit,) = machine.units()
    machine.says("systemctl", "stop", unit)
    assert machine.units() == {}
    assert [step.partition(": ")[2] for step in machine.topology(shop())] == ["it does not run"]
    assert machine.units() == {unit: "loaded active running"} and machine.address_of("db") == "172.20.0.3"


def test_a_dhcp_client_is_a_unit_in_its_container(machine):
    lan = {"driver": "macvlan", "driver_opts": {"parent": "lan0"}, "ipam": {"driver": "dhcp"}}
    document = {"name": "shop", "networks": {"lan": lan}, "containers": {"cam": {"networks": ["lan"]}}}
    machine.topology(document)
    ((unit, state),) = machine.units().items()
    assert unit.startswith("docknet-shop-dhcp-cam") and state == "loaded active running"
    inside = machine.says("stat", "--dereference", "--format=%i", f"/proc/{machine.process(unit)}/ns/net")
    assert inside == machine.says("stat", "--format=%i", "/run/netns/cam")
    machine.topology({"name": "shop"}, state="absent")
    assert machine.units() == {}
