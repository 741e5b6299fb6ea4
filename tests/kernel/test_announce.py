# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever knows an address by another MAC address learns at once, and need not wait until that has aged.

What the neighbours know is put there by hand as confirmed a moment ago, so none of them would ask by itself.
"""

from __future__ import annotations

import copy

import pytest
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.machine import ip, sh
from ansible_collections.netwright.docknet.tests.kernel.topologies import host, ping, reaches, topology, until

OLD, NEW, THIRD = "02:00:00:00:00:11", "02:00:00:00:00:12", "02:00:00:00:00:13"
FOUR, SIX = "172.28.0.9", "fd28::9"
DOCUMENT = {
    "name": "shop",
    "networks": {
        "front": {"enable_ipv6": True, "ipam": {"config": [{"subnet": "172.28.0.0/24"}, {"subnet": "fd28::/64"}]}},
        "lan": {
            "driver": "macvlan",
            "enable_ipv6": True,
            "driver_opts": {"parent": "lan0"},
            "ipam": {"config": [{"subnet": "198.51.100.0/24"}, {"subnet": "fd51::/64"}]},
        },
    },
    "containers": {
        "web": {"networks": {"front": {"ipv4_address": FOUR, "ipv6_address": SIX, "mac_address": OLD}}},
        "peer": {"networks": ["front"]},
        "cam": {"networks": {"lan": {"ipv4_address": "198.51.100.9", "ipv6_address": "fd51::9", "mac_address": OLD}}},
    },
}


@pytest.fixture(name="document")
def fixture_document():
    with host():
        document = copy.deepcopy(DOCUMENT)
        topology(document)
        yield document


def device(document) -> str:
    return topology(document)["topology"]["networks"]["front"]["device"]


def believe(where: str, dev: str, mac: str, *addresses: str) -> None:
    for address in addresses:
        sh(f"ip {where} neigh replace {address} lladdr {mac} nud reachable dev {dev}")


def known(where: str, dev: str, *addresses: str) -> set[str]:
    return {
        entry["lladdr"]
        for entry in ip(f"{where} neigh show dev {dev}")
        if entry["dst"] in addresses and "lladdr" in entry
    }


def learns(where: str, dev: str, mac: str, *addresses: str) -> bool:
    return until(lambda: known(where, dev, *addresses) == {mac}, 1.0)


def test_a_mac_address_that_changes_on_a_bridge(document):
    """Neighbours behind the bridge learn, and so does the host."""
    bridge = device(document)
    for mac in (NEW, THIRD, None):
        words = document["containers"]["web"]["networks"]["front"]
        words.update(mac_address=mac)
        believe("-n peer", "eth0", "02:00:00:00:00:77", FOUR, SIX)
        believe("", bridge, "02:00:00:00:00:77", FOUR, SIX)
        topology(document)
        mac = mac or "02:42:ac:1c:00:09"
        assert learns("-n peer", "eth0", mac, FOUR, SIX)
        assert learns("", bridge, mac, FOUR, SIX)
        assert ping("peer", FOUR, 1.0) and ping("peer", SIX, 1.0)


def test_a_mac_address_that_changes_on_the_lan(document):
    document["containers"]["cam"]["networks"]["lan"]["mac_address"] = NEW
    believe("-n lan", "eth0", OLD, "198.51.100.9", "fd51::9")
    topology(document)
    assert learns("-n lan", "eth0", NEW, "198.51.100.9", "fd51::9")
    assert ping("lan", "198.51.100.9", 1.0)


def test_a_container_that_comes_back_with_another_mac_address(document):
    """On a bridge and on the LAN, where it takes over the address of a machine that is gone."""
    gone = {name: document["containers"].pop(name) for name in ("web", "cam")}
    topology(document)
    for name, network in (("web", "front"), ("cam", "lan")):
        gone[name]["networks"][network]["mac_address"] = NEW
    document["containers"].update(gone)
    believe("-n peer", "eth0", OLD, FOUR, SIX)
    believe("-n lan", "eth0", OLD, "198.51.100.9", "fd51::9")
    topology(document)
    assert learns("-n peer", "eth0", NEW, FOUR, SIX)
    assert learns("-n lan", "eth0", NEW, "198.51.100.9", "fd51::9")
    assert reaches("lan", "198.51.100.9") and reaches("peer", FOUR)


def test_an_address_that_another_container_had(document):
    document["containers"]["web"]["networks"]["front"] = {"ipv4_address": "172.28.0.10", "ipv6_address": "fd28::10"}
    believe("-n peer", "eth0", OLD, "172.28.0.10", "fd28::10")
    topology(document)
    assert learns("-n peer", "eth0", "02:42:ac:1c:00:0a", "172.28.0.10", "fd28::10")


def test_a_container_of_another_host_on_an_overlay():
    """Its bridge keeps broadcasts from the tunnels, so each host tells its own containers."""
    document = {
        "name": "shop",
        "networks": {"back": {"driver": "overlay", "ipam": {"config": [{"subnet": "10.99.0.0/24"}]}}},
        "containers": {
            "a": {"host": "node1", "networks": {"back": {"ipv4_address": "10.99.0.8"}}},
            "b": {"host": "node2", "networks": {"back": {"ipv4_address": "10.99.0.9", "mac_address": OLD}}},
        },
    }
    words = {"host": "node1", "peers": {"node1": "198.51.100.1", "node2": "198.51.100.2"}}
    with host():
        for mac in (OLD, NEW):
            document["containers"]["b"]["networks"]["back"]["mac_address"] = mac
            lease = {"network": "back", "container": "b", "ipv4": "10.99.0.9", "mac": mac}
            topology(document, **words, leases=[lease])
            if mac == OLD:
                believe("-n a", "eth0", OLD, "10.99.0.9")
        assert learns("-n a", "eth0", NEW, "10.99.0.9")


def test_a_pair_by_hand(machine):
    """Of a link whose addresses are not managed, all that it has are announced."""
    sh("ip netns add web; ip netns add peer; ip link set lo up")
    assert not call("linux_bridge", name="br0").get("failed")
    for name, address in (("web", "10.0.0.2/24"), ("peer", "10.0.0.3/24")):
        a, b = {"name": f"v{name}", "master": "br0"}, {"name": "eth0", "netns": name, "addresses": [address]}
        assert not call("veth_pair", a=a, b=b).get("failed")
    sh("ip -n web address add 10.0.0.200/24 dev eth0")
    believe("-n peer", "eth0", OLD, "10.0.0.2", "10.0.0.200")
    assert not call("veth_pair", a={"name": "vweb"}, b={"name": "eth0", "netns": "web", "mac": NEW}).get("failed")
    assert learns("-n peer", "eth0", NEW, "10.0.0.2", "10.0.0.200")


def test_no_neighbour_is_made_that_nobody_knew(document):
    document["containers"]["web"]["networks"]["front"]["mac_address"] = NEW
    bridge = device(DOCUMENT)
    sh(f"ip neigh flush dev {bridge}; ip -n peer neigh flush dev eth0")
    topology(document)
    assert known("", bridge, FOUR) == {NEW}, "the host always knows"
    assert known("-n peer", "eth0", FOUR) == set()
