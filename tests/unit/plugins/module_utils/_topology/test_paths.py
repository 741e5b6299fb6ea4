# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which paths a document promises, and which it forbids. Each line is one path as a user would say it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import DocknetError
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkKey
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import World
from ansible_collections.netwright.docknet.plugins.module_utils._model.state import (
    Allocation,
    OnLink,
    State,
    Surroundings,
)
from ansible_collections.netwright.docknet.plugins.module_utils._topology import trial
from ansible_collections.netwright.docknet.plugins.module_utils._topology.allocate import allocate
from ansible_collections.netwright.docknet.plugins.module_utils._topology.document import read
from ansible_collections.netwright.docknet.plugins.module_utils._topology.paths import paths
from ansible_collections.netwright.docknet.plugins.module_utils._topology.reach import Ground
from ansible_collections.netwright.docknet.plugins.module_utils._topology.site import Site

HOST4, HOST6 = ip_address("198.51.100.1"), ip_address("fd51::1")
AROUND = Surroundings(on_link=(OnLink(ip_network("198.51.100.0/24"), "lan0"),), machine="one")


def network(number, **more):
    """A bridge network with a subnet that says which it is."""
    return {"ipam": {"config": [{"subnet": f"10.{number}.0.0/16"}]}, **more}


def both(number, **more):
    config = [{"subnet": f"10.{number}.0.0/16"}, {"subnet": f"fd00:{number}::/64"}]
    return {"enable_ipv6": True, "ipam": {"config": config}, **more}


ICC = {"driver_opts": {"com.docker.network.bridge.enable_icc": "false"}}


def mode(word):
    return {"driver_opts": {"com.docker.network.bridge.gateway_mode_ipv4": word}}


def site(networks, containers, around=AROUND, host=None):
    document = read({"name": "shop", "networks": networks, "containers": containers})
    return Site(document, host, allocate(document, host, around, Allocation())[0], around)


def tried(*words, own=(HOST4, HOST6), **more):
    return paths(Ground(site(*words, **more), own))


def lines(*words, between=None, **more):
    """ "web -> db tcp 10.1.0.3 works"; only those between two, if they are given."""
    return [
        f"{one.sender} -> {one.receiver} {one.protocol} {one.place(one.port)} {'works' if one.works else 'fails'}"
        for one in tried(*words, **more)
        if between is None or (one.sender, one.receiver) == between
    ]


def verdicts(*words, **more):
    """(who, whom): the reasons, and whether it works."""
    found = {}
    for one in tried(*words, **more):
        found.setdefault((one.sender, one.receiver), set()).add((one.works, one.why))
    return found


def test_neighbours_try_each_other_in_every_protocol():
    assert lines({"front": network(1)}, {"web": {"networks": ["front"]}, "db": {"networks": ["front"]}}) == [
        "web -> db icmp 10.1.0.3 works",
        "web -> db tcp 10.1.0.3 works",
        "web -> db udp 10.1.0.3 works",
        "db -> web icmp 10.1.0.2 works",
        "db -> web tcp 10.1.0.2 works",
        "db -> web udp 10.1.0.2 works",
        "the host -> web icmp 10.1.0.2 works",
        "the host -> web tcp 10.1.0.2 works",
        "the host -> db icmp 10.1.0.3 works",
        "the host -> db tcp 10.1.0.3 works",
        "web -> the host icmp 10.1.0.1 works",
        "db -> the host icmp 10.1.0.1 works",
    ]


def test_both_families_are_tried_where_both_are_there():
    found = lines({"front": both(1)}, {"a": {"networks": ["front"]}, "b": {"networks": ["front"]}}, between=("a", "b"))
    assert found == [
        f"a -> b {protocol} {address} works"
        for address in ("10.1.0.3", "fd00:1::3")
        for protocol in ("icmp", "tcp", "udp")
    ]


def test_a_network_of_many_is_a_ring():
    found = verdicts({"front": network(1)}, {f"c{number}": {"networks": ["front"]} for number in range(100)})
    assert len(found) == 100 + 100 + 100  # neighbours, from the host, to the host
    assert ("c99", "c0") in found and ("c0", "c2") not in found


def test_very_many_networks_are_a_ring_too():
    names = [f"n{number}" for number in range(40)]
    found = verdicts(
        {name: network(at + 1) for at, name in enumerate(names)}, {f"in-{name}": {"networks": [name]} for name in names}
    )
    assert {pair for pair in found if "the host" not in pair} == {
        pair
        for one, other in zip(names, names[1:] + names[:1])
        for pair in ((f"in-{one}", f"in-{other}"), (f"in-{other}", f"in-{one}"))
    }


@pytest.mark.parametrize(
    ("settings", "works", "why"),
    [
        ({}, True, "they share network n"),
        (ICC, False, "enable_icc is false on network n"),
        ({"internal": True}, True, "they share network n"),
    ],
)
def test_who_shares_a_network(settings, works, why):
    found = verdicts({"n": network(1, **settings)}, {"a": {"networks": ["n"]}, "b": {"networks": ["n"]}})
    assert found[("a", "b")] == found[("b", "a")] == {(works, why)}
    assert found[("the host", "a")] == {(True, "the host has an address on network n")}


STRANGERS = {"a": {"networks": ["one"]}, "b": {"networks": ["other"]}}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({}, {}, {(False, "they have no network in common")}),
        ({"internal": True}, {}, {(False, "none of the networks of a leads elsewhere")}),
        ({}, {"internal": True}, {(False, "network other is internal")}),
        ({}, mode("nat-unprotected"), {(True, "network other lets it in")}),
        ({}, mode("routed"), {(True, "network other is routed"), (False, "they have no network in common")}),
    ],
)
def test_who_shares_none(one, other, expected):
    found = verdicts({"one": network(1, **one), "other": network(2, **other)}, STRANGERS)
    assert found[("a", "b")] == expected


def test_a_routed_network_is_open_at_what_it_publishes():
    containers = {"a": {"networks": ["one"]}, "b": {"networks": ["other"], "ports": ["8080:80"]}}
    found = lines({"one": network(1), "other": network(2, **mode("routed"))}, containers, between=("a", "b"))
    assert found == [
        "a -> b icmp 10.2.0.2 works",
        "a -> b tcp 10.2.0.2 fails",
        "a -> b udp 10.2.0.2 fails",
        "a -> b tcp 10.2.0.2:80 works",
    ]


def test_a_pair_is_one_that_shares_nothing():
    """web is on both; it is not what is tried between them."""
    containers = {"web": {"networks": ["one", "other"]}, **STRANGERS}
    found = verdicts({"one": network(1), "other": network(2)}, containers)
    assert found[("a", "b")] == found[("b", "a")] == {(False, "they have no network in common")}
    assert (False, "they have no network in common") not in found[("web", "b")]


def test_who_has_no_network_reaches_nobody():
    found = verdicts({"one": network(1)}, {"a": {"networks": ["one"]}, "alone": {"network_mode": "none"}})
    assert found[("alone", "a")] == {(False, "alone has no network")}
    assert ("a", "alone") not in found and ("the host", "alone") not in found


def test_a_member_of_a_namespace_has_its_loopback():
    containers = {"a": {"networks": ["one"]}, "probe": {"network_mode": "container:a"}}
    one = next(one for one in tried({"one": network(1)}, containers) if one.sender == "probe")
    assert (one.source, one.spot.netns, str(one.target), one.works) == ("probe", "a", "127.0.0.1", True)


def test_internal_networks_have_no_way_even_to_the_host():
    found = lines({"back": both(1, internal=True)}, {"db": {"networks": ["back"]}}, between=("db", "the host"))
    assert found == [
        "db -> the host icmp 10.1.0.1 works",
        "db -> the host icmp fd00:1::1 works",
        "db -> the host icmp 198.51.100.1 fails",
        "db -> the host icmp fd51::1 fails",
    ]


# -- published ports --------------------------------------------------------------------------------------------

SHOP = {"front": both(1), "other": network(2), "back": network(3, internal=True)}
FOLK = {
    "mate": {"networks": ["front"]},
    "far": {"networks": ["other"]},
    "db": {"networks": ["back"]},
}


def ports(*words, containers=None, networks=None, **more):
    """All paths to web by the host's addresses."""
    folk = {"web": {"networks": ["front"], "ports": list(words)}, **(FOLK if containers is None else containers)}
    return [
        f"{one.sender} {one.protocol} {one.place(one.port)} {'works' if one.works else 'fails'}"
        for one in tried(SHOP if networks is None else networks, folk, **more)
        if one.receiver == "web" and one.port
    ]


def test_a_published_port_is_tried_by_each_sort_of_client():
    assert ports("8080:80") == [
        "the host tcp 127.0.0.1:8080 works",
        "the host tcp 198.51.100.1:8080 works",
        "web tcp 198.51.100.1:8080 works",
        "mate tcp 198.51.100.1:8080 works",
        "far tcp 198.51.100.1:8080 works",
        "db tcp 198.51.100.1:8080 fails",
        "the host tcp [fd51::1]:8080 works",
        "web tcp [fd51::1]:8080 works",
        "mate tcp [fd51::1]:8080 works",
    ]


def test_it_is_listened_where_it_leads():
    one = next(one for one in tried(SHOP, {"web": {"networks": ["front"], "ports": ["8080:80/udp"]}}) if one.port)
    assert (one.spot.netns, str(one.spot.address), one.spot.protocol, one.spot.port) == ("web", "10.1.0.2", "udp", 80)


def test_what_is_published_on_loopback_is_for_the_host_alone():
    assert ports("127.0.0.1:8443:443") == [
        "the host tcp 127.0.0.1:8443 works",
        "web tcp 198.51.100.1:8443 fails",
        "mate tcp 198.51.100.1:8443 fails",
        "far tcp 198.51.100.1:8443 fails",
        "db tcp 198.51.100.1:8443 fails",
    ]


def test_of_one_address_that_one_is_tried():
    assert [one for one in ports("198.51.100.1:80:80") if one.startswith("the host")] == [
        "the host tcp 198.51.100.1:80 works"
    ]
    assert ports("198.51.100.77:80:80") == []


def test_of_a_range_the_first_and_the_last():
    found = [one for one in ports("8000-8010:8000-8010/udp") if one.startswith("the host") and "127" in one]
    assert found == ["the host udp 127.0.0.1:8000 works", "the host udp 127.0.0.1:8010 works"]


def test_allowed_sources_are_respected_and_the_host_always_may():
    port = {"target": 80, "published": 8080, "allowed_sources": ["10.2.0.0/16"]}
    assert ports(port) == [
        "the host tcp 127.0.0.1:8080 works",
        "the host tcp 198.51.100.1:8080 works",
        "web tcp 198.51.100.1:8080 fails",
        "mate tcp 198.51.100.1:8080 fails",
        "far tcp 198.51.100.1:8080 works",
        "db tcp 198.51.100.1:8080 fails",
        "the host tcp [fd51::1]:8080 works",
        "web tcp [fd51::1]:8080 fails",
        "mate tcp [fd51::1]:8080 fails",
    ]


def test_containers_that_are_kept_apart_reach_what_is_published():
    networks = {"front": network(1, **ICC), "other": network(2), "back": network(3, internal=True)}
    assert "mate tcp 198.51.100.1:8080 works" in ports("8080:80", networks=networks)


def test_a_port_that_was_chosen_is_the_one_tried():
    assert ports("80", containers={})[0] == "the host tcp 127.0.0.1:32768 works"


def test_without_an_address_of_the_host_loopback_is_left():
    assert ports("8080:80", own=()) == ["the host tcp 127.0.0.1:8080 works"]


# -- on the LAN -------------------------------------------------------------------------------------------------


def lan(**options):
    config = [{"subnet": "198.51.100.0/24", "ip_range": "198.51.100.128/25"}]
    return {"driver": "macvlan", "driver_opts": {"parent": "lan0", **options}, "ipam": {"config": config}}


@pytest.mark.parametrize(
    ("options", "between", "host"),
    [
        ({}, {(True, "they share network lan")}, {(False, "network lan has no host_shim")}),
        (
            {"macvlan_mode": "private"},
            {(False, "network lan is a macvlan of mode private")},
            {(False, "network lan has no host_shim")},
        ),
        ({"macvlan_mode": "vepa"}, None, None),
    ],
)
def test_macvlan(options, between, host):
    found = verdicts({"lan": lan(**options)}, {"a": {"networks": ["lan"]}, "b": {"networks": ["lan"]}})
    assert found.get(("a", "b")) == between
    assert found.get(("the host", "a")) == host
    assert ("a", "the host") not in found


def test_ipvlan():
    found = {}
    for flag in ("bridge", "private"):
        network = {**lan(ipvlan_flag=flag), "driver": "ipvlan"}
        found[flag] = verdicts({"lan": network}, {"a": {"networks": ["lan"]}, "b": {"networks": ["lan"]}})
        assert found[flag][("the host", "a")] == {(False, "network lan has no host_shim")}
    assert found["bridge"][("a", "b")] == {(True, "they share network lan")}
    assert found["private"][("a", "b")] == {(False, "network lan is an ipvlan with flag private")}


def test_the_host_is_not_kept_out_by_a_parent_it_has_no_address_on():
    found = verdicts({"lan": lan()}, {"a": {"networks": ["lan"]}}, around=replace(AROUND, on_link=()))
    assert ("the host", "a") not in found


# -- another topology's network ---------------------------------------------------------------------------------


def test_what_a_joined_network_lets_through_its_own_topology_says():
    raw = {"name": "base", "networks": {"apart": network(1, **ICC)}, "containers": {"x": {"networks": ["apart"]}}}
    chosen = allocate(read(raw), None, AROUND, Allocation())[0]
    states = {"base": State("base", None, raw, chosen)}
    joined = {"apart": {"external": True, "name": chosen.networks["apart"].device}}
    found = verdicts(
        joined, {"a": {"networks": ["apart"]}, "b": {"networks": ["apart"]}}, around=replace(AROUND, states=states)
    )
    assert found[("a", "b")] == {(False, "enable_icc is false on network apart")}


# -- what the module makes of it ----------------------------------------------------------------------------------

DOCUMENT = {"name": "shop", "containers": {"web": {"ports": ["80"]}}}


def attempt(document=None, **params):
    words = {"host": None, "timeout": 2.0, "serve": None, "address": None, "peers": None, **params}
    return trial.prepare({"topology": DOCUMENT if document is None else document, **words})


def world(document=None, host=None):
    document = DOCUMENT if document is None else document
    read_one = read(document)
    state = State("shop", host, document, allocate(read_one, host, AROUND, Allocation())[0])
    return World(states={"shop": state}, surroundings=AROUND)


def test_what_was_not_built_cannot_be_tried():
    with pytest.raises(DocknetError, match=r"topology shop: it is not on this host.*; build it with"):
        attempt().trials(World())


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"web": {"ports": ["80"]}, "db": {}}, "containers.db.networks.default: it has no address yet"),
        ({"web": {"ports": ["80", "81"]}}, "containers.web.ports: :81/tcp was not published yet"),
    ],
)
def test_a_document_that_was_changed_since_cannot_be_tried(changed, sentence):
    with pytest.raises(DocknetError, match=sentence):
        attempt({"name": "shop", "containers": changed}).trials(world())


def test_a_host_that_the_document_does_not_name():
    with pytest.raises(DocknetError, match="host 'c' is none of the document's; it names a, b"):
        attempt({"name": "shop", "containers": {"x": {"host": "a"}, "y": {"host": "b"}}}, host="c")


@pytest.mark.parametrize("timeout", [0.0, -1.0, 5000.0])
def test_a_time_that_makes_no_sense(timeout):
    with pytest.raises(DocknetError, match=r"timeout .* is not from 0 to 3600"):
        attempt(timeout=timeout)


def test_own_addresses_are_of_links_that_are_up_and_not_ours():
    def link(index, name, address, **more):
        return Link(LinkKey(None, name), up=True, index=index, addresses=frozenset({ip_interface(address)}), **more)

    links = [
        link(1, "lo", "203.0.113.1/32"),
        link(3, "lan1", "192.0.2.1/24"),
        link(2, "lan0", "198.51.100.1/24"),
        link(4, "br0", "172.18.0.1/16", owner="shop"),
        link(5, "ll", "fe80::1/64"),
        replace(link(6, "down", "192.0.2.9/24"), up=False),
    ]
    found = trial.own_addresses(World(links={one.key: one for one in links}))
    assert [str(one) for one in found] == ["198.51.100.1", "192.0.2.1", "203.0.113.1"]


def published(**words):
    return {
        "container": "web",
        "protocol": "tcp",
        "host_ip": "0.0.0.0",
        "port": 8080,
        "allowed_sources": ["0.0.0.0/0"],
        "served": True,
        **words,
    }


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({}, (True, "it is published as 8080 on node2", "192.0.2.11")),
        ({"served": False}, (True, "it is published as 8080 on node2", None)),
        ({"host_ip": "127.0.0.1"}, (False, "it is published on 127.0.0.1 of node2 alone", None)),
        ({"allowed_sources": ["192.0.2.1/32"]}, (False, "192.0.2.11 is not in its allowed_sources", None)),
        ({"allowed_sources": []}, (False, "192.0.2.11 is not in its allowed_sources", None)),
        ({"host_ip": "192.0.2.12"}, (True, "it is published as 8080 on node2", "192.0.2.11")),
        ({"host_ip": "10.9.9.9"}, None),
        ({"host_ip": "::", "allowed_sources": ["::/0"]}, None),
        ({"protocol": "udp", "served": False}, None),
    ],
)
def test_what_other_hosts_publish(words, expected):
    peer = {"name": "node2", "address": "192.0.2.12", "published": [published(**words)]}
    one = attempt(peers=[peer], address="192.0.2.11")
    found = [(each.works, each.why, each.seen_as and str(each.seen_as)) for each in one.trials(World())]
    assert found == ([expected] if expected else [])
    assert bool(one.warnings) == (words.get("protocol") == "udp")


def test_what_is_told_to_other_hosts_is_what_they_take():
    one = attempt()
    one.trials(world())
    assert one.published(()) == [published(port=32768)]
    other = attempt(peers=[{"name": "n", "address": "192.0.2.1", "published": one.published(())}])
    assert [str(each) for each in other.trials(World())] == ["the host -> web on n (tcp 192.0.2.1:32768)"]
