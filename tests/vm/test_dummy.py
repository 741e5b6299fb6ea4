# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dummy interfaces of somebody else, on a stock Debian kernel: as parents, as ports of a bridge, and in the way."""

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.machine import ip, links, machine, portrait, sh
from ansible_collections.netwright.docknet.tests.kernel.topologies import address, built, host, reaches, refused

CONTAINERS = {"web": 9, "db": 10}
SHIM = {"name": "shim0", "addresses": ["192.0.2.250/32"]}


@pytest.fixture(name="dummy", scope="module", autouse=True)
def fixture_dummy():
    """Loaded by itself, the kernel module would leave a dummy0 on the machine."""
    subprocess.run(["modprobe", "dummy", "numdummies=0"], check=True, timeout=120)


@pytest.fixture(name="here")
def fixture_here():
    with machine():
        sh("ip link set lo up; ip link add lan0 type dummy; ip link set lan0 mtu 1400 up")
        yield


def done(answer):
    assert not answer.get("failed"), answer["msg"]
    return answer


def made(module, **words):
    """Once check mode has foretold it and a second run has changed nothing."""
    foretold = done(call(module, **words, _ansible_check_mode=True))
    answer = done(call(module, **words))
    assert answer["actions"] == foretold["actions"]
    assert not done(call(module, **words))["changed"]
    return answer


def host_reaches(to):
    return (
        subprocess.run(["ping", "-n", "-c1", "-W5", to], capture_output=True, check=False, timeout=60).returncode == 0
    )


@pytest.mark.parametrize("vlan", [None, 10], ids=["untagged", "tagged"])
@pytest.mark.parametrize("module", ["macvlan_net", "ipvlan_net"])
def test_containers_share_a_lan_that_has_no_wire(here, module, vlan):
    sh("ip netns add web; ip netns add db")
    before = portrait()
    config = [
        {
            "name": "eth0",
            "netns": name,
            "parent": "lan0",
            "vlan": vlan,
            "addresses": [f"192.0.2.{last}/24", f"fd00:2::{last}/64"],
            "host_shim": SHIM,
        }
        for name, last in CONTAINERS.items()
    ]
    made(module, config=config)
    assert ip("-n web link show eth0")[0]["mtu"] == 1400, "its parent's"
    assert ("lan0.10" in links()) is bool(vlan)
    assert reaches("web", "192.0.2.10") and reaches("db", "fd00:2::9")
    assert host_reaches("192.0.2.9") and reaches("web", "192.0.2.250"), "the host, by its shim"
    made(module, config=[{"name": "eth0", "netns": name, "state": "absent"} for name in CONTAINERS])
    assert portrait() == before


def test_a_bridge_takes_it_as_a_port_and_gives_it_back(here):
    sh("ip link add other0 type dummy; ip link set other0 up")
    alone = links()
    made("veth_pair", a={"name": "vweb"}, b={"name": "eth1"})
    made("linux_bridge", name="br0", ports=["lan0", "vweb"])
    port = links()["lan0"]
    assert (port["master"], links()["br0"]["mtu"]) == ("br0", 1400), "a bridge has the smallest MTU of its ports"
    assert (port["group"], port.get("altnames"), port["address"]) == ("default", None, alone["lan0"]["address"])
    sh("ip link set other0 master br0")
    assert not done(call("linux_bridge", name="br0"))["changed"], "where ports are not said they are anybody's to add"
    assert links()["other0"]["master"] == "br0"
    released = made("linux_bridge", name="br0", ports=["lan0", "vweb"])
    assert [step["object"] for step in released["actions"]] == ["link other0"]
    sh("ip link set other0 master br0")
    made("linux_bridge", name="br0", state="absent")
    made("veth_pair", a={"name": "vweb"}, b={"name": "eth1"}, state="absent")
    assert {name: identity(link) for name, link in links().items()} == {
        name: identity(link) for name, link in alone.items()
    }


def identity(link):
    names = ("ifindex", "address", "mtu", "group", "master", "altnames", "promiscuity")
    return {name: link.get(name) for name in names} | {"up": "UP" in link["flags"]}


@pytest.mark.parametrize(
    ("module", "words", "identity_words"),
    [
        ("linux_bridge", {"name": "quiet0"}, {"name": "quiet0"}),
        ("veth_pair", {"a": {"name": "quiet0"}, "b": {"name": "eth1"}}, {"a": {"name": "quiet0"}}),
        ("macvlan_net", {"name": "quiet0", "parent": "lan0"}, {"name": "quiet0"}),
        ("ipvlan_net", {"name": "quiet0", "parent": "lan0"}, {"name": "quiet0"}),
        ("vxlan_link", {"name": "quiet0", "vni": 7}, {"name": "quiet0"}),
    ],
)
def test_one_that_has_the_name_is_left_alone(here, module, words, identity_words):
    sh("ip link add quiet0 type dummy")
    before = portrait()
    for arguments in (
        words,
        {**words, "adopt": True},
        {**words, "recreate": True},
        {**identity_words, "state": "absent"},
    ):
        for check in (True, False):
            answer = call(module, **arguments, _ansible_check_mode=check)
            assert answer.get("failed") and "a dummy of that name is there" in answer["msg"], (arguments, answer)
    assert portrait() == before


@pytest.mark.parametrize("driver", ["macvlan", "ipvlan"])
def test_a_topology_on_it_comes_back_with_it(driver):
    document = {
        "name": "shop",
        "networks": {
            "lan": {
                "driver": driver,
                "ipam": {"config": [{"subnet": "192.0.2.0/24"}]},
                "driver_opts": {"parent": "quiet0", "host_shim": "shim0"},
            }
        },
        "containers": {"till": {"networks": ["lan"]}, "desk": {"networks": ["lan"]}},
    }
    with host():
        sh("ip link add quiet0 type dummy; ip link set quiet0 up")
        first = built(document)
        assert reaches("till", "desk") and host_reaches(address(first, "till", "lan"))
        sh("ip link del quiet0")
        assert 'networks.lan: parent "quiet0" does not exist on the host; make it first' in refused(document)
        sh("ip link add quiet0 type dummy; ip link set quiet0 up")
        again = built(document)
        assert address(again, "till", "lan") == address(first, "till", "lan")
        assert reaches("till", "desk") and host_reaches(address(again, "till", "lan"))
        done(call("topology", topology={"name": "shop"}, state="absent"))
        assert identity(links()["quiet0"])["up"] and "shim0" not in links()


def test_one_in_a_topology_s_bridge_stays_and_outlives_it():
    document = {
        "name": "shop",
        "networks": {"front": {"name": "front0"}},
        "containers": {"web": {"networks": ["front"]}},
    }
    with host():
        built(document)
        sh("ip link add quiet0 type dummy; ip link set quiet0 master front0 up")
        before = links()["quiet0"]
        built({**document, "containers": {"web": {"networks": ["front"]}, "db": {"networks": ["front"]}}})
        assert identity(links()["quiet0"]) == identity(before)
        assert reaches("web", "db")
        done(call("topology", topology={"name": "shop"}, state="absent"))
        assert "front0" not in links()
        assert identity(links()["quiet0"]) == {**identity(before), "master": None, "promiscuity": 0}
