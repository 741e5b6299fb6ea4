# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of snat_rule and dnat_rule: what they mean, and the sentence for what means nothing."""

from __future__ import annotations

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import InvalidRequest
from ansible_collections.netwright.docknet.plugins.module_utils._topology.rule import dnat, snat
from hypothesis import given
from hypothesis import strategies as st

WEB = {"state": "present", "protocol": "tcp", "host_port": "8080", "to_ip": "172.17.0.3", "to_port": "80"}
ABSENT = {"state": "absent", "protocol": "tcp", "host_port": "8080"}


def one(**options):
    (rule,) = dnat("dnat_rule x", {**WEB, **options})
    return rule


def test_dnat():
    rule = one(allowed_sources=["10.1.0.0/16", "10.0.0.0/8", "192.0.2.7"], hairpin=True, local=False, netns="web")
    assert str(rule) == "dnat 0.0.0.0:8080/tcp in web"
    assert (str(rule.to_ip), rule.to_port, rule.hairpin, rule.local) == ("172.17.0.3", 80, True, False)
    assert sorted(map(str, rule.allowed_sources)) == ["10.0.0.0/8", "192.0.2.7/32"]
    assert one(allowed_sources=[]).allowed_sources == frozenset()
    assert one(allowed_sources=None).allowed_sources is None
    assert one(to_port=None).to_port is None


@pytest.mark.parametrize(
    "options, name",
    [
        ({"host_ip": None}, "dnat 0.0.0.0:8080/tcp"),
        ({"host_ip": "0.0.0.0"}, "dnat 0.0.0.0:8080/tcp"),
        ({"to_ip": "fd17::3"}, "dnat [::]:8080/tcp"),
        ({"to_ip": "FD17:0::3", "host_ip": "0:0::0"}, "dnat [::]:8080/tcp"),
        ({"host_ip": "127.0.0.1", "protocol": "sctp"}, "dnat 127.0.0.1:8080/sctp"),
        ({"host_port": " 8000-8010 ", "to_port": "80-90"}, "dnat 0.0.0.0:8000-8010/tcp"),
        ({"host_port": "8000-8000"}, "dnat 0.0.0.0:8000/tcp"),
    ],
)
def test_which_rule_is_meant(options, name):
    assert str(one(**options)) == name


def test_absent_needs_the_identity_alone():
    assert [str(rule) for rule in dnat("x", ABSENT)] == ["dnat 0.0.0.0:8080/tcp", "dnat [::]:8080/tcp"]
    assert [str(rule) for rule in dnat("x", {**ABSENT, "to_ip": "fd17::3"})] == ["dnat [::]:8080/tcp"]
    assert [str(rule) for rule in dnat("x", {**ABSENT, "host_ip": "10.0.0.1"})] == ["dnat 10.0.0.1:8080/tcp"]


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"to_ip": None}, "to_ip '' is missing; say which address"),
        ({"to_ip": "172.17.0.3/16"}, "to_ip '172.17.0.3/16' is no address"),
        ({"to_ip": "web"}, "to_ip 'web' is no address"),
        ({"to_ip": "127.0.0.1"}, "is no address of one host"),
        ({"to_ip": "224.0.0.1"}, "is no address of one host"),
        ({"to_ip": "0.0.0.0"}, "is no address of one host"),
        ({"to_ip": "255.255.255.255"}, "is no address of one host"),
        ({"to_ip": "fe80::1"}, "is link-local"),
        ({"to_ip": "fe80::1%eth0"}, "has a zone"),
        ({"host_ip": "::1", "to_ip": "fd17::3"}, "host_ip '::1' cannot be served without a proxy process"),
        ({"host_ip": "fe80::1", "to_ip": "fd17::3"}, "is link-local"),
        ({"host_ip": "239.1.1.1"}, "is no address of one host"),
        ({"host_ip": "fd00::1"}, "is IPv6, and to_ip 172.17.0.3 is IPv4: they are not translated"),
        ({"host_ip": "::"}, "is IPv6, and to_ip"),
        ({"host_ip": "127.0.0.1", "local": False}, "is reached by the host alone"),
        ({"host_port": "0"}, "host_port '0' is not from 1 to 65535"),
        ({"host_port": "65536"}, "is not from 1 to 65535"),
        ({"host_port": "-1"}, "is no port; write a port"),
        ({"host_port": "http"}, "is no port"),
        ({"host_port": "8080:80"}, "is no port"),
        ({"host_port": "8010-8000"}, "ends before it begins; write 8000-8010"),
        ({"host_port": "8000-70000"}, "is not from 1 to 65535"),
        ({"host_port": "８０"}, "is no port"),
        ({"host_port": "8080\n"}, None),
        ({"to_port": "80-81"}, "to_port '80-81' has 2 ports, and host_port 8080 has 1; make both as long"),
        ({"host_port": "8000-8001"}, "to_port '80' has 1 ports, and host_port 8000-8001 has 2"),
        ({"to_port": "0"}, "to_port '0' is not from 1"),
        ({"allowed_sources": ["10.0.0.1/8"]}, "has bits set beyond its prefix; write 10.0.0.0/8"),
        ({"allowed_sources": ["fd00::/8"]}, "is not IPv4, as the rule is"),
        ({"allowed_sources": ["lan"]}, "allowed_sources[0] 'lan' is no subnet"),
        ({"netns": "../x"}, "is no name for a namespace"),
    ],
)
def test_what_cannot_be(options, sentence):
    if sentence is None:
        assert one(**options)
        return
    with pytest.raises(InvalidRequest) as error:
        one(**options)
    assert str(error.value).startswith("dnat_rule x: ") and sentence in str(error.value)


def test_snat():
    rule = snat("snat_rule x", {"source": "172.17.0.0/16", "except_out_interface": "docknet0", "to": "masquerade"})
    assert str(rule) == "snat 172.17.0.0/16 not out docknet0" and rule.to == "masquerade"
    rule = snat("x", {"source": "FD17::/64", "out_interface": "eth0", "to": "2001:DB8::1", "netns": "/run/netns/web"})
    assert (str(rule), str(rule.to)) == ("snat fd17::/64 out eth0 in web", "2001:db8::1")
    assert snat("x", {"source": "10.0.0.7", "to": None}).to is None


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"source": "172.17.0.1/16"}, "has bits set beyond its prefix; write 172.17.0.0/16"),
        ({"source": "web"}, "is no subnet"),
        ({"source": "224.0.0.0/4"}, "is no subnet that packets come from"),
        ({"source": "127.0.0.0/8"}, "is no subnet that packets come from"),
        ({"to": "masq"}, "to 'masq' is no address"),
        ({"to": "127.0.0.1"}, "is no address of one host"),
        ({"to": "fd00::1"}, "is IPv6, and source 172.17.0.0/16 is IPv4"),
        ({"out_interface": "a b"}, "is no name for an interface"),
        ({"out_interface": 'x"; flush ruleset'}, "bytes; Linux allows 15"),
        ({"except_out_interface": 'a";drop'}, "is no name for an interface"),
        ({"out_interface": "eth0", "except_out_interface": "eth0"}, "is out_interface too"),
    ],
)
def test_what_cannot_be_of_a_source(options, sentence):
    with pytest.raises(InvalidRequest) as error:
        snat("snat_rule x", {"source": "172.17.0.0/16", "to": "masquerade", **options})
    assert sentence in str(error.value)


@given(st.fixed_dictionaries({}, optional={name: st.text(max_size=20) for name in (*WEB, "host_ip", "netns")}))
def test_any_text_is_understood_or_refused(options):
    """And nothing of it gets into nft's language but addresses, numbers and names of few characters."""
    params = {**WEB, **options, "state": "present", "protocol": "tcp"}
    try:
        (rule,) = dnat("x", params)
    except InvalidRequest:
        return
    assert str(rule).isprintable() and '"' not in str(rule) and ";" not in str(rule)
    again = {"host_ip": str(rule.host_ip), "host_port": str(rule.ports), "to_ip": str(rule.to_ip), "netns": rule.netns}
    assert dnat("x", {**params, **again}) == [rule]
