# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of driver ipvlan in a topology, on a stock Debian kernel: with packets, beside another machine on the LAN."""

from __future__ import annotations

import copy
import subprocess

import pytest
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.machine import ip, portrait, sh
from ansible_collections.netwright.docknet.tests.kernel.topologies import (
    address,
    built,
    host,
    misses,
    reaches,
    refused,
    topology,
)


@pytest.fixture(name="here", autouse=True)
def fixture_here():
    with host() as here:
        yield here


def lan(*containers, driver="ipvlan", subnet="198.51.100.0/24", ip_range="198.51.100.128/25", **options):
    network = {
        "driver": driver,
        "ipam": {"config": [{"subnet": subnet, "ip_range": ip_range}]},  # null is as not said
        "driver_opts": {"parent": "lan0", **options},
    }
    return {
        "name": "shop",
        "networks": {"lan": network},
        "containers": {name: {"networks": ["lan"]} for name in containers},
    }


def host_reaches(to):
    return subprocess.run(["ping", "-q", "-c1", "-W1", to], capture_output=True, check=False).returncode == 0


def all_paths_are_right(document):
    """As role validate tries them."""
    answer = call("path_info", topology=copy.deepcopy(document))
    assert not answer.get("failed"), answer
    assert answer["paths"]


def test_l2_is_on_the_lan_and_the_host_is_there_by_its_shim():
    before = portrait()
    document = lan("till", "desk")
    done = built(document)
    till = address(done, "till", "lan")
    assert reaches("till", "desk") and reaches("till", "198.51.100.2") and reaches("lan", till)
    assert not host_reaches(till) and not ip("-n till route show default")
    link = ip("-n till link show eth0")[0]
    assert (link["linkinfo"]["info_kind"], link["address"]) == ("ipvlan", ip("link show lan0")[0]["address"])
    assert sh("ip netns exec till cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6") == "1\n"
    all_paths_are_right(document)
    document = lan("till", "desk", host_shim="shim0")
    built(document)
    assert host_reaches(till) and host_reaches(address(done, "desk", "lan"))
    all_paths_are_right(document)
    built(lan("till"))
    assert reaches("lan", till) and address(built(lan("till")), "till", "lan") == till
    assert topology({"name": "shop"}, state="absent")["changed"]
    assert portrait() == before


@pytest.mark.parametrize("mode", ["l3", "l3s"])
def test_l3_is_routed_by_the_host(mode):
    sh("sysctl -qw net.ipv4.ip_forward=1; ip -n lan route add 10.9.0.0/24 via 198.51.100.1")
    words = {"subnet": "10.9.0.0/24", "ip_range": None, "ipvlan_mode": mode, "host_shim": "shim0"}
    document = lan("till", "desk", **words)
    done = built(document)
    till = address(done, "till", "lan")
    assert [(one["dst"], one["dev"], "gateway" in one) for one in ip("-n till route show default")] == [
        ("default", "eth0", False)
    ]
    assert reaches("till", "desk") and reaches("till", "198.51.100.2") and reaches("lan", till) and host_reaches(till)
    all_paths_are_right(document)
    assert "nobody asks for a neighbour" in refused(with_gateway(lan("till", **words), "10.9.0.1"))


def with_gateway(document, gateway):
    document["networks"]["lan"]["ipam"]["config"][0]["gateway"] = gateway
    return document


def test_flag_private_keeps_containers_apart():
    document = lan("till", "desk", ipvlan_flag="private")
    done = built(document)
    assert misses("till", address(done, "desk", "lan")) and reaches("till", "198.51.100.2")
    all_paths_are_right(document)


def test_mode_and_flag_change_on_live_containers():
    first = built(lan("till", "desk"))
    done = built(lan("till", "desk", ipvlan_mode="l3s"))
    assert address(done, "till", "lan") == address(first, "till", "lan")
    assert not any(step["action"] in ("create", "delete") for step in done["actions"]), done["actions"]
    assert reaches("till", "desk")


def test_a_macvlan_becomes_an_ipvlan_and_one_again_with_recreate_alone():
    first = built(lan("till", "desk", driver="macvlan", host_shim="shim0"))
    for driver in ("ipvlan", "macvlan"):
        document = lan("till", "desk", driver=driver, host_shim="shim0")
        assert refused(document).endswith(
            "; set recreate: true (of role topology: docknet_recreate) to have it deleted and made again"
        )
        done = built(document, recreate=True)
        assert not topology(document)["changed"]
        assert address(done, "till", "lan") == address(first, "till", "lan")
        assert reaches("till", "desk") and reaches("lan", address(done, "till", "lan"))
        assert host_reaches(address(done, "desk", "lan"))


def test_a_container_takes_over_the_address_of_one_that_goes():
    document = lan("till", "desk")
    document["containers"]["till"] = {"networks": {"lan": {"ipv4_address": "198.51.100.200"}}}
    built(document)
    after = lan("desk", "safe")
    after["containers"]["safe"] = {"networks": {"lan": {"ipv4_address": "198.51.100.200"}}}
    built(after)
    assert reaches("lan", "198.51.100.200") and reaches("desk", "198.51.100.200")


def test_two_networks_on_one_parent_have_one_mode():
    document = lan("till", "desk")
    document["networks"]["two"] = {
        **document["networks"]["lan"],
        "ipam": {"config": [{"subnet": "198.51.101.0/24"}]},
        "driver_opts": {"parent": "lan0", "ipvlan_mode": "l3"},
    }
    document["containers"]["desk"] = {"networks": ["two"]}
    assert "all ipvlans of one parent have one mode and one flag" in refused(document)
