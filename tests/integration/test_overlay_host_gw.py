# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Overlays of mode host-gw over lab hosts, by role topology: packets as they are, by routes from host to host.

The tests tell one story, in the order they stand here.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from ansible_collections.netwright.docknet.tests.lab.containers import SEND, SERVE, WHOAMI, Containers
from ansible_collections.netwright.docknet.tests.lab.lab import Lab
from ansible_collections.netwright.docknet.tests.lab.packets import carried, running, sniffed, wait
from ansible_collections.netwright.docknet.tests.lab.play import topology_player

pytestmark = pytest.mark.timeout(1800)
NODES = ("node1", "node2", "node3")
MTU = 1500


def document(places, **more):
    """Four containers a host on one network, two of them on an internal one as well, and one network without icc."""
    containers = {name: {"host": host, "networks": ["net"]} for name, host in places.items()}
    containers["a1"]["ports"] = ["8080:80"]
    for name in ("a2", "b2", "c2"):
        containers[name]["networks"] = {"net": {}, "dark": {"aliases": [f"the-{name}"]}}
    for name in ("a4", "b4"):
        containers[name]["networks"] = ["shy"]
    options = {"mode": "host-gw"}
    return {
        "name": "routes",
        "networks": {
            "net": {"driver": "overlay", "driver_opts": options},
            "dark": {"driver": "overlay", "driver_opts": options, "internal": True},
            "shy": {"driver": "overlay", "driver_opts": {**options, "enable_icc": "false"}},
        },
        "containers": {**containers, **more},
    }


PLACES = {f"{letter}{number}": f"node{1 + 'abc'.index(letter)}" for letter in "abc" for number in range(1, 5)}
ALL = document(PLACES)
MOVED = document({**PLACES, "b3": "node3"})


@pytest.fixture(name="lab", scope="module")
def fixture_lab():
    with Lab(f"gate{os.getpid()}", NODES, outside=True) as lab:
        yield lab


@pytest.fixture(name="play", scope="module")
def fixture_play(lab, tmp_path_factory):
    return topology_player(tmp_path_factory.mktemp("home"), lab)


@pytest.fixture(name="built", scope="module")
def fixture_built(play):
    first = play(ALL)
    assert first.code == 0, first.text
    return first


@pytest.fixture(name="net", scope="module")
def fixture_net(lab, built):
    return Containers(lab, ALL, built)


def address(net, name, network=None):
    """Of two networks `dark` has the first one, by its name."""
    return net.addresses[name][0 if network == "dark" else -1]


def test_the_second_run_changes_nothing(play, built):
    assert built.code == 0
    again = play(ALL)
    assert again.code == 0, again.text
    assert "overlaps" not in again.text
    assert {host: one["actions"] for host, one in again.built.items()} == {host: [] for host in NODES}


def test_each_host_has_a_slice_and_the_others_a_route_to_it(net, lab, built):
    slices = {host: built.built[host]["topology"]["networks"]["net"]["slices"] for host in NODES}
    assert len({*map(tuple, slices.values())}) == len(NODES)
    for host in NODES:
        routes = json.loads(lab.hosts[host].run(["ip", "-j", "route"]).stdout)
        by = {one["dst"]: one.get("gateway") for one in routes if one["dev"] == "eth0"}
        for other in NODES:
            assert by.get(slices[other][0]) == (None if other == host else lab.hosts[other].address4)
        assert not json.loads(lab.hosts[host].run(["ip", "-j", "link", "show", "type", "vxlan"]).stdout)
        mine = [address(net, name) for name in net.on("net") if net.place[name] == host]
        prefix = slices[host][0].rpartition(".")[0] + "."
        assert mine and all(one.startswith(prefix) for one in mine)


def test_all_pairs_at_the_underlays_mtu_without_fragments(net):
    everybody = net.on("net")
    assert len(everybody) == 10
    for name in everybody:
        script = "\n".join(
            f"ping -c1 -W2 -M do -s {MTU - 28} {address(net, other)} >/dev/null || echo {other}"
            for other in everybody
            if other != name
        )
        assert net.run(name, "sh", "-c", script, timeout=120).stdout == "", name


def test_100_megabytes(net):
    with net.popen("c1", sys.executable, "-c", SERVE, stdout=subprocess.PIPE) as server:
        assert server.stdout.readline() == "ready\n"
        sent = net.run("a1", sys.executable, "-c", SEND, address(net, "c1"), timeout=120).stdout
        assert server.communicate(timeout=60)[0] == sent != ""


def test_containers_are_seen_with_their_own_addresses(net):
    """Nothing is translated on the way, whether the other one is near or far."""
    with running(net.lab.hosts["node1"], net.command("a1", sys.executable, "-c", WHOAMI)):
        call = ["curl", "-sSm3", f"http://{address(net, 'a1')}/"]
        wait(lambda: net.run("b1", *call, check=False).returncode == 0, "it serves")
        for name in ("a3", "b1", "c2"):
            assert net.run(name, *call).stdout == address(net, name)


def pings(frames):
    return [one for one in frames if one[12:14] == b"\x08\x00" and one[23] == 1]


def test_no_packet_of_the_underlay_is_wrapped(net, lab):
    with sniffed(lab.hosts["node2"]) as seen:
        assert net.pings("a1", address(net, "b1"))
    assert len(pings(seen)) == 2, "question and answer, as they are"
    assert not carried(seen)


def test_names_across_hosts(net):
    for name in ("b3", "b3.net", "c1"):
        said = net.run("a1", "getent", "ahostsv4", name).stdout.split()
        assert said[0] == address(net, name.partition(".")[0])
    assert net.run("a2", "getent", "ahostsv4", "the-c2").stdout.split()[0] in net.addresses["c2"]


def test_outside_and_published_ports_by_the_local_host(net, lab):
    outside, node1 = lab.hosts["outside"], lab.hosts["node1"]
    assert net.pings("c1", "203.0.113.1"), "masqueraded: nobody out there has a route back"
    with running(node1, net.command("a1", sys.executable, "-c", WHOAMI)):
        call = ["curl", "-sSm3", f"http://{node1.address4}:8080/"]
        wait(lambda: outside.run(call, check=False).returncode == 0, "it serves")
        assert outside.run(call).stdout == outside.address4, "he is seen with his own address"
        assert net.run("b1", *call).stdout == lab.hosts["node2"].address4
        assert net.run("a3", *call).returncode == 0, "from beside it, too"


def test_an_internal_one_leads_nowhere_else(net, lab):
    dark = {name: address(net, name, "dark") for name in ("a2", "b2", "c2")}
    for name, other in (("a2", "b2"), ("b2", "c2"), ("c2", "a2")):
        assert net.pings(name, dark[other], "-I", dark[name])
        assert not net.pings(name, "203.0.113.1", "-I", dark[name])
        assert not net.pings(name, address(net, "a1"), "-I", dark[name]), "the other network"
    assert not net.pings("a1", dark["b2"])


def test_without_icc_nobody_reaches_the_other_host(net):
    assert not net.pings("a4", address(net, "b4"))
    assert net.pings("a4", "203.0.113.1")


def test_who_is_not_of_the_network_does_not_come_in(net, lab):
    """A stranger on the underlay who knows the way."""
    stranger, node1 = lab.hosts["outside"], lab.hosts["node1"]
    to = address(net, "a1")
    stranger.run(["ip", "route", "add", f"{to}/32", "via", node1.address4])
    try:
        with sniffed(node1) as seen:
            assert stranger.run(["ping", "-c2", "-i0.2", "-W1", to], check=False).returncode != 0
        assert len(pings(seen)) == 2, "it arrives at the host, and nothing goes back"
    finally:
        stranger.run(["ip", "route", "del", f"{to}/32"])
    assert node1.run(["ping", "-c1", "-W2", to], check=False).returncode == 0, "its own host does"


def test_nobody_of_another_network_comes_in(net, lab):
    """A container of another network, with an address of this one: its own host lets it through nowhere."""
    forged, to = address(net, "a1"), address(net, "b1")
    net.run("a4", "ip", "address", "add", f"{forged}/32", "dev", "lo")
    try:
        with sniffed(lab.hosts["node2"]) as seen:
            assert not net.pings("a4", to, "-I", forged)
        assert not pings(seen), "it does not leave node1"
        assert net.pings("a1", to, "-I", forged), "whose it is comes through"
    finally:
        net.run("a4", "ip", "address", "del", f"{forged}/32", "dev", "lo")


def test_a_move_keeps_the_address_and_loses_nothing_of_others(play, lab, net):
    """b3 goes from node2 to node3, whose slice its address is not of: every host has a route to it alone."""
    old = address(net, "b3")
    foretold = play(MOVED, "--check", "--diff")
    assert foretold.code == 0, foretold.text
    with net.flow("a1", address(net, "b1")) as between, net.flow("c1", address(net, "a3")) as across:
        moved = play(MOVED)
    assert moved.code == 0, moved.text
    now = Containers(lab, MOVED, moved)
    assert now.addresses == net.addresses
    for name in ("a1", "b1", "c1"):
        assert now.pings(name, old), f"from {name}, the first ping"
    assert between.unhurt and across.unhurt, (between, across)
    assert all(foretold.actions(host) == moved.actions(host) for host in NODES)
    about = re.compile(rf"{re.escape(old)}\b|state routes|service routes|/var/")
    assert all(about.search(one) for one in moved.actions("node1")), moved.actions("node1")
    assert any(f"route {old}/32 via {lab.hosts['node3'].address4}" in one for one in moved.actions("node1"))
    assert any(one.startswith(f"add route {old}/32 through br-") for one in moved.actions("node3"))
    again = play(MOVED)
    assert {host: one["actions"] for host, one in again.built.items()} == {host: [] for host in NODES}
    back = play(ALL)
    assert back.code == 0, back.text
    assert not [one for one in json.loads(lab.hosts["node1"].run(["ip", "-j", "route"]).stdout) if one["dst"] == old]
    assert net.pings("a1", old) and net.pings("b1", old)


def test_without_a_host_the_others_go_on(play, lab, net):
    """A new container on node1 has an address of node1's slice, so that node2 reaches it although no run was there."""
    away = lab.inventory().replace("/node2", "/node2-is-gone")
    more = document(PLACES, e1={"host": "node1", "networks": ["net"]})
    stopped = play(more, inventory=away)
    assert stopped.code != 0 and stopped.built == {}, stopped.text
    run = play(more, "--limit=node1,node3", inventory=away)
    assert run.code == 0, run.text
    now = Containers(lab, more, run)
    assert {name: now.addresses[name] for name in now.addresses if name != "e1"} == {
        name: net.addresses[name] for name in now.addresses if name != "e1"
    }
    assert not [one for one in run.actions("node3") if one.split()[1] == "route"]
    new = address(now, "e1")
    assert new.rpartition(".")[0] == address(net, "a3").rpartition(".")[0]
    assert net.pings("b3", new) and net.pings("c3", new) and now.pings("e1", address(net, "b1"))
    back = play(more)
    assert back.code == 0, back.text
    assert not back.actions("node1") and not back.actions("node3")
    assert net.run("b3", "getent", "ahostsv4", "e1").stdout.split()[0] == new
    assert play(ALL).code == 0


FIREWALL = """
iptables-nft -P FORWARD DROP
iptables-nft -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
iptables-nft -A FORWARD -j REJECT
"""


def test_beside_a_firewall_that_forwards_nothing(play, lab, net):
    """As ufw and firewalld leave a host: what is of the network passes, and everything else does not."""
    node2 = lab.hosts["node2"]
    node2.run(["sh", "-ec", FIREWALL])
    try:
        assert not net.pings("a1", address(net, "b1"))
        run = play(ALL)
        assert run.code == 0, run.text
        assert {host: bool(run.actions(host)) for host in NODES} == {"node1": False, "node2": True, "node3": False}
        for name, other in (("a1", "b1"), ("b3", "c1")):
            assert net.pings(name, address(net, other)), (name, other)
        assert not net.pings("a4", address(net, "b4")), "without icc still nobody"
        assert play(ALL).actions("node2") == []
    finally:
        node2.run(["sh", "-c", "iptables-nft -P FORWARD ACCEPT; iptables-nft -F FORWARD"])
    assert play(ALL).code == 0
    assert net.pings("a1", address(net, "b1"))


def test_from_one_mode_to_the_other_and_back(play, lab, net):
    tunnels = json.loads(json.dumps(ALL))
    del tunnels["networks"]["net"]["driver_opts"]
    run = play(tunnels)
    assert run.code == 0, run.text
    now = Containers(lab, tunnels, run)
    assert now.addresses == net.addresses
    assert now.pings("a1", address(net, "c1"), "-M", "do", "-s", str(1450 - 28)), "through a VXLAN"
    assert len(json.loads(net.run("a1", "ip", "-j", "route").stdout)) == 2, "its subnet and the default route"
    again = play(tunnels)
    assert {host: one["actions"] for host, one in again.built.items()} == {host: [] for host in NODES}
    back = play(ALL)
    assert back.code == 0, back.text
    assert Containers(lab, ALL, back).addresses == net.addresses
    assert net.pings("a1", address(net, "c1"), "-M", "do", "-s", str(MTU - 28))


def test_gone_again(play, lab, net):
    assert net.on("net")
    gone = play(ALL, state="absent")
    assert gone.code == 0, gone.text
    for host in NODES:
        routes = json.loads(lab.hosts[host].run(["ip", "-j", "route"]).stdout)
        assert {one["dst"] for one in routes} == {"default", "198.51.100.0/24"}
        assert lab.hosts[host].run(["ip", "netns", "list"]).stdout == ""


def test_both_families_by_ipv6(play, lab):
    """The hosts' addresses on the underlay are IPv6: both families go by them."""
    raw = {
        "name": "six",
        "networks": {"net": {"driver": "overlay", "enable_ipv6": True, "driver_opts": {"mode": "host-gw"}}},
        "containers": {f"x{number}": {"host": host, "networks": ["net"]} for number, host in enumerate(NODES)},
    }
    inventory = lab.inventory()
    for host in NODES:
        four = f"docknet_underlay: {lab.hosts[host].address4}\n"
        assert four in inventory
        inventory = inventory.replace(four, f"docknet_underlay: {lab.hosts[host].address6}\n")
    run = play(raw, inventory=inventory)
    assert run.code == 0, run.text
    net = Containers(lab, raw, run)
    for name in raw["containers"]:
        for other in raw["containers"]:
            assert all(net.pings(name, one) for one in net.addresses[other]), (name, other)
    again = play(raw, inventory=inventory)
    assert {host: one["actions"] for host, one in again.built.items()} == {host: [] for host in NODES}
    refused = play(raw)
    assert refused.code != 0
    assert "IPv6 packets cannot be sent to node2 by an IPv4 address" in refused.text
    assert play(raw, inventory=inventory, state="absent").code == 0
