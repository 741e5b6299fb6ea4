# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WireGuard's keys on a real file system, what a kernel without WireGuard is told, and who gets past the filter of an encrypted network.

What WireGuard itself does is in tests/vm, as the kernels of small machines have none.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import stat
import subprocess
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import Fixed, converge
from ansible_collections.netwright.docknet.plugins.module_utils._kernel import genetlink, keyfile, wireguard
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.netlink import Socket
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import DocknetError, KernelRefused
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Question, Wanted
from ansible_collections.netwright.docknet.plugins.module_utils._model.segment import Segment
from ansible_collections.netwright.docknet.plugins.module_utils._model.wireguard_key import PublicKey
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.machine import portrait, sh

WHERE = Path("/var/lib/docknet")
FILE = WHERE / "shop.key"
PRIVATE = bytes(range(8, 39)) + b"\x40"
PUBLIC = PublicKey("a" * 42 + "A=", 51820)
PEERS = {"node1": "198.51.100.1", "node2": "198.51.100.2"}
DOCUMENT = {
    "name": "shop",
    "networks": {"net": {"driver": "overlay", "driver_opts": {"encrypted": True}}},
    "containers": {"a1": {"host": "node1", "networks": ["net"]}, "b1": {"host": "node2", "networks": ["net"]}},
}

pytestmark = pytest.mark.usefixtures("machine")


def has_wireguard():
    done = subprocess.run(["unshare", "-n", "ip", "link", "add", "type", "wireguard"], capture_output=True, check=False)
    return done.returncode == 0


def seen():
    with Host() as host:
        return host.observe(Question(keys=True)).keys


def test_a_key_is_roots_alone_and_whole():
    assert seen() == {}
    mask = os.umask(0)
    try:
        keyfile.write("shop", PRIVATE, PUBLIC)
    finally:
        os.umask(mask)
    status = FILE.stat()
    assert stat.S_IMODE(status.st_mode) == 0o600 and status.st_uid == 0
    assert os.listdir(WHERE) == ["shop.key"]
    assert seen()["shop"].public == PUBLIC
    assert keyfile.private("shop") == PRIVATE
    assert base64.b64encode(PRIVATE).decode() not in repr(seen())


def test_a_key_goes_without_a_trace():
    keyfile.write("shop", PRIVATE, PUBLIC)
    (WHERE / ".shop.key.docknet").write_text("left by a run that was killed")
    answer = call("wireguard_key", topology="shop", state="absent")
    assert answer["changed"] and answer["public_key"] is None
    assert not WHERE.exists()
    assert not call("wireguard_key", topology="shop", state="absent")["changed"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        json.dumps({"private_key": "c2hvcnQ=", "public_key": PUBLIC.text, "port": 51820}),
        json.dumps({"private_key": base64.b64encode(PRIVATE).decode(), "public_key": "x", "port": 51820}),
        json.dumps({"private_key": base64.b64encode(PRIVATE).decode(), "public_key": PUBLIC.text, "port": 0}),
        '{"private_key": "' + base64.b64encode(PRIVATE).decode(),
    ],
)
def test_a_damaged_one_is_told_without_a_word_of_what_is_in_it(content):
    WHERE.mkdir()
    FILE.write_text(content)
    with pytest.raises(DocknetError) as error:
        seen()
    assert str(error.value).startswith("topology shop: /var/lib/docknet/shop.key is damaged; remove the file")
    assert base64.b64encode(PRIVATE).decode()[:10] not in str(error.value)


def test_one_that_is_gone_when_it_is_needed():
    with pytest.raises(KernelRefused, match=r"/var/lib/docknet/shop\.key is gone; run role topology"):
        keyfile.private("shop")


def test_a_kernel_with_wireguard_makes_a_key_and_one_without_says_so():
    before = portrait()
    answer = call("wireguard_key", topology="shop")
    if has_wireguard():
        assert answer["changed"] and answer["public_key"] == seen()["shop"].public.text
    else:
        assert answer["msg"].startswith(
            "wireguard_key shop: this kernel has no WireGuard, which an encrypted network takes"
        )
        assert (answer["changed"], answer["actions"], answer["failure"]["kind"]) == (False, [], "unsupported")
        assert not WHERE.exists()
    assert portrait() == before, "the interface that it took is nowhere"
    assert call("wireguard_key", topology="shop", _ansible_check_mode=True)["changed"] != has_wireguard()


def test_a_topology_without_a_key_or_without_wireguard_changes_nothing():
    sh("ip link add eth0 type dummy 2>/dev/null || ip link add eth0 type veth peer name wire; ip link set eth0 up")
    sh(f"ip address add {PEERS['node1']}/24 dev eth0")
    words = {"topology": DOCUMENT, "host": "node1", "peers": PEERS}
    before = portrait()
    first = call("topology", **words)
    assert first["msg"] == (
        "topology shop: this host has no WireGuard key for it; make it first, with module wireguard_key (the role does)"
    )
    keyfile.write("shop", PRIVATE, PUBLIC)
    second = call("topology", **words)
    assert second["msg"].startswith(
        "topology shop: the public key of host node2 is not known; give what module wireguard_key"
    )
    told = [{"host": "node2", "wireguard": {"public_key": "b" * 42 + "A=", "port": 51820}}]
    foretold = call("topology", **words, leases=told, _ansible_check_mode=True)
    assert "set tunnel" in str([f"{one['action']} {one['object']}" for one in foretold["actions"]])
    if not has_wireguard():
        third = call("topology", **words, leases=told)
        assert third["msg"].startswith("topology shop: this kernel has no WireGuard, which an encrypted network takes")
    assert not third["actions"] if not has_wireguard() else True
    assert os.listdir(WHERE) == ["shop.key"]
    assert portrait() == before


def test_families_of_generic_netlink():
    with contextlib.closing(Socket(genetlink.NETLINK_GENERIC)) as here:
        assert genetlink.family(here, "nlctrl") == genetlink.GENL_ID_CTRL
        assert genetlink.family(here, "nobody") is None


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_endpoints_come_back(address):
    endpoint = (ip_address(address), 51820)
    assert wireguard.read_endpoint(wireguard.pack_endpoint(*endpoint)) == endpoint
    assert len(wireguard.pack_endpoint(*endpoint)) == (16 if endpoint[0].version == 4 else 28)


# -- the filter -----------------------------------------------------------------------------------------------

NETWORK = """
ip netns add far
ip link add wg0 type veth peer name wg0 address 02:00:00:00:00:03 netns far
ip link add eth0 address 02:00:00:00:00:01 type veth peer name eth0 netns far
for at in '' '-n far'; do
    ip $at link set lo up
    for link in wg0 eth0; do ip $at link set $link addrgenmode none; ip $at link set $link up; done
done
ip address add fd00::1/64 dev wg0 nodad; ip -n far address add fd00::2/64 dev wg0 nodad
ip address add fd01::1/64 dev eth0 nodad; ip -n far address add fd01::2/64 dev eth0 nodad
ip -n far neigh add fd01::1 lladdr 02:00:00:00:00:01 dev eth0
"""
VNI, OTHER = 4097, 4098
SEGMENT = Segment(None, "br0", vni=VNI, vteps=frozenset({ip_network("fd00::2/128")}), by="wg0", listens=51820)
# A container behind the bridge of the overlay, whose packets may go out and look like the host's there.
BOX = """
ip netns add box
ip link add br0 address 02:00:00:00:00:02 type veth peer name eth0 netns box
for at in '' '-n box'; do ip $at link set lo up; done
ip link set br0 up; ip -n box link set eth0 up
ip address add fd02::1/64 dev br0 nodad; ip -n box address add fd02::2/64 dev eth0 nodad
ip -n box route add default via fd02::1
ip -n box neigh add fd02::1 lladdr 02:00:00:00:00:02 dev eth0; ip neigh add fd00::2 lladdr 02:00:00:00:00:03 dev wg0
sysctl -qw net.ipv6.conf.all.forwarding=1
ip -n far route add fd02::/64 via fd00::1
"""
SENDER = """
import socket, sys
socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(bytes.fromhex(sys.argv[1]), ("fd00::2", 4789))
"""


def vxlan(vni, mark):
    """What is behind the UDP header (RFC 7348 section 5), with something to know it by."""
    return b"\x08\0\0\0" + (vni << 8).to_bytes(4, "big") + mark


def send(to, vni, mark, source=None):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        if source:
            sender.bind((source, 0))
        sender.sendto(vxlan(vni, mark), (to, 4789))


def heard(listener):
    """What has come until now, in what is behind the headers: the last one sent is one that always comes."""
    found = []
    while not found or found[-1] != b"last":
        found.append(listener.recv(1500)[8:])
    return found[:-1]


def asked(segment):
    """Make the filter so; and once more, which changes nothing."""
    with Host() as host:
        converge(host, Fixed([Wanted(segment, "networks.net", "shop")]), False, [])
        assert not converge(host, Fixed([Wanted(segment, "networks.net", "shop")]), False, [])[0].operations


@pytest.fixture(name="ends")
def fixture_ends():
    """Sockets on the VXLAN port here and on the other side, and the other side's namespace."""
    sh(NETWORK)
    asked(SEGMENT)
    with Host() as host:
        sockets = []
        with host.inside("far"):
            sockets.append(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        sockets.append(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        with contextlib.ExitStack() as stack:
            for one in sockets:
                stack.enter_context(one)
                one.bind(("", 4789))
                one.settimeout(10)
            yield sockets[1], sockets[0], lambda: host.inside("far")


def test_an_encrypted_network_is_entered_by_its_wireguard_alone(ends):
    here, _there, inside = ends
    sh("ip -n far route add fd00::1/128 via fd01::1 dev eth0 metric 1")
    with inside():
        send("fd00::1", VNI, b"by eth0", source="fd00::2")
        send("fd00::1", OTHER, b"last", source="fd00::2")
    assert heard(here) == [], "the other one's came, and so it would have"
    sh("ip -n far route del fd00::1/128 via fd01::1 dev eth0 metric 1")
    with inside():
        send("fd00::1", VNI, b"by wg0", source="fd00::2")
        sh("ip -n far address add fd00::3/64 dev wg0 nodad")
        send("fd00::1", VNI, b"a stranger's", source="fd00::3")
        send("fd00::1", OTHER, b"last")
    assert heard(here) == [b"by wg0"]


def test_an_encrypted_network_is_left_by_its_wireguard_alone(ends):
    _here, there, _inside = ends
    sh("ip -n far address add fd09::9/128 dev lo; ip route add fd09::9/128 via fd01::2 dev eth0")
    for vni, mark in ((VNI, b"by eth0"), (OTHER, b"last")):
        with contextlib.suppress(PermissionError):  # what is dropped on its way out is told to a socket
            send("fd09::9", vni, mark)
    assert heard(there) == []
    send("fd00::2", VNI, b"by wg0")
    send("fd00::2", OTHER, b"last")
    assert heard(there) == [b"by wg0"]


def test_no_container_speaks_as_the_host_it_is_on(ends):
    """The other hosts of an overlay, also of one that is not encrypted, let that one in: so its packets must be its own."""
    _here, there, _inside = ends
    asked(replace(SEGMENT, by=None, listens=None))
    sh(BOX)
    for vni, mark in ((VNI, b"of the overlay"), (OTHER, b"last")):
        sh(f"ip netns exec box python3 -c '{SENDER}' {vxlan(vni, mark).hex()}")
    assert heard(there) == []


def test_other_peoples_filters_let_wireguards_port_in(ends):
    assert ends
    sh(
        "nft add table inet theirs;"
        "nft 'add chain inet theirs input { type filter hook input priority 0; policy drop; }';"
        "nft add rule inet theirs input meta l4proto 58 accept"
    )
    asked(SEGMENT)
    with Host() as host:
        with (
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as listener,
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other,
        ):
            listener.bind(("", 51820))
            other.bind(("", 51821))
            listener.settimeout(10)
            with host.inside("far"), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"other", ("fd01::1", 51821))
                sender.sendto(b"wireguard", ("fd01::1", 51820))
            assert listener.recv(100) == b"wireguard"
            other.setblocking(False)
            with pytest.raises(BlockingIOError):
                other.recv(100)
