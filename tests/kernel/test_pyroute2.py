# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our netlink codec and pyroute2's IPRoute, two readers of one kernel, say the same."""

from __future__ import annotations

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._kernel import namespaces
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Question
from ansible_collections.netwright.docknet.tests.kernel.machine import sh
from pyroute2 import IPRoute

MAKE = """
ip netns add c
ip link add br0 type bridge stp_state 1 ageing_time 4200
ip link add v0 group 77 type veth peer name eth0 netns c
ip link property add dev v0 altname docknet@shop@v0
ip link set v0 mtu 1400 master br0 up
ip link set br0 up promisc on
ip address add 172.17.0.1/16 dev br0
ip -n c link set eth0 mtu 1300 up
ip -n c address add 172.17.0.2/16 dev eth0
ip -n c address add fd00::2/64 dev eth0 nodad
ip -n c route add default via 172.17.0.1
ip -n c route add 10.0.0.0/8 via 172.17.0.9 metric 7
ip -n c route add 10.9.0.0/16 via inet6 fd00::9
ip -n c route add default via fd00::1
"""


def next_hop(route):
    """An IPv4 route can have one of IPv6."""
    via = route.get_attr("RTA_VIA")
    return via["addr"] if via else route.get_attr("RTA_GATEWAY")


@pytest.mark.parametrize("ref", [None, "c"], ids=["host", "namespace"])
def test_look_when_pyroute2_looks_too_then_both_see_the_same(machine, ref):
    sh(MAKE)
    with Host() as host:
        world = host.observe(Question(namespaces={ref}, links={ref}, addresses={ref}))
        with host.inside(ref):
            peer = IPRoute()
    with peer:
        theirs = {link.get_attr("IFLA_IFNAME"): link for link in peer.get_links()}
        addresses = list(peer.get_addr())
        routes = [route for route in peer.get_routes(table=254) if route["proto"] not in (2, 9)]
    ours = {key.name: link for key, link in world.links.items()}
    assert set(ours) == set(theirs)
    for name, link in ours.items():
        them = theirs[name]
        index = them["index"]
        masters = {other["index"]: other.get_attr("IFLA_IFNAME") for other in theirs.values()}
        assert link.index == index
        assert link.mtu == them.get_attr("IFLA_MTU")
        assert link.mac == them.get_attr("IFLA_ADDRESS")
        assert link.up == bool(them["flags"] & 1)
        assert link.promiscuous == bool(them["flags"] & 0x100)
        assert link.master == masters.get(them.get_attr("IFLA_MASTER"), "")
        assert {str(address) for address in link.addresses} == {
            f"{one.get_attr('IFA_ADDRESS')}/{one['prefixlen']}"
            for one in addresses
            if one["index"] == index and not one.get_attr("IFA_ADDRESS").startswith("fe80")
        }
        assert {(route.to.prefixlen, str(route.via), route.metric) for route in link.gateways | link.routes} == {
            (one["dst_len"], next_hop(one), one.get_attr("RTA_PRIORITY") or 0)
            for one in routes
            if one.get_attr("RTA_OIF") == index
        }
    if ref is None:
        assert ours["v0"].owner == "shop"
        assert (ours["br0"].data.stp, ours["br0"].data.ageing_time) == (True, 42)


def test_namespace_when_looked_for_by_a_wrong_name_then_none_is_made(machine):
    """What pyroute2's IPRoute(netns=...) does by default, and nothing of ours may."""
    assert namespaces.open_namespace("ghost") is None
    assert namespaces.named() == []
