# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The WireGuard of encrypted networks: its addresses, its size, who is told whose key."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address as A
from ipaddress import ip_network as N

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import Conflict, InvalidRequest, Missing
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkKey
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import World
from ansible_collections.netwright.docknet.plugins.module_utils._model.rule import Ports
from ansible_collections.netwright.docknet.plugins.module_utils._model.segment import Segment
from ansible_collections.netwright.docknet.plugins.module_utils._model.state import (
    Allocation,
    Listener,
    Reached,
    State,
    Surroundings,
    Underlay,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.vxlan import Vxlan
from ansible_collections.netwright.docknet.plugins.module_utils._model.wireguard import Tunnel, Wireguard
from ansible_collections.netwright.docknet.plugins.module_utils._model.wireguard_key import PublicKey, WireguardKey
from ansible_collections.netwright.docknet.plugins.module_utils._topology import names, wireguard, wireguard_key
from ansible_collections.netwright.docknet.plugins.module_utils._topology.cluster import choose
from ansible_collections.netwright.docknet.plugins.module_utils._topology.document import read
from ansible_collections.netwright.docknet.plugins.module_utils._topology.gather import tell
from ansible_collections.netwright.docknet.plugins.module_utils._topology.leases import Leases, leases
from ansible_collections.netwright.docknet.plugins.module_utils._topology.topology import Topology

PEERS = {"node1": A("192.0.2.1"), "node2": A("192.0.2.2"), "node3": A("192.0.2.3")}
KEYS = {
    f"node{number}": PublicKey(f"{letter * 42}A=", 51819 + number) for number, letter in ((1, "a"), (2, "b"), (3, "c"))
}
PLACES = {"web": "node1", "db": "node2", "log": "node3"}


def document(places=None, encrypted=True, **more):
    """`net` spans three hosts, `pair` two of them."""
    places = PLACES if places is None else places
    options = {"encrypted": encrypted, **more}
    on = {name: ["net"] if name == "log" else ["net", "pair"] for name in places}
    return {
        "name": "shop",
        "networks": {
            "net": {"driver": "overlay", "driver_opts": options},
            "pair": {"driver": "overlay", "driver_opts": options},
        },
        "containers": {name: {"host": host, "networks": on[name]} for name, host in places.items()},
    }


def world(host="node1", version=4, **more):
    """A host on the underlay, with a key of its own."""
    around = {one: Reached(PEERS[host], "eth0") for one in PEERS.values()}
    if version == 6:
        around = {A(f"2001:db8::{name[-1]}"): Reached(A(f"2001:db8::{host[-1]}"), "eth0") for name in PEERS}
    return World(
        links={LinkKey(None, "eth0"): Link(LinkKey(None, "eth0"), mtu=1500)},
        keys={"shop": WireguardKey("shop", KEYS[host])},
        surroundings=Surroundings(reached=around),
        **more,
    )


def topology(raw, host="node1", told=None, peers=None):
    keys = {name: key for name, key in KEYS.items() if name != host} if told is None else told
    return Topology(read(raw), host, raw, Leases(keys=keys), PEERS if peers is None else peers)


def values(raw, sort, host="node1", seen=None, **more):
    wanted = topology(raw, host, **more).wanted(seen or world(host))
    return [one.value for one in wanted if one.present and isinstance(one.value, sort)]


def links(raw, kind, **more):
    return [one for one in values(raw, Link, **more) if isinstance(one.data, kind)]


@pytest.mark.parametrize("word", [True, "", "true", "yes", 1])
def test_dockers_word_and_ours(word):
    assert read(document(encrypted=word)).networks["net"].options.encrypted is True
    assert not read(document(encrypted=False)).networks["net"].options.encrypted


def test_each_host_has_an_address_that_all_know():
    one, other = (names.wireguard_address("shop", host) for host in ("node1", "node2"))
    assert one != other
    assert N((one, 64), strict=False) == N((other, 64), strict=False)
    assert one in N("fd00::/8")
    assert N((names.wireguard_address("shop2", "node1"), 64), strict=False) != N((one, 64), strict=False)
    assert str(one) == str(names.wireguard_address("shop", "node1"))


def test_one_interface_carries_all_of_them():
    (wire,) = links(document(), Wireguard)
    assert wire.owner == "shop" and wire.up
    assert [str(one) for one in wire.addresses] == [f"{names.wireguard_address('shop', 'node1')}/64"]
    (tunnel,) = values(document(), Tunnel)
    assert (tunnel.link, tunnel.key, tunnel.port) == (wire.key, KEYS["node1"].text, KEYS["node1"].port)
    assert {one.host: (one.key, one.endpoint) for one in tunnel.peers} == {
        name: (KEYS[name].text, (PEERS[name], KEYS[name].port)) for name in ("node2", "node3")
    }
    assert {one.allowed for one in tunnel.peers} == {
        frozenset({N(names.wireguard_address("shop", name))}) for name in ("node2", "node3")
    }


def test_vxlans_go_from_tunnel_address_to_tunnel_address():
    own, other = (names.wireguard_address("shop", host) for host in ("node1", "node2"))
    for one in links(document(), Vxlan):
        assert one.data.local == own
    for one in values(document(), Segment):
        assert N(other) in one.vteps
        assert all(network.version == 6 and network.prefixlen == 128 for network in one.vteps)


def test_who_is_on_no_common_network_is_no_peer():
    places = {"web": "node1", "db": "node2", "log": "node3"}
    raw = document(places)
    raw["containers"]["db"]["networks"], raw["containers"]["web"]["networks"] = ["pair"], ["pair"]
    (tunnel,) = values(raw, Tunnel)
    assert [one.host for one in tunnel.peers] == ["node2"]


def test_alone_it_has_no_wireguard_and_keeps_its_key():
    raw = document({"web": "node1"})
    assert not links(raw, Wireguard) and not values(raw, Tunnel)
    assert not [one for one in topology(raw).wanted(world()) if isinstance(one.value, WireguardKey)]


@pytest.mark.parametrize("raw", [document(encrypted=False), document({"db": "node2"}), {"name": "shop"}])
def test_the_key_goes_with_what_needs_it(raw):
    gone = [one for one in topology(raw).wanted(world()) if isinstance(one.value, WireguardKey)]
    assert [one.present for one in gone] == [False]


def test_only_one_segment_says_the_port_and_all_the_interface():
    found = values(document(), Segment)
    assert {one.by for one in found} == {names.wireguard("shop")}
    assert sorted(one.listens or 0 for one in found) == [0, KEYS["node1"].port]
    assert {(one.by, one.listens) for one in values(document(encrypted=False), Segment)} == {(None, None)}


@pytest.mark.parametrize("version, inner, outer", [(4, 1370, 1440), (6, 1350, 1420)])
def test_sizes(version, inner, outer):
    peers = PEERS if version == 4 else {name: A(f"2001:db8::{name[-1]}") for name in PEERS}
    found = {"seen": world(version=version), "peers": peers}
    assert {one.mtu for one in links(document(), Vxlan, **found)} == {inner}
    assert [one.mtu for one in links(document(), Wireguard, **found)] == [outer]


def test_what_is_smaller_than_ipv6_takes_is_no_size_of_the_interface():
    assert [one.mtu for one in links(document(mtu=800), Wireguard)] == [1280]
    assert [one.mtu for one in links(document(mtu=1300), Wireguard)] == [1370]


def test_without_a_host_that_is_known_it_is_made_for_ethernet():
    assert wireguard.mtu(None) == 1370
    assert wireguard.mtu(Underlay(A("2001:db8::1"), "eth0", 9000)) == 8850


def test_hosts_that_are_not_known():
    with pytest.raises(Missing, match="the address at which that one is reached is not known"):
        values(document(), Tunnel, peers={"node1": PEERS["node1"]})
    (tunnel,) = values(document(), Tunnel, told={"node2": KEYS["node2"]})
    assert {one.host: one.key for one in tunnel.peers} == {"node2": KEYS["node2"].text, "node3": ""}


def test_a_copied_machine_is_refused():
    with pytest.raises(Conflict, match="hosts node2 and node1 have one WireGuard key") as error:
        values(document(), Tunnel, told={**KEYS, "node2": KEYS["node1"]})
    assert "docknet_rekey: true" in str(error.value)


def test_keys_are_kept_with_the_topology_and_do_without_being_told():
    (state,) = values(document(), State)
    assert state.keys == KEYS
    seen = world(states={"shop": state})
    (tunnel,) = values(document(), Tunnel, told={}, seen=seen)
    assert {one.key for one in tunnel.peers} == {KEYS["node2"].text, KEYS["node3"].text}


def test_who_moves_is_looked_for_where_he_was_until_it_is_done():
    (state,) = values(document(), State)
    new = {**PEERS, "node2": A("192.0.2.99")}
    seen = world(states={"shop": state})
    seen.surroundings.reached[A("192.0.2.99")] = Reached(PEERS["node1"], "eth0")
    (tunnel,) = values(document(), Tunnel, seen=seen, peers=new)
    assert {one.host: one.before for one in tunnel.peers} == {"node2": PEERS["node2"], "node3": None}
    (later,) = values(document(), State, seen=seen, peers=new)
    assert later.peers == new and later.meanwhile.peers == PEERS


def test_a_vxlan_of_the_other_family_is_made_anew():
    (old,) = [
        one
        for one in links(document(encrypted=False), Vxlan)
        if one.mtu and one.key.name == names.tunnel("shop", "net")
    ]
    seen = world()
    seen.links[old.key] = old
    wanted = [one for one in topology(document()).wanted(seen) if isinstance(one.value, Link)]
    assert {one.value.key: one.recreate for one in wanted if isinstance(one.value.data, Vxlan)}[old.key] is True
    again = [one for one in topology(document(encrypted=False)).wanted(seen) if isinstance(one.value, Link)]
    assert not any(one.recreate for one in again)


# -- what hosts tell ------------------------------------------------------------------------------------------


def told(host, absent=(), **more):
    return tell(topology(document(), host, told={}), absent, world(host, **more))


def test_what_each_tells_all_are_told():
    reports = choose(document(), [told(host) for host in KEYS])
    assert leases(reports).keys == KEYS
    assert {report["networks"]["net"]["mtu"] for report in reports} == {1370}


def test_of_who_does_not_tell_himself_others_know_the_key():
    (state,) = values(document(), State)
    states = {"states": {"shop": state}}
    reports = choose(document(), [told("node1", ["node2", "node3"], **states)])
    assert leases(reports).keys == KEYS


def test_what_one_tells_of_himself_counts_more():
    (state,) = values(document(), State)
    stale = replace(state, keys={**KEYS, "node2": KEYS["node3"]._replace(port=7)})
    words = [told("node1", ["node2", "node3"], states={"shop": stale}), told("node2")]
    assert leases(choose(document(), words)).keys["node2"] == KEYS["node2"]
    assert leases(choose(document(), words[::-1])).keys["node2"] == KEYS["node2"]


def test_no_key_yet_is_no_key():
    words = told("node1", KEYS)
    assert leases(choose(document(), [{**words, "wireguard": None, "built": True}])).keys == {}
    assert leases([{"host": "node2", "wireguard": {"public_key": None, "port": None}}]).keys["node2"].text == ""


@pytest.mark.parametrize(
    "words",
    [
        {"public_key": "short=", "port": 51820},
        {"public_key": "a" * 43 + "=", "port": 51820},
        {"public_key": KEYS["node1"].text, "port": 70000},
        {"public_key": KEYS["node1"].text, "port": "ssh"},
    ],
)
def test_what_is_no_key_is_refused(words):
    with pytest.raises(InvalidRequest, match="is no WireGuard key"):
        leases([{"host": "node2", "wireguard": words}])


# -- the module's port ----------------------------------------------------------------------------------------


def port(seen, rotate=False):
    (wanted,) = wireguard_key.Key("shop", True, rotate).wanted(seen)
    return wanted.value.public.port


def listens(number, process="", protocol="udp"):
    return Listener(protocol, A("0.0.0.0"), number, process)


def test_the_first_port_that_nobody_has():
    assert port(World()) == 51820
    taken = Surroundings(listeners=(listens(51820), listens(51821, protocol="tcp")))
    assert port(World(surroundings=taken)) == 51821
    other = {"other": WireguardKey("other", PublicKey(KEYS["node1"].text, 51821))}
    assert port(World(surroundings=taken, keys=other)) == 51822
    published = State("third", allocation=Allocation(ports={("web", "x"): Ports(51822, 51824)}))
    assert port(World(surroundings=taken, keys=other, states={"third": published})) == 51825


def test_a_port_is_kept_also_while_it_listens_there_and_until_a_program_has_it():
    mine = {"shop": WireguardKey("shop", PublicKey(KEYS["node1"].text, 51830))}
    assert port(World(keys=mine)) == 51830
    assert port(World(keys=mine, surroundings=Surroundings(listeners=(listens(51830),)))) == 51830
    assert port(World(keys=mine, surroundings=Surroundings(listeners=(listens(51830, "named (pid 8)"),)))) == 51820
    assert port(World(keys=mine), rotate=True) == 51830
