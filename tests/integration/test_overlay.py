# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Overlays over lab hosts, by role topology: packets, names, who may not get in; hosts that come and go, containers that move.

The tests tell one story, in the order they stand here.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from ansible_collections.netwright.docknet.tests.lab.containers import SEND, SERVE, WHOAMI, Containers
from ansible_collections.netwright.docknet.tests.lab.lab import Lab
from ansible_collections.netwright.docknet.tests.lab.packets import carried, running, sniffed, wait
from ansible_collections.netwright.docknet.tests.lab.play import play_roles, topology_player

NODES = ("node1", "node2", "node3", "node4")
STATE = "/var/lib/docknet/shop.json"
pytestmark = pytest.mark.timeout(1800)
MTU = 1450  # what VXLAN leaves of 1500 over IPv4


def document(places, **more):
    """Twelve containers or so on one overlay of both families, and an internal one beside it."""
    containers = {name: {"host": host, "networks": ["net"]} for name, host in places.items()}
    containers["a1"]["ports"] = ["8080:80"]
    for name in {"a2", "b2", "c2"} & containers.keys():
        containers[name]["networks"] = {"dark": {"aliases": [f"the-{name}"]}}
    return {
        "name": "shop",
        "networks": {
            "net": {"driver": "overlay", "enable_ipv6": True},
            "dark": {"driver": "overlay", "internal": True},
        },
        "containers": {**containers, **more},
    }


# A program that does not end, from when a namespace is there: links are made then, and no rules.
HANGING = """#!/bin/sh
test -e /run/netns/{name} || exec /run/nft "$@"
echo >/run/hangs
exec sleep infinity
"""
HANG = "nft=$(command -v nft); cp $nft /run/nft; cat >/run/hanging; chmod 755 /run/hanging; mount -n --bind /run/hanging $nft"
PLACES = {f"{letter}{number}": f"node{1 + 'abc'.index(letter)}" for letter in "abc" for number in range(1, 6)}
THREE = document(PLACES)
# A fourth host, and a container that goes there.
MOVED = document({**PLACES, "b5": "node4", "d1": "node4"})


@pytest.fixture(name="lab", scope="module")
def fixture_lab():
    with Lab(f"over{os.getpid()}", NODES, outside=True) as lab:
        yield lab


@pytest.fixture(name="play", scope="module")
def fixture_play(lab, tmp_path_factory):
    return topology_player(tmp_path_factory.mktemp("home"), lab)


@pytest.fixture(name="built", scope="module")
def fixture_built(play):
    first = play(THREE)
    assert first.code == 0, first.text
    return first


@pytest.fixture(name="net", scope="module")
def fixture_net(lab, built):
    return Containers(lab, THREE, built)


# -- three hosts ----------------------------------------------------------------------------------------------


def test_the_second_run_changes_nothing(play, built):
    assert built.code == 0
    again = play(THREE)
    assert again.code == 0, again.text
    assert {host: one["actions"] for host, one in again.built.items()} == {host: [] for host in NODES}


def unreached(net, names):
    """Of all pairs of these, those of whom one is not answered by the other at full MTU and without fragments."""
    found = []
    for name in names:
        others = [(other, address) for other in names if other != name for address in net.addresses[other]]
        script = "\n".join(
            f"ping -c1 -W2 -M do -s {MTU - (48 if ':' in address else 28)} {address} >/dev/null || echo {other} {address}"
            for other, address in others
        )
        found += [(name, line) for line in net.run(name, "sh", "-c", script, timeout=120).stdout.splitlines()]
    return found


def test_all_pairs_at_full_mtu_without_fragments(net):
    everybody = net.on("net")
    assert len(everybody) == 12
    assert unreached(net, everybody) == []
    assert not net.pings("a1", net.addresses["b1"][0], "-M", "do", "-s", str(MTU - 27)), "one byte more is too much"


def test_100_megabytes(net):
    with net.popen("c1", sys.executable, "-c", SERVE, stdout=subprocess.PIPE) as server:
        assert server.stdout.readline() == "ready\n"
        sent = net.run("a1", sys.executable, "-c", SEND, net.addresses["c1"][0], timeout=120).stdout
        assert server.communicate(timeout=60)[0] == sent != ""


def test_only_vxlan_on_the_underlay_and_no_question(net, lab):
    net.run("a1", "ip", "neigh", "flush", "all")
    with sniffed(lab.hosts["node2"]) as seen:
        for address in net.addresses["b1"]:
            assert net.pings("a1", address)
    frames = carried(seen)
    assert len(frames) >= 4, seen
    assert {frame.kind for frame in frames} == {"0800", "86dd"}, "no ARP: it was answered on node1"
    own = {net.run(name, "cat", "/sys/class/net/eth0/address").stdout.strip() for name in ("a1", "b1")}
    assert {frame.to for frame in frames} == own, "and no solicitation of neighbours, which is multicast"


def test_unknown_destinations_are_not_flooded(net, lab):
    subnet = net.addresses["a1"][0].rpartition(".")[0]
    net.run("a1", "ip", "neigh", "add", f"{subnet}.250", "lladdr", "02:00:00:00:00:fa", "dev", "eth0")
    with sniffed(lab.hosts["node2"]) as seen, sniffed(lab.hosts["node3"]) as other:
        assert not net.pings("a1", f"{subnet}.250"), "a MAC address that nobody has"
        assert not net.pings("a1", f"{subnet}.251"), "an address that nobody has"
        net.run("a1", "ping", "-c1", "-W1", "-b", f"{subnet}.255", check=False)
    assert not carried([*seen, *other])
    net.run("a1", "ip", "neigh", "del", f"{subnet}.250", "dev", "eth0")


def test_names_across_hosts(net):
    for name in ("b3", "b3.net", "c1"):
        said = net.run("a1", "getent", "ahostsv4", name).stdout.split()
        assert said[0] == net.addresses[name.partition(".")[0]][0]
    assert net.run("a2", "getent", "ahostsv4", "the-c2").stdout.split()[0] == net.addresses["c2"][0]
    assert net.run("a2", "getent", "ahosts", "b3", check=False).returncode != 0, "a name of the other network"


def test_outside_and_published_ports_by_the_local_host(net, lab):
    outside, node1 = lab.hosts["outside"], lab.hosts["node1"]
    assert net.pings("c1", "203.0.113.1"), "masqueraded: nobody out there has a route back"
    with running(node1, net.command("a1", sys.executable, "-c", WHOAMI)):
        call = ["curl", "-sSm3", f"http://{node1.address4}:8080/"]
        wait(lambda: outside.run(call, check=False).returncode == 0, "a1 serves")
        assert outside.run(call).stdout == outside.address4, "he is seen with his own address"
        assert net.run("b1", *call).stdout == lab.hosts["node2"].address4
        assert net.run("a3", *call).returncode == 0, "from beside it, too"
        elsewhere = ["curl", "-sSm1", f"http://{lab.hosts['node3'].address4}:8080/"]
        assert lab.hosts["node3"].run(elsewhere, check=False).returncode != 0


def test_an_internal_overlay_leads_nowhere(net, lab):
    for name, other in (("a2", "b2"), ("b2", "c2"), ("c2", "a2")):
        assert net.pings(name, net.addresses[other][0])
        assert not net.pings(name, "203.0.113.1")
        assert not net.pings(name, lab.hosts["node1"].address4)
        assert not net.pings(name, net.addresses["a1"][0]), "the other network"


def test_nobody_else_sends_into_it(net, lab):
    """A stranger on the underlay who knows its number and its addresses."""
    stranger, subnet = lab.hosts["outside"], net.addresses["a1"][0].rpartition(".")[0]
    vni = json.loads(lab.hosts["node1"].run(["cat", "/var/lib/docknet/shop.json"]).stdout)["networks"]["net"]["vni"]
    node1 = lab.hosts["node1"]
    stranger.run(
        [
            "sh",
            "-ec",
            f"""
        ip link add vx0 type vxlan id {vni} dstport 4789 local {stranger.address4} remote {node1.address4}
        ip link set vx0 up mtu {MTU}; ip address add {subnet}.240/24 dev vx0
        ip neigh add {net.addresses["a1"][0]} lladdr {net.run("a1", "cat", "/sys/class/net/eth0/address").stdout.strip()} dev vx0
    """,
        ]
    )
    try:
        with sniffed(node1) as seen:
            stranger.run(["ping", "-c3", "-i0.2", "-W1", net.addresses["a1"][0]], check=False)
        assert len(carried(seen)) >= 3, "it arrives at the host"
        count = net.run("a1", "sh", "-c", "grep Icmp: /proc/net/snmp | tail -1").stdout
        stranger.run(["ping", "-c2", "-i0.2", "-W1", net.addresses["a1"][0]], check=False)
        assert net.run("a1", "sh", "-c", "grep Icmp: /proc/net/snmp | tail -1").stdout == count, "and goes no further"
    finally:
        stranger.run(["ip", "link", "del", "vx0"])


def test_validated_from_the_document_alone(lab, built, tmp_path):
    roles, limit = ["netwright.docknet.validate"], "--limit=node1,node2,node3"
    done = play_roles(tmp_path, lab.inventory(), roles, [limit], docknet_topology=THREE)
    assert done.code == 0, done.text
    assert built.code == 0


# -- hosts come and go, containers move -----------------------------------------------------------------------


def test_a_host_that_cannot_be_asked_stops_the_run_before_any_change(play, lab, built):
    assert built.code == 0
    away = lab.inventory().replace("/node2", "/node2-is-gone")
    changed = document(PLACES, e1={"host": "node1", "networks": ["net"]})
    stopped = play(changed, inventory=away)
    assert stopped.code != 0
    assert "node2 cannot be asked what of topology shop there is, so nothing is changed on any host" in stopped.text
    assert stopped.built == {}, "nothing was begun anywhere"
    assert lab.hosts["node1"].run(["ip", "netns", "list"]).stdout.count("e1") == 0


def test_without_it_the_others_go_on_and_nobody_moves(play, lab, net):
    """node2 counts as what node1 and node3 know of it; what came meanwhile it learns when it is back."""
    away = lab.inventory().replace("/node2", "/node2-is-gone")
    more = document(PLACES, e1={"host": "node1", "networks": ["net"]})
    run = play(more, "--limit=node1,node3,node4", inventory=away)
    assert run.code == 0, run.text
    now = Containers(lab, more, run)
    taken = {address for name in net.on("net") for address in net.addresses[name]}
    assert not taken & {*now.addresses["e1"]}
    assert all(now.addresses[name] == net.addresses[name] for name in now.addresses if name != "e1")
    assert now.pings("e1", net.addresses["c1"][0])
    back = play(more)
    assert back.code == 0, back.text
    assert not back.actions("node1") and not back.actions("node3")
    assert net.pings("b1", now.addresses["e1"][0])
    gone = play(THREE)
    assert gone.code == 0, gone.text
    assert {
        host: one for host in ("node2", "node3") for one in gone.actions(host) if not is_about(one, "e1", now)
    } == {}


def is_about(action, name, net):
    """Whether an action is about one container, or about what knows it: the state, the names."""
    about = [
        *net.addresses[name],
        "02:42:" + ":".join(f"{int(part):02x}" for part in net.addresses[name][0].split(".")),
    ]
    return any(one in action for one in (*about, "state shop", "service shop-names"))


def test_a_fourth_host_and_a_move(play, lab, net):
    """b5 moves from node2 to node4, where d1 comes up: flows between the others lose nothing, and only what is about these changes."""
    old = net.addresses["b5"]
    with net.flow("a1", net.addresses["c1"][0]) as four, net.flow("b1", net.addresses["a3"][1]) as six:
        run = play(MOVED)
        assert run.code == 0, run.text
        now = Containers(lab, MOVED, run)
        assert now.addresses["b5"] == old, "it keeps its addresses"
        for name in ("a1", "b1", "c1", "d1"):
            for address in old:
                assert now.pings(name, address, "-W1"), f"the first one from {name}, within a second"
    assert four.unhurt and six.unhurt, (four, six)
    for host in ("node1", "node3"):
        strange = [
            one
            for one in run.actions(host)
            if not (is_about(one, "b5", now) or is_about(one, "d1", now) or "segment" in one)
        ]
        assert strange == [], host
    assert "b5" not in lab.hosts["node2"].run(["ip", "netns", "list"]).stdout
    assert not play(MOVED).actions("node1")


def test_and_back_again(play, lab, net):
    """The fourth host goes from the document, and what it had there with it."""
    with net.flow("a1", net.addresses["b1"][0]) as lost:
        run = play(THREE)
    assert run.code == 0, run.text
    assert lost.unhurt, lost
    assert Containers(lab, THREE, run).addresses["b5"] == net.addresses["b5"]
    assert net.pings("c1", net.addresses["b5"][0])
    left = lab.hosts["node4"].run(
        ["sh", "-c", "ip -o link | grep -v -e ' lo:' -e ' eth0@'; ls -A /var/lib/docknet /run/netns; nft list ruleset"],
        check=False,
    )
    assert left.stdout.replace("/run/netns:", "").replace("/var/lib/docknet:", "").split() == []


def test_a_host_killed_in_the_middle(play, lab, net):
    """Its module dies while it works: the run says so, and the next one makes it good."""
    node3 = lab.hosts["node3"]
    more = document(PLACES, **{f"e{number}": {"host": "node3", "networks": ["net"]} for number in range(40)})
    killer = node3.popen(["sh", "-c", "until test -e /run/netns/e5; do sleep 0.01; done; pkill -9 python"])
    run = play(more)
    assert killer.wait(timeout=60) == 0
    assert run.code != 0 and re.search(r"^node3 .*(failed|unreachable)=1", run.text, re.M), run.text[-3000:]
    assert run.actions("node1"), "the others went on"
    again = play(more)
    assert again.code == 0, again.text
    now = Containers(lab, more, again)
    assert all(net.pings("a1", now.addresses[f"e{number}"][0]) for number in (0, 5, 39))
    assert not [one for host in NODES for one in play(more).actions(host)]


@pytest.mark.parametrize("kept", [True, False], ids=["with its state file", "with nothing"])
def test_a_host_that_dies_in_the_middle_and_comes_back(play, lab, net, kept):
    """All that runs on it is gone at once, and its namespaces; it comes back as after a reboot, or as a new machine."""
    node3, letter = lab.hosts["node3"], "fg"[kept]
    more = document(PLACES, **{f"{letter}{number}": {"host": "node3", "networks": ["net"]} for number in range(20)})
    node3.run(["sh", "-ec", HANG], input=HANGING.format(name=f"{letter}19"))

    def die():
        try:
            wait(lambda: node3.run(["test", "-e", "/run/hangs"], check=False).returncode == 0, "node3 is in the middle")
            return node3.run(["cat", STATE]).stdout
        finally:
            node3.kill()

    with ThreadPoolExecutor(1) as pool:
        death = pool.submit(die)
        run = play(more)
        saved = death.result()
    assert run.code != 0 and "node3 ended while a task ran in it" in run.text, run.text
    assert {name for name in NODES if re.search(rf"^{name} .*unreachable=0 +failed=0", run.text, re.M)} == {
        "node1",
        "node2",
        "node4",
    }
    assert run.actions("node1") and run.actions("node2"), "the others went on"

    lab.reboot("node3")
    if kept:
        lab.hosts["node3"].run(["sh", "-c", f"umask 077; cat >{STATE}"], input=saved)
    again = play(more)
    assert again.code == 0, again.text
    assert not again.actions("node1") and not again.actions("node2"), "all is as they were told in the run it died in"
    now = Containers(lab, more, again)
    assert {name: now.addresses[name] for name in PLACES} == net.addresses
    assert unreached(now, [*net.on("net"), f"{letter}0", f"{letter}19"]) == []
    assert not [one for host in NODES for one in play(more).actions(host)]


def test_a_dead_host_goes_from_the_inventory(play, lab, net):
    """It never comes back. Of the others nothing changes but what they were told of it, and nobody's packets are lost."""
    assert play(THREE).code == 0
    lab.hosts["node2"].kill()
    hosts = yaml.safe_load(lab.inventory())
    del hosts["all"]["children"]["nodes"]["hosts"]["node2"]
    inventory = yaml.safe_dump(hosts)
    refused = play(THREE, inventory=inventory)
    assert refused.code != 0 and "on hosts that the inventory does not have: node2; correct their host" in refused.text

    # One of its containers is to be elsewhere, the others go with it.
    places = {name: host for name, host in PLACES.items() if host != "node2"} | {"b1": "node4"}
    with net.flow("a1", net.addresses["c1"][0]) as four, net.flow("c4", net.addresses["a4"][1]) as six:
        run = play(document(places), inventory=inventory)
    assert run.code == 0, run.text
    assert four.unhurt and six.unhurt, (four, six)
    now = Containers(lab, document(places), run)
    assert now.addresses == {name: net.addresses[name] for name in places}, "b1 too keeps its own"
    assert unreached(now, now.on("net")) == []
    for host in ("node1", "node3"):
        did = run.actions(host)
        # The gone ones' entries, and an address of each family for those on `net`; b1's new place; who may send to the VXLANs.
        counted = Counter(" ".join(one.split()[:2]) for one in did)
        expected = {"set state": 1, "remove neighbour": 7, "remove forward": 4, "add forward": 1}
        # A filter's change is told in the parts that close and that open, where something else is done in between.
        assert 2 <= counted.pop("set segment") <= 4, did
        assert counted == {**expected, "set service": 2}, did
        about = [one for one in did if not one.startswith("set ")]
        assert all(any(is_about(one, name, net) for name in ("b1", "b2", "b3", "b4", "b5")) for one in about), about
    assert not play(document(places), inventory=inventory).actions("node1")

    # What its containers had is free again: the lowest goes to the next who comes.
    more = document(places, h1={"host": "node1", "networks": ["net"]})
    grown = Containers(lab, more, play(more, inventory=inventory))
    assert grown.addresses["h1"] == net.addresses["b3"]
    assert unreached(grown, ["c1", "h1", "a3"]) == []
    lab.reboot("node2")


def test_removed_without_a_trace(play, lab):
    gone = play({"name": "shop"}, state="absent")
    assert gone.code == 0, gone.text
    for name in NODES:
        left = lab.hosts[name].run(
            [
                "sh",
                "-c",
                "ip -o link | grep -v -e ' lo:' -e ' eth0@'; ls -A /var/lib/docknet; ip neigh show nud permanent; nft list ruleset",
            ],
            check=False,
        )
        assert left.stdout == "", name
    assert not [one for host in NODES for one in play({"name": "shop"}, state="absent").actions(host)]
