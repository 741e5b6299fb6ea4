# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ipvlan_net walks the ten steps of every module, on a stock Debian kernel: see tests/integration/ten_steps.py."""

from __future__ import annotations

import os
import sys

import pytest
from ansible_collections.netwright.docknet.tests.integration import snapshot, ten_steps, test_examples
from ansible_collections.netwright.docknet.tests.integration.ten_steps import Module, Refusal
from ansible_collections.netwright.docknet.tests.integration.test_ten_steps import try_it
from ansible_collections.netwright.docknet.tests.kernel.machine import machine, sh
from ansible_collections.netwright.docknet.tests.lab.lab import Lab

CHILD = {"name": "eth0", "netns": "web", "parent": "lan0", "addresses": ["192.0.2.9/24"], "gateway": ["192.0.2.1"]}
SHIM = {"name": "shim0", "addresses": ["192.0.2.8/32"]}
CREATE = {**CHILD, "host_shim": SHIM, "promiscuous": True}


def bad(said, kind="invalid", before="", **words):
    return Refusal({**CREATE, **words}, said, "ipvlan_net eth0 in web", kind, before)


MODULE = Module(
    name="ipvlan_net",
    # Promiscuous before, because it stays when the child goes.
    before="""
    ip netns add web; ip netns add db; ip link add lan0 type veth peer name lan1; ip link set lan1 up
    ip link set lan0 up promisc on; ip address add 192.0.2.2/24 dev lan0
    """,
    create=CREATE,
    actions=[
        ("create", "link eth0 in web"),
        ("create", "link shim0"),
        ("set", "link eth0 in web"),
        ("set", "link shim0"),
        ("set", "link eth0 in web"),
        ("set", "link shim0"),
        ("add", "address 192.0.2.9/24 on eth0 in web"),
        ("add", "address 192.0.2.8/32 on shim0"),
        ("add", "route default via 192.0.2.1 through eth0 in web"),
        ("add", "route 192.0.2.9/32 through shim0"),
    ],
    change={**CHILD, "addresses": ["192.0.2.10/24"], "mode": "l3s", "gateway": None, "mtu": 1400, "host_shim": SHIM},
    identity={"name": "eth0", "netns": "web"},
    # Renamed there: this kernel refuses a name that the host itself has, and a lab host has an eth0.
    foreign="ip link add link lan0 name new0 netns web type ipvlan mode l2; ip -n web link set new0 name eth0",
    result={
        "name": "eth0",
        "netns": "web",
        "kind": "ipvlan",
        "mode": "l2",
        "flag": "bridge",
        "parent": "lan0",
        "addresses": ["192.0.2.9/24"],
        "routes": ["default via 192.0.2.1"],
    },
    refusals=[
        bad("has no use with flag private", flag="private"),
        bad("the default route is the interface", mode="l3"),
        bad("the default route is the interface", mode="l3s"),
        bad("needs the container's addresses", addresses=None, gateway=None),
        bad("is the name of the parent or the child", host_shim={"name": "lan0"}),
        bad("is not from 1 to 4094", vlan=4095),
        bad("is missing", parent=None),
        Refusal({**CREATE, "netns": None, "name": "lan0"}, "is its own parent's name", "ipvlan_net lan0"),
        bad('parent "lan9" does not exist on the host (did you mean "lan', "missing", parent="lan9", promiscuous=None),
        bad('mtu 1501 is more than the 1500 of its parent "lan0"', "conflict", mtu=1501),
        bad(
            "a veth of that name is there, not an ipvlan",
            "conflict",
            "ip link add eth0 netns web type veth peer name other",
        ),
        bad(
            'has the macvlan "cam in db" on it, that we did not make, and ipvlan and macvlan cannot stand',
            "conflict",
            "ip link add link lan0 name cam netns db type macvlan mode bridge",
        ),
        bad(
            'has the ipvlan "cam in db" (l3, bridge) on it, that we did not make, and all ipvlans of one parent have one mode',
            "conflict",
            "ip link add link lan0 name cam netns db type ipvlan mode l3",
        ),
        bad(
            'its address 192.0.2.9 is that of "cam" on the same parent',
            "conflict",
            "ip link add link lan0 name cam type ipvlan mode l2; ip link set cam up; ip address add 192.0.2.9/32 dev cam",
        ),
        bad(
            "its parent is in use",
            "refused",
            "ip link add name b type bridge; ip link set lan0 master b",
            promiscuous=None,
        ),
    ],
)
MEETINGS = [number for number, one in enumerate(MODULE.refusals) if one.before]


def test_the_ten_steps():
    ten_steps.judge(MODULE, ten_steps.walk_directly(MODULE))


def test_the_ten_steps_by_ansible(tmp_path):
    with Lab(f"steps{os.getpid()}", ["node1"]) as lab:
        inventory = tmp_path / "hosts.yml"
        inventory.write_text(lab.inventory(sys.executable))
        got = ten_steps.walk_by_ansible(MODULE, inventory)
    ten_steps.judge(MODULE, got)


def test_what_is_refused_is_refused_before_any_change():
    with machine():
        sh(MODULE.before)
        before = snapshot.snapshot()
        wrong = [words for refusal in MODULE.refusals if not refusal.before for words in try_it(MODULE, refusal)]
        assert wrong == []
        assert snapshot.snapshot() == before


@pytest.mark.parametrize("number", MEETINGS)
def test_what_is_in_the_way_is_left_untouched(number):
    with machine():
        sh(f"{MODULE.before}\n{MODULE.refusals[number].before}")
        before = snapshot.snapshot()
        assert list(try_it(MODULE, MODULE.refusals[number])) == []
        assert snapshot.snapshot() == before


def test_examples_of_the_documentation_that_take_this_kernel(tmp_path):
    recap = test_examples.run(tmp_path, test_examples.STOCK)
    for module in test_examples.STOCK:
        test_examples.judge(module, *recap)
