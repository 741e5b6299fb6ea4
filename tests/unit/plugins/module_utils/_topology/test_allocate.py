# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a topology is given: Docker's choices, and that nobody moves without need."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address as A
from ipaddress import ip_network as N

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import DocknetError
from ansible_collections.netwright.docknet.plugins.module_utils._model.rule import Ports
from ansible_collections.netwright.docknet.plugins.module_utils._model.state import (
    Allocation,
    Lease,
    Listener,
    NetworkLease,
    OnLink,
    State,
    Surroundings,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.topology import (
    ContainerSpec,
    Document,
    EndpointSpec,
    NetworkSpec,
    Options,
    Pool,
    PortSpec,
    Shim,
)
from ansible_collections.netwright.docknet.plugins.module_utils._topology.allocate import allocate
from ansible_collections.netwright.docknet.plugins.module_utils._topology.document import read
from ansible_collections.netwright.docknet.plugins.module_utils._topology.names import interfaces
from hypothesis import given
from hypothesis import strategies as st

AROUND = Surroundings(machine="a machine", free_ports=Ports(32768, 32779))
NOTHING = Allocation()


def container(name, *endpoints, ports=(), host=None, mode="networks"):
    specs = tuple(EndpointSpec(one) if isinstance(one, str) else one for one in endpoints)
    return ContainerSpec(name, host=host, netns=name, endpoints=specs, ports=tuple(ports), mode=mode)


def document(networks, *containers, name="shop"):
    return Document(name, {one.name: one for one in networks}, {one.name: one for one in containers})


def pool(subnet, ip_range=None, gateway=None, **aux):
    held = tuple((name, A(address)) for name, address in aux.items())
    return Pool(N(subnet), ip_range and N(ip_range), gateway and A(gateway), held)


def front(*pools, **words):
    return NetworkSpec("front", pools=tuple(pools), **words)


def port(target, published=None, host_ip=None, protocol="tcp"):
    pair = [
        None if one is None else Ports(*(one if isinstance(one, tuple) else (one, one))) for one in (target, published)
    ]
    return PortSpec(pair[0], pair[1], host_ip and A(host_ip), protocol)


def chosen(whole, known=NOTHING, around=AROUND, host=None, leases=None):
    return allocate(whole, host, around, known, leases or {})[0]


def four(allocation, name, network="front"):
    return str(allocation.endpoints[(name, network)].ipv4)


def state(whole, allocation):
    return {whole.name: State(whole.name, allocation=allocation)}


def refused(*arguments, **words):
    with pytest.raises(DocknetError) as caught:
        chosen(*arguments, **words)
    return str(caught.value)


# -- subnets ------------------------------------------------------------------------------------------------------


def test_subnets_are_docker_s_in_docker_s_order():
    nets = [NetworkSpec(f"n{number}") for number in range(16)]
    found = chosen(document(nets, *(container(one.name, one.name) for one in nets)))
    subnets = [str(found.networks[one.name].subnets[0]) for one in nets]
    assert subnets[:2] == ["172.18.0.0/16", "172.19.0.0/16"]
    assert subnets[13:] == ["172.31.0.0/16", "192.168.0.0/20", "192.168.16.0/20"]
    assert found.networks["n0"].gateways == {N("172.18.0.0/16"): A("172.18.0.1")}
    assert found.networks["n0"].device.startswith("br-")


def test_what_others_have_is_left_out():
    around = replace(
        AROUND,
        on_link=(OnLink(N("172.18.5.0/24"), "eth0"), OnLink(N("172.21.0.0/16"), "br-own", "shop")),
        servers=(A("172.19.0.53"),),
        routed=(N("172.21.0.0/16"),),
        states=state(document([], name="other"), Allocation({"x": NetworkLease("br-x", (N("172.20.0.0/16"),))})),
    )
    found, warnings = allocate(document([front()], container("web", "front")), None, around, NOTHING)
    assert found.networks["front"].subnets == (N("172.22.0.0/16"),) and not warnings


EVERYWHERE = tuple(map(N, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))


def test_a_vpn_for_all_private_subnets_leaves_what_it_can():
    around = replace(AROUND, routed=EVERYWHERE)
    whole = document([front(ipv6=True)], container("web", "front"), container("old", "bridge", mode="bridge"))
    found, warnings = allocate(whole, None, around, NOTHING)
    assert found.networks["front"].subnets[0] == N("172.18.0.0/16")
    assert found.networks["bridge"].subnets == (N("172.17.0.0/16"),)
    assert ["fc00::/7" in one for one in warnings] == [False, True]
    assert warnings[0] == (
        "networks.front: subnet 172.18.0.0/16 overlaps 172.16.0.0/12, to which this host has a route;"
        " what is for the subnet no longer goes that way"
    )
    some = replace(AROUND, routed=(N("172.16.0.0/12"),))
    found, warnings = allocate(document([front()], container("web", "front")), None, some, NOTHING)
    assert found.networks["front"].subnets == (N("192.168.0.0/20"),) and not warnings


def test_a_subnet_that_is_given_is_taken_under_a_wider_route_with_a_warning():
    whole = document([front(pool("10.1.0.0/16"))], container("web", "front"))
    _found, (warning,) = allocate(whole, None, replace(AROUND, routed=EVERYWHERE), NOTHING)
    assert warning.startswith("networks.front.ipam: subnet 10.1.0.0/16 overlaps 10.0.0.0/8")
    _found, (warning,) = allocate(whole, None, replace(AROUND, routed=(N("10.1.2.0/24"),)), NOTHING)
    assert warning.endswith(
        "overlaps 10.1.2.0/24, to which this host has a route; what is for its addresses goes that way"
    )


def test_all_pools_taken_is_an_error_that_names_the_network():
    around = replace(AROUND, on_link=(OnLink(N("172.16.0.0/12"), "eth0"), OnLink(N("192.168.0.0/16"), "eth1")))
    assert "networks.front: no IPv4 subnet is free" in refused(
        document([front()], container("web", "front")), around=around
    )


def test_a_given_subnet_on_somebody_s_link_is_an_error_and_on_our_own_not():
    whole = document([front(pool("10.1.0.0/16"))], container("web", "front"))
    there = OnLink(N("10.1.2.0/24"), "eth0")
    said = refused(whole, around=replace(AROUND, on_link=(there,)))
    assert (
        said
        == "networks.front.ipam: subnet 10.1.0.0/16 overlaps the subnet of eth0 on this host (10.1.2.0/24); choose another"
    )
    chosen(whole, around=replace(AROUND, on_link=(there._replace(owner="shop"),)))
    lan = document([front(pool("10.1.0.0/16"), driver="macvlan")], container("web", "front"))
    assert four(chosen(lan, around=replace(AROUND, on_link=(there,))), "web") == "10.1.0.1"


def test_a_kept_subnet_stays_where_a_link_came_later_and_a_warning_says_so():
    whole = document([front()], container("web", "front"))
    known = chosen(whole)
    found, warnings = allocate(whole, None, replace(AROUND, on_link=(OnLink(N("172.18.0.0/24"), "eth1"),)), known)
    assert found == known and "which it has had, overlaps the subnet of eth1" in warnings[0]


def test_a_given_subnet_replaces_the_kept_one():
    whole = document([front()], container("web", "front"))
    other = document([front(pool("10.9.0.0/24"))], container("web", "front"))
    found = chosen(other, chosen(whole))
    assert four(found, "web") == "10.9.0.2" and [*found.networks["front"].gateways.values()] == [A("10.9.0.1")]
    assert chosen(whole, found) == found


def test_ipv6_without_a_subnet_is_derived_and_the_same_again():
    whole = document([front(ipv6=True)], container("web", "front"))
    found = chosen(whole)
    subnet = found.networks["front"].subnets[1]
    assert subnet.subnet_of(N("fd00::/8")) and subnet.prefixlen == 64
    assert found.endpoints[("web", "front")].ipv6 == subnet[2]
    assert chosen(whole) == found
    elsewhere = chosen(whole, around=replace(AROUND, machine="another"))
    assert elsewhere.networks["front"].subnets[1] != subnet
    only = chosen(document([front(ipv4=False, ipv6=True)], container("web", "front")))
    assert [one.version for one in only.networks["front"].subnets] == [6]
    assert only.endpoints[("web", "front")].mac.startswith("02:42:")


def test_unused_networks_get_nothing_and_used_ones_the_same_on_all_hosts():
    nets = [front(), NetworkSpec("back")]
    whole = document(nets, container("a", "front", host="one"), container("b", "back", host="two"))
    one, two = chosen(whole, host="one"), chosen(whole, host="two")
    assert list(one.networks) == ["front"] and list(two.networks) == ["back"]
    assert two.networks["back"].subnets == (N("172.19.0.0/16"),)
    assert list(two.endpoints) == [("b", "back")]


# -- addresses ----------------------------------------------------------------------------------------------------


def test_the_classic_range_begins_with_its_zero():
    nets = [front(pool("172.16.0.0/16", "172.16.1.0/24", "172.16.1.1"))]
    found = chosen(document(nets, container("a", "front"), container("b", "front")))
    assert (four(found, "a"), four(found, "b")) == ("172.16.1.0", "172.16.1.2")
    assert found.endpoints[("a", "front")].mac == "02:42:ac:10:01:00"


@pytest.mark.parametrize(
    ("given_pool", "gateway", "first"),
    [
        (pool("10.0.0.0/24"), "10.0.0.1", "10.0.0.2"),
        (pool("10.0.0.0/24", "10.0.0.64/26"), "10.0.0.64", "10.0.0.65"),
        (pool("10.0.0.0/24", "10.0.0.0/25"), "10.0.0.1", "10.0.0.2"),
        (pool("10.0.0.0/31"), "10.0.0.0", "10.0.0.1"),
        (pool("10.0.0.0/24", gateway="10.0.0.254", x="10.0.0.1"), "10.0.0.254", "10.0.0.2"),
        (pool("10.0.0.0/24", x="10.0.0.1"), "10.0.0.2", "10.0.0.3"),
    ],
)
def test_gateway_and_first_address(given_pool, gateway, first):
    found = chosen(document([front(given_pool)], container("a", "front")))
    assert ([*map(str, found.networks["front"].gateways.values())], four(found, "a")) == ([gateway], first)


def test_shims_of_all_hosts_have_their_turn_after_the_containers_so_that_no_two_are_given_one():
    shimmed = front(pool("10.0.0.0/24"), driver="macvlan", options=Options(shim=Shim("shim0")))
    a, b = container("a", "front", host="h1"), container("b", EndpointSpec("front", ipv4=A("10.0.0.3")), host="h2")
    whole = document([shimmed], a, b)
    found = {host: chosen(whole, host=host) for host in ("h1", "h2")}
    shims = {host: dict(one.networks["front"].shim) for host, one in found.items()}
    assert shims == {"h1": {4: A("10.0.0.2")}, "h2": {4: A("10.0.0.4")}} and four(found["h1"], "a") == "10.0.0.1"
    more = document([shimmed], container("new", "front", host="h1"), a, b)
    again = chosen(more, found["h2"], host="h2", leases={("host h1", "front"): Lease(A("10.0.0.2"))})
    assert again.networks == found["h2"].networks, "it keeps its own"
    said = replace(shimmed, options=Options(shim=Shim("shim0", A("10.0.0.1"))))
    assert four(chosen(document([said], a), host="h1"), "a") == "10.0.0.2", "what is said is nobody else's"
    other = replace(AROUND, states=state(replace(whole, name="other"), found["h1"]))
    assert chosen(
        document([front(pool("10.0.0.0/24"), driver="macvlan")], container("x", "front")), around=other
    ).endpoints[("x", "front")].ipv4 == A("10.0.0.3")


def test_macvlan_and_isolated_networks_have_no_gateway_of_themselves():
    for words in ({"driver": "macvlan"}, {"options": Options(modes={4: "isolated", 6: "isolated"})}):
        found = chosen(document([front(pool("10.0.0.0/24"), **words)], container("a", "front")))
        assert found.networks["front"].gateways == {} and four(found, "a") == "10.0.0.1"
    said = chosen(document([front(pool("10.0.0.0/24", gateway="10.0.0.1"), driver="macvlan")], container("a", "front")))
    assert said.networks["front"].gateways == {N("10.0.0.0/24"): A("10.0.0.1")} and four(said, "a") == "10.0.0.2"


@pytest.mark.parametrize("ipam", ["dhcp", "none"])
def test_without_ipam_there_are_no_addresses_but_a_stable_mac(ipam):
    whole = document([front(driver="macvlan", ipam=ipam)], container("a", "front"), container("b", "front"))
    found = chosen(whole)
    macs = {lease.mac for lease in found.endpoints.values()}
    assert all(lease.ipv4 is lease.ipv6 is None for lease in found.endpoints.values()) and len(macs) == 2
    assert found.networks["front"].subnets == () and chosen(whole) == found


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.1.0.9", "10.1.0.9 is not in 10.0.0.0/24, the subnet of the network"),
        ("10.0.0.0", "it is the subnet itself"),
        ("10.0.0.255", "it is its broadcast address"),
        ("10.0.0.1", "it is its gateway"),
        ("10.0.0.7", 'it is reserved as "printer"'),
        ("10.0.0.9", "it is given to container b"),
    ],
)
def test_a_static_address_that_cannot_be(address, why):
    endpoint = EndpointSpec("front", ipv4=A(address))
    whole = document(
        [front(pool("10.0.0.0/24", printer="10.0.0.7"))],
        container("b", EndpointSpec("front", ipv4=A("10.0.0.9"))),
        container("a", endpoint),
    )
    said = refused(whole)
    assert said.startswith("containers.a.networks.front: ") and why in said


def test_errors_are_told_together():
    nets = [front(pool("10.0.0.0/30"))]
    said = refused(
        document(
            nets,
            *(container(name, "front") for name in "abc"),
            container("d", EndpointSpec("front", ipv6=A("fd00::1"))),
        )
    )
    assert len(said.splitlines()) == 4
    assert "network front has no free address left in 10.0.0.0/30" in said and "has no IPv6 subnet" in said


def test_a_static_address_moves_him_who_only_kept_it():
    nets = [front(pool("10.0.0.0/24"))]
    known = chosen(document(nets, container("a", "front"), container("b", "front")))
    assert four(known, "a") == "10.0.0.2"
    found = chosen(
        document(
            nets,
            container("a", "front"),
            container("b", "front"),
            container("c", EndpointSpec("front", ipv4=A("10.0.0.2"))),
        ),
        known,
    )
    assert [four(found, name) for name in "abc"] == ["10.0.0.4", "10.0.0.3", "10.0.0.2"]


def test_what_other_hosts_have_on_a_lan_is_not_given_again():
    nets = [front(pool("10.0.0.0/24"), driver="macvlan")]
    there = [
        container("far", "front", host="two"),
        container("said", EndpointSpec("front", ipv4=A("10.0.0.2")), host="two"),
    ]
    whole = document(nets, *there, container("near", "front", host="one"))
    leases = {("far", "front"): Lease(A("10.0.0.1")), ("gone", "front"): Lease(A("10.0.0.3"))}
    around = replace(AROUND, addresses=frozenset({A("10.0.0.3")}))
    found = chosen(whole, around=around, host="one", leases=leases)
    assert four(found, "near") == "10.0.0.4" and list(found.endpoints) == [("near", "front")]
    without = {host: chosen(whole, host=host) for host in ("one", "two")}
    addresses = [lease.ipv4 for one in without.values() for lease in one.endpoints.values()]
    assert len(set(addresses)) == 3


def test_what_another_host_has_no_room_for_is_no_error_here():
    nets = [front(pool("10.0.0.0/30"), driver="macvlan")]
    far = [container(name, EndpointSpec("front", ipv4=A("10.9.0.9")), host="two") for name in "ab"]
    whole = document(
        nets, container("c", "front", host="one"), *far, *(container(f"d{at}", "front", host="two") for at in range(3))
    )
    assert four(chosen(whole, host="one"), "c") == "10.0.0.1"
    assert len(refused(whole, host="two").splitlines()) == 4


def test_a_range_that_comes_later_moves_neither_gateway_nor_container():
    known = chosen(document([front(pool("10.0.0.0/24"))], container("a", "front")))
    nets = [front(pool("10.0.0.0/24", "10.0.0.128/25"))]
    found = chosen(document(nets, container("a", "front"), container("b", "front")), known)
    assert found.networks == known.networks
    assert (four(found, "a"), four(found, "b")) == ("10.0.0.2", "10.0.0.128")


def test_the_default_bridge_is_one_for_all_topologies():
    first = document([], container("a", "bridge", mode="bridge"), name="first")
    known = chosen(first)
    assert known.networks["bridge"] == NetworkLease(
        "docknet0", (N("172.17.0.0/16"),), {N("172.17.0.0/16"): A("172.17.0.1")}
    )
    second = document([front()], container("b", "bridge", mode="bridge"), container("c", "front"))
    found = chosen(second, around=replace(AROUND, states=state(first, known)))
    assert four(found, "b", "bridge") == "172.17.0.3" and found.networks["bridge"] == known.networks["bridge"]
    elsewhere = chosen(first, around=replace(AROUND, on_link=(OnLink(N("172.17.0.0/16"), "docker0"),)))
    assert elsewhere.networks["bridge"].subnets == (N("172.18.0.0/16"),)
    later = chosen(
        document([front()], container("a", "bridge", mode="bridge"), container("w", "front"), name="first"), elsewhere
    )
    assert later.networks["front"].subnets == (N("172.19.0.0/16"),)


def test_an_external_network_is_joined_without_taking_anybody_s_address():
    words = {
        "name": "base",
        "networks": {"front": {"ipam": {"config": [{"subnet": "10.5.0.0/24", "aux_addresses": {"x": "10.5.0.3"}}]}}},
    }
    base = document([front(pool("10.5.0.0/24", x="10.5.0.3"))], container("a", "front"), name="base")
    known = chosen(base)
    states = {"base": State("base", document=words, allocation=known)}
    joined = document([front(external=True)], container("b", "front"), name="joiner")
    found = chosen(joined, around=replace(AROUND, states=states))
    assert found.networks == known.networks and four(found, "b") == "10.5.0.4"
    states["joiner"] = State("joiner", allocation=found)
    more = document(
        [front(pool("10.5.0.0/24", x="10.5.0.3"))], container("a", "front"), container("c", "front"), name="base"
    )
    assert four(chosen(more, known, around=replace(AROUND, states=states)), "c") == "10.5.0.5"
    by_device = document(
        [NetworkSpec("mine", device=known.networks["front"].device, external=True)],
        container("d", "mine"),
        name="third",
    )
    assert four(chosen(by_device, around=replace(AROUND, states=states)), "d", "mine") == "10.5.0.5"
    said = refused(
        document([NetworkSpec("frnt", external=True)], container("d", "frnt"), name="third"),
        around=replace(AROUND, states=states),
    )
    assert 'no other topology on this host has a bridge network named "frnt"; there are: front (br-' in said


@pytest.mark.parametrize("asked", ["proxy", "edge_proxy", "reverse-proxy-network"], ids=["name", "project", "compose"])
@pytest.mark.parametrize("by_name", [True, False], ids=["name", "key"])
def test_an_external_network_is_joined_by_each_name_it_has_in_compose(asked, by_name):
    """`networks: {default: {external: true, name: proxy}}`, as reverse proxies have it, and `networks: {proxy: {external: true}}`."""
    theirs = {
        "name": "edge",
        "networks": {
            "proxy": {
                "name": "reverse-proxy-network",
                "driver_opts": {"com.docker.network.bridge.name": "edge0"},
            }
        },
        "containers": {"traefik": {"networks": ["proxy"]}},
    }
    known = chosen(read(theirs))
    states = {"edge": State("edge", document=theirs, allocation=known)}
    name = "default" if by_name else asked
    networks = {name: {"external": True, **({"name": asked} if by_name else {})}}
    blog = read({"name": "blog", "networks": networks, "containers": {"wordpress": {"networks": [name]}}})
    found = chosen(blog, around=replace(AROUND, states=states))
    assert found.networks[name].device == known.networks["proxy"].device == "edge0"


@pytest.mark.parametrize("lease", [{"vni": 4097}, {"slices": {"node1": (N("10.5.0.0/28"),)}}], ids=["vxlan", "host-gw"])
def test_an_overlay_is_not_joined(lease):
    theirs = Allocation({"front": NetworkLease("br-x", (N("10.5.0.0/24"),), **lease)})
    states = {"base": State("base", allocation=theirs)}
    joined = document([front(external=True)], container("b", "front"), name="joiner")
    assert '"front" is an overlay, which is of one topology alone' in refused(
        joined, around=replace(AROUND, states=states)
    )


# -- ports --------------------------------------------------------------------------------------------------------


def with_ports(*ports, name="shop"):
    return document(
        [front(pool("10.0.0.0/24"))],
        *(container(f"c{at}", "front", ports=[one]) for at, one in enumerate(ports)),
        name=name,
    )


def published(allocation):
    return [str(one) for one in allocation.ports.values()]


def test_free_ports_are_chosen_and_stay():
    around = replace(AROUND, listeners=(Listener("tcp", A("127.0.0.1"), 32768),), reserved=(Ports(32770, 32770),))
    whole = with_ports(
        port(80), port(81), port((90, 92)), port(80, (32769, 32780)), port(53, protocol="udp"), port(1, 32773)
    )
    found = chosen(whole, around=around)
    assert published(found) == ["32769", "32771", "32774-32776", "32770", "32768", "32773"]
    assert chosen(whole, found, around=AROUND) == found
    fewer = with_ports(port(80), port(81))
    assert published(chosen(fewer, found)) == ["32769", "32771"]


def test_a_port_that_a_process_has_is_refused_by_its_name():
    listener = Listener("tcp", A("0.0.0.0"), 8080, "nginx (pid 812)")
    around = replace(AROUND, listeners=(listener,))
    said = refused(with_ports(port(80, 8080)), around=around)
    assert (
        said
        == "containers.c0.ports: port 8080/tcp is already taken by nginx (pid 812); publish another port, or free this one"
    )
    chosen(with_ports(port(80, 8080, protocol="udp")), around=around)
    on_all = replace(AROUND, listeners=(listener._replace(address=A("::")),))
    assert "nginx" in refused(with_ports(port(80, 8080, "192.0.2.1")), around=on_all)
    elsewhere = replace(AROUND, listeners=(listener._replace(address=A("192.0.2.2")),))
    chosen(with_ports(port(80, 8080, "192.0.2.1")), around=elsewhere)


def test_a_name_server_of_ours_is_never_in_the_way_of_a_port():
    ours = tuple(
        Listener(protocol, A(at), 20500, "dnsmasq (pid 7)", "shop-names-1")
        for protocol, at in (("tcp", "10.1.0.1"), ("udp", "10.1.0.1"), ("udp", "0.0.0.0"))
    )
    around = replace(AROUND, listeners=ours)
    for protocol in ("tcp", "udp"):
        for one in (port(20500, 20500, protocol=protocol), port((20000, 29999), (20000, 29999), protocol=protocol)):
            assert not allocate(with_ports(one), None, around, Allocation())[1]
            stranger = replace(AROUND, listeners=tuple(each._replace(service="") for each in ours))
            assert "port 20500" in refused(with_ports(one), around=stranger)


def test_a_client_s_socket_is_in_the_way_of_its_own_port_alone():
    """UDP does not tell it from a server's, but the kernel chose its port."""
    some = tuple(Listener("udp", A("0.0.0.0"), 40000 + one, "chrome (pid 7)", passing=True) for one in range(5))
    around = replace(AROUND, listeners=some)
    range_ = with_ports(port((40000, 41000), (40000, 41000), protocol="udp"))
    found, warnings = allocate(range_, None, around, Allocation())
    assert warnings == (
        "containers.c0.ports: some of the ports 40000-41000/udp are used by chrome (pid 7) (40000, 40001, 40002); new packets to them"
        " go to the container, so no server may listen there",
    )
    assert allocate(range_, None, around, found) == (found, ()), "it is said once"
    single = with_ports(port(40001, 40001, protocol="udp"))
    assert "port 40001/udp is already taken by chrome (pid 7)" in refused(single, around=around)
    assert allocate(single, None, around, chosen(single)) == (chosen(single), ())
    kernel = Listener("udp", A("0.0.0.0"), 40500)
    assert "port 40500/udp is already taken" in refused(range_, around=replace(AROUND, listeners=(kernel,)))


def test_a_port_that_was_ours_first_stays_ours_with_a_warning():
    whole = with_ports(port(80, 8080))
    known = chosen(whole)
    around = replace(AROUND, listeners=(Listener("tcp", A("::"), 8080, "nginx (pid 812)"),))
    found, warnings = allocate(whole, None, around, known)
    assert found == known and warnings == (
        "containers.c0.ports: port 8080/tcp leads to the container, not to nginx (pid 812)",
    )


def test_a_port_of_another_topology_is_refused_and_not_chosen():
    other = with_ports(port(80, 8080), port(80), name="other")
    around = replace(AROUND, states=state(other, chosen(other)))
    whole = document(
        [front(pool("10.1.0.0/24"))],
        container("a", "front", ports=[port(80, 8080)]),
        container("b", "front", ports=[port(80)]),
    )
    assert "port 8080/tcp is already taken by container c0 of topology other" in refused(whole, around=around)
    free = document([front(pool("10.1.0.0/24"))], container("b", "front", ports=[port(80)]))
    assert published(chosen(free, around=around)) == ["32769"]


def test_networks_addresses_and_ports_are_complained_of_at_once():
    around = replace(
        AROUND, on_link=(OnLink(N("10.0.0.0/8"), "eth0"),), listeners=(Listener("tcp", A("0.0.0.0"), 8080),)
    )
    whole = document(
        [front(pool("10.0.0.0/24"))],
        container("a", EndpointSpec("front", ipv4=A("10.9.0.1"))),
        container("b", "front", ports=[port(80, 8080)]),
    )
    said = refused(whole, around=around).splitlines()
    assert [line.partition(":")[0] for line in said] == [
        "networks.front.ipam",
        "containers.a.networks.front",
        "containers.b.ports",
    ]


@pytest.mark.parametrize("host_ip", ["127.0.0.1", "2001:db8::1"])
def test_one_port_on_two_addresses_is_for_two_topologies(host_ip):
    other = replace(with_ports(port(80, 8080, host_ip)), name="other")
    states = state(other, Allocation(ports={("c0", str(port(80, 8080, host_ip))): Ports(8080, 8080)}))
    whole = document([front(pool("10.1.0.0/24"))], container("a", "front", ports=[port(80, 8080, "192.0.2.1")]))
    assert published(chosen(whole, around=replace(AROUND, states=states))) == ["8080"]
    same = document([front(pool("10.1.0.0/24"), ipv6=True)], container("a", "front", ports=[port(80, 8080)]))
    assert "container c0 of topology other" in refused(same, around=replace(AROUND, states=states))


def test_no_port_left_says_so():
    around = replace(AROUND, free_ports=Ports(40000, 40000))
    assert "none of the ports 40000/tcp is free" in refused(with_ports(port(80), port(81)), around=around)
    assert "none of the ports 8000-8001/tcp is free" in refused(
        with_ports(*(port(one, (8000, 8001)) for one in (1, 2, 3)))
    )


# -- properties ---------------------------------------------------------------------------------------------------

NAMES = [f"c{number}" for number in range(12)]
SUBNET, RANGE = N("10.7.0.0/27"), N("10.7.0.16/28")


@st.composite
def shops(draw, names=None):
    """Containers in some order on one or two networks, some with a static address; each has a port of the host's choice."""
    names = names or draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=8, unique=True))
    statics = draw(st.lists(st.integers(2, 30), min_size=len(names), max_size=len(names), unique=True))
    made = []
    for name, number in zip(names, statics):
        static = A(int(SUBNET.network_address) + number) if draw(st.booleans()) and number != 16 else None
        specs = [EndpointSpec("front", ipv4=static)] + ([EndpointSpec("back")] if draw(st.booleans()) else [])
        made.append(container(name, *specs, ports=[port(80)]))
    nets = [NetworkSpec("front", pools=(Pool(SUBNET, RANGE),)), NetworkSpec("back", ipv6=True)]
    return document(nets, *made)


@given(shops())
def test_what_is_given_is_unique_inside_and_the_same_again(whole):
    found = chosen(whole)
    assert chosen(whole, found) == found
    for name, given_to in found.networks.items():
        mine = [one for (_container, network), one in found.endpoints.items() if network == name]
        addresses = [one.ipv4 for one in mine] + list(given_to.gateways.values())
        assert len(set(addresses)) == len(addresses)
        assert all(any(one in subnet for subnet in given_to.subnets) for one in addresses)
        assert len({one.mac for one in mine}) == len(mine)
    said = {(one.name, "front"): one.endpoints[0].ipv4 for one in whole.containers.values()}
    for key, static in said.items():
        assert found.endpoints[key].ipv4 == static if static else found.endpoints[key].ipv4 in RANGE
    assert len(set(found.ports.values())) == len(whole.containers)


@given(st.data())
def test_nobody_moves_when_others_come_go_or_change_places(data):
    whole = data.draw(shops())
    known = chosen(whole)
    gone = data.draw(st.sets(st.sampled_from(sorted(whole.containers)), max_size=len(whole.containers) - 1))
    new = [
        container(f"new{number}", "front", "back", ports=[port(80)]) for number in range(data.draw(st.integers(0, 2)))
    ]
    left = data.draw(st.permutations([*(one for name, one in whole.containers.items() if name not in gone), *new]))
    found = chosen(document(whole.networks.values(), *left), known)
    for key, lease in known.endpoints.items():
        assert key[0] in gone or found.endpoints[key] == lease
    for key, ports in known.ports.items():
        assert key[0] in gone or found.ports[key] == ports
    for name, lease in found.networks.items():
        assert known.networks.get(name, lease) == lease


@given(st.integers(28, 31))
def test_every_address_of_a_network_is_given_before_it_is_full(length):
    subnet = N(f"10.8.0.0/{length}")
    room = subnet.num_addresses - (3 if length < 31 else 1)
    nets = [front(Pool(subnet))]
    everybody = [container(f"c{number}", "front") for number in range(room + 1)]
    assert len(chosen(document(nets, *everybody[:room])).endpoints) == room
    assert "network front has no free address left" in refused(document(nets, *everybody))


def test_interfaces_are_numbered_in_the_document_s_order_around_chosen_names():
    nets = [NetworkSpec("a"), NetworkSpec("b"), NetworkSpec("c", options=Options(prefix="lan"))]
    one = container("web", "a", EndpointSpec("b", interface="eth0"), "c")
    assert interfaces(one, document(nets, one)) == {"a": "eth1", "b": "eth0", "c": "lan0"}
