# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which elements a rule is made of, and that they are read back as the rule."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._model import nft
from ansible_collections.netwright.docknet.plugins.module_utils._model.rule import EVERYONE, Dnat, Path, Ports
from ansible_collections.netwright.docknet.tests.rule_worlds import dnats
from hypothesis import given

VIA = Path("docknet0", ip_network("172.17.0.0/16"))
RULE = Dnat(
    None,
    "tcp",
    ip_address("0.0.0.0"),
    Ports(8080, 8080),
    ip_address("172.17.0.3"),
    80,
    frozenset({EVERYONE[4]}),
    True,
    True,
    "shop",
    VIA,
)
AT = ip_address("10.0.0.1")


def lines(rule):
    return [f"{one.set} {one.key}" + (f" : {one.value}" if one.value else "") for one in nft.elements(rule)]


@pytest.mark.parametrize(
    "changes, said",
    [
        ({}, ["tcp_ip 8080 : 172.17.0.3 . 80"]),
        ({"host_ip": AT}, ["tcp_ip_at 10.0.0.1 . 8080 : 172.17.0.3 . 80"]),
        ({"ports": Ports(80, 90), "protocol": "udp"}, ["udp_ip_range 80-90 : 172.17.0.3"]),
        ({"ports": Ports(80, 90), "host_ip": AT}, ["tcp_ip_at_range 10.0.0.1 . 80-90 : 172.17.0.3"]),
        ({"ports": Ports(90, 91)}, ["tcp_ip 90 : 172.17.0.3 . 80", "tcp_ip 91 : 172.17.0.3 . 81"]),
        ({"local": False}, ["tcp_ip 8080 : 172.17.0.3 . 80", "not_local_ip 0.0.0.0/0 . 6 . 8080"]),
        (
            {"hairpin": False, "host_ip": AT},
            ["tcp_ip_at 10.0.0.1 . 8080 : 172.17.0.3 . 80", "not_hairpin_ip 172.17.0.0/16 . 10.0.0.1 . 6 . 8080"],
        ),
        (
            {"allowed_sources": frozenset({ip_network("192.0.2.1")})},
            [
                "tcp_ip 8080 : 172.17.0.3 . 80",
                "guarded_ip 0.0.0.0/0 . 6 . 8080",
                "allowed_ip 192.0.2.1 . 0.0.0.0/0 . 6 . 8080",
            ],
        ),
    ],
)
def test_elements(changes, said):
    assert lines(replace(RULE, **changes)) == said


def test_a_thousand_ports_that_stay_are_one_element():
    assert len(lines(replace(RULE, ports=Ports(1000, 1999), to_port=1000))) == 1


def test_marks():
    assert nft.mark(RULE) == "docknet@shop via=docknet0/16"
    longest = replace(
        RULE,
        owner="o" * 32,
        ports=Ports(10000, 65535),
        via=Path("i" * 15, ip_network("fd00::/127")),
        local=False,
        hairpin=False,
        allowed_sources=frozenset(),
    )
    assert len(nft.mark(longest)) <= 128  # NFTNL_UDATA_COMMENT_MAXLEN, and nft refuses more
    assert nft.owner_in(nft.mark(longest)) == "o" * 32
    assert [nft.owner_in(text) for text in ("", "docknet", "docknet 1a2b", "docknet@", "web", "docknet@a b")] == [
        None
    ] * 6


@given(dnats())
def test_read_back(rule):
    """Whatever the order of the elements; with all that is known of a wanted rule after planning."""
    full = replace(
        rule,
        owner="shop",
        via=Path("docknet0", ip_network(f"{rule.to_ip}/16", strict=False)),
        to_port=rule.to_port or rule.ports.first,
        hairpin=bool(rule.hairpin),
        local=bool(rule.local),
        allowed_sources=frozenset({EVERYONE[rule.version]}) if rule.allowed_sources is None else rule.allowed_sources,
    )
    found = list(nft.elements(full))
    for order in (found, found[::-1]):
        assert nft.read(None, {one[:2]: one for one in order}) == {full.key: full}


def test_without_a_mark_every_element_is_a_rule_of_nobodys():
    found = [one._replace(comment="") for one in nft.elements(replace(RULE, ports=Ports(90, 91), local=False))]
    rules = nft.read("web", {one[:2]: one for one in found}).values()
    assert [(str(rule), rule.owner, rule.to_port) for rule in rules] == [
        ("dnat 0.0.0.0:90/tcp in web", None, 80),
        ("dnat 0.0.0.0:91/tcp in web", None, 81),
    ]


def test_hairpins_of_nested_subnets():
    """The kernel takes no two elements that overlap, and the widest says it all."""

    def behind(subnet, **more):
        return replace(RULE, via=Path("br", ip_network(subnet)), **more)

    rules = [behind("10.0.0.0/8"), behind("10.1.0.0/16"), behind("192.0.2.7/32"), behind("10.0.0.0/7", hairpin=False)]
    rules.append(replace(RULE, via=Path("lo", ip_network("198.51.100.1/32"))))
    assert [one.key for one in nft.hairpins(rules)] == ["10.0.0.0/8 . 10.0.0.0/8", "192.0.2.7 . 192.0.2.7"]


OWN = {AT, ip_address("172.17.0.1"), ip_address("fd00::1"), ip_address("fe80::1")}
OUTSIDE, WEB2 = ip_address("198.51.100.9"), ip_address("172.17.0.2")
LOOPBACK = ip_address("127.0.0.1")


@pytest.mark.parametrize(
    "changes, source, destination, port, leads",
    [
        ({}, OUTSIDE, AT, 8080, True),
        ({}, OUTSIDE, AT, 8081, False),
        ({}, OUTSIDE, ip_address("203.0.113.1"), 8080, False),
        ({}, AT, LOOPBACK, 8080, True),
        ({}, OUTSIDE, LOOPBACK, 8080, False),
        ({"host_ip": AT}, OUTSIDE, ip_address("172.17.0.1"), 8080, False),
        ({"local": False}, AT, AT, 8080, False),
        ({"local": False}, LOOPBACK, LOOPBACK, 8080, False),
        ({"local": False}, OUTSIDE, AT, 8080, True),
        ({"hairpin": False}, WEB2, AT, 8080, False),
        ({"hairpin": False}, ip_address("172.17.0.1"), AT, 8080, True),
        ({"allowed_sources": frozenset()}, OUTSIDE, AT, 8080, False),
        ({"allowed_sources": frozenset()}, AT, AT, 8080, True),
        ({"allowed_sources": frozenset({ip_network("198.51.100.0/24")})}, OUTSIDE, AT, 8080, True),
    ],
)
def test_where_a_connection_goes(changes, source, destination, port, leads):
    to = replace(RULE, **changes).leads(source, destination, port, OWN)
    assert to == ((ip_address("172.17.0.3"), 80) if leads else None)


def test_where_a_connection_of_ipv6_goes():
    rule = replace(
        RULE, host_ip=ip_address("::"), to_ip=ip_address("fd17::3"), allowed_sources=frozenset({EVERYONE[6]})
    )
    assert rule.leads(ip_address("fd00::9"), ip_address("fd00::1"), 8080, OWN) == (ip_address("fd17::3"), 80)
    assert rule.leads(ip_address("fe80::9"), ip_address("fe80::1"), 8080, OWN) is None
    assert rule.leads(ip_address("::1"), ip_address("::1"), 8080, OWN) is None
