# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was there before and was adopted is given back as it was, and never deleted."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.machine import ip, portrait, sh
from ansible_collections.netwright.docknet.tests.kernel.topologies import built, host, reaches, topology

# The host is on the LAN by a bridge of its own, with all that somebody gave it.
LAN_BY_A_BRIDGE = """
ip address del 198.51.100.1/24 dev lan0; ip address del fd51::1/64 dev lan0
ip link add br0 address 02:00:5e:00:00:01 type bridge; ip link set br0 up group 7; ip link set lan0 master br0
ip address add 198.51.100.1/24 dev br0; ip address add fd51::1/64 dev br0 nodad; ip route add default via 198.51.100.2
"""


@pytest.fixture(autouse=True)
def fixture_here():
    with host() as here:
        yield here


def run(module: str, **words: Any) -> dict[str, Any]:
    answer = call(module, **words)
    assert not answer.get("failed"), answer["msg"]
    return answer


def test_a_bridge_with_the_host_s_uplink():
    sh(LAN_BY_A_BRIDGE)
    before = portrait()
    words = {"name": "br0", "addresses": ["198.51.100.1/24", "fd51::1/64", "10.5.0.1/24"]}
    assert "set adopt: true" in call("linux_bridge", **words)["msg"]
    run("linux_bridge", **words, adopt=True)
    assert not run("linux_bridge", **words)["changed"]
    assert ip("link show br0")[0]["altnames"] == ["docknet-adopted@docknet@br0"]
    assert reaches("lan", "198.51.100.1")
    foretold = run("linux_bridge", name="br0", state="absent", _ansible_check_mode=True)
    done = run("linux_bridge", name="br0", state="absent")
    assert foretold["actions"] == done["actions"]
    assert [step["action"] for step in done["actions"]] == ["remove", "release"]
    assert portrait() == before
    assert reaches("lan", "198.51.100.1")
    assert "did not make" in call("linux_bridge", name="br0", state="absent")["msg"]
    run("linux_bridge", name="br0", owner="shop", adopt=True)


def test_a_topology_on_the_host_s_own_bridge():
    """The host keeps its way to the LAN all the time."""
    sh(LAN_BY_A_BRIDGE)
    settings = "cat /proc/sys/net/ipv4/conf/br0/* /proc/sys/net/ipv6/conf/br0/* 2>/dev/null | grep -v '^secret'"
    before, said = portrait(), sh(settings)
    document = {
        "name": "shop",
        "networks": {"front": {"name": "br0", "ipam": {"config": [{"subnet": "172.29.0.0/24"}]}}},
        "containers": {"web": {"networks": ["front"], "ports": ["8080:80"]}, "db": {"networks": ["front"]}},
    }
    sh("echo 1 >/proc/sys/net/ipv4/ip_forward")
    said = sh(settings)
    built(document, adopt=True)
    assert reaches("web", "172.29.0.3") and reaches("lan", "198.51.100.1") and reaches("lan", "fd51::1")
    del document["containers"]["db"]
    assert topology(document)["changed"] and not topology(document)["changed"]
    topology({"name": "shop"}, state="absent")
    assert not topology({"name": "shop"}, state="absent")["changed"]
    assert portrait() == before
    assert sh(settings) == said
    assert reaches("lan", "198.51.100.1")


LINKS = {
    "veth_pair": ({"a": {"name": "v0"}, "b": {"name": "v1"}}, "ip link add v0 type veth peer name v1"),
    "macvlan_net": ({"name": "m0", "parent": "lan0"}, "ip link add m0 link lan0 type macvlan mode bridge"),
    "vxlan_link": ({"name": "x0", "vni": 7, "mtu": 1500}, "ip link add x0 type vxlan id 7 dstport 4789"),
}


@pytest.mark.parametrize("module", LINKS)
def test_a_link_of_each_kind(module):
    words, made = LINKS[module]
    sh(f"{made}; for one in v0 v1 m0 x0; do ip link set $one up addrgenmode none 2>/dev/null || true; done")
    before = portrait()
    assert run(module, **words, adopt=True)["changed"]
    assert not run(module, **words)["changed"]
    identity = {name: words[name] for name in ("a", "name") if name in words}
    assert run(module, **identity, state="absent")["changed"]
    assert portrait() == before


def test_both_ends_of_a_pair_in_two_namespaces():
    sh(
        "ip netns add web; ip link add v0 type veth peer name eth0 netns web; ip link set v0 up; ip -n web link set eth0 up"
    )
    before = portrait()
    words = {"a": {"name": "v0"}, "b": {"name": "eth0", "netns": "web", "addresses": ["10.0.0.2/24"]}}
    run("veth_pair", **words, adopt=True)
    done = run("veth_pair", **words, state="absent")
    assert [step["action"] for step in done["actions"]] == ["remove", "release", "release"]
    assert portrait() == before


def test_a_namespace_with_what_is_in_it():
    """Of what is in it our own goes."""
    sh("ip netns add web; ip -n web link set lo up; ip -n web link add theirs type bridge")
    before = portrait()
    run("netns", name="web", adopt=True)
    assert not run("netns", name="web")["changed"]
    run("veth_pair", a={"name": "v0"}, b={"name": "eth0", "netns": "web", "addresses": ["10.0.0.2/24"]})
    foretold = run("netns", name="web", state="absent", _ansible_check_mode=True)
    done = run("netns", name="web", state="absent")
    assert foretold["actions"] == done["actions"]
    assert done["actions"][-1]["action"] == "release"
    assert portrait() == before
    assert "did not make" in call("netns", name="web", state="absent")["msg"]


def test_a_topology_s_container_in_a_namespace_of_somebody_else():
    """With several networks, so that there are rules of ours in it."""
    sh("ip netns add web; ip -n web link set lo up; ip -n web link add theirs type bridge")
    sh("echo 1 >/proc/sys/net/ipv4/ip_forward")
    before = portrait()
    document = {"name": "shop", "networks": {"a": {}, "b": {}}, "containers": {"web": {"networks": ["a", "b"]}}}
    built(document, adopt=True)
    topology({"name": "shop"}, state="absent")
    assert portrait() == before
    assert "1000" not in sh("ip -n web rule; ip -n web route show table all")


def test_what_was_made_is_deleted_also_by_an_owner_who_may_adopt():
    run("linux_bridge", name="br0", adopt=True)
    assert run("linux_bridge", name="br0", state="absent", adopt=True)["actions"][0]["action"] == "delete"
    assert "br0" not in {link["ifname"] for link in ip("link")}
