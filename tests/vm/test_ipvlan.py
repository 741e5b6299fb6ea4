# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ipvlan on a stock Debian kernel: what its modes and flags mean for packets, and what children of one parent share."""

from __future__ import annotations

import pytest
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.machine import ip, machine, sh

pytestmark = pytest.mark.usefixtures("lan")
SHIM = {"name": "shim0", "addresses": ["192.0.2.250/32"]}


@pytest.fixture(name="lan")
def fixture_lan():
    """The host's lan0 is 192.0.2.2; 192.0.2.1 is another machine's, which also has 203.0.113.1."""
    with machine():
        sh("""
        ip link set lo up
        ip netns add lan; ip -n lan link set lo up; ip -n lan address add 203.0.113.1/32 dev lo
        ip link add lan0 type veth peer name eth0 netns lan
        ip link set lan0 up; ip address add 192.0.2.2/24 dev lan0
        ip -n lan link set eth0 up; ip -n lan address add 192.0.2.1/24 dev eth0
        """)
        assert call("netns", config=[{"name": "web"}, {"name": "db"}])["changed"]
        yield


def one(name, last, **more):
    return {"name": "eth0", "netns": name, "parent": "lan0", "addresses": [f"192.0.2.{last}/24"], **more}


def make(*containers, **more):
    """The containers' answer: each is a name and the last byte of its address."""
    return call("ipvlan_net", config=[one(name, last, **more) for name, last in containers])


def done(answer):
    assert not answer.get("failed"), answer["msg"]
    return answer


def reaches(where, address):
    """Whether one packet of three comes back; the first may go while a neighbour is asked for."""
    inside = f"ip netns exec {where}" if where else ""
    return sh(f"{inside} ping -n -c 3 -i 0.2 -W 5 {address} >/dev/null && echo yes || echo no") == "yes\n"


def seen(name, netns):
    return ip(f"-n {netns} link show {name}")[0]


WEB, DB = ("web", 9), ("db", 10)


def test_l2_is_a_place_on_the_lan():
    assert done(make(WEB, DB, gateway=["192.0.2.1"]))["changed"]
    assert seen("eth0", "web")["linkinfo"]["info_data"] == {"mode": "l2", "bridge": True}
    assert seen("eth0", "web")["address"] == ip("link show lan0")[0]["address"]
    for address in ("192.0.2.1", "192.0.2.10", "203.0.113.1"):
        assert reaches("web", address), address
    assert reaches("lan", "192.0.2.9")
    assert not reaches("web", "192.0.2.2"), "the host is reached by a shim alone"


@pytest.mark.parametrize("mode", ["l3", "l3s"])
def test_in_l3_the_host_routes(mode):
    """As Docker: the container's default route is the interface itself. Others need a way by the host."""
    sh(
        "ip route add default via 192.0.2.1; ip -n lan route add 198.51.100.0/24 via 192.0.2.2; sysctl -qw net.ipv4.ip_forward=1"
    )
    config = [
        {"name": "eth0", "netns": name, "parent": "lan0", "mode": mode, "addresses": [address], "host_shim": SHIM}
        for name, address in (("web", "198.51.100.9/24"), ("db", "198.51.100.10/24"))
    ]
    assert done(call("ipvlan_net", config=config))["changed"]
    assert not call("ipvlan_net", config=config)["changed"]
    assert "NOARP" in seen("eth0", "web")["flags"]
    assert [route["dev"] for route in ip("-n web route show default")] == ["eth0"]
    for address in ("192.0.2.1", "198.51.100.10", "203.0.113.1"):
        assert reaches("web", address), address
    assert reaches("lan", "198.51.100.9")
    assert reaches(None, "198.51.100.9"), "through the shim"
    assert done(call("ipvlan_net", **{**config[0], "gateway": []}))["changed"]
    assert ip("-n web route show default") == []


def test_the_host_reaches_its_containers_through_the_shim_which_goes_with_the_last():
    assert done(make(WEB, DB, host_shim=SHIM))["changed"]
    assert reaches(None, "192.0.2.9") and reaches("db", "192.0.2.250")
    assert call("ipvlan_net", name="eth0", netns="web", state="absent")["changed"]
    assert ip("link show shim0")
    assert call("netns", name="db", state="absent")["changed"]
    assert "shim0" not in {link["ifname"] for link in ip("link show")}


@pytest.mark.parametrize(("flag", "together"), [("bridge", True), ("private", False), ("vepa", False)])
def test_flags_say_whether_children_reach_each_other(flag, together):
    assert done(make(WEB, DB, flag=flag))["changed"]
    assert reaches("web", "192.0.2.1")
    assert reaches("web", "192.0.2.10") is together


def test_mode_and_flag_change_on_all_children_at_once():
    done(make(WEB, DB))
    changed = done(make(WEB, mode="l3", flag="private"))
    assert changed["changed"] and "change too" in str(changed["warnings"]), changed
    for name in ("web", "db"):
        assert seen("eth0", name)["linkinfo"]["info_data"] == {"mode": "l3", "private": True}
    assert not make(WEB, mode="l3", flag="private")["changed"]
    back = call("ipvlan_net", config=[one("web", 9), one("db", 10, mode="l3")])
    assert back["failed"] and "one mode and one flag" in back["msg"]


def test_an_address_goes_from_one_container_to_another():
    done(make(WEB, DB))
    swapped = done(make(("web", 10), ("db", 9)))
    assert swapped["changed"] and not make(("web", 10), ("db", 9))["changed"]
    assert reaches("lan", "192.0.2.9")
    handed_on = done(call("ipvlan_net", config=[one("web", 9), {"name": "eth0", "netns": "db", "state": "absent"}]))
    assert handed_on["actions"][0]["reason"] == "its address is for eth0 in web"
    assert reaches("lan", "192.0.2.9")


def test_a_parent_s_mtu_is_its_children_s():
    done(make(WEB, mtu=1300))
    sh("ip link set lan0 mtu 1400")
    assert seen("eth0", "web")["mtu"] == 1400
    assert done(make(WEB, mtu=1300))["changed"]
    assert seen("eth0", "web")["mtu"] == 1300


def test_macvlan_is_refused_where_an_ipvlan_is_and_the_other_way_round():
    done(make(WEB))
    answer = call("macvlan_net", name="eth0", netns="db", parent="lan0", addresses=["192.0.2.10/24"])
    assert answer["failed"] and 'has the ipvlan "eth0 in web" on it, of owner "docknet"' in answer["msg"], answer
    done(call("ipvlan_net", name="eth0", netns="web", state="absent"))
    done(call("macvlan_net", name="eth0", netns="db", parent="lan0", addresses=["192.0.2.10/24"]))
    answer = make(WEB)
    assert answer["failed"] and 'has the macvlan "eth0 in db" on it, of owner "docknet"' in answer["msg"], answer


def test_both_families_and_an_802_1q_tag():
    words = {"addresses": ["192.0.2.9/24", "fd00:2::9/64"], "vlan": 10}
    assert done(call("ipvlan_net", **one("web", 9, **words)))["changed"]
    sh("""
    ip -n lan link add link eth0 name eth0.10 type vlan id 10; ip -n lan link set eth0.10 up
    ip -n lan address flush dev eth0; ip -n lan address add 192.0.2.1/24 dev eth0.10
    ip -n lan address add fd00:2::1/64 dev eth0.10 nodad
    """)
    assert reaches("web", "192.0.2.1") and reaches("web", "fd00:2::1")
    assert call("netns", name="web", state="absent")["changed"]
    assert "lan0.10" not in {link["ifname"] for link in ip("link show")}
