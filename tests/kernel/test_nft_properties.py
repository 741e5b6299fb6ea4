# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner of rules on the real kernel: it converges, and each step does what the planner takes it to do."""

from __future__ import annotations

import subprocess
from ipaddress import ip_network

from ansible_collections.netwright.docknet.plugins.module_utils._engine.order import REMOVAL, rank
from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import plan
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Question, World
from ansible_collections.netwright.docknet.plugins.module_utils._model.rule import Snat, Table
from ansible_collections.netwright.docknet.tests.kernel.machine import machine, sh
from ansible_collections.netwright.docknet.tests.rule_worlds import bare, planned, scenes, wish, wishes
from hypothesis import HealthCheck, given, settings

few = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
BRIDGES = """ip link set lo up; sysctl -qw net.ipv6.conf.default.accept_dad=0
    for name in docknet0 other0; do ip link add $name type bridge; ip link set $name up; done
    ip address add 172.17.0.1/16 dev docknet0; ip address add fd17::1/64 dev docknet0
    ip address add 172.18.0.1/16 dev other0; sysctl -qw net.ipv4.conf.other0.route_localnet=1"""
EVERYTHING = Question(namespaces={None}, tables={None}, targets=set(bare().targets))
BY_HAND = {
    "damage": ["flush chain inet docknet guard"],
    "line": ["flush chain inet docknet sources"],
    "all": ["flush ruleset"],
}


def observe(host: Host) -> World:
    return host.observe(EVERYTHING)


def run(host: Host, wanted) -> World | None:
    """The world that the plan foresees, once its steps are done; None where the rules meet somebody else's."""
    todo = planned(plan, wanted, observe(host), assume_too=False)
    if todo is None:
        return None
    assert list(host.apply(todo.operations, rank, REMOVAL)) == list(todo.operations)
    return todo.world


def shown(table: Table):
    """What of a table is to be the same in prediction and fact. (Who turned route_localnet on is a comment of an element.)"""
    sources = [line.snat for line in table.lines if line.snat and line.snat.owner]
    on = {device: table.switches.get(device, True) for name, device in table.elements if name == "localnet"}
    return table.present, table.damage, table.elements, table.rules, sources, on


@few
@given(scenes(), wishes())
def test_prediction_and_fact(scene, wanted):
    earlier, by_hand = scene
    with machine(), Host() as host:
        sh(BRIDGES)
        for one in earlier:
            run(host, one)
        for how, which in by_hand:
            break_it(host, how, which)
        foreseen = run(host, wanted)
        if foreseen is not None:
            assert shown(observe(host).tables[None]) == shown(foreseen.tables[None])
            assert not plan(wanted, observe(host)).operations
        seen = observe(host).tables[None]
        for owner in ("shop", "shop2"):
            run(host, [*everything(seen, owner), *wanted_gone(owner)])
        assert sh("nft list ruleset") == ""
        assert sh("cat /proc/sys/net/ipv4/conf/docknet0/route_localnet") == "0\n" or by_hand


def wanted_gone(owner: str):
    """Of a rule that is not there: what is empty goes with it."""
    return [wish(Snat(None, ip_network("192.0.2.0/24")), present=False, owner=owner)]


def everything(table: Table, owner: str):
    return [wish(rule, present=False, owner=owner) for rule in table.rules.values() if rule.owner == owner]


def break_it(host: Host, how: str, which: int) -> None:
    table = observe(host).tables[None]
    commands = BY_HAND.get(how, [])
    if how == "element" and table.elements:
        element = table.elements[sorted(table.elements)[which % len(table.elements)]]
        commands = [f"delete element inet docknet {element.set} {{ {element.key} }}"]
    if how == "switch":
        sh("sysctl -qw net.ipv4.conf.docknet0.route_localnet=0")
    if table.present:
        for command in commands:
            subprocess.run(["nft", command], check=True, timeout=10)
