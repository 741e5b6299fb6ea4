# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role evpn on lab hosts: containers find each other over VXLANs, while reflectors die, hosts come, and containers move.

The tests tell one story, in the order they stand here. On node3 FRRouting is somebody's already, who must not notice.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.netwright.docknet.tests.lab.lab import Host, Lab
from ansible_collections.netwright.docknet.tests.lab.packets import PATIENCE, Flow, flow, wait
from ansible_collections.netwright.docknet.tests.lab.play import Run, play_roles

NODES = ("node1", "node2", "node3", "node4")
FIRST = ("node1", "node2", "node3")
STORY = 900
PASSWORD = "hush-hush"
FILE = "/etc/frr/frr.conf"

# An instance of BGP and a route in the file, and a route that only the running daemon knows.
SAVED = """frr defaults traditional
log syslog informational
ip route 203.0.113.0/24 198.51.100.77
router bgp 65000
 neighbor 198.51.100.77 remote-as 65077
 address-family ipv4 unicast
  network 192.0.2.0/24
 exit-address-family
"""
UNSAVED = "ip route 203.0.113.128/25 198.51.100.78"
START = "sed -i s/^bgpd=no/bgpd=yes/ /etc/frr/daemons; /usr/lib/frr/frrinit.sh start"

CONTAINER = """
ip link add br100 type bridge stp_state 0 forward_delay 0 mcast_snooping 0 2>/dev/null || true
ip link show vx100 >/dev/null 2>&1 ||
    ip link add vx100 mtu 1450 master br100 type vxlan id 100 local {host} dstport 4789 nolearning
bridge link set dev vx100 learning off neigh_suppress on
ip link set br100 up
ip link set vx100 up
ip netns add {name}
ip link add v{name} mtu 1450 master br100 type veth peer name eth0 netns {name} address {mac} mtu 1450
ip netns exec {name} sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1
ip neigh replace {address} lladdr {mac} dev br100 nud permanent
ip -n {name} address add {address}/24 dev eth0
ip -n {name} link set lo up
ip -n {name} link set eth0 up
ip link set v{name} up
"""


def container(host: Host, number: int) -> None:
    host.run(["sh", "-ec", CONTAINER.format(host=host.address4, name=f"c{number}", **identity(number))])


def identity(number: int) -> dict[str, str]:
    return {"mac": f"02:42:0a:64:00:{number:02x}", "address": f"10.100.0.{number}"}


def learned(host: Host) -> dict[str, str]:
    """The MAC addresses that EVPN has told this host's VXLAN, each with the host it is on."""
    entries = json.loads(host.run(["bridge", "-j", "fdb", "show", "dev", "vx100"]).stdout)
    return {one["mac"]: one["dst"] for one in entries if "extern_learn" in one["flags"] and "dst" in one}


def knows(lab: Lab, host: str, number: int, place: str) -> Callable[[], bool]:
    return lambda: learned(lab.hosts[host]).get(identity(number)["mac"]) == lab.hosts[place].address4


def sessions(host: Host) -> dict[str, str]:
    """The state of each neighbour."""
    done = host.run(["vtysh", "-c", "show bgp l2vpn evpn summary json"], check=False)
    peers = json.loads(done.stdout).get("peers", {}) if done.returncode == 0 else {}
    return {address: one["state"] for address, one in peers.items()}


def established(lab: Lab, name: str, *others: str) -> Callable[[], bool]:
    wanted = {lab.hosts[other].address4 for other in others}
    return lambda: wanted == {peer for peer, state in sessions(lab.hosts[name]).items() if state == "Established"}


def reaches(host: Host, source: int, target: int) -> bool:
    words = ["ip", "netns", "exec", f"c{source}", "ping", "-c1", "-W2", identity(target)["address"]]
    return host.run(words, check=False).returncode == 0


def file_of(host: Host) -> str:
    return host.run(["sh", "-c", f"stat -c '%i %U %G %a %Y' {FILE}; cat {FILE}"]).stdout


def running(host: Host) -> str:
    return host.run(["vtysh", "-c", "show running-config"]).stdout


def daemons(host: Host) -> str:
    return host.run(["sh", "-c", "cat /run/frr/zebra.pid /run/frr/bgpd.pid"]).stdout


def pass_by(host: Host, number: int, packets: int) -> None:
    """Wait until that many have come out of a container."""
    counted = ["cat", f"/sys/class/net/vc{number}/statistics/rx_packets"]
    enough = int(host.run(counted).stdout) + packets
    wait(lambda: int(host.run(counted).stdout) >= enough, f"{packets} packets of c{number}")


def pings(host: Host, source: int, target: int) -> contextlib.AbstractContextManager[Flow]:
    return flow(host, f"c{source}", identity(target)["address"])


@pytest.fixture(name="lab", scope="module")
def fixture_lab() -> Iterator[Lab]:
    with Lab(f"evpn{os.getpid()}", NODES, outside=True) as lab:
        # As Debian's package leaves it, where systemd runs: without BGP.
        lab.hosts["node2"].run(["/usr/lib/frr/frrinit.sh", "start"], timeout=PATIENCE)
        theirs = lab.hosts["node3"]
        theirs.run(["sh", "-ec", f"cat >{FILE}; {START}"], input=SAVED, timeout=PATIENCE)
        theirs.run(["vtysh", "-f", "/dev/stdin"], input=UNSAVED)
        yield lab


@pytest.fixture(name="play", scope="module")
def fixture_play(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Run the role with variables and options, as a user would who has the collection installed."""
    home = tmp_path_factory.mktemp("home")
    # The first two are the reflectors; of the second nothing says how it is reached.
    inventory = re.sub("( +docknet_underlay: 198.51.100.2)\n", "\n", lab.inventory())
    roles = [{"role": "netwright.docknet.evpn", "docknet_evpn_hosts": "nodes"}]

    def once(*options: str, fails: bool = False) -> Run:
        done = play_roles(home, inventory, roles, options)
        assert (done.code != 0) == fails, done.text
        assert fails or not done.errors.strip(), done.errors
        return done

    return once


@pytest.fixture(name="built", scope="module")
def fixture_built(lab: Lab, play: Callable[..., Run]) -> Run:
    """The first run, which check mode has foretold, on all hosts but the last."""
    before = {name: file_of(lab.hosts[name]) for name in NODES}
    theirs = daemons(lab.hosts["node3"])
    foretold = play("--check", "--diff", "--limit", ",".join(FIRST))
    assert {name: file_of(lab.hosts[name]) for name in NODES} == before
    done = play("--limit", ",".join(FIRST))
    assert foretold.steps == done.steps
    assert done.steps["node2"] == ["Switch on BGP", "Have the part in the file", "Let FRRouting start BGP too"]
    assert "+ neighbor 198.51.100.1 peer-group docknet-reflectors" in foretold.whole
    assert daemons(lab.hosts["node3"]) == theirs, "somebody's FRRouting was started anew"
    wait(established(lab, "node1", "node2", "node3"), "node1's neighbours")
    wait(established(lab, "node2", "node1", "node3"), "node2's neighbours")
    for number, name in enumerate(FIRST, start=1):
        container(lab.hosts[name], number)
    return done


@pytest.mark.timeout(STORY)
def test_what_others_configured_stays(built, lab):
    assert built
    node3 = lab.hosts["node3"]
    assert file_of(node3).partition("\n")[2].startswith(SAVED)
    now = running(node3)
    for line in (UNSAVED, "ip route 203.0.113.0/24 198.51.100.77", "neighbor 198.51.100.77 remote-as 65077"):
        assert line in now
    assert "router-id" not in now  # the instance is not ours to number


@pytest.mark.timeout(STORY)
def test_an_endpoint_appears_on_the_others_without_a_run_there(built, lab):
    assert built
    for number, place in enumerate(FIRST, start=1):
        # A container is known from its first frame on, whatever that is.
        reaches(lab.hosts[place], number, 1 + number % 3)
        for host in FIRST:
            if host != place:
                wait(knows(lab, host, number, place), f"{host} knows the container of {place}")
    for number, place in enumerate(FIRST, start=1):
        for other in (1, 2, 3):
            assert reaches(lab.hosts[place], number, other)


def frames(host: Host, source: int, target: int) -> list[str]:
    """What goes into the VXLAN until a first ping is answered by one whose MAC address the container does not know yet."""
    host.run(["ip", "-n", f"c{source}", "neigh", "flush", "all"])
    words = ["timeout", f"{PATIENCE:g}", "tcpdump", "-nl", "-i", "vx100", "arp or icmp"]
    with host.popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as dump:
        while "listening on" not in (line := dump.stderr.readline()):
            assert line, "tcpdump does not start"
        assert reaches(host, source, target)
        seen = []
        for line in dump.stdout:
            seen.append(line)
            if "echo reply" in line:
                break
        os.killpg(dump.pid, signal.SIGKILL)
    return [line for line in seen if "ARP" in line or "echo" in line]


@pytest.mark.timeout(STORY)
def test_who_has_a_known_address_is_not_asked_on_the_underlay(built, lab):
    assert built
    node1 = lab.hosts["node1"]
    told = ["ip", "-j", "neigh", "show", "dev", "br100", "to", identity(3)["address"]]
    wait(lambda: "extern_learn" in node1.run(told).stdout, "node1's bridge knows the address of c3")
    assert not [line for line in frames(node1, 1, 3) if "ARP" in line]
    node1.run(["bridge", "link", "set", "dev", "vx100", "neigh_suppress", "off"])
    assert [line for line in frames(node1, 1, 3) if "ARP" in line], "nothing is seen where it is not suppressed either"
    node1.run(["bridge", "link", "set", "dev", "vx100", "neigh_suppress", "on"])


@pytest.mark.timeout(STORY)
@pytest.mark.parametrize("death", ["killed", "silent"])
def test_a_reflector_dies_and_no_packet_is_lost(built, lab, death, record_property):
    """Between node1 and node3, while node2 goes: its daemons at once, or the host without a word."""
    assert built
    node1, node2, node3 = (lab.hosts[name] for name in FIRST)
    with pings(node1, 1, 3) as count:
        pass_by(node1, 1, 100)
        if death == "killed":
            node2.run(["sh", "-c", "pkill -9 watchfrr; pkill -9 'bgpd|zebra|staticd'"])
        else:
            lab.switch.run(["ip", "link", "set", "p2", "down"])  # the other end of its cable
        noticed = wait(lambda: sessions(node3).get(node2.address4) != "Established", "node3 notices")
        # What it told is taken back then, and its own container with it; the other one's word stays.
        wait(lambda: identity(2)["mac"] not in learned(node3), "node3 forgets node2's container")
        pass_by(node1, 1, 1000)
        assert knows(lab, "node3", 1, "node1")() and knows(lab, "node1", 3, "node3")()
    record_property("noticed after, s", round(noticed, 2))
    record_property("sent and lost", f"{count.sent} {count.lost}")
    print(f"a reflector {death}: noticed after {noticed:.1f} s, {count}")
    assert count.unhurt, count
    if death == "killed":
        node2.run(["/usr/lib/frr/frrinit.sh", "start"], timeout=PATIENCE)
    else:
        lab.switch.run(["ip", "link", "set", "p2", "up"])
    wait(established(lab, "node2", "node1", "node3"), "node2 is back")
    reaches(lab.hosts["node2"], 2, 1)
    for other in ("node1", "node3"):
        wait(knows(lab, other, 2, "node2"), f"{other} knows node2's container again")


@pytest.mark.timeout(STORY)
def test_a_host_is_added_and_nothing_changes_on_the_others(built, lab, play):
    assert built
    before = {name: (file_of(lab.hosts[name]), running(lab.hosts[name]), daemons(lab.hosts[name])) for name in FIRST}
    done = play()
    assert {name: done.changed[name] for name in FIRST} == dict.fromkeys(FIRST, 0) and done.changed["node4"], done.text
    wait(established(lab, "node4", *("node1", "node2")), "node4's neighbours")
    container(lab.hosts["node4"], 4)
    reaches(lab.hosts["node4"], 4, 1)
    for name in FIRST:
        wait(knows(lab, name, 4, "node4"), f"{name} knows node4's container")
        assert reaches(lab.hosts[name], int(name[-1]), 4)
    assert {
        name: (file_of(lab.hosts[name]), running(lab.hosts[name]), daemons(lab.hosts[name])) for name in FIRST
    } == before


@pytest.mark.timeout(STORY)
def test_a_container_that_moved_is_found_at_its_new_place(built, lab, record_property):
    """There, back, and there again: a later word wins over an earlier one, by its sequence number."""
    assert built
    times = []
    for old, new in (("node4", "node3"), ("node3", "node4"), ("node4", "node3"), ("node3", "node4")):
        lab.hosts[old].run(
            ["sh", "-c", "ip netns del c4; ip link del vc4; ip neigh del 10.100.0.4 dev br100"], check=False
        )
        container(lab.hosts[new], 4)
        lab.hosts[new].popen(
            ["ip", "netns", "exec", "c4", "ping", "-c1", "-W5", identity(1)["address"]], stdout=subprocess.DEVNULL
        )
        times.append(wait(knows(lab, "node1", 4, new), f"node1 knows that c4 is on {new}"))
        wait(lambda: reaches(lab.hosts["node1"], 1, 4), "node1 reaches it there")
    record_property("found after, s", [round(one, 2) for one in times])
    print("a container that moved is found after", *(f"{one:.2f}" for one in times), "s")


@pytest.mark.timeout(STORY)
def test_what_is_damaged_is_shown_and_mended(built, lab, play):
    assert built
    lab.hosts["node4"].run(
        ["vtysh", "-f", "/dev/stdin"],
        input="router bgp 65000\nno neighbor 198.51.100.1 peer-group docknet-reflectors\n",
    )
    lab.hosts["node2"].run(["sed", "-i", "/docknet-clients/d", FILE])
    # What is saved by somebody says the same in other words, and without our comment.
    lab.hosts["node1"].run(["vtysh", "-c", "write memory"])
    foretold = play("--check", "--diff")
    mended = play()
    assert foretold.steps == mended.steps
    assert mended.steps["node4"] == ["Tell the daemons what differs"]
    assert mended.steps["node2"] == ["Have the part in the file"]
    assert mended.changed["node1"] == mended.changed["node3"] == 0
    wait(established(lab, "node4", "node1", "node2"), "node4's neighbours")
    assert "docknet-clients" in file_of(lab.hosts["node2"])


@pytest.mark.timeout(STORY)
def test_a_password_is_nowhere_to_be_seen_and_keeps_out_who_does_not_know_it(built, lab, play):
    assert built
    pids = {name: daemons(lab.hosts[name]) for name in NODES}
    words = ["--diff", "-vvv", "-e", f"docknet_evpn_password={PASSWORD}"]
    done = play(*words, "--limit", ",".join(FIRST))
    assert PASSWORD not in done.whole and all(done.changed.values()), done.text
    wait(lambda: "Established" not in sessions(lab.hosts["node4"]).values(), "node4 is kept out")
    wait(established(lab, "node1", "node2", "node3"), "node1's neighbours")
    words += ["--limit", "node4"]
    foretold, done = play(*words, "--check"), play(*words)
    assert PASSWORD not in foretold.whole + done.whole
    assert foretold.steps == done.steps and done.changed["node4"], done.text
    assert f"password {PASSWORD}" in running(lab.hosts["node4"])
    # node3 has a neighbour of somebody's beside, who is nowhere: it is asked from the other side.
    for name, other in ("node1", "node2"), ("node2", "node1"):
        wait(established(lab, name, other, "node3", "node4"), f"{name}'s neighbours")
    assert {name: daemons(lab.hosts[name]) for name in NODES} == pids


@pytest.mark.timeout(STORY)
def test_another_reflector_takes_over_as_it_runs(built, lab, play):
    """node3, whom the reflectors have known as a client, in node2's place."""
    assert built
    pids = {name: daemons(lab.hosts[name]) for name in NODES}
    words = ["-e", '{"docknet_evpn_reflectors": ["node1", "node3"]}', "-e", f"docknet_evpn_password={PASSWORD}"]
    done = play(*words)
    assert all(done.changed.values()), done.text
    wait(established(lab, "node4", "node1", "node3"), "node4's neighbours")
    wait(established(lab, "node2", "node1", "node3"), "node2's neighbours")
    wait(established(lab, "node1", "node2", "node3", "node4"), "node1's neighbours")
    assert "docknet-clients" not in running(lab.hosts["node2"]) + file_of(lab.hosts["node2"])
    again = play(*words)
    assert set(again.changed.values()) == {0}, again.text
    assert {name: daemons(lab.hosts[name]) for name in NODES} == pids


@pytest.mark.timeout(STORY)
def test_what_cannot_be_is_said_before_anything_is_done(built, lab, play, tmp_path):
    assert built
    wrong = {
        "node1": (
            {"docknet_evpn_reflectors": ["node1", "nodeX"]},
            "names hosts that the inventory does not have: nodeX",
        ),
        "node2": ({"docknet_evpn_password": "two words"}, "has to be one word"),
        "node3": ({"docknet_evpn_asn": 64999}, 'FRRouting speaks BGP on this host already, as "router bgp 65000"'),
        "node4": ({"docknet_underlay": "2001:db8::1"}, "it is not known at which one node4 can be reached"),
    }
    hosts = {
        name: {"docknet_evpn_reflectors": ["node1", "node2"], **words} for name, (words, _sentence) in wrong.items()
    }
    (tmp_path / "more.yml").write_text(json.dumps({"nodes": {"hosts": hosts}}))
    before = [(file_of(host), running(host)) for host in map(lab.hosts.get, NODES)]
    said = play("-i", str(tmp_path / "more.yml"), fails=True).whole
    for name, (_words, sentence) in wrong.items():
        assert re.search(f"fatal: .{name}.*{re.escape(json.dumps(sentence)[1:-1])}", said), said
    assert [(file_of(host), running(host)) for host in map(lab.hosts.get, NODES)] == before


@pytest.mark.timeout(STORY)
def test_removed_and_everything_else_as_it_was(built, lab, play):
    assert built
    words = ["-e", "docknet_evpn_state=absent"]
    foretold = play("--check", "--diff", *words)
    done = play(*words)
    assert foretold.steps == done.steps and all(done.changed.values()), done.text
    for name in NODES:
        host = lab.hosts[name]
        now = file_of(host).partition("\n")[2]
        assert "docknet" not in now + running(host)
        assert ("router bgp" in now, "router bgp" in running(host)) == ((name == "node3",) * 2), now
        if name in ("node2", "node4"):
            with open(FILE, encoding="utf-8") as machine:
                assert now == machine.read()
            assert host.run(["cat", "/etc/frr/daemons"]).stdout.count("bgpd=no\n") == 1
    node3 = lab.hosts["node3"]
    assert file_of(node3).partition("\n")[2] == SAVED
    assert UNSAVED in running(node3) and "neighbor 198.51.100.77 remote-as 65077" in running(node3)
    assert learned(node3) == {}
