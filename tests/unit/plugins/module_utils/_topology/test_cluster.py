# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts share, chosen once for all of them: kept by whoever has had it, and free on every host."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address as A
from ipaddress import ip_network as N

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import DocknetError
from ansible_collections.netwright.docknet.plugins.module_utils._model.state import (
    Allocation,
    Lease,
    NetworkLease,
    OnLink,
    State,
    Surroundings,
    Underlay,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.statefile import plain
from ansible_collections.netwright.docknet.plugins.module_utils._topology.allocate import allocate
from ansible_collections.netwright.docknet.plugins.module_utils._topology.cluster import choose
from ansible_collections.netwright.docknet.plugins.module_utils._topology.document import read
from ansible_collections.netwright.docknet.plugins.module_utils._topology.gather import digest
from ansible_collections.netwright.docknet.plugins.module_utils._topology.leases import leases, told
from hypothesis import given
from hypothesis import strategies as st

HOSTS = ("node1", "node2", "node3")


def document(places, **networks):
    """`places`: the host of each container; all are on all networks, `net` without a word."""
    networks = networks or {"net": {"driver": "overlay"}}
    containers = {name: {"host": host, "networks": list(networks)} for name, host in places.items()}
    return {"name": "shop", "networks": networks, "containers": containers}


UNDERLAYS = {host: A(f"192.0.2.{number}") for number, host in enumerate(HOSTS, 1)}


def says(host, known=None, built=True, others=(), mtu=1500, address=None, peers=None, obstacles=(), **around):
    """What a host tells, as gather.py puts it."""
    seen = Surroundings(**{"identity": host, **around})
    return {
        "host": host,
        "identity": seen.identity,
        "document": around.get("document", ""),
        "obstacles": [*obstacles],
        "built": built,
        "known": plain(
            State("shop", host, allocation=known or Allocation(), peers=UNDERLAYS if peers is None else peers)
        ),
        "others": [plain(one) for one in others],
        "on_link": [[str(one.network), one.device, one.owner] for one in seen.on_link],
        "routed": [str(one) for one in seen.routed],
        "servers": [str(one) for one in seen.servers],
        "addresses": sorted(map(str, seen.addresses)),
        "vnis": {str(number): device for number, device in seen.vnis.items()},
        "underlay": {"address": address or str(UNDERLAYS[host]), "device": "eth0", "mtu": mtu} if mtu else None,
    }


def addresses(reports, network="net"):
    return {
        name: one["networks"][network]["ipv4_address"]
        for report in reports
        for name, one in report["containers"].items()
    }


def net(reports, host="node1", name="net"):
    return next(report for report in reports if report["host"] == host)["networks"][name]


def taken(reports, host, raw):
    """What a host has that was told so: run there as its module does."""
    given = leases(reports)
    there, around = read(raw), Surroundings(underlay=Underlay(A("192.0.2.1"), "eth0", 1400))
    known = told(there, host, Allocation(), given)
    return allocate(there, host, around, known, given.endpoints, given.networks)[0]


def test_every_host_takes_what_was_chosen():
    raw = document({"web": "node1", "db": "node2", "log": "node3", "job": "node2"})
    reports = choose(raw, [says(host, mtu=size) for host, size in zip(HOSTS, (1500, 9000, 1450))])
    assert addresses(reports) == {"web": "10.0.1.2", "db": "10.0.1.3", "job": "10.0.1.5", "log": "10.0.1.4"}
    assert [net(reports, host)["mtu"] for host in HOSTS] == [1400] * 3, "what fits into the narrowest underlay"
    assert len({(net(reports, host)["vni"], *net(reports, host)["subnets"]) for host in HOSTS}) == 1
    everybody = {name: A(address) for name, address in addresses(reports).items()}
    for host in HOSTS:
        mine = taken(reports, host, raw)
        assert (mine.networks["net"].vni, mine.networks["net"].mtu) == (net(reports)["vni"], 1400)
        here = {name: lease.ipv4 for (name, _net), lease in mine.endpoints.items()}
        there = {name: lease.ipv4 for (name, _net), lease in mine.elsewhere.items()}
        assert {**here, **there} == everybody and not here.keys() & there.keys()
        assert {lease.mac for lease in mine.elsewhere.values()} <= {f"02:42:0a:00:01:0{end}" for end in range(2, 6)}


def test_what_others_have_is_nobodys():
    """A subnet is on a link of one host, the next one another topology's on another, the next beyond a name server."""
    farm = State("farm", "node2", allocation=Allocation({"a": NetworkLease("br-a", (N("10.0.2.0/24"),), vni=77)}))
    reports = choose(
        document({"web": "node1", "db": "node2"}),
        [
            says("node1", on_link=(OnLink(N("10.0.1.0/24"), "eth7"),), servers=(A("10.0.3.9"),)),
            says("node2", others=[farm]),
        ],
    )
    assert net(reports)["subnets"] == ["10.0.4.0/24"]


@pytest.mark.parametrize(
    "around, who", [({"vnis": {77: "vx0"}}, "interface vx0 on node2"), ({}, "network a of topology farm on node2")]
)
def test_a_vni_of_others_is_refused_by_name(around, who):
    farm = State("farm", "node2", allocation=Allocation({"a": NetworkLease("br-a", (N("10.0.2.0/24"),), vni=77)}))
    raw = document({"web": "node1", "db": "node2"}, net={"driver": "overlay", "driver_opts": {"vni": 77}})
    with pytest.raises(DocknetError) as error:
        choose(raw, [says("node1"), says("node2", others=() if around else [farm], **around)])
    assert str(error.value) == f"networks.net: vni 77 is {who}'s already; choose another"


def test_a_said_subnet_that_a_host_has_is_refused_by_name():
    raw = document(
        {"web": "node1", "db": "node2"}, net={"driver": "overlay", "ipam": {"config": [{"subnet": "10.9.0.0/24"}]}}
    )
    with pytest.raises(DocknetError) as error:
        choose(raw, [says("node1"), says("node2", on_link=(OnLink(N("10.9.0.0/16"), "eth7"),))])
    assert "overlaps the subnet of eth7 on node2 (10.9.0.0/16)" in str(error.value)


def had(network, **containers):
    """What a host knows: of its own containers."""
    return Allocation(network, {(name, "net"): Lease(A(address)) for name, address in containers.items()})


NET = {"net": NetworkLease("br-net", (N("10.0.7.0/24"),), {N("10.0.7.0/24"): A("10.0.7.1")}, vni=5555)}


def test_a_container_keeps_its_address_where_it_goes():
    raw = document({"web": "node2", "db": "node2", "new": "node1"})
    known = {"node1": had(NET, web="10.0.7.9"), "node2": had(NET, db="10.0.7.2")}
    reports = choose(raw, [says(host, one) for host, one in known.items()])
    assert addresses(reports) == {"web": "10.0.7.9", "db": "10.0.7.2", "new": "10.0.7.3"}
    assert net(reports)["vni"] == 5555


def test_who_does_not_tell_counts_as_others_know_him():
    raw = document({"web": "node1", "db": "node2", "new": "node1"})
    elsewhere = replace(had(NET, web="10.0.7.2"), elsewhere={("db", "net"): Lease(A("10.0.7.3"))})
    reports = choose(raw, [says("node1", elsewhere)])
    assert addresses(reports) == {"web": "10.0.7.2", "db": "10.0.7.3", "new": "10.0.7.4"}


def test_nobody_to_ask_is_an_error():
    with pytest.raises(DocknetError) as error:
        choose(document({"web": "node1", "db": "node2", "log": "node3"}), [says("node1", built=False)])
    assert str(error.value) == (
        "topology shop: what node2, node3 have of it is not known to any host of this run; run it on all of its hosts once, "
        "or give each network its subnet (an overlay its vni too) and each container its addresses"
    )


def test_only_what_hosts_share_is_chosen():
    raw = document(
        {"web": "node1", "db": "node2"}, net={"driver": "overlay"}, own={}, lan={"driver": "macvlan", "name": "eth0"}
    )
    reports = choose(raw, [says("node1"), says("node2")])
    assert all(set(one["networks"]) == {"net", "lan"} for one in reports)
    assert not set(addresses(reports, "lan").values()) & set(addresses(reports).values())


def test_shims_of_a_macvlan_have_each_an_address():
    lan = {"driver": "macvlan", "driver_opts": {"parent": "eth0", "host_shim": "shim0"}}
    raw = document({"web": "node1", "db": "node2"}, lan=lan)
    reports = choose(raw, [says("node1"), says("node2")])
    own = [net(reports, host, "lan")["host_shim"] for host in ("node1", "node2")]
    assert len({*own[0], *own[1], *addresses(reports, "lan").values()}) == 4
    assert [str(one) for one in taken(reports, "node2", raw).networks["lan"].shim.values()] == own[1]


# -- properties -----------------------------------------------------------------------------------------------

PLACES = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(HOSTS), min_size=1)


def run(raw, known, hosts):
    """One run on some hosts, and what each of them knows afterwards."""
    words = [says(host, known.get(host), built=host in known) for host in hosts]
    reports = choose(raw, words)
    given, there = leases(reports), read(raw)
    after = dict(known)
    for host in hosts:
        mine = told(there, host, known.get(host, Allocation()), given)
        after[host] = allocate(there, host, Surroundings(), mine, given.endpoints, given.networks)[0]
    return after, addresses(reports)


@given(PLACES, PLACES)
def test_addresses_are_unique_and_stay(first, then):
    known, before = run(document(first), {}, HOSTS)
    known, after = run(document(then), known, HOSTS)
    assert len(set(after.values())) == len(then)
    assert all(after[name] == before[name] for name in before.keys() & after.keys())
    assert run(document(then), known, HOSTS)[1] == after, "and the second run changes nothing"


@given(PLACES, st.dictionaries(st.sampled_from("ijk"), st.just("node1")))
def test_a_part_of_the_hosts_moves_nobody(first, more):
    """Containers come on node1 while the others are not asked: they are as they were, and node1's addresses are free."""
    known, before = run(document({"z": "node1", **first}), {}, HOSTS)
    after = run(document({"z": "node1", **first, **more}), known, ["node1"])[1]
    everybody = {**before, **after}
    assert {name: after[name] for name in before if name in after} == {
        name: before[name] for name in before if name in after
    }
    assert len(set(everybody.values())) == len(everybody)


def test_slices_are_chosen_once_and_kept_by_who_stays():
    raw = document({"web": "node1", "db": "node2"}, net={"driver": "overlay", "driver_opts": {"mode": "host-gw"}})
    reports = choose(raw, [says("node1"), says("node2")])
    assert [net(reports, host)["slices"] for host in HOSTS[:2]] == [["10.1.0.0/24"], ["10.1.1.0/24"]]
    assert [net(reports, host)["vni"] for host in HOSTS[:2]] == [None, None]
    assert addresses(reports) == {"web": "10.1.0.2", "db": "10.1.1.0"}
    known = {host: taken(reports, host, raw) for host in HOSTS[:2]}
    assert known["node1"].networks["net"].slices == known["node2"].networks["net"].slices
    moved = document({"log": "node3", "db": "node2", "web": "node2"}, net=raw["networks"]["net"])
    later = choose(moved, [says(host, known.get(host)) for host in HOSTS])
    assert net(later, "node2")["slices"] == ["10.1.1.0/24"], "it has had that"
    assert net(later, "node3")["slices"] == ["10.1.0.0/24"], "free again"
    assert addresses(later) == {"web": "10.1.0.2", "db": "10.1.1.0", "log": "10.1.0.3"}
    silent = choose(moved, [says("node3"), says("node1", known["node1"])])
    assert net(silent, "node3")["slices"] == ["10.1.0.0/24"], "of node2 node1 knows"


# -- how the hosts reach each other ---------------------------------------------------------------------------

THREE = document({"web": "node1", "db": "node2", "log": "node3"})


def refused(raw, words):
    with pytest.raises(DocknetError) as error:
        choose(raw, words)
    return str(error.value)


def test_one_address_on_all_hosts_is_refused_with_their_names():
    said = refused(THREE, [says("node1"), says("node2", address="192.0.2.9"), says("node3", address="192.0.2.9")])
    assert "networks.net: hosts node2 and node3 have one underlay address, 192.0.2.9" in said
    assert "set docknet_underlay of each host" in said


def test_underlays_of_two_families_are_refused_where_packets_are_sent_by_one():
    words = [says("node1"), says("node2", address="2001:db8::2"), says("node3")]
    said = refused(THREE, words)
    assert "two families, IPv4 (node1 192.0.2.1, node3 192.0.2.3) and IPv6 (node2 2001:db8::2)" in said
    for options in ({"mode": "host-gw"}, {"encrypted": ""}):
        net = {"driver": "overlay", "driver_opts": options}
        assert choose(document({"web": "node1", "db": "node2"}, net=net), words[:2])


def test_what_is_in_the_way_on_a_host_is_said_for_all_before_anything_is_chosen():
    taken = ["networks.net", "its packets need UDP port 4789 of the host, which is used by nc (pid 7)", "stop that one"]
    words = [says("node1"), says("node2", mtu=None, peers={}, obstacles=[taken]), says("node3")]
    assert refused(THREE, words) == ": ".join(taken[:2]) + "; stop that one"


def test_hosts_that_do_not_tell_are_where_the_others_know_them_to_be():
    there = {"node2": A("192.0.2.77")}
    reports = choose(THREE, [says("node1", peers={**UNDERLAYS, **there}), says("node3", peers={})])
    assert {one["host"]: one["underlay"] for one in reports} == {
        "node1": "192.0.2.1",
        "node2": "192.0.2.77",
        "node3": "192.0.2.3",
    }
    assert leases(reports).peers["node2"] == there["node2"]
    assert "at which node2 can be reached" in refused(THREE, [says("node1", peers={}), says("node3", peers={})])


def test_a_host_without_such_networks_needs_no_underlay():
    raw = document({"web": "node1", "db": "node2"}, lan={"driver": "macvlan", "driver_opts": {"parent": "eth0"}})
    reports = choose(raw, [says(host, mtu=None, peers={}) for host in HOSTS])
    assert [one["underlay"] for one in reports] == [None, None]


# -- which host is which --------------------------------------------------------------------------------------


def test_one_machine_under_two_names_is_refused():
    words = [says("node1", identity="boot 1"), says("node2", identity="boot 1"), says("node3", identity="boot 2")]
    assert "hosts node1 and node2 of the inventory are one machine" in refused(THREE, words)


def test_hosts_that_read_different_documents_are_refused():
    mine, yours = (digest(read(document({"agent": host}))) for host in ("node1", "node2"))
    words = [{**says(host), "document": one} for host, one in (("node1", mine), ("node2", yours))]
    assert "hosts node1 and node2 read different documents (docknet_topology)" in refused(THREE, words)


def test_documents_may_differ_in_what_hosts_do_not_share():
    def one(parent, port):
        lan = {"driver": "macvlan", "driver_opts": {"parent": parent}}
        raw = document({"web": "node1", "db": "node2"}, lan=lan, own={})
        raw["containers"]["web"]["ports"] = [f"{port}:80"]
        return digest(read(raw))

    assert one("eth0", 80) == one("ens3", 8080)


def test_a_host_alone_goes_on_where_the_document_leaves_nothing_open():
    config = {"config": [{"subnet": "10.9.0.0/24"}]}
    net = {"driver": "overlay", "driver_opts": {"vni": 77}, "ipam": config}
    raw = document({"web": "node1", "db": "node2"}, net=net)
    assert "is not known to any host of this run" in refused(raw, [says("node1", built=False)])
    for number, one in enumerate(raw["containers"].values(), 2):
        one["networks"] = {"net": {"ipv4_address": f"10.9.0.{number}"}}
    assert addresses(choose(raw, [says("node1", built=False)])) == {"web": "10.9.0.2", "db": "10.9.0.3"}
    net["driver_opts"] = {}
    assert "is not known to any host of this run" in refused(raw, [says("node1", built=False)])
