# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of a topology in which one thing takes another's place; each was found by test_topology_random.py."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netwright.docknet.tests.kernel.killed import killed
from ansible_collections.netwright.docknet.tests.kernel.machine import ip, links, portrait, sh
from ansible_collections.netwright.docknet.tests.kernel.topologies import built, host, refused, topology

LAN = {
    "driver": "macvlan",
    "ipam": {"config": [{"subnet": "198.51.100.0/24", "ip_range": "198.51.100.64/26"}]},
    "driver_opts": {"parent": "lan0"},
}


@pytest.fixture(name="here", autouse=True)
def fixture_here():
    with host():
        yield


def document(**containers: Any) -> dict[str, Any]:
    return {"name": "shop", "networks": {"net": {}, "lan": copy.deepcopy(LAN)}, "containers": containers}


def on_lan(number: int, **more: Any) -> dict[str, Any]:
    return {"networks": {"lan": {"ipv4_address": f"198.51.100.{number}"}}, **more}


def test_a_new_container_takes_over_the_namespace_of_one_that_goes():
    built(document(ant={"netns_name": "room", "networks": ["net"]}))
    built(document(bee={"netns_name": "room", "networks": ["net"]}))
    assert set(links("room")) == {"lo", "eth0"}


def test_a_container_moves_from_a_network_to_another_kind_and_back():
    for network, kind in (("lan", "macvlan"), ("net", "veth"), ("lan", "macvlan")):
        built(document(ant={"networks": {network: {"interface_name": "wire0"}}}))
        assert links("ant")["wire0"]["linkinfo"]["info_kind"] == kind


def test_another_name_of_the_hosts_end_is_another_pair():
    """Which is made when that is asked for."""
    built(document(ant={"networks": {"net": {}}}))
    named = document(ant={"networks": {"net": {"driver_opts": {"host_interface_name": "vhost0"}}}})
    assert "recreate: true" in refused(named)
    topology(named, recreate=True)
    assert "vhost0" in links() and not topology(named)["changed"]


def test_an_interface_that_is_made_anew_in_the_same_run_gets_all_its_settings():
    named = {"driver_opts": {"host_interface_name": "vhost0"}}
    built(document(ant={"networks": {"net": named}}))
    topology(document(ant={"networks": {"net": {}}}, bee={"networks": {"net": named}}), recreate=True)
    assert sh("ip netns exec ant sysctl -n net.ipv4.conf.eth0.rp_filter") == "2\n"


@pytest.mark.parametrize(
    "after",
    [
        document(ant=on_lan(21), bee=on_lan(20)),
        document(bee=on_lan(20)),
        document(ant={"networks": ["net"]}, bee=on_lan(20)),
        document(ant=on_lan(22), bee=on_lan(21), cat=on_lan(20)),
    ],
    ids=["swapped", "inherited", "left", "passed on"],
)
def test_mac_addresses_change_hands_on_one_parent(after):
    built(document(ant=on_lan(20), bee=on_lan(21)))
    built(after)
    for name, one in after["containers"].items():
        if "lan" in one["networks"]:
            number = int(one["networks"]["lan"]["ipv4_address"].rpartition(".")[2])
            assert links(name)["eth0"]["address"] == f"02:42:c6:33:64:{number:02x}"


def test_a_network_that_gives_no_addresses_any_more_takes_its_own_back():
    both = document(ant={"networks": ["net", "other"]})
    both["networks"]["other"] = {}
    built(both)
    both["networks"]["net"] = {"ipam": {"driver": "none"}}
    built(both)
    assert not ip("-n ant -4 address show dev eth0")
    assert [route["dev"] for route in ip("-n ant route show default")] == ["eth1"]
    sh("ip -n ant address add 10.1.1.1/24 dev eth0")
    assert not topology(both)["changed"]


def test_a_child_whose_mtu_is_not_said_any_more_has_its_parents():
    small = document(ant={"networks": ["lan"]})
    small["networks"]["lan"]["driver_opts"]["mtu"] = 1400
    built(small)
    built(document(ant={"networks": ["lan"]}))
    assert links("ant")["eth0"]["mtu"] == 1500


def test_a_killed_run_forgets_neither_the_default_bridge_nor_a_hosts_file():
    """At every third step of the change, and of the removal."""
    before = portrait()
    full = document(ant={"network_mode": "bridge", "netns_name": "room"})
    empty = document()
    for wanted, words in ((empty, {}), ({"name": "shop"}, {"state": "absent"})):
        count, left = 2, True
        while left:
            topology(full)
            left = killed(count, wanted, **words)
            topology(wanted, **words)
            assert "docknet0" not in links() and not [*Path("/etc/netns").glob("*")], count
            count += 3
        assert count > 5
        topology({"name": "shop"}, state="absent")
        assert portrait() == before
