# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said to nft, and what it says in more than one way. (That nft takes it is the kernel ring's.)"""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._kernel import nft
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.nftjson import elements_of, line_of
from ansible_collections.netwright.docknet.plugins.module_utils._model.rule import (
    Dnat,
    Element,
    Line,
    Ports,
    RuleChange,
    Snat,
    Table,
    TableChange,
)

RULE = Dnat(None, "tcp", ip_address("0.0.0.0"), Ports(8080, 8080), ip_address("172.17.0.3"), 80, owner="shop")
OLD, NEW = Element("tcp_ip", "8080", "172.17.0.3 . 80", "a"), Element("tcp_ip", "8080", "172.17.0.4 . 80", "b")
HIDDEN = Snat(None, ip_network("172.17.0.0/16"), "docknet0", None, "masquerade", "shop")


def texts(seen, changes):
    return [command.text for command in nft.script(seen, changes)]


def test_what_goes_is_said_before_what_comes():
    shared = TableChange(None, add=(Element("localnet", "docknet0", "", "docknet turned it on"),))
    assert texts(Table(True), [shared, RuleChange(RULE, RULE, (OLD,), (NEW,))]) == [
        "delete element inet docknet tcp_ip { 8080 }",
        'add element inet docknet localnet { "docknet0" comment "docknet turned it on" }',
        'add element inet docknet tcp_ip { 8080 comment "b" : 172.17.0.4 . 80 }',
    ]


def test_each_line_knows_its_object():
    commands = nft.script(Table(True), [RuleChange(RULE, None, (), (NEW,)), RuleChange(HIDDEN, chain=(HIDDEN,))])
    assert [command.what for command in commands] == ["dnat 0.0.0.0:8080/tcp", "snat 172.17.0.0/16 not out docknet0"]


def test_the_last_rule_takes_all_with_it():
    changes = [RuleChange(RULE, RULE, (OLD,)), TableChange(None, drop=True, remove=(OLD,))]
    assert texts(Table(True), changes) == ["delete table inet docknet"]


def test_sources_are_put_up_anew_and_those_of_nobody_stay():
    mine = Line("sources", 7, "docknet@shop", HIDDEN)
    theirs = Line("sources", 8, "", Snat(None, ip_network("10.0.0.0/8"), to="masquerade"))
    other = Snat(None, ip_network("172.18.0.0/16"), None, "eth0", ip_address("10.0.0.9"), "shop")
    assert texts(Table(True, lines=(mine, theirs)), [RuleChange(other, chain=(HIDDEN, other))]) == [
        "delete rule inet docknet sources handle 7",
        "add rule inet docknet sources ip saddr 172.17.0.0/16 ip daddr != 224.0.0.0/4 "
        'oifname != "docknet0" masquerade comment "docknet@shop"',
        "add rule inet docknet sources ip saddr 172.18.0.0/16 ip daddr != 224.0.0.0/4 "
        'oifname "eth0" snat ip to 10.0.0.9 comment "docknet@shop"',
    ]


def test_the_fixed_part_does_not_grow():
    said = texts(Table(), [TableChange(None, repair=True)])
    assert said[0] == "add table inet docknet"
    assert len(said) == 1 + len(nft.SETS) + len(nft.CHAINS) + len(nft.RULES) < 160
    assert not any("flush" in line or "delete" in line for line in said)


def test_a_repair_removes_only_rules_of_the_fixed_part():
    lines = (Line("guard", 3, nft.version_of("old")), Line("guard", 4, ""), Line("sources", 5, "docknet@shop", HIDDEN))
    said = texts(Table(True, lines=lines), [TableChange(None, repair=True)])
    assert [line for line in said if line.startswith("delete")] == ["delete rule inet docknet guard handle 3"]


@pytest.mark.parametrize(
    "spelt, read",
    [
        ({"concat": ["10.0.0.1", "tcp", 80]}, "10.0.0.1 . 6 . 80"),
        ({"concat": ["10.0.0.1", 6, 80]}, "10.0.0.1 . 6 . 80"),
        ({"concat": ["10.0.0.1", "6", {"range": [80, 90]}]}, "10.0.0.1 . 6 . 80-90"),
        ({"concat": [{"prefix": {"addr": "0.0.0.0", "len": 0}}, "sctp", 80]}, "0.0.0.0/0 . 132 . 80"),
        ({"concat": [{"range": ["0.0.0.0", "255.255.255.255"]}, "udp", 80]}, "0.0.0.0/0 . 17 . 80"),
        ({"concat": [{"prefix": {"addr": "10.0.0.1", "len": 32}}, "udp", 80]}, "10.0.0.1 . 17 . 80"),
        ({"concat": [{"range": ["10.0.0.1", "10.0.0.3"]}, "udp", 80]}, "10.0.0.1-10.0.0.3 . 17 . 80"),
        ({"concat": ["::ffff:1.2.3.4", "tcp", 80]}, f"{ip_address('::ffff:1.2.3.4')} . 6 . 80"),
    ],
)
def test_one_spelling(spelt, read):
    one = {"name": "guarded_ip", "type": ["ipv4_addr", "inet_proto", "inet_service"], "elem": [spelt]}
    assert [element.key for element in elements_of(one)] == [read]
    with_comment = {**one, "elem": [{"elem": {"val": spelt, "comment": "c"}}]}
    assert list(elements_of(with_comment)) == [Element("guarded_ip", read, "", "c")]


def test_maps():
    one = {
        "name": "m",
        "type": "inet_service",
        "elem": [[{"elem": {"val": 80, "comment": "c"}}, {"concat": ["a::0", 8]}]],
    }
    assert list(elements_of(one)) == [Element("m", "80", "a:: . 8", "c")]
    assert list(elements_of({"name": "m", "type": "ifname"})) == []


def match(left, right, op="=="):
    return {"match": {"op": op, "left": left, "right": right}}


SADDR, DADDR = ({"payload": {"protocol": "ip", "field": name}} for name in ("saddr", "daddr"))
SUBNET = {"prefix": {"addr": "10.0.0.0", "len": 8}}
MULTICAST = {"prefix": {"addr": "224.0.0.0", "len": 4}}
OUT = {"meta": {"key": "oifname"}}


def line(*parts, comment=""):
    return line_of(None, {"chain": "sources", "handle": 1, "comment": comment, "expr": list(parts)}).snat


def test_source_rules_that_are_understood():
    parts = match(SADDR, SUBNET), match(DADDR, MULTICAST, "!="), match(OUT, "eth0"), match(OUT, "br", "!=")
    wide = Snat(None, ip_network("10.0.0.0/8"), "br", "eth0", "masquerade", "shop")
    assert line(*parts, {"masquerade": None}, comment="docknet@shop") == wide
    fixed = {"snat": {"family": "ip", "addr": "192.0.2.1"}}
    assert line(match(SADDR, "10.0.0.1"), fixed) == Snat(None, ip_network("10.0.0.1"), to=ip_address("192.0.2.1"))


@pytest.mark.parametrize(
    "parts",
    [
        [match(SADDR, SUBNET)],
        [{"masquerade": None}],
        [match(SADDR, SUBNET, "!="), {"masquerade": None}],
        [match(SADDR, SUBNET), {"masquerade": {"flags": "random"}}],
        [match(SADDR, SUBNET), {"snat": {"addr": "192.0.2.1", "port": 80}}],
        [match(SADDR, SUBNET), {"snat": {"addr": {"range": ["192.0.2.1", "192.0.2.2"]}}}],
        [match(SADDR, SUBNET), match(DADDR, SUBNET, "!="), {"masquerade": None}],
        [match(SADDR, "@some"), {"masquerade": None}],
        [match(SADDR, SUBNET), match(OUT, {"set": ["a", "b"]}), {"masquerade": None}],
        [match(SADDR, SUBNET), match(OUT, "@localnet"), {"masquerade": None}],
        [match(SADDR, SUBNET), match({"meta": {"key": "mark"}}, 1), {"masquerade": None}],
        [match(SADDR, SUBNET), {"counter": {"packets": 0, "bytes": 0}}, {"masquerade": None}],
        [match(SADDR, SUBNET), {"accept": None}],
    ],
)
def test_source_rules_that_say_more_than_ours(parts):
    assert line(*parts) is None
