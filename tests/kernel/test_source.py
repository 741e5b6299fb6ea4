# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes by source on the real kernel: rules, tables, what becomes of them when links change, and packets."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.effect import effect
from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import question
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import Conflict
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkAddress, LinkKey, Settings
from ansible_collections.netwright.docknet.plugins.module_utils._model.namespace import Namespace
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Operation
from ansible_collections.netwright.docknet.plugins.module_utils._model.source import PRIORITY, PROTOCOL, SourceRoute
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.engine import carry_out, look, steps, wish
from ansible_collections.netwright.docknet.tests.kernel.machine import ip, sh

pytestmark = pytest.mark.usefixtures("machine")

ETH1 = LinkKey("web", "eth1")
FOUR = SourceRoute(ETH1, ip_address("10.2.0.5"), ip_address("10.2.0.1"), 1001)
SIX = SourceRoute(ETH1, ip_address("fd02::5"), ip_address("fd02::1"), 1001)
LOW = SourceRoute(ETH1, ip_address("10.2.0.5"), ip_address("10.2.0.1"), 101)
BOTH = (wish(FOUR), wish(SIX))
WHOLE = {FOUR._replace(network=ip_network("10.2.0.0/24")), SIX._replace(network=ip_network("fd02::/64"))}


def address(netns, device, *addresses):
    return "".join(f"ip -n {netns} address add {one} dev {device} nodad\n" for one in addresses)


# A container on two bridges, each with a router of its own; the default route is by the first. Behind the second
# router is a client that the first knows nothing of; beside it on the second bridge a neighbour.
PLACE = (
    """
for n in web one two client near; do ip netns add $n; ip -n $n link set lo up; ip netns exec $n sysctl -qw net.ipv6.conf.default.accept_dad=0; done
for b in br1 br2; do ip link add $b type bridge; ip link set $b up; done
plug() { ip link add "$1-$2" type veth peer name "$2" netns "$1"; ip link set "$1-$2" master "$3" up; ip -n "$1" link set "$2" up; }
sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0 2>/dev/null || true
plug web eth0 br1; plug one eth0 br1; plug web eth1 br2; plug two eth0 br2; plug near eth0 br2
ip -n two link add eth1 type veth peer name eth0 netns client
ip -n two link set eth1 up; ip -n client link set eth0 up
for n in one two; do ip netns exec $n sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; done
ip netns exec web sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0
"""
    + address("web", "eth0", "10.1.0.5/24", "fd01::5/64")
    + address("one", "eth0", "10.1.0.1/24", "fd01::1/64")
    + address("web", "eth1", "10.2.0.5/24", "fd02::5/64")
    + address("two", "eth0", "10.2.0.1/24", "fd02::1/64")
    + address("near", "eth0", "10.2.0.9/24", "fd02::9/64")
    + address("two", "eth1", "10.9.0.1/24", "fd09::1/64")
    + address("client", "eth0", "10.9.0.9/24", "fd09::9/64")
    + """
ip -n web route add default via 10.1.0.1; ip -n web route add default via fd01::1
ip -n client route add default via 10.9.0.1; ip -n client route add default via fd09::1
"""
)


@pytest.fixture(name="place")
def fixture_place(machine):
    sh(PLACE)


def rules(family="-4"):
    """Of the container, those that are not in every namespace."""
    return [rule for rule in ip(f"-n web {family} rule show") if rule["priority"] == PRIORITY]


def tables(family="-4", table=1001):
    said = sh(f"ip -n web {family} route show table {table} 2>/dev/null || true")
    return sorted(line.strip() for line in said.splitlines())


def seen():
    return look(BOTH).sources["web"]


def ping(netns, to):
    """The hop limit that the answer came with, or None."""
    said = sh(f"ip netns exec {netns} ping -n -c 1 -W 1 {to} || true")
    found = re.search(r"ttl=(\d+)", said)
    return int(found[1]) if found else None


def answers_by(router):
    """Echo replies that came to a router, to be forwarded or because they are its own."""
    chain = "table inet count { chain answers { type filter hook prerouting priority 0; %s; %s; }; }"
    four, six = "iifname eth0 icmp type echo-reply counter", "iifname eth0 icmpv6 type echo-reply counter"
    said = sh(
        f"ip netns exec {router} nft list table inet count 2>/dev/null || ip netns exec {router} nft '{chain % (four, six)}'"
    )
    return sum(map(int, re.findall(r"packets (\d+)", said)))


@pytest.mark.usefixtures("place")
def test_answers_leave_by_the_interface_they_came_to():
    """Routers and the container take every packet, whatever its way back: what is missing is the way."""
    assert answers_by("one") == answers_by("two") == 0
    for to in ("10.2.0.5", "fd02::5"):
        assert ping("client", to) is None
    assert answers_by("one") >= 2, "they were answered, by the wrong router"
    before = answers_by("two"), answers_by("one")
    carry_out(*BOTH)
    for to in ("10.2.0.5", "fd02::5"):
        assert ping("client", to) == 63, "the answer comes by one router"
        assert ping("near", to) == 64, "a neighbour is answered without one"
    assert answers_by("two") >= before[0] + 2
    assert answers_by("one") == before[1]
    assert ping("one", "10.1.0.5") == 64
    # Now the stricter way: a packet whose answer would leave elsewhere is dropped by the container itself.
    sh("ip netns exec web sysctl -qw net.ipv4.conf.eth1.rp_filter=1")
    assert ping("client", "10.2.0.5") == 63
    carry_out(*(one._replace(present=False) for one in BOTH))
    for to in ("10.2.0.5", "fd02::5"):
        assert ping("client", to) is None


@pytest.mark.usefixtures("place")
def test_what_the_kernel_holds():
    made = carry_out(*BOTH)
    assert [action for action, _value, _reason in steps(made)] == ["add", "add"]
    assert seen() == made.world.sources["web"] == WHOLE
    for family, one in (("-4", FOUR), ("-6", SIX)):
        (rule,) = rules(family)
        assert (rule["src"], rule["table"], rule["protocol"]) == (str(one.address), "1001", str(PROTOCOL))
    assert tables() == ["10.2.0.0/24 dev eth1 proto 219 scope link", "default via 10.2.0.1 dev eth1 proto 219"]
    assert [line.split(" metric")[0] for line in tables("-6")] == [
        "default via fd02::1 dev eth1 proto 219",
        "fd02::/64 dev eth1 proto 219",
    ]
    carry_out(*(one._replace(present=False) for one in BOTH))
    assert not rules() and not rules("-6") and not tables() and not tables("-6")


@pytest.mark.usefixtures("place")
def test_a_table_whose_number_fits_into_a_byte():
    carry_out(wish(LOW))
    assert tables(table=101)[1] == "default via 10.2.0.1 dev eth1 proto 219"
    carry_out(wish(LOW, present=False))
    assert not rules() and not tables(table=101)


@pytest.mark.usefixtures("place")
def test_routes_of_other_tables_are_no_routes_of_the_link():
    carry_out(*BOTH)
    link = look(BOTH).links[ETH1]
    assert link.gateways == link.routes == frozenset()
    # A link that is asked to have no routes and no default routes keeps those of our tables, and a second run does nothing.
    made = carry_out(wish(Link(ETH1, gateways=frozenset(), routes=frozenset())), *BOTH)
    assert not made.operations
    assert seen() == WHOLE


DAMAGES = {
    "the link is down and up again": "ip -n web link set eth1 down; ip -n web link set eth1 up; ip -n web address add fd02::5/64 dev eth1 nodad",
    "rules flushed": "ip -n web rule flush; ip -n web rule add lookup main pref 32766; ip -n web -6 rule del pref 1000",
    "routes flushed": "ip -n web route flush table 1001; ip -n web -6 route flush table 1001",
    "one route": "ip -n web route del default table 1001",
    "the subnet's route": "ip -n web route del 10.2.0.0/24 table 1001",
    "another gateway": "ip -n web route replace default via 10.2.0.254 dev eth1 table 1001 proto 219",
    "through another link": "ip -n web route replace default via 10.1.0.1 dev eth0 table 1001 proto 219",
    "addresses gone and back": "ip -n web address flush dev eth1 scope global\n"
    + address("web", "eth1", "10.2.0.5/24", "fd02::5/64"),
}


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_put_right(damage):
    carry_out(*BOTH)
    sh(DAMAGES[damage])
    made = carry_out(*BOTH)
    assert made.operations
    assert seen() == made.world.sources["web"] == WHOLE
    assert ping("client", "10.2.0.5") == 63
    assert ping("near", "10.2.0.5") == 64


CHANGES = {
    "link down": Operation("set", Settings(ETH1, {"up": False}), "", ""),
    "last IPv4 address": Operation("remove", LinkAddress(ETH1, ip_interface("10.2.0.5/24")), "", ""),
    "IPv6 address": Operation("remove", LinkAddress(ETH1, ip_interface("fd02::5/64")), "", ""),
    "link deleted": None,
    "other end deleted": None,
}


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("change", CHANGES)
def test_effect_says_what_the_kernel_does_to_rules_and_routes(change):
    carry_out(*BOTH)
    asked = question(BOTH)
    asked.links.add(None)
    asked.neighbours |= {("web", None), (None, "web")}
    with Host() as host:
        expected = host.observe(asked).copy()
        gone = expected.links[ETH1 if change == "link deleted" else LinkKey(None, "web-eth1")]
        operation = CHANGES[change] or Operation("delete", gone, "", "")
        effect(expected, operation)
        list(host.apply([operation], lambda _operation: 0, ()))
    with Host() as host:
        now = host.observe(asked)
    assert now.sources["web"] == expected.sources["web"]
    assert now.sources["web"] != WHOLE or change == "IPv6 address"
    # Whatever is left can be taken away, as it is seen.
    carry_out(*(wish(one, present=False) for one in now.sources["web"]))
    assert not rules() and not rules("-6") and not tables() and not tables("-6")


@pytest.mark.usefixtures("place")
def test_a_link_that_is_made_anew_gets_its_routes_again():
    carry_out(*BOTH)
    sh("ip link del web-eth1")
    assert {one.gateway for one in seen()} == {None}
    sh(
        "ip link add web-eth1 type veth peer name eth1 netns web; ip link set web-eth1 master br2 up; ip -n web link set eth1 up"
    )
    sh(address("web", "eth1", "10.2.0.5/24", "fd02::5/64"))
    made = carry_out(*BOTH)
    assert {reason for _action, _value, reason in steps(made)} == {"its route is gone"}
    assert seen() == WHOLE


@pytest.mark.usefixtures("place")
def test_another_address_of_the_link_shares_its_routes():
    sh(address("web", "eth1", "10.2.0.6/24"))
    second = wish(FOUR._replace(address=ip_address("10.2.0.6")))
    carry_out(wish(FOUR), second)
    assert len(rules()) == 2 and len(tables()) == 2
    carry_out(wish(FOUR, present=False))
    assert ping("client", "10.2.0.6") == 63 and ping("client", "10.2.0.5") is None
    carry_out(second._replace(present=False))
    assert not rules() and not tables()


@pytest.mark.usefixtures("place")
def test_an_address_that_is_another_one_now():
    carry_out(wish(FOUR))
    sh("ip netns exec web sysctl -qw net.ipv4.conf.all.promote_secondaries=1")
    sh("ip -n web address add 10.2.0.7/24 dev eth1; ip -n web address del 10.2.0.5/24 dev eth1")
    new = wish(FOUR._replace(address=ip_address("10.2.0.7")))
    carry_out(new, wish(FOUR, present=False))
    assert ping("client", "10.2.0.7") == 63
    assert [rule["src"] for rule in rules()] == ["10.2.0.7"]


@pytest.mark.usefixtures("place")
def test_what_others_made_is_not_seen_and_not_touched():
    theirs = [
        "ip -n web rule add from 10.2.0.5 lookup 77 pref 1000",
        "ip -n web rule add from 10.2.0.5 to 10.8.0.0/16 lookup 77 pref 1000 protocol 219",
        "ip -n web rule add from 10.2.0.0/24 lookup 77 pref 1000 protocol 219",
        "ip -n web rule add from 10.2.0.5 lookup 77 pref 999 protocol 219",
        "ip -n web rule add from 10.2.0.5 iif eth0 lookup 77 pref 1000 protocol 219",
        "ip -n web rule add from 10.2.0.5 lookup 77 suppress_prefixlength 0 pref 1000 protocol 219",
        "ip -n web route add 10.8.0.0/16 via 10.1.0.1 table 1001",
    ]
    sh("\n".join(theirs))
    before = sh("ip -n web rule show; ip -n web route show table all")
    assert seen() == frozenset()
    carry_out(*BOTH)
    assert seen() == WHOLE
    carry_out(*(one._replace(present=False) for one in BOTH))
    assert sh("ip -n web rule show; ip -n web route show table all") == before


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("way", ["via 10.1.0.1", "dev eth0"])
def test_somebody_elses_default_route_in_the_table(way):
    sh(f"ip -n web route add default {way} table 1001")
    before = sh("ip -n web rule show; ip -n web route show table all")
    with pytest.raises(Conflict, match=r"routing table 1001 in web has a default route .*that is not ours"):
        carry_out(*BOTH)
    carry_out(*(wish(one, present=False) for one in seen()))
    assert sh("ip -n web rule show; ip -n web route show table all") == before


def test_with_its_namespace_it_is_gone():
    call("netns", name="web", owner="shop")
    call("veth_pair", owner="shop", a={"name": "v1"}, b={"name": "eth1", "netns": "web", "addresses": ["10.2.0.5/24"]})
    carry_out(wish(FOUR))
    carry_out(wish(FOUR, present=False), wish(Namespace("web"), present=False))
    assert not ip("netns list") and not ip("rule show priority 1000")


def test_the_hosts_own_namespace_has_them_too():
    sh("ip link add v0 type veth peer name v1; ip address add 10.2.0.5/24 dev v0; ip link set v0 up; ip link set v1 up")
    value = FOUR._replace(link=LinkKey(None, "v0"))
    carry_out(wish(value))
    assert [rule["table"] for rule in ip("rule show priority 1000")] == ["1001"]
    made = carry_out(wish(value, present=False))
    assert steps(made) == [("remove", "source route from 10.2.0.5 via 10.2.0.1 through v0", "to be absent")]
    assert not ip("rule show priority 1000")
