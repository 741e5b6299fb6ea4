# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An overlay that changes from static entries to a routing daemon's and back, while packets go through it.

The tests tell one story, in the order they stand here.
"""

from __future__ import annotations

import json
import os
import time

import pytest
from ansible_collections.netwright.docknet.tests.lab.lab import Lab
from ansible_collections.netwright.docknet.tests.lab.packets import carried, flow, sniffed, wait
from ansible_collections.netwright.docknet.tests.lab.play import TOPOLOGY, play_roles

NODES = ("node1", "node2", "node3")
EVPN = "netwright.docknet.evpn"
BOTH = (EVPN, TOPOLOGY)
pytestmark = pytest.mark.timeout(1800)


def document(control):
    net = {"driver": "overlay", "enable_ipv6": True, "driver_opts": {"control_plane": control}}
    containers = {f"c{number}": {"host": f"node{number}", "networks": ["net"]} for number in (1, 2, 3)}
    return {"name": "shop", "networks": {"net": net}, "containers": containers}


@pytest.fixture(name="lab", scope="module")
def fixture_lab():
    with Lab(f"swap{os.getpid()}", NODES) as lab:
        yield lab


@pytest.fixture(name="changes", scope="module")
def fixture_changes(lab, tmp_path_factory):
    """Play both roles, or some; the number of changes on all hosts."""
    home = tmp_path_factory.mktemp("home")

    def once(control, roles=BOTH, options=(), **variables):
        run = play_roles(home, lab.inventory(), roles, options, docknet_topology=document(control), **variables)
        assert run.code == 0, run.text
        return sum(run.changed.values())

    return once


def entries(lab, name="node1"):
    return lab.hosts[name].run(["sh", "-c", "bridge fdb show | grep ' dst '"], check=False).stdout


def reaches(lab, name):
    words = ["ip", "netns", "exec", "c2", "ping", "-c1", "-W1", name]
    return lab.hosts["node2"].run(words, check=False).returncode == 0


def inside(lab, number, *words):
    return lab.hosts[f"node{number}"].run(["ip", "netns", "exec", f"c{number}", *words])


def the_bridge(lab, name):
    (bridge,) = json.loads(lab.hosts[name].run(["ip", "-j", "-d", "link", "show", "type", "bridge"]).stdout)
    return bridge


def test_from_static_to_evpn(lab, changes):
    changes("static", [TOPOLOGY])
    assert reaches(lab, "c1") and reaches(lab, "c3")
    with flow(lab.hosts["node1"], "c1", "c3") as there:
        changes("evpn")
        wait(lambda: "extern_learn" in entries(lab), "BGP has told where c3 is")
        time.sleep(1)
    print(f"static -> evpn: {there}")
    assert there.sent > 100 and there.lost <= 100, "what a second has, at most"
    assert " static" not in entries(lab), "none of ours is left"
    assert changes("evpn") == 0, "the second run changes nothing"


def test_who_was_silent_for_long_is_found_by_flooding(lab, changes):
    """The bridge forgets him, and so BGP does. By the run that is after eleven days; here it is after a second."""
    bridge, node3 = the_bridge(lab, "node3"), lab.hosts["node3"]
    assert bridge["linkinfo"]["info_data"]["ageing_time"] == 100_000_000, "hundredths of a second"
    mac = inside(lab, 3, "cat", "/sys/class/net/eth0/address").stdout.strip()
    table = ["bridge", "fdb", "show", "br", bridge["ifname"]]

    def patience(hundredths):
        node3.run(["ip", "link", "set", bridge["ifname"], "type", "bridge", "ageing_time", str(hundredths)])

    def forgotten():
        patience(100)
        wait(lambda: mac not in node3.run(table).stdout, "its own bridge has forgotten c3")
        wait(lambda: mac not in entries(lab) + entries(lab, "node2"), "BGP has taken it back")
        patience(30000)

    wait(lambda: mac in entries(lab), "c3 is known on node1")
    forgotten()
    inside(lab, 2, "ip", "neigh", "flush", "dev", "eth0")
    wait(lambda: reaches(lab, "c3"), "who asks for it is answered")
    wait(lambda: mac in entries(lab), "and all know it again")
    forgotten()
    wait(lambda: reaches(lab, "c3"), "so is who knows its address still")
    assert changes("evpn") > 0
    assert the_bridge(lab, "node3")["linkinfo"]["info_data"]["ageing_time"] == 100_000_000


def test_a_container_of_no_document_appears_on_the_others_without_any_run_there(lab):
    inside(lab, 2, "ip", "address", "add", "10.0.1.200/24", "dev", "eth0")
    own = inside(lab, 2, "cat", "/sys/class/net/eth0/address").stdout.strip()
    inside(lab, 2, "ip", "link", "set", "eth0", "address", "02:00:00:00:00:c8")
    stranger = ["ip", "netns", "exec", "c1", "ping", "-c1", "-W1", "10.0.1.200"]
    wait(lambda: lab.hosts["node1"].run(stranger, check=False).returncode == 0, "the new one is found")
    wait(lambda: "02:00:00:00:00:c8" in entries(lab), "and known")
    inside(lab, 2, "ip", "address", "del", "10.0.1.200/24", "dev", "eth0")
    inside(lab, 2, "ip", "link", "set", "eth0", "address", own)


def stand_ins(lab, name="node1"):
    """The ends that its VXLAN floods to in the daemon's stead."""
    return {line.split()[4] for line in entries(lab, name).splitlines() if " via " in line}


def test_without_the_daemon_it_goes_on_by_flooding(lab, changes):
    """The daemon takes its entries with it, on all hosts at once."""
    foretold = changes("evpn", [EVPN], ["--check"], docknet_evpn_state="absent")
    assert "extern_learn" in entries(lab) and not stand_ins(lab)
    with flow(lab.hosts["node1"], "c1", "c3") as meanwhile:
        assert changes("evpn", [EVPN], docknet_evpn_state="absent") == foretold > 0
        time.sleep(1)
    print(f"evpn -> nobody: {meanwhile}")
    assert meanwhile.sent > 100 and meanwhile.lost <= 10, meanwhile
    assert "extern_learn" not in entries(lab)
    assert stand_ins(lab) == {lab.hosts[name].address4 for name in ("node2", "node3")}
    inside(lab, 2, "ip", "neigh", "flush", "dev", "eth0")
    assert reaches(lab, "c1") and reaches(lab, "c3"), "who is asked for answers, too"


def test_the_daemon_is_back(lab, changes):
    """What stood in for it goes when it has told the same again."""
    with flow(lab.hosts["node1"], "c1", "c3") as again:
        assert changes("evpn", [EVPN]) > 0
        time.sleep(1)
    print(f"nobody -> evpn: {again}")
    assert again.sent > 100 and again.lost <= 10, again
    assert "extern_learn" in entries(lab) and not stand_ins(lab)
    assert changes("evpn") == 0


def test_and_back(lab, changes):
    with flow(lab.hosts["node1"], "c1", "c3") as back:
        changes("static", docknet_evpn_state="absent")
    print(f"evpn -> static: {back}")
    assert back.sent > 100 and back.lost <= 10, back
    assert reaches(lab, "c1") and reaches(lab, "c3")
    with sniffed(lab.hosts["node2"]) as seen:
        inside(lab, 1, "sh", "-c", "ping -c1 -W1 10.0.1.251 || true")
    assert stand_ins(lab) and not carried(seen), "nothing is flooded any more"
    assert changes("static", docknet_evpn_state="absent") == 0


def test_there_and_back_in_one_go(lab, changes):
    for control, words in (("evpn", {}), ("static", {"docknet_evpn_state": "absent"})):
        with flow(lab.hosts["node1"], "c1", "c3") as gone:
            changes(control, **words)
            time.sleep(1)
        print(f"to {control}: {gone}")
        assert gone.sent > 100 and gone.lost <= 10, (control, gone)
        assert bool(stand_ins(lab)) == (control == "static"), "they are no longer needed, and not needed yet"
        assert changes(control, **words) == 0
