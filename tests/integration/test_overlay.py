# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Overlays over lab hosts, by role topology: packets, names, who may not get in; hosts that come and go, containers that move.

The tests tell one story, in the order they stand here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from typing import NamedTuple

import pytest
import yaml
from ansible_collections.netwright.docknet.tests.lab.lab import Lab

NODES = ("node1", "node2", "node3", "node4")
PATIENCE = 600
MTU = 1450  # what VXLAN leaves of 1500 over IPv4
PLAY = """
- name: Build
  hosts: nodes
  gather_facts: false
  roles: [netwright.docknet.topology]
"""
# Tells one line for each packet that passes an interface, until its input ends.
SNIFF = r"""
import select, socket, sys
listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
listener.bind((sys.argv[1], 0))
print("ready", flush=True)
while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
    frame = listener.recv(65535)
    kind, text = frame[12:14].hex(), ""
    if kind == "0800" and frame[23] == 17 and frame[36:38] == (4789).to_bytes(2, "big"):
        inner = frame[50:]
        text = f"vni {int.from_bytes(frame[46:49], 'big')} {inner[12:14].hex()} to {inner[:6].hex(':')}"
    print(kind, frame[23] if kind == "0800" else "-", text, flush=True)
"""
WHOAMI = r"""
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.client_address[0].encode())
http.server.HTTPServer(("", 80), Handler).serve_forever()
"""
SERVE = r"""
import hashlib, socket, sys
server = socket.create_server(("", 5000))
print("ready", flush=True)
there, digest = server.accept()[0], hashlib.sha256()
while part := there.recv(1 << 20):
    digest.update(part)
print(digest.hexdigest(), flush=True)
"""
SEND = r"""
import hashlib, random, socket, sys
data = random.Random(4).randbytes(1 << 20)
digest = hashlib.sha256()
with socket.create_connection((sys.argv[1], 5000)) as there:
    for _ in range(100):
        digest.update(data)
        there.sendall(data)
print(digest.hexdigest())
"""


def document(places, **more):
    """Twelve containers or so on one overlay of both families, and an internal one beside it."""
    containers = {name: {"host": host, "networks": ["net"]} for name, host in places.items()}
    containers["a1"]["ports"] = ["8080:80"]
    for name in ("a2", "b2", "c2"):
        containers[name]["networks"] = {"dark": {"aliases": [f"the-{name}"]}}
    return {
        "name": "shop",
        "networks": {
            "net": {"driver": "overlay", "enable_ipv6": True},
            "dark": {"driver": "overlay", "internal": True},
        },
        "containers": {**containers, **more},
    }


PLACES = {f"{letter}{number}": f"node{1 + 'abc'.index(letter)}" for letter in "abc" for number in range(1, 6)}
THREE = document(PLACES)
# A fourth host, and a container that goes there.
MOVED = document({**PLACES, "b5": "node4", "d1": "node4"})


class Run(NamedTuple):
    """A finished ansible-playbook. `built`: what module topology returned on each host."""

    code: int
    text: str
    built: dict[str, dict]

    def actions(self, host):
        return [f"{one['action']} {one['object']}" for one in self.built[host]["actions"]]


@pytest.fixture(name="lab", scope="module")
def fixture_lab():
    with Lab(f"over{os.getpid()}", NODES, outside=True) as lab:
        yield lab


@pytest.fixture(name="play", scope="module")
def fixture_play(lab, tmp_path_factory):
    """Run role topology with a document, as a user would who has the collection installed."""
    home = tmp_path_factory.mktemp("home")
    (home / "play.yml").write_text(PLAY)

    def play(raw, *options, inventory=None, state="present"):
        (home / "hosts.yml").write_text(inventory or lab.inventory())
        (home / "vars.yml").write_text(yaml.safe_dump({"docknet_topology": raw, "docknet_state": state}))
        command = [sys.executable, "-m", "ansible", "playbook", "play.yml", "-i", "hosts.yml", "-e", "@vars.yml"]
        environment = {"HOME": str(home), "ANSIBLE_NOCOLOR": "1"}
        done = subprocess.run(
            [*command, "-v", *options],
            env={**os.environ, **environment},
            cwd=home,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        said = re.sub(r"=> \{.{2000,}", "=> {...}", done.stdout) + done.stderr
        return Run(done.returncode, said, results(done.stdout))

    return play


def results(text):
    """What the last task of the role returned on each host, out of what ansible-playbook -v prints."""
    found = {}
    _before, _title, last = text.partition("TASK [netwright.docknet.topology : Bring this host to its part")
    for match in re.finditer(r"^(?:ok|changed|fatal): \[(\w+)\](?:: FAILED!)? => (\{.*)$", last, re.M):
        with contextlib.suppress(ValueError):
            found[match[1]] = json.loads(match[2])
    return found


@pytest.fixture(name="built", scope="module")
def fixture_built(play):
    first = play(THREE)
    assert first.code == 0, first.text
    return first


class Net:
    """The containers of the lab: where each is, and what it was given."""

    def __init__(self, lab, raw, run):
        self.lab, self.place = lab, {name: one["host"] for name, one in raw["containers"].items()}
        containers = {
            name: one for report in run.built.values() for name, one in report["topology"]["containers"].items()
        }
        self.addresses = {
            name: [
                one[word] for one in has["networks"].values() for word in ("ipv4_address", "ipv6_address") if one[word]
            ]
            for name, has in containers.items()
        }
        self.networks = {name: {*has["networks"]} for name, has in containers.items()}

    def on(self, network):
        return sorted(name for name, networks in self.networks.items() if network in networks)

    def command(self, name, *words):
        return ["ip", "netns", "exec", name, *words]

    def run(self, name, *words, **options):
        return self.lab.hosts[self.place[name]].run(self.command(name, *words), **options)

    def popen(self, name, *words, **options):
        return self.lab.hosts[self.place[name]].popen(self.command(name, *words), **options)

    def pings(self, name, address, *options):
        return self.run(name, "ping", "-c1", "-W2", *options, address, check=False).returncode == 0


@pytest.fixture(name="net", scope="module")
def fixture_net(lab, built):
    return Net(lab, THREE, built)


@contextlib.contextmanager
def running(host, command, ending="TERM"):
    """A command on a host, until the end. Yields the process that started it; what it said is there to be read afterwards."""
    # nsenter hands on no signals: so one is sent from inside.
    words = ["sh", "-c", '"$@" & read -r _; kill -$0 $!; wait $!', ending, *command]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with host.popen(words, **pipes) as process:
        try:
            yield process
        finally:
            process.stdin.close()


@contextlib.contextmanager
def sniffed(host, device="eth0"):
    """What passes an interface meanwhile, a list that is complete in the end."""
    seen = []
    command = [sys.executable, "-c", SNIFF, device]
    with host.popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == "ready\n"
        try:
            yield seen
            time.sleep(0.3)  # what was sent is on its way
        finally:
            process.stdin.close()
            seen += process.stdout.read().splitlines()


@contextlib.contextmanager
def flow(net, name, address):
    """A ping, 100 times a second, of which nothing may be lost. Yields a list: how many were sent, how many not answered."""
    numbers = []
    command = net.command(name, "ping", "-i0.01", address)
    with running(net.lab.hosts[net.place[name]], command, "INT") as process:
        yield numbers
        time.sleep(0.5)
        process.stdin.close()
        said = process.stdout.read()
    found = re.search(r"(\d+) packets transmitted, (\d+) received", said)
    assert found, said
    numbers += [int(found[1]), int(found[1]) - int(found[2])]


def wait(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)


# -- three hosts ----------------------------------------------------------------------------------------------


def test_the_second_run_changes_nothing(play, built):
    assert built.code == 0
    again = play(THREE)
    assert again.code == 0, again.text
    assert {host: one["actions"] for host, one in again.built.items()} == {host: [] for host in NODES}


def test_all_pairs_at_full_mtu_without_fragments(net):
    everybody = net.on("net")
    assert len(everybody) == 12
    for name in everybody:
        others = [(other, address) for other in everybody if other != name for address in net.addresses[other]]
        script = "\n".join(
            f"ping -c1 -W2 -M do -s {MTU - (48 if ':' in address else 28)} {address} >/dev/null || echo {other} {address}"
            for other, address in others
        )
        assert net.run(name, "sh", "-c", script, timeout=120).stdout == "", name
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
    frames = [line.split() for line in seen if "vni" in line]
    assert len(frames) >= 4, seen
    assert {frame[4] for frame in frames} == {"0800", "86dd"}, "no ARP: it was answered on node1"
    own = {net.run(name, "cat", "/sys/class/net/eth0/address").stdout.strip() for name in ("a1", "b1")}
    assert {frame[-1] for frame in frames} == own, "and no solicitation of neighbours, which is multicast"


def test_unknown_destinations_are_not_flooded(net, lab):
    subnet = net.addresses["a1"][0].rpartition(".")[0]
    net.run("a1", "ip", "neigh", "add", f"{subnet}.250", "lladdr", "02:00:00:00:00:fa", "dev", "eth0")
    with sniffed(lab.hosts["node2"]) as seen, sniffed(lab.hosts["node3"]) as other:
        assert not net.pings("a1", f"{subnet}.250"), "a MAC address that nobody has"
        assert not net.pings("a1", f"{subnet}.251"), "an address that nobody has"
        net.run("a1", "ping", "-c1", "-W1", "-b", f"{subnet}.255", check=False)
    assert not [line for line in [*seen, *other] if "vni" in line]
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
        wait(lambda: outside.run(call, check=False).returncode == 0)
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
        assert len([line for line in seen if "vni" in line]) >= 3, "it arrives at the host"
        count = net.run("a1", "sh", "-c", "grep Icmp: /proc/net/snmp | tail -1").stdout
        stranger.run(["ping", "-c2", "-i0.2", "-W1", net.addresses["a1"][0]], check=False)
        assert net.run("a1", "sh", "-c", "grep Icmp: /proc/net/snmp | tail -1").stdout == count, "and goes no further"
    finally:
        stranger.run(["ip", "link", "del", "vx0"])


def test_validated_from_the_document_alone(lab, built, tmp_path):
    (tmp_path / "hosts.yml").write_text(lab.inventory())
    (tmp_path / "vars.yml").write_text(yaml.safe_dump({"docknet_topology": THREE}))
    (tmp_path / "play.yml").write_text(PLAY.replace("docknet.topology]", "docknet.validate]"))
    command = [sys.executable, "-m", "ansible", "playbook", "play.yml", "-i", "hosts.yml", "-e", "@vars.yml"]
    done = subprocess.run(
        [*command, "--limit=node1,node2,node3"],
        env={**os.environ, "HOME": str(tmp_path), "ANSIBLE_NOCOLOR": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
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
    now = Net(lab, more, run)
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
    with flow(net, "a1", net.addresses["c1"][0]) as lost, flow(net, "b1", net.addresses["a3"][1]) as lost6:
        run = play(MOVED)
        assert run.code == 0, run.text
        now = Net(lab, MOVED, run)
        assert now.addresses["b5"] == old, "it keeps its addresses"
        for name in ("a1", "b1", "c1", "d1"):
            for address in old:
                assert now.pings(name, address), f"from {name}"
    assert lost[0] > 100 and lost[1] <= 1, lost
    assert lost6[0] > 100 and lost6[1] <= 1, lost6
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
    with flow(net, "a1", net.addresses["b1"][0]) as lost:
        run = play(THREE)
    assert run.code == 0, run.text
    assert lost[0] > 100 and lost[1] <= 1, lost
    assert Net(lab, THREE, run).addresses["b5"] == net.addresses["b5"]
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
    now = Net(lab, more, again)
    assert all(net.pings("a1", now.addresses[f"e{number}"][0]) for number in (0, 5, 39))
    assert not [one for host in NODES for one in play(more).actions(host)]


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
