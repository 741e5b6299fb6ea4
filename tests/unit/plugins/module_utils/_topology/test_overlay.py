# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An overlay whose containers are told by the run, and one that leaves that to a routing daemon."""

from __future__ import annotations

from ipaddress import ip_address as A

from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkKey, Neighbour
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import World
from ansible_collections.netwright.docknet.plugins.module_utils._model.state import Lease, Reached, Surroundings
from ansible_collections.netwright.docknet.plugins.module_utils._model.vxlan import Forward, Vxlan
from ansible_collections.netwright.docknet.plugins.module_utils._topology.document import read
from ansible_collections.netwright.docknet.plugins.module_utils._topology.leases import Leases
from ansible_collections.netwright.docknet.plugins.module_utils._topology.topology import Topology

PEERS = {"node1": A("192.0.2.1"), "node2": A("192.0.2.2")}
WEB = Neighbour(A("10.100.0.2"), "02:42:0a:64:00:02")
DB = Neighbour(A("10.100.0.3"), "02:42:0a:64:00:03")


def links(control):
    """The bridge and the VXLAN on node1, where web is; db is on node2."""
    raw = {
        "name": "shop",
        "networks": {
            "net": {
                "driver": "overlay",
                "driver_opts": {"control_plane": control},
                "ipam": {"config": [{"subnet": "10.100.0.0/24"}]},
            }
        },
        "containers": {
            "web": {"host": "node1", "networks": {"net": {"ipv4_address": "10.100.0.2"}}},
            "db": {"host": "node2", "networks": {"net": {"ipv4_address": "10.100.0.3"}}},
        },
    }
    world = World(
        links={LinkKey(None, "eth0"): Link(LinkKey(None, "eth0"), mtu=1500)},
        surroundings=Surroundings(reached={one: Reached(PEERS["node1"], "eth0") for one in PEERS.values()}),
    )
    given = Leases(endpoints={("db", "net"): Lease(ipv4=DB.address, mac=DB.mac)})
    wanted = [one.value for one in Topology(read(raw), "node1", raw, given, PEERS).wanted(world) if one.present]
    (vxlan,) = (one for one in wanted if isinstance(one, Link) and isinstance(one.data, Vxlan))
    (bridge,) = (one for one in wanted if isinstance(one, Link) and one.key.name == vxlan.master)
    return bridge, vxlan


def test_the_run_tells_where_the_others_are():
    bridge, vxlan = links("static")
    assert bridge.neighbours == {WEB, DB}, "the host knows its own containers, too"
    assert vxlan.forwards == {Forward(DB.mac, PEERS["node2"])} and vxlan.flooding is False
    assert vxlan.port_flooding is False, "what a routing daemon may have left is not used"


def test_a_routing_daemon_is_told_of_this_hosts_and_keeps_what_it_knows_of_the_others():
    bridge, vxlan = links("evpn")
    assert bridge.neighbours == {WEB}
    assert bridge.data.ageing_time == 1_000_000, "nobody is forgotten for his silence"
    # None of ours, which it would not replace. Those for floods are the daemon's, and look like ours.
    assert vxlan.forwards == frozenset() and vxlan.flooding is False
