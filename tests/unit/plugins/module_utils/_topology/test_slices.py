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
        world.states["shop"] = known if isinstance(known, State) else State("shop", host, raw, known)
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


def state(subnet="10.1.0.0/16", **peers):
    """What was saved: each host with its slice."""
    whole = N(subnet)
    slices = {host: (one,) for host, one in zip(HOSTS, whole.subnets(new_prefix=24))}
    given = NetworkLease("br-x", (whole,), {whole: whole[1]}, slices=slices)
    return State("shop", "node1", {}, Allocation({"net": given}), peers={**PEERS, **peers})


def seen(key, *pairs):
    return Link(key, mtu=1500, routes=frozenset(Route(N(to), via and A(via), 0) for to, via in pairs))


def test_routes_that_are_not_wanted_go_and_those_of_others_stay():
    ours = [("10.1.1.0/24", "192.0.2.9"), ("10.1.2.0/24", "192.0.2.3")]
    theirs = [("10.2.0.0/16", "192.0.2.9"), ("10.1.77.0/24", "192.0.2.77"), ("10.1.78.0/24", None)]
    here, gone = wishes(document(), known=state(node2=A("192.0.2.9")), links=[seen(ETH0, *ours, *theirs)])
    assert routes(gone) == {"route 10.1.1.0/24 via 192.0.2.9 through eth0"}, "node2 has another address now"
    other = document()
    other["networks"], other["containers"] = {"net": {}}, {"web": {"host": "node1", "networks": ["net"]}}
    here, gone = wishes(other, known=state(node2=A("192.0.2.9")), links=[seen(ETH0, *ours, *theirs)])
    assert len(routes(gone)) == 2 and not routes(here)
    (saved,) = (one for one in here if isinstance(one, State))
    meanwhile = saved.meanwhile.allocation.networks["net"]
    assert meanwhile.slices and N("10.1.0.0/16") in meanwhile.subnets, "a run that dies does not forget them"


def test_another_subnet_takes_the_routes_of_the_one_before():
    ours = [("10.1.1.0/24", "192.0.2.2"), ("10.1.2.7/32", "192.0.2.2")]
    inside = [
        ("10.1.0.0/17", "10.1.0.1"),
        ("10.1.128.0/17", "10.1.0.1"),
        ("10.1.0.1/32", None),
        ("10.1.9.0/24", "10.1.0.9"),
    ]
    links = [seen(ETH0, *ours), seen(LinkKey("web", "eth0"), *inside)]
    raw = document("10.5.0.0/16")
    here, gone = wishes(raw, known=state(), links=links)
    assert len(routes(gone)) == 2 and len(routes(gone, "web")) == 3, "and not what a user has made in the container"
    (saved,) = (one for one in here if isinstance(one, State))
    _here, gone = wishes(raw, known=saved.meanwhile, links=links)
    assert len(routes(gone)) == 2 and len(routes(gone, "web")) == 3, "a run that was killed is made up for"


def test_without_hosts_there_is_one():
    raw = document(places={"web": None, "db": None})
    for one in raw["containers"].values():
        del one["host"]
    here, _gone = wishes(raw, host=None)
    assert not routes(here) and len(routes(here, "web")) == 3
    (saved,) = (one for one in here if isinstance(one, State))
    assert saved.allocation.networks["net"].slices == {"": (N("10.1.0.0/24"),)}


def test_two_addresses_are_the_gateway_and_a_container():
    raw = document("10.1.0.0/31", places={"web": "node1"})
    here, _gone = wishes(raw)
    assert not routes(here, "web")


def test_a_route_of_others_is_no_place_to_choose():
    raw = document()
    del raw["networks"]["net"]["ipam"]
    around = Surroundings(reached=NEAR, routed=(N("10.1.200.0/24"),))
    wanted = Topology(read(raw), "node1", raw, Leases(), PEERS).wanted(World(surroundings=around))
    (saved,) = (one.value for one in wanted if isinstance(one.value, State))
    assert saved.allocation.networks["net"].subnets == (N("10.2.0.0/16"),)


def test_a_route_of_others_that_is_in_the_way_is_said():
    raw = document()
    around = Surroundings(reached=NEAR, routed=(N("10.1.1.0/24"), N("10.1.77.0/24"), N("10.1.2.7/32")))
    design = Topology(read(raw), "node1", raw, Leases(), PEERS)
    design.wanted(World(surroundings=around, states={"shop": state()}))
    (said,) = design.warnings
    assert "10.1.77.0/24" in said, "of its own routes nothing is said"


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
            {**NEAR, A("192.0.2.2"): Reached(A("192.0.2.2"), "eth0")},
            "192.0.2.2 is this host's own address, and node2's too; correct docknet_underlay",
        ),
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
