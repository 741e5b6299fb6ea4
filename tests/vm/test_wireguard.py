# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted overlays, on a stock Debian kernel (`make test-vm`): small machines' kernels have no WireGuard.

The tests tell one story, in the order they stand here. The second opinion is wg(8)'s, and that of the packets.
"""

from __future__ import annotations

import json
import subprocess

import pytest
from ansible_collections.netwright.docknet.tests.lab.lab import Lab
from ansible_collections.netwright.docknet.tests.lab.packets import sniffed
from ansible_collections.netwright.docknet.tests.vm.encrypted import (
    Build,
    ask,
    misses,
    pings,
    udp_ports,
)

NODES = ("node1", "node2", "node3")
MTU = 1500 - 60 - 70  # less WireGuard's over IPv4, less VXLAN's over IPv6
PATTERN = "c0ffee0ddba11e5c"
# Who has what: WireGuard itself is left for the kernel to load when it is first asked for.
MODULES = "veth bridge vxlan nf_tables nft_ct nft_nat nft_masq nft_fib_inet nft_chain_nat"


def document(*names, **options):
    places = {"a1": "node1", "b1": "node2", "c1": "node3"}
    return {
        "name": "shop",
        "networks": {
            "net": {"driver": "overlay", "enable_ipv6": True, "driver_opts": {"encrypted": "", **options}},
            "dark": {"driver": "overlay", "internal": True, "driver_opts": {"encrypted": True}},
        },
        "containers": {name: {"host": places[name], "networks": ["net", "dark"]} for name in names},
    }


THREE, TWO = document("a1", "b1", "c1"), document("a1", "b1")


@pytest.fixture(name="lab", scope="module")
def fixture_lab():
    subprocess.run(["modprobe", "-a", *MODULES.split()], check=True, timeout=120)
    with Lab("wire", NODES, outside=True) as lab:
        yield lab


@pytest.fixture(name="build", scope="module")
def fixture_build(lab):
    build = Build(lab, NODES)
    build.run(THREE)
    return build


def device(host):
    return host.run(["wg", "show", "interfaces"]).stdout.strip()


def key_file(host):
    return json.loads(host.run(["cat", "/var/lib/docknet/shop.key"]).stdout)


def peers(host):
    """By public key: the endpoint, and from where it may send, as wg(8) tells it."""
    lines = host.run(["wg", "show", device(host), "dump"]).stdout.splitlines()[1:]
    return {words[0]: (words[2], words[3]) for words in map(str.split, lines)}


def restless(answers):
    return {name: one["actions"] for name, one in answers.items() if one["actions"]}


def test_each_host_has_a_key_of_its_own_which_wg_confirms(lab, build):
    for name in NODES:
        host, words = lab.hosts[name], key_file(lab.hosts[name])
        assert host.run(["stat", "-c", "%a %U", "/var/lib/docknet/shop.key"]).stdout == "600 root\n"
        derived = host.run(["wg", "pubkey"], input=words["private_key"] + "\n").stdout.strip()
        shown = [host.run(["wg", "show", device(host), word]).stdout.strip() for word in ("public-key", "private-key")]
        assert shown == [derived, words["private_key"]]
        assert build.keys[name]["public_key"] == derived == words["public_key"]
        assert host.run(["wg", "show", device(host), "listen-port"]).stdout == "51820\n"
        others = {build.keys[other]["public_key"]: f"{build.peers[other]}:51820" for other in NODES if other != name}
        assert {key: endpoint for key, (endpoint, _allowed) in peers(host).items()} == others
        assert all(allowed.endswith("/128") and "," not in allowed for _endpoint, allowed in peers(host).values())


def test_no_private_key_is_told_or_saved(lab, build):
    for name in NODES:
        secret = key_file(lab.hosts[name])["private_key"]
        everything = json.dumps([build.answers, build.keys])
        for other in NODES:
            everything += lab.hosts[other].run(["cat", "/var/lib/docknet/shop.json"]).stdout
        assert secret not in everything
        assert build.keys[name]["public_key"] in everything


def test_the_second_run_changes_nothing_and_check_mode_says_so(build):
    assert not restless(build.run(THREE, _ansible_check_mode=True))
    assert not restless(build.run(THREE))
    assert not any(one["changed"] for one in build.keys.values())


def test_containers_reach_each_other_at_full_mtu_without_fragments(lab, build):
    for source, others in (("a1", ("b1", "c1")), ("b1", ("a1", "c1")), ("c1", ("a1", "b1"))):
        host = lab.hosts[f"node{1 + 'abc'.index(source[0])}"]
        for other in others:
            for version, header in ((4, 28), (6, 48)):
                address = build.address(other, "net", version)
                assert pings(host, source, address, "-M", "do", "-s", str(MTU - header)), (source, other, version)
            assert pings(host, source, build.address(other, "dark"))
    size = ["-M", "do", "-s", str(MTU - 27)]
    assert not pings(lab.hosts["node1"], "a1", build.address("b1", "net"), *size, patience=0), "one byte more"


def test_the_underlay_sees_nothing_but_wireguard(lab, build):
    address = build.address("b1", "net")
    with sniffed(lab.hosts["node2"]) as frames:
        assert pings(lab.hosts["node1"], "a1", address, "-p", PATTERN, "-s", "200")
    assert udp_ports(frames) == {51820}
    assert not any(bytes.fromhex(PATTERN) in frame for frame in frames)
    with sniffed(lab.hosts["node2"], device(lab.hosts["node2"])) as inside:
        assert pings(lab.hosts["node1"], "a1", address, "-p", PATTERN, "-s", "200")
    assert any(bytes.fromhex(PATTERN) in frame for frame in inside), "and in there it is"


def test_who_does_not_come_by_wireguard_does_not_get_in(lab, build):
    """A stranger on the underlay who knows all numbers and addresses, and calls himself node2. Only the filter stands in his way."""
    node1, stranger = lab.hosts["node1"], lab.hosts["outside"]
    state = json.loads(node1.run(["cat", "/var/lib/docknet/shop.json"]).stdout)
    vni, address = state["networks"]["net"]["vni"], build.address("a1", "net")
    ends = {name: own(lab.hosts[name]) for name in ("node1", "node2")}
    mac = node1.run(["ip", "netns", "exec", "a1", "cat", "/sys/class/net/eth0/address"]).stdout.strip()
    script = f"""
        ip link add vx0 type vxlan id {vni} dstport 4789 local {ends["node2"]} remote {ends["node1"]}
        ip address add {ends["node2"]}/128 dev lo
        ip route add {ends["node1"]}/128 via {node1.address6}
        ip link set vx0 up
        ip address add {build.address("b1", "net")}/16 dev vx0
        ip neigh add {address} lladdr {mac} dev vx0
    """
    stranger.run(["sh", "-ec", script])
    try:
        before = arrived(node1)
        stranger.run(["ping", "-c3", "-i0.3", "-W1", address], check=False)
        assert arrived(node1) == before
        node1.run(["nft", f"delete element inet docknet encrypted {{ {vni} }}"])
        stranger.run(["ping", "-c3", "-i0.3", "-W1", address], check=False)
        assert arrived(node1) > before, "without that element he would: so it was not something else that kept him out"
    finally:
        stranger.run(["sh", "-c", f"ip link del vx0; ip address del {ends['node2']}/128 dev lo"])
    steps = build.run(THREE)["node1"]["actions"]
    assert [step["object"].partition(" ")[0] for step in steps] == ["segment"], "what was taken out by hand is put back"


def own(host):
    """Its address in the tunnel."""
    return json.loads(host.run(["ip", "-j", "-6", "address", "show", "dev", device(host), "scope", "global"]).stdout)[
        0
    ]["addr_info"][0]["local"]


def arrived(host):
    """How many echo requests a1 has seen."""
    lines = host.run(["ip", "netns", "exec", "a1", "grep", "^Icmp:", "/proc/net/snmp"]).stdout.splitlines()
    names, values = (line.split() for line in lines)
    return int(values[names.index("InEchos")])


def test_without_its_wireguard_nothing_leaves_and_the_next_run_makes_it_again(lab, build):
    node1 = lab.hosts["node1"]
    assert "default" in node1.run(["ip", "-6", "route"]).stdout, "there is a way on which it could"
    node1.run(["ip", "link", "del", device(node1)])
    with sniffed(node1) as frames:
        assert misses(node1, "a1", build.address("b1", "net"))
    assert 4789 not in udp_ports(frames)
    again = build.run(THREE)
    assert restless(again).keys() == {"node1"}
    assert pings(node1, "a1", build.address("b1", "net"))


def test_other_peoples_filters_are_told(lab, build):
    node2 = lab.hosts["node2"]
    script = """
        nft add table inet theirs
        nft 'add chain inet theirs input { type filter hook input priority 0; policy drop; }'
        nft add rule inet theirs input iifname lo accept
        nft add rule inet theirs input meta l4proto 58 accept
    """
    node2.run(["sh", "-ec", script])
    build.run(THREE)
    # Nobody remembers a session: the first packet is node1's.
    for name in ("node1", "node2"):
        lab.hosts[name].run(["ip", "link", "set", device(lab.hosts[name]), "down"])
    build.run(THREE)
    assert pings(lab.hosts["node1"], "a1", build.address("b1", "net"))
    assert lab.hosts["outside"].run(["ping", "-c1", "-W1", node2.address4], check=False).returncode, (
        "all else is as they want"
    )
    node2.run(["nft", "delete", "table", "inet", "theirs"])
    build.run(THREE)


def test_new_keys_everywhere(lab, build):
    before = {name: key_file(lab.hosts[name]) for name in NODES}
    build.run(THREE, rotate=True)
    for name in NODES:
        now = key_file(lab.hosts[name])
        assert not {now["private_key"], now["public_key"]} & {before[name]["private_key"], before[name]["public_key"]}
        shown = lab.hosts[name].run(["wg", "show", device(lab.hosts[name]), "private-key"]).stdout.strip()
        assert shown == now["private_key"]
        assert not peers(lab.hosts[name]).keys() & {one["public_key"] for one in before.values()}
    for other in ("b1", "c1"):
        assert pings(lab.hosts["node1"], "a1", build.address(other, "net"))
    assert not restless(build.run(THREE))


def test_a_host_that_has_another_address_is_found_there(lab, build):
    """node2 moves, and sends nothing until the run: node1 would look for it where it was."""
    node2, new = lab.hosts["node2"], "198.51.100.77"
    assert pings(lab.hosts["node1"], "a1", build.address("b1", "net")), "they have heard of each other"
    script = f"""
        ip link set {device(node2)} down
        default=$(ip -4 route show default)
        ip -4 address flush dev eth0
        ip address add {new}/24 dev eth0
        ip route replace $default
    """
    node2.run(["sh", "-ec", script])
    build.peers["node2"] = new
    steps = build.run(THREE)["node1"]["actions"]
    assert any("host node2 is reached elsewhere" in step["reason"] for step in steps), steps
    key = build.keys["node2"]["public_key"]
    assert peers(lab.hosts["node1"])[key][0] == f"{new}:51820"
    assert pings(lab.hosts["node1"], "a1", build.address("b1", "net"))
    assert not restless(build.run(THREE))


def test_a_peer_that_roams_is_left_where_it_is(lab, build):
    """WireGuard itself follows whom it has heard, and no run calls that a change."""
    node1, node2 = lab.hosts["node1"], lab.hosts["node2"]
    key, at = build.keys["node2"]["public_key"], f"[{node2.address6}]:51820"
    node1.run(["wg", "set", device(node1), "peer", key, "endpoint", at])
    assert peers(node1)[key][0] == at
    assert not restless(build.run(THREE))


def test_a_second_topology_has_a_port_of_its_own(lab, build):
    node1 = lab.hosts["node1"]
    assert build.keys["node1"]["port"] == 51820
    assert ask(node1, "wireguard_key", topology="other")["port"] == 51821
    assert ask(node1, "wireguard_key", topology="other", state="absent")["changed"]
    assert node1.run(["ls", "/var/lib/docknet"]).stdout.split() == ["shop.json", "shop.key"]


def test_encryption_ends_and_begins_while_containers_run(lab, build):
    node1 = lab.hosts["node1"]
    plain = json.loads(json.dumps(THREE))
    for one in plain["networks"].values():
        del one["driver_opts"]["encrypted"]
    build.run(plain)
    assert device(node1) == ""
    assert node1.run(["ls", "/var/lib/docknet"]).stdout.split() == ["shop.json"], "the key is gone"
    with sniffed(node1) as frames:
        assert pings(node1, "a1", build.address("b1", "net"))
    assert 4789 in udp_ports(frames)
    build.run(THREE)
    with sniffed(node1) as frames:
        assert pings(node1, "a1", build.address("b1", "net"))
    assert udp_ports(frames) == {51820}


def test_a_host_that_is_no_longer_in_it_is_nobodys_peer(lab, build):
    build.run(TWO)
    assert len(peers(lab.hosts["node1"])) == 1
    left = "ip -o link | grep -v -e ' lo:' -e ' eth0@'; ls -A /var/lib/docknet /run/netns; nft list ruleset"
    said = lab.hosts["node3"].run(["sh", "-c", left], check=False).stdout
    assert said.replace("/run/netns:", "").replace("/var/lib/docknet:", "").split() == []
    assert pings(lab.hosts["node1"], "a1", build.address("b1", "net"))


def test_removed_without_a_trace(lab, build):
    assert build.answers
    left = "ip -o link | grep -v -e ' lo:' -e ' eth0@'; ls -A /var/lib/docknet /run/netns; nft list ruleset; ss -Hlun"
    for name in ("node1", "node2"):
        assert ask(lab.hosts[name], "topology", topology={"name": "shop"}, state="absent")["changed"]
        said = lab.hosts[name].run(["sh", "-c", left], check=False).stdout
        assert said.replace("/run/netns:", "").replace("/var/lib/docknet:", "").split() == [], name
        assert not ask(lab.hosts[name], "topology", topology={"name": "shop"}, state="absent")["changed"]
