# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""snat_rule through real Ansible on a lab host: the ten steps, and how the outside sees a container."""

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

RULE = {"source": "172.17.0.0/16", "except_out_interface": "docknet0"}
OUTSIDE = "203.0.113.1"


@pytest.fixture(name="lab", scope="module")
def fixture_lab():
    with site("snat") as lab:
        yield lab


def test_the_ten_steps(lab, tmp_path):
    node1 = lab.hosts["node1"]
    other = str(node1.address4).rpartition(".")[0] + ".77"
    node1.run(["ip", "address", "add", f"{other}/24", "dev", "eth0"])
    created = checked_then_done(
        "snat_rule",
        RULE,
        "created",
        "created.snat[0].to == 'masquerade' and created.snat[0].present and created.snat[0].owner == 'docknet'",
        "created.actions | map(attribute='object') | list == ['nftables table inet docknet', 'snat 172.17.0.0/16 not out docknet0']",
        "created.diff.before['snat 172.17.0.0/16 not out docknet0'] is none",
    )
    assert seen_by(lab, "node1", OUTSIDE, 80, netns="web") == ""
    play(lab, tmp_path, *created)
    assert seen_by(lab, "node1", OUTSIDE, 80, netns="web") == node1.address4

    to_address = checked_then_done(
        "snat_rule", {**RULE, "to": other}, "changed", f"changed.actions[0].reason == 'to is masquerade, not {other}'"
    )
    play(lab, tmp_path, *to_address)
    assert seen_by(lab, "node1", OUTSIDE, 80, netns="web") == other

    theirs = "table inet docknet { chain sources { ip saddr 10.0.0.0/8 masquerade; }; }"
    foreign = [
        shell(f"nft '{theirs}'"),
        *refused(
            "snat_rule",
            ({**RULE, "owner": "blog"}, 'belongs to owner "docknet", not to "blog"'),
            ({**RULE, "owner": "blog", "state": "absent"}, 'belongs to owner "docknet"'),
            ({"source": "10.0.0.0/8"}, "snat_rule 10.0.0.0/8: a rule is there that", "adopt: true"),
        ),
        run("snat_rule", {"source": "10.0.0.0/8", "adopt": True}, "adopted"),
        expect("adopted is changed", "adopted.actions | map(attribute='reason') | list == ['adopted']"),
        run("snat_rule", {"source": "10.0.0.0/8", "state": "absent"}, "adopted_gone"),
    ]
    bad = refused(
        "snat_rule",
        ({"source": "172.17.0.1/16"}, "snat_rule 172.17.0.1/16: source", "write 172.17.0.0/16"),
        ({**RULE, "to": "fd00::1"}, "is IPv6, and source 172.17.0.0/16 is IPv4"),
        (
            {"config": [{"source": "172.18.0.0/16"}, {"source": "nonsense"}, {"source": "10.0.0.0/8", "to": "x"}]},
            "snat_rule nonsense: source 'nonsense' is no subnet",
            "snat_rule 10.0.0.0/8: to 'x' is no address",
        ),
        ({**RULE, "netns": "wbe"}, 'namespace "wbe" does not exist (did you mean "web"?)'),
    )
    gone = checked_then_done("snat_rule", {**RULE, "state": "absent"}, "removed", "not removed.snat[0].present")
    play(lab, tmp_path, *foreign, *bad, *gone, shell("nft list ruleset", register="left"), expect("left.stdout == ''"))
    assert seen_by(lab, "node1", OUTSIDE, 80, netns="web") == ""


def test_several_in_one_task(lab, tmp_path):
    rules = {
        "config": [RULE, {"source": "fd17::/64"}, {**RULE, "source": "172.18.0.0/16", "netns": "web", "owner": "b"}]
    }
    play(
        lab,
        tmp_path,
        *checked_then_done("snat_rule", rules, "made", "made.snat | length == 3"),
        run("snat_rule", {**rules, "state": "absent"}, "gone"),
        shell("nft list ruleset; ip netns exec web nft list ruleset", register="left"),
        expect("gone is changed", "left.stdout == ''"),
    )
