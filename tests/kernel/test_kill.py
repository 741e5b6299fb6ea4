# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that dies, at whatever step, leaves nothing that the next run does not put right or take away.

Table row T1: the process is killed right after its Nth call that changes the machine, for every N there is.
"""

from __future__ import annotations

import os
import signal
import time

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._kernel import namespaces, netlink, sysctl
from ansible_collections.netwright.docknet.plugins.module_utils._model.owner import group
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.machine import ip, links, machine, portrait, sh

# All that changes the machine goes through these.
STEPS = (
    (namespaces, "_take_place"),
    (namespaces, "_call"),
    (namespaces, "_unlink"),
    (netlink.Socket, "_send"),
    (sysctl, "write"),
)
WEB = {"a": {"name": "vweb", "master": "br0"}, "b": {"name": "eth0", "netns": "web", "addresses": ["172.17.0.2/16"]}}
PAIR = {
    **WEB,
    "mtu": 1400,
    "b": {**WEB["b"], "gateway": ["172.17.0.1"], "routes": [{"to": "10.0.0.0/8", "via": "172.17.0.9"}]},
}
CHILD = {"name": "eth1", "netns": "web", "parent": "lan0", "addresses": ["192.0.2.9/24"]}
SHIM = {**CHILD, "host_shim": {"name": "shim0", "addresses": ["192.0.2.8/32"]}, "promiscuous": True}
BRIDGE = {
    "name": "br0",
    "addresses": ["172.17.0.1/16"],
    "mtu": 1400,
    "stp": True,
    "sysctls": {"net.ipv4.conf.IFNAME.rp_filter": 2},
}

# What is there before, and what is asked for then. Each one asks for everything it needs itself.
CASES = {
    "namespaces": ([], ("netns", {"config": [{"name": "web", "sysctls": {"net.ipv4.ip_forward": 1}}, {"name": "db"}]})),
    "a bridge with a port": ([], ("linux_bridge", {**BRIDGE, "ports": ["lan1"]})),
    "a pair": ([("netns", {"name": "web"}), ("linux_bridge", BRIDGE)], ("veth_pair", PAIR)),
    "a changed pair": (
        [("netns", {"name": "web"}), ("linux_bridge", BRIDGE), ("veth_pair", PAIR)],
        ("veth_pair", {**PAIR, "mtu": 1300, "b": {**PAIR["b"], "addresses": ["172.17.0.3/16"], "routes": []}}),
    ),
    "a pair with another end": (
        [("netns", {"name": "web"}), ("linux_bridge", BRIDGE), ("veth_pair", PAIR)],
        ("veth_pair", {**PAIR, "b": {**PAIR["b"], "name": "eth9"}, "recreate": True}),
    ),
    "a macvlan with a shim": ([("netns", {"name": "web"})], ("macvlan_net", SHIM)),
    "a namespace that goes": (
        [("netns", {"name": "web"}), ("linux_bridge", BRIDGE), ("veth_pair", PAIR), ("macvlan_net", SHIM)],
        ("netns", {"name": "web", "state": "absent"}),
    ),
    "a bridge that goes": (
        [("linux_bridge", {**BRIDGE, "ports": ["lan1"]})],
        ("linux_bridge", {"name": "br0", "state": "absent"}),
    ),
}
REMOVAL = (
    ("netns", {"config": [{"name": "web"}, {"name": "db"}], "state": "absent"}),
    ("veth_pair", {"a": {"name": "vweb"}, "state": "absent"}),
    ("linux_bridge", {"name": "br0", "state": "absent"}),
    ("macvlan_net", {"name": "shim0", "state": "absent"}),
)


def do(module, arguments):
    result = call(module, **arguments)
    assert not result.get("failed"), result
    return result


def begin(steps):
    sh(
        "ip link add lan0 type veth peer name lan1; ip link set lan0 addrgenmode none; ip link set lan1 addrgenmode none"
    )
    sh("ip link set lan0 up; ip link set lan1 up")
    for step in steps:
        do(*step)


def killed_after(count, module, arguments):
    """Run in a process that is killed after so many steps; whether it was."""
    child = os.fork()
    if not child:
        left = [count]

        def counted(function):
            def wrapper(*given, **more):
                result = function(*given, **more)
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)
                return result

            return wrapper

        for place, name in STEPS:
            setattr(place, name, counted(getattr(place, name)))
        call(module, **arguments)
        os._exit(0)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def settle(before):
    """Wait for the links of namespaces that went to go."""
    end = time.monotonic() + 5
    while portrait() != before and time.monotonic() < end:
        time.sleep(0.01)
    return portrait()


def unmarked():
    """Links and namespaces that are neither the machine's nor marked as ours."""
    found = [name for name, link in links().items() if name not in ("lo", "lan0", "lan1") and not marked(link)]
    for name in ip("netns list"):
        if "id" in name or os.path.ismount(f"/run/netns/{name['name']}"):
            found += [f"{one} in {name['name']}" for one, link in links(name["name"]).items() if not marked(link)]
    return found


def marked(link):
    return link["group"] == str(group("docknet"))


@pytest.mark.fault(
    "A module is killed after any message or call that changes a link or a namespace",
    "the next run completes, everything made carries its mark at every moment, and `state: absent` leaves nothing",
)
@pytest.mark.parametrize("case", CASES)
def test_a_run_that_is_killed(case, tries):
    before, wanted = CASES[case]
    with machine():
        begin(before)
        do(*wanted)
        clean = portrait()
    count, killed = 0, True
    while killed:
        count += 1
        with machine():
            begin([])
            bare = portrait()
            for step in before:
                do(*step)
            killed = killed_after(count, *wanted)
            tries(int(killed))
            assert unmarked() == [], count
            do(*wanted)
            assert do(*wanted)["changed"] is False, count
            assert settle(clean) == clean, count
            for step in REMOVAL:
                do(*step)
            sh("ip link set lan0 promisc off")
            assert settle(bare) == bare, count
    assert count > 1


def test_a_polite_signal_waits_until_the_changes_are_made(monkeypatch):
    """SIGTERM in the middle: the changes are made whole, and then the process ends of it."""
    with machine():
        begin([("netns", {"name": "web"}), ("linux_bridge", BRIDGE)])
        child = os.fork()
        if not child:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            births = []
            send = netlink.Socket._send

            def interrupted(self, messages):
                result = send(self, messages)
                if not births:
                    births.append(os.kill(os.getpid(), signal.SIGTERM))
                return result

            netlink.Socket._send = interrupted
            call("veth_pair", **PAIR)
            os._exit(0)
        _pid, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGTERM
        assert do("veth_pair", PAIR)["changed"] is False
