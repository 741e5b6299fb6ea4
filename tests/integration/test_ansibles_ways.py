# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role topology as people run it: in a loop, with a condition, with each strategy, host by host, on a part of the hosts; and what it refuses.

Nothing in the inventory says at which addresses the hosts reach each other. node0 has no part in it and is the first of the play.
"""

from __future__ import annotations

import os

import pytest
import yaml
from ansible_collections.netwright.docknet.tests.lab.lab import Lab
from ansible_collections.netwright.docknet.tests.lab.play import TOPOLOGY, play_book

NODES = ("node0", "node1", "node2", "node3")
pytestmark = pytest.mark.timeout(900)


def document(name, letter):
    containers = {f"{letter}{number}": {"host": f"node{number}", "networks": ["net"]} for number in (1, 2, 3)}
    return {"name": name, "networks": {"net": {"driver": "overlay"}}, "containers": containers}


def role(**variables):
    return {"ansible.builtin.include_role": {"name": TOPOLOGY}, "vars": variables}


BOTH = [document("shop", "s"), document("bank", "b")]
IN_A_LOOP = {**role(docknet_topology="{{ item }}"), "loop": BOTH}
ELSEWHERE = "inventory_hostname != 'node0'"
WAYS = [
    {"name": "A condition", "tasks": [{**IN_A_LOOP, "when": ELSEWHERE}]},
    {"name": "Host by host", "serial": 1, "tasks": [role(docknet_topology=BOTH[0])]},
    {"name": "No host waits", "strategy": "free", "tasks": [role(docknet_topology=BOTH[0])]},
    {
        "name": "Some are ended",
        "strategy": "host_pinned",
        "tasks": [
            {"ansible.builtin.meta": "end_host", "when": "inventory_hostname == 'node1'"},
            role(docknet_topology=BOTH[1]),
        ],
    },
]


ON_EACH = {
    "name": "agents",
    "networks": {"net": {"driver": "overlay"}},
    "containers": {"agent": {"host": "{{ inventory_hostname }}", "networks": ["net"]}},
}


@pytest.fixture(name="lab", scope="module")
def fixture_lab():
    with Lab(f"ways{os.getpid()}", NODES, outside=True) as lab:
        yield lab


@pytest.fixture(name="inventory", scope="module")
def fixture_inventory(lab):
    hosts = yaml.safe_load(lab.inventory())
    for name, one in hosts["all"]["children"]["nodes"]["hosts"].items():
        one["ansible_host"] = f"{name}.example.com"
        del one["docknet_underlay"]
    return yaml.safe_dump(hosts)


def pings(lab, where, container, to, other):
    words = ["ip", "-n", other, "-4", "-o", "address", "show", "dev", "eth0"]
    address = lab.hosts[to].run(words).stdout.split()[3].partition("/")[0]
    ping = ["ip", "netns", "exec", container, "ping", "-c1", "-W2", address]
    return lab.hosts[where].run(ping, check=False).returncode == 0


def test_it_is_built_once_and_every_other_way_changes_nothing(lab, inventory, tmp_path):
    run = play_book(tmp_path, inventory, WAYS)
    assert run.code == 0, run.text
    assert run.changed == {"node0": 0, "node1": 2, "node2": 2, "node3": 2}, run.text
    assert pings(lab, "node1", "s1", "node3", "s3") and pings(lab, "node3", "b3", "node2", "b2")
    assert not pings(lab, "node1", "s1", "node2", "b2")


def test_a_part_of_the_hosts(lab, inventory, tmp_path):
    run = play_book(tmp_path, inventory, [{"tasks": [role(docknet_topology=BOTH[0])]}], ["--limit=node2"])
    assert run.code == 0 and run.changed == {"node2": 0}, run.text
    assert pings(lab, "node2", "s2", "node1", "s1")


def test_documents_that_differ_by_host_are_refused_before_anything_is_changed(inventory, tmp_path):
    run = play_book(tmp_path, inventory, [{"tasks": [role(docknet_topology=ON_EACH)]}])
    assert run.code != 0 and "read different documents (docknet_topology)" in run.text + run.whole, run.text
    assert set(run.changed.values()) == {0}, run.text


def test_gone_without_a_trace(lab, inventory, tmp_path):
    gone = play_book(tmp_path, inventory, [{"vars": {"docknet_state": "absent"}, "tasks": [IN_A_LOOP]}])
    assert gone.code == 0, gone.text
    for name in NODES:
        assert lab.hosts[name].run(["sh", "-c", "ls -A /var/lib/docknet; nft list ruleset"]).stdout == ""
