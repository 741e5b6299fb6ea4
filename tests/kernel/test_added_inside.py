# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What processes in a container, or a person, add to the links of a topology stays over a run; what was ours and changed goes."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.netwright.docknet.tests.kernel.machine import ip, sh
from ansible_collections.netwright.docknet.tests.kernel.topologies import (
    STATES,
    address,
    built,
    host,
    reaches,
    refused,
    topology,
)

DOCUMENT = {
    "name": "shop",
    "networks": {
        "front": {
            "enable_ipv6": True,
            "ipam": {"config": [{"subnet": "172.28.0.0/24"}, {"subnet": "fd28::/64"}]},
        },
        "lan": {
            "driver": "macvlan",
            "driver_opts": {"parent": "lan0"},
            "ipam": {"config": [{"subnet": "198.51.100.0/24"}]},
        },
    },
    "containers": {
        "vpn": {"networks": {"front": {"ipv4_address": "172.28.0.9", "ipv6_address": "fd28::9"}}},
        "peer": {"networks": {"front": {}}},
        "near": {"networks": {"lan": {"ipv4_address": "198.51.100.9"}}},
    },
}
# Below and above the container's own, in its subnet and without.
FLOATING = ("172.28.0.5/24", "172.28.0.200/24", "172.28.0.201/32", "10.66.0.1/32", "fd28::5/64", "fd28::ff/128")


@pytest.fixture(name="document")
def fixture_document():
    with host():
        document = copy.deepcopy(DOCUMENT)
        built(document)
        yield document


def addresses(place: str = "-n vpn", device: str = "eth0") -> set[str]:
    (link,) = ip(f"{place} address show dev {device}")
    return {f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"] if one["scope"] == "global"}


def defaults(version: int = 4) -> list[tuple[str, str | None]]:
    return [(route["dev"], route.get("gateway")) for route in ip(f"-n vpn -{version} route show default")]


def add(*words: str, place: str = "-n vpn", device: str = "eth0") -> None:
    for word in words:
        sh(f"ip {place} address add {word} dev {device}{' nodad' if ':' in word else ''}")


@pytest.mark.parametrize("lost", [False, True], ids=["saved", "without_the_saved_file"])
def test_floating_addresses_stay_and_an_address_that_was_ours_goes(document, lost):
    own = {"172.28.0.9/24", "fd28::9/64"}
    add(*FLOATING)
    assert not topology(document)["changed"]
    if lost:
        (STATES / "shop.json").unlink()
        topology(document)
    assert addresses() == own | set(FLOATING)
    document["containers"]["vpn"]["networks"]["front"] = {"ipv4_address": "172.28.0.10", "ipv6_address": "fd28::10"}
    if lost:
        (STATES / "shop.json").unlink()
    built(document)
    assert addresses() == {"172.28.0.10/24", "fd28::10/64"} | set(FLOATING)
    assert reaches("peer", "172.28.0.10") and reaches("peer", "172.28.0.200")


def test_an_address_that_is_chosen_is_not_taken_for_a_floating_one(document):
    """A file that is lost costs nobody his address, also where a floating one comes first."""
    own = address(built(document), "peer", "front")
    add("10.0.0.1/32", place="-n peer")
    (STATES / "shop.json").unlink()
    assert address(built(document), "peer", "front") == own


def test_an_address_whose_prefix_length_changes(document):
    add(*FLOATING[:2])
    document["networks"]["front"]["ipam"]["config"][0]["subnet"] = "172.28.0.0/22"
    built(document)
    assert addresses() == {"172.28.0.9/22", "fd28::9/64", *FLOATING[:2]}


def test_addresses_that_somebody_put_on_a_bridge_and_a_macvlan_stay(document):
    device = topology(document)["topology"]["networks"]["front"]["device"]
    add("172.28.0.77/24", place="", device=device)
    add("198.51.100.77/24", place="-n near")
    document["networks"]["front"]["ipam"]["config"][0]["gateway"] = "172.28.0.254"
    built(document)
    assert addresses("", device) == {"172.28.0.254/24", "172.28.0.77/24", "fd28::1/64"}
    assert addresses("-n near") == {"198.51.100.9/24", "198.51.100.77/24"}
    assert defaults() == [("eth0", "172.28.0.254")]


@pytest.mark.parametrize("lost", [False, True], ids=["saved", "without_the_saved_file"])
def test_routes_of_others_stay_and_a_gateway_that_was_ours_goes(document, lost):
    sh("""
        ip -n vpn link add tun0 type bridge; ip -n vpn address add 10.8.0.2/24 dev tun0; ip -n vpn link set tun0 up
        ip -n vpn route add 203.0.113.0/24 via 172.28.0.1; ip -n vpn route add default via 172.28.0.77 metric 50
        ip -n vpn route add default dev tun0 table 51820; ip -n vpn rule add fwmark 0x51 table 51820
    """)
    before = sh("ip -n vpn route show table all; ip -n vpn rule; ip -n vpn link show tun0")
    assert not topology(document)["changed"]
    assert sh("ip -n vpn route show table all; ip -n vpn rule; ip -n vpn link show tun0") == before
    document["networks"]["front"]["ipam"]["config"][0]["gateway"] = "172.28.0.254"
    if lost:
        (STATES / "shop.json").unlink()
    built(document)
    assert sorted(defaults()) == [("eth0", "172.28.0.254"), ("eth0", "172.28.0.77")]
    assert "203.0.113.0/24 via 172.28.0.1" in sh("ip -n vpn route")


@pytest.mark.parametrize("version", [4, 6])
def test_a_default_route_that_a_vpn_put_in_place_of_ours(document, version):
    """It stays; when its place is free, ours comes back."""
    sh(
        "ip -n vpn link add tun0 type bridge; ip -n vpn link set tun0 addrgenmode none up; ip -n vpn address add 10.8.0.2/24 dev tun0"
    )
    ours = defaults(version)
    sh(f"ip -n vpn -{version} route del default; ip -n vpn -{version} route add default dev tun0")
    assert not topology(document)["changed"]
    assert defaults(version) == [("tun0", None)]
    sh("ip -n vpn link del tun0")
    assert topology(document)["changed"]
    assert defaults(version) == ours
    assert not topology(document)["changed"]


def test_a_container_leaves_with_what_was_added(document):
    add(*FLOATING)
    document["containers"]["vpn"]["networks"] = {}
    document["containers"]["vpn"]["network_mode"] = "none"
    built(document)
    assert [link["ifname"] for link in ip("-n vpn link")] == ["lo"]


# -- kernels and hosts without IPv6 ------------------------------------------------------------------------------


@pytest.fixture(name="without_ipv6")
def fixture_without_ipv6():
    """As far as it can be played on a kernel that has it: its settings are not to be seen."""
    with host():
        sh("mount -t tmpfs none /proc/sys/net/ipv6")
        try:
            yield
        finally:
            sh("umount /proc/sys/net/ipv6")


def test_networks_of_ipv4_work_on_a_kernel_without_ipv6(without_ipv6):
    done = built(
        {
            "name": "shop",
            "containers": {"web": {"ports": ["8080:80"], "sysctls": {"net.ipv6.conf.all.disable_ipv6": 1}}, "db": {}},
        }
    )
    assert reaches("web", address(done, "db"))
    assert topology({"name": "shop"}, state="absent")["changed"]


def test_networks_with_ipv6_are_refused_on_a_kernel_without_it(without_ipv6):
    sentence = refused(DOCUMENT)
    assert sentence == (
        "networks.front: it is to have IPv6, and this host's kernel has none; start the kernel without ipv6.disable=1, or set enable_ipv6: false"
    )


def test_a_host_on_which_ipv6_is_off():
    """Its networks have it all the same, on their own links alone."""
    with host():
        sh("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")
        built(DOCUMENT)
        assert reaches("peer", "fd28::9")
        assert sh("cat /proc/sys/net/ipv6/conf/lan0/disable_ipv6") == "1\n"


def test_settings_of_all_interfaces_change_while_a_container_runs():
    """Its interface stays as its network is: with IPv6, or without it."""
    document = {
        "name": "shop",
        "networks": {"six": {"enable_ipv6": True, "ipam": {"config": [{"subnet": "fd29::/64"}]}}, "four": {}},
        "containers": {"a": {"networks": ["six"]}, "b": {"networks": ["six"]}, "c": {"networks": ["four"]}},
    }
    with host():
        for value in (0, 1, 0):
            for name in "abc":
                settings = {"net.ipv6.conf.all.disable_ipv6": value, "net.ipv4.ip_forward": value}
                document["containers"][name]["sysctls"] = settings
            done = built(document)
            assert reaches("a", address(done, "b", "six", 6))
            assert sh("ip netns exec c cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6") == "1\n"
            assert sh("ip netns exec a cat /proc/sys/net/ipv6/conf/all/disable_ipv6") == f"{value}\n"
