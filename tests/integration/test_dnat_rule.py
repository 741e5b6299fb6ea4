# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""dnat_rule through real Ansible on lab hosts: the ten steps, and who gets to the container by the host's port."""

from __future__ import annotations

import pytest
from ansible_collections.netwright.docknet.tests.integration.publishing_plays import (
    checked_then_done,
    expect,
    play,
    refused,
    run,
    seen_by,
    shell,
    site,
)

RULE = {"host_port": 8080, "to_ip": "172.17.0.3", "to_port": 80}
NOTHING_LEFT = [
    shell("nft list ruleset; sysctl -n net.ipv4.conf.docknet0.route_localnet", register="left"),
    expect("left.stdout == '0'"),
]


@pytest.fixture(name="lab", scope="module")
def fixture_lab():
    with site("dnat") as lab:
        yield lab


def test_the_ten_steps(lab, tmp_path):
    node1, node2 = lab.hosts["node1"], lab.hosts["node2"]
    created = checked_then_done(
        "dnat_rule",
        RULE,
        "created",
        "created.dnat[0].to_ip == '172.17.0.3' and created.dnat[0].to_port == '80' and created.dnat[0].interface == 'docknet0'",
        "created.actions | map(attribute='action') | list == ['create', 'create', 'set']",
        "created.diff.after['dnat 0.0.0.0:8080/tcp'].allowed_sources == ['0.0.0.0/0']",
    )
    play(lab, tmp_path, *created)
    assert seen_by(lab, "node2", node1.address4, 8080) == node2.address4
    assert seen_by(lab, "node1", "127.0.0.1", 8080) == "172.17.0.1"
    assert seen_by(lab, "node1", node1.address4, 8080) == node1.address4
    assert seen_by(lab, "node1", node1.address4, 8080, netns="web") == "172.17.0.1"

    closed = {**RULE, "allowed_sources": ["192.0.2.0/24"], "local": False}
    changed = checked_then_done(
        "dnat_rule",
        closed,
        "changed",
        "'allowed_sources is 0.0.0.0/0, not 192.0.2.0/24; local is True, not False' in changed.actions | map(attribute='reason')",
        "changed.actions[0].object == 'sysctl net.ipv4.conf.docknet0.route_localnet'",
    )
    play(lab, tmp_path, *changed)
    assert seen_by(lab, "node2", node1.address4, 8080) == ""
    assert seen_by(lab, "node1", "127.0.0.1", 8080) == ""

    overlapping = {"host_port": "8000-8100", "host_ip": node1.address4, "to_ip": "172.17.0.3", "owner": "blog"}
    foreign = [
        shell("nft 'add element inet docknet udp_ip { 53 : 172.17.0.9 . 53 }'"),
        *refused(
            "dnat_rule",
            ({**RULE, "owner": "blog"}, 'belongs to owner "docknet", not to "blog"'),
            ({**RULE, "owner": "blog", "state": "absent"}, 'belongs to owner "docknet"'),
            (
                overlapping,
                f'dnat {node1.address4}:8000-8100/tcp overlaps dnat 0.0.0.0:8080/tcp of owner "docknet"',
            ),
            ({"host_port": 53, "protocol": "udp", "to_ip": "172.17.0.3"}, "adopt: true"),
        ),
        run("dnat_rule", {"host_port": 53, "protocol": "udp", "adopt": True, "state": "absent"}, "adopted_gone"),
        expect("adopted_gone is changed"),
    ]
    bad = refused(
        "dnat_rule",
        ({**RULE, "to_port": "80-81"}, "dnat_rule 8080/tcp: to_port '80-81' has 2 ports"),
        ({"host_port": 8080}, "to_ip '' is missing"),
        ({**RULE, "host_ip": "::1", "to_ip": "fd17::3"}, "cannot be served without a proxy process"),
        ({"config": [RULE, {**RULE, "host_port": "x"}, {**RULE, "host_port": 0}]}, "'x' is no port", "'0' is"),
        ({"config": [RULE, {**RULE, "to_ip": "172.17.0.4"}]}, "is asked for twice"),
    )
    gone = checked_then_done("dnat_rule", {"host_port": 8080, "state": "absent"}, "removed")
    play(lab, tmp_path, *foreign, *bad, *gone, *NOTHING_LEFT)
    assert seen_by(lab, "node2", node1.address4, 8080) == ""


def test_a_table_of_that_name_of_somebody_else(lab, tmp_path):
    play(
        lab,
        tmp_path,
        shell("nft add table inet docknet"),
        *refused(
            "dnat_rule",
            (RULE, "nftables table inet docknet: it was not made by this collection"),
            ({**RULE, "state": "absent"}, "it was not made by this collection"),
        ),
        shell("nft delete table inet docknet"),
        *NOTHING_LEFT,
    )


def test_before_the_way_is_there(lab, tmp_path):
    """In check mode the interface may come from an earlier task; in earnest it must be there."""
    words = {**RULE, "netns": "web", "to_ip": "192.0.2.9", "protocol": "sctp"}
    lab.hosts["node1"].run(["ip", "-n", "web", "route", "del", "default"])
    play(
        lab,
        tmp_path,
        *refused("dnat_rule", (words, "no route in web leads to to_ip 192.0.2.9", "make the interface towards it")),
        run("dnat_rule", words, "checked", check=True),
        expect("checked is changed", "'by an interface unknown' in checked.warnings[0]"),
        expect("checked.dnat[0].interface is none"),
        run("dnat_rule", {**words, "netns": "nowhere"}, "checked", check=True),
        expect("'namespace \"nowhere\" is not there yet' in checked.warnings[0]"),
        run("dnat_rule", {"host_port": 1, "netns": "nowhere", "state": "absent"}, "absent"),
        expect("absent is not changed"),
    )
    lab.hosts["node1"].run(["ip", "-n", "web", "route", "add", "default", "via", "172.17.0.1"])


def test_many_in_one_task(lab, tmp_path):
    """A hundred ports, a range and one of IPv6; then a flush, which the next run repairs."""
    lab.hosts["node1"].run(["ip", "address", "add", "fd17::1/64", "dev", "docknet0", "nodad"])
    ports = [{"host_port": 9000 + number, "to_ip": "172.17.0.3", "to_port": 80} for number in range(100)]
    ports += [{"host_port": "7000-7999", "to_ip": "fd17::3", "protocol": "udp"}, {**RULE, "host_ip": "127.0.0.1"}]
    play(lab, tmp_path, *checked_then_done("dnat_rule", {"config": ports}, "made", "made.dnat | length == 102"))
    assert seen_by(lab, "node2", lab.hosts["node1"].address4, 9042) == lab.hosts["node2"].address4
    assert seen_by(lab, "node2", lab.hosts["node1"].address4, 8080) == ""
    assert seen_by(lab, "node1", "127.0.0.1", 8080) == "172.17.0.1"
    lab.hosts["node1"].run(["nft", "flush", "ruleset"])
    play(lab, tmp_path, *checked_then_done("dnat_rule", {"config": ports}, "repaired"))
    assert seen_by(lab, "node2", lab.hosts["node1"].address4, 9042) == lab.hosts["node2"].address4
    play(
        lab,
        tmp_path,
        run("dnat_rule", {"config": ports, "state": "absent"}, "gone"),
        shell("nft list tables", register="left"),
        expect("left.stdout == ''"),
    )
