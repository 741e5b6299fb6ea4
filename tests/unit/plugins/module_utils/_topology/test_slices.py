# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An overlay of mode host-gw: who has which part of the subnet, and the routes that follow from it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address as A
from ipaddress import ip_network as N

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import DocknetError
from ansible_collections.netwright.docknet.plugins.module_utils._model.filter import whole
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkKey, LinkRoute, Route
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import World
from ansible_collections.netwright.docknet.plugins.module_utils._model.segment import Segment
from ansible_collections.netwright.docknet.plugins.module_utils._model.source import SourceRoute
from ansible_collections.netwright.docknet.plugins.module_utils._model.state import (
    Allocation,
    Lease,
    NetworkLease,
    Reached,
    State,
    Surroundings,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.vxlan import Vxlan
from ansible_collections.netwright.docknet.plugins.module_utils._topology.document import read
from ansible_collections.netwright.docknet.plugins.module_utils._topology.leases import Leases
from ansible_collections.netwright.docknet.plugins.module_utils._topology.slices import is_part, length, share
from ansible_collections.netwright.docknet.plugins.module_utils._topology.topology import Topology
from hypothesis import given
from hypothesis import strategies as st

HOSTS = ("node1", "node2", "node3")
PEERS = {host: A(f"192.0.2.{number}") for number, host in enumerate(HOSTS, 1)}
NEAR = {one: Reached(PEERS["node1"], "eth0") for one in PEERS.values()}
ETH0 = LinkKey(None, "eth0")
wholes = st.builds(
    lambda number, size: N((number, size), strict=False), st.integers(2**25, 2**32 - 1), st.integers(8, 32)
)


@pytest.mark.parametrize(
    "subnet, size",
    [
        ("10.1.0.0/16", 24),
        ("10.0.0.0/8", 20),
        ("10.1.0.0/20", 26),
        ("10.1.0.0/24", 28),
        ("10.1.0.0/32", 32),
        ("fd00::/64", 96),
    ],
)
def test_the_size_of_a_slice(subnet, size):
    assert length(N(subnet)) == size


@given(
    wholes,
    st.lists(st.sampled_from("abcdefghijkl"), unique=True),
    st.lists(st.sampled_from("abcdefghijkl"), unique=True),
)
def test_slices_are_disjoint_and_kept_by_whoever_stays(subnet, before, after):
    first = share(subnet, before, {})
    had = {host: (one,) for host, one in first.items()}
    then = share(subnet, after, had)
    for found, hosts in ((first, before), (then, after)):
        assert len({*found.values()}) == len(found) == min(len(hosts), 2 ** (length(subnet) - subnet.prefixlen))
        assert all(one.subnet_of(subnet) and one.prefixlen == length(subnet) for one in found.values())
    assert all(then[host] == first[host] for host in first if host in after)


def test_one_that_two_have_had_is_the_first_ones():
    mine = N("10.1.3.0/24")
    assert share(N("10.1.0.0/16"), HOSTS, dict.fromkeys(HOSTS, (N("10.9.0.0/24"), mine))) == {
        "node1": mine,
        "node2": N("10.1.0.0/24"),
        "node3": N("10.1.1.0/24"),
    }


def test_a_part_is_less_than_the_whole():
    subnet = N("10.1.0.0/16")
    assert is_part(N("10.1.5.0/24"), subnet) and is_part(N("10.1.5.7/32"), subnet)
    assert not any(is_part(N(one), subnet) for one in ("10.1.0.0/16", "10.0.0.0/8", "10.2.0.0/24", "fd00::/72"))


# -- what a host does -----------------------------------------------------------------------------------------


def document(subnet="10.1.0.0/16", options=None, places=None, **network):
    """web on node1, db on node2, log on node3; each has the first address of its slice that is free."""
    places = places or {"web": "node1", "db": "node2", "log": "node3"}
    ipam = {"config": [{"subnet": subnet}]}
    spec = {"driver": "overlay", "driver_opts": {"mode": "host-gw", **(options or {})}, "ipam": ipam, **network}
    containers = {name: {"host": host, "networks": ["net"]} for name, host in places.items()}
    return {"name": "shop", "networks": {"net": spec}, "containers": containers}


def wishes(raw, host="node1", reached=None, known=None, peers=None, links=()):
    """All that is wanted on the host: what is to be there, and what is to go."""
    peers = peers or PEERS
    around = Surroundings(reached=NEAR if reached is None else reached)
    world = World(links={one.key: one for one in links}, surroundings=around)
    if known is not None:
        world.states["shop"] = State("shop", host, raw, known)
    wanted = Topology(read(raw), host, raw, Leases(), peers).wanted(world)
    return [one.value for one in wanted if one.present], [one.value for one in wanted if not one.present]


def routes(values, netns=None):
    return {str(one) for one in values if isinstance(one, LinkRoute) and one.link.netns == netns}


def test_routes_to_the_other_hosts_and_in_containers_to_the_gateway():
    here, gone = wishes(document())
    assert routes(here) == {
        "route 10.1.1.0/24 via 192.0.2.2 through eth0",
        "route 10.1.2.0/24 via 192.0.2.3 through eth0",
    }
    assert {one.partition(" through")[0] for one in routes(here, "web")} == {
        "route 10.1.0.1/32",
        "route 10.1.0.0/17 via 10.1.0.1",
        "route 10.1.128.0/17 via 10.1.0.1",
    }
    assert not [one for one in here if isinstance(one, Link) and isinstance(one.data, Vxlan)] and not gone
    (segment,) = (one for one in here if isinstance(one, Segment))
    assert (segment.between, segment.beside, segment.vni) == ({N("10.1.0.0/16")}, {"eth0"}, None)
    (state,) = (one for one in here if isinstance(one, State))
    assert state.allocation.networks["net"].slices == {
        "node1": (N("10.1.0.0/24"),),
        "node2": (N("10.1.1.0/24"),),
        "node3": (N("10.1.2.0/24"),),
    }
    addresses = {name: lease.ipv4 for (name, _net), lease in state.allocation.elsewhere.items()}
    assert addresses == {"db": A("10.1.1.0"), "log": A("10.1.2.0")}


def test_who_is_not_in_his_hosts_slice_has_a_route_of_his_own():
    """web came from node2, and db from node1: both keep what they had."""
    leases = {("web", "net"): Lease(A("10.1.1.9")), ("log", "net"): Lease(A("10.1.2.9"))}
    slices = {host: (N(f"10.1.{number}.0/24"),) for number, host in enumerate(HOSTS)}
    given = {"net": NetworkLease("br-x", (N("10.1.0.0/16"),), slices=slices)}
    known = Allocation(given, leases, elsewhere={("db", "net"): Lease(A("10.1.0.7"))})
    found = routes(wishes(document(), known=known)[0])
    assert {one.rpartition(" through ")[0] for one in found} == {
        "route 10.1.1.0/24 via 192.0.2.2",
        "route 10.1.2.0/24 via 192.0.2.3",
        "route 10.1.0.7/32 via 192.0.2.2",
        "route 10.1.1.9/32",
    }
    assert next(one for one in found if "10.1.1.9" in one).startswith("route 10.1.1.9/32 through br-")


def test_a_full_slice_takes_from_the_rest():
    places = {f"c{number}": "node1" for number in range(4)}
    here, _gone = wishes(document("10.1.0.0/29", places={**places, "d": "node2"}))
    (state,) = (one for one in here if isinstance(one, State))
    mine = sorted(str(lease.ipv4) for lease in state.allocation.endpoints.values())
    assert mine == ["10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5"], "/30s, of which the other host has the second"
    assert state.allocation.elsewhere["d", "net"].ipv4 == A("10.1.0.6")
    assert {one.rpartition(" through ")[0] for one in routes(here)} == {
        "route 10.1.0.4/30 via 192.0.2.2",
        "route 10.1.0.4/32",
        "route 10.1.0.5/32",
    }


def test_every_other_route_to_a_part_of_the_subnet_goes():
    slices = {host: (N(f"10.1.{number}.0/24"),) for number, host in enumerate(HOSTS)}
    known = Allocation({"net": NetworkLease("br-x", (N("10.1.0.0/16"),), slices=slices)})
    there = [("10.1.1.0/24", "192.0.2.9"), ("10.1.2.0/24", "192.0.2.3"), ("10.2.0.0/16", "192.0.2.9")]
    eth0 = Link(ETH0, mtu=1500, routes=frozenset(Route(N(to), A(via), 0) for to, via in there))
    here, gone = wishes(document(), known=known, links=[eth0])
    assert routes(gone) == {"route 10.1.1.0/24 via 192.0.2.9 through eth0"}, "node2 has another address now"
    absent = document()
    absent["networks"] = {"net": {}}
    absent["containers"] = {"web": {"host": "node1", "networks": ["net"]}}
    here, gone = wishes(absent, known=known, links=[eth0])
    assert len(routes(gone)) == 2 and not routes(here)
    (state,) = (one for one in here if isinstance(one, State))
    assert state.meanwhile.allocation.networks["net"].slices == slices, "a run that dies does not forget them"


def test_answers_by_source_go_by_the_gateway_too():
    raw = document()
    raw["networks"]["other"] = {}
    raw["containers"]["web"]["networks"] = {"net": {}, "other": {"gw_priority": 1}}
    here, _gone = wishes(raw)
    (source,) = (one for one in here if isinstance(one, SourceRoute))
    assert (source.address, source.gateway, source.network) == (A("10.1.0.2"), A("10.1.0.1"), N("10.1.0.2/32"))


@pytest.mark.parametrize(
    "reached, words",
    [
        ({A("192.0.2.1"): NEAR[A("192.0.2.1")]}, "this host has no route to 192.0.2.2, host node2"),
        (
            {**NEAR, A("192.0.2.2"): Reached(A("192.0.2.1"), "eth0", A("192.0.2.254"))},
            "mode host-gw needs hosts on one link, and node2 (192.0.2.2) is behind the router 192.0.2.254; "
            "put them on one, or use mode vxlan, which passes through routers",
        ),
    ],
)
def test_a_host_that_is_no_next_hop(reached, words):
    with pytest.raises(DocknetError) as error:
        wishes(document(), reached=reached)
    assert words in str(error.value)


def test_ipv6_goes_by_ipv6():
    raw = document(enable_ipv6=True)
    with pytest.raises(DocknetError, match="IPv6 packets cannot be sent to node2 by an IPv4 address"):
        wishes(raw)
    peers = {host: A(f"2001:db8::{number}") for number, host in enumerate(HOSTS, 1)}
    near = {one: Reached(peers["node1"], "eth0") for one in peers.values()}
    found = routes(wishes(raw, peers=peers, reached=near)[0])
    assert "route 10.1.1.0/24 via 2001:db8::2 through eth0" in found and len(found) == 4


def test_without_icc_nothing_comes_from_the_other_hosts():
    here, _gone = wishes(document(options={"enable_icc": False}))
    (segment,) = (one for one in here if isinstance(one, Segment))
    assert segment.between and not whole(segment).beside and whole(replace(segment, icc=True)).beside == {"eth0"}
