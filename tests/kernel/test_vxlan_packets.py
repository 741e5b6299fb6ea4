# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What packets do with VXLANs: two hosts with a bridge and a container each, a segment between them, and a look at the wire.

Hosts are namespaces, and the wire is a pair of links. What must not be on it is looked for after what must be has passed,
on the same socket: packets keep their order, so nothing has to be waited for.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.namespaces import inside, open_namespace
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.machine import ip, sh

pytestmark = pytest.mark.usefixtures("machine")
UNDERLAY = {4: "192.0.2.{}", 6: "2001:db8::{}"}
OVERHEAD = {4: 50, 6: 70}
MACS = {1: "02:42:0a:64:00:01", 2: "02:42:0a:64:00:02"}
ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
NEIGHBOUR_SOLICITATION, ECHO_REQUEST = 135, 128
DEADLINE = 10

# Two hosts on a wire, each with a bridge and a container on it. Only what a test sends is on the segment.
HOSTS = """
for host in 1 2; do
    for place in node$host c$host; do
        ip netns add $place; ip -n $place link set lo up
        ip netns exec $place sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0
    done
    ip -n node$host link add br0 address 02:42:00:00:00:0$host type bridge mcast_snooping 0
    ip -n node$host link set br0 up addrgenmode none
    ip -n node$host link add port master br0 type veth peer name eth0 address 02:42:0a:64:00:0$host netns c$host
    ip -n c$host link set eth0 addrgenmode none
    ip -n node$host link set port addrgenmode none; ip -n node$host link set port up; ip -n c$host link set eth0 up
    ip -n c$host address add 10.100.0.$host/24 dev eth0; ip -n c$host address add fd00:100::$host/64 dev eth0 nodad
done
ip -n node1 link add lan0 type veth peer name lan0 netns node2
for host in 1 2; do
    ip -n node$host link set lan0 addrgenmode none; ip -n node$host link set lan0 up
    ip -n node$host address add 192.0.2.$host/24 dev lan0; ip -n node$host address add 2001:db8::$host/64 dev lan0 nodad
done
"""


class Frame(NamedTuple):
    """A frame in the tunnel: what is in it, the sort of its ICMP message, and the address it is for or asks for.

    `everybody`: for all stations. (A station that is known is asked alone, some seconds later, whether it is still there.)
    """

    sort: int
    message: int
    target: str
    everybody: bool


@pytest.fixture(name="hosts", autouse=True)
def fixture_hosts(machine):
    sh(HOSTS)


def node(host: int, version: int = 4, **more) -> dict:
    """One host's end of the segment. What the kernel would say by itself on the new link stays unsaid."""
    words = {
        "netns": f"node{host}",
        "name": "vx0",
        "vni": 4100,
        "local": UNDERLAY[version].format(host),
        "master": "br0",
    }
    done = call("vxlan_link", **{**words, **more})
    assert not done.get("failed"), done
    return done


def told(version: int = 4, flood: bool = False) -> None:
    """Both hosts know where the other's container is, with its addresses. `flood`: and send the other what they have no entry for."""
    for host, other in ((1, 2), (2, 1)):
        end = UNDERLAY[version].format(other)
        station = {"mac": MACS[other], "remote": end, "ip": [f"10.100.0.{other}", f"fd00:100::{other}"]}
        node(host, version, entries=[station], remotes=[end] if flood else [])
    fit()


def fit() -> None:
    """The containers' MTU is that of the tunnel, as it is everywhere on the segment."""
    size = ip("-n node1 link show vx0")[0]["mtu"]
    for host in (1, 2):
        sh(f"ip -n c{host} link set eth0 mtu {size}; ip -n node{host} link set port mtu {size}")


def reaches(target: str, size: int = 56) -> bool:
    """Whether the first container has an answer of the second one; with don't-fragment."""
    with contextlib.suppress(AssertionError):
        return " 0% packet loss" in sh(f"ip netns exec c1 ping -n -c 3 -i 0.2 -W 5 -M do -s {size} {target}")
    return False


@contextlib.contextmanager
def in_namespace(name: str) -> Iterator[None]:
    descriptor = open_namespace(name)
    try:
        with inside(descriptor):
            yield
    finally:
        os.close(descriptor)


class Wire:
    """What the second host gets from the first one on their wire."""

    def __init__(self) -> None:
        with in_namespace("node2"):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self._socket.bind(("lan0", 0))
        with in_namespace("node1"):
            self._marker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()
        self._marker.close()

    def frames(self) -> list[Frame]:
        """The frames in the tunnel since the last look, up to a packet that we send behind them."""
        text = str(time.monotonic_ns()).encode()
        self._marker.sendto(text, ("192.0.2.2", 9))
        self._socket.settimeout(DEADLINE)
        found = []
        while True:
            packet, sender = self._socket.recvfrom(65535)
            if sender[2] == socket.PACKET_OUTGOING:
                continue
            if packet.endswith(text):
                return found
            start = {IPV4: 14 + 20, IPV6: 14 + 40}.get(struct.unpack_from("!H", packet, 12)[0])
            if start and struct.unpack_from("!H", packet, start + 2)[0] == 4789:
                found.append(frame(packet[start + 8 + 8 :]))


def frame(data: bytes) -> Frame:
    sort, everybody = struct.unpack_from("!H", data, 12)[0], bool(data[0] & 1)
    if sort == ARP:
        return Frame(sort, 0, str(ip_address(data[38:42])), everybody)
    if sort == IPV6:
        message = data[54] if data[20] == socket.IPPROTO_ICMPV6 else 0
        target = data[62:78] if message == NEIGHBOUR_SOLICITATION else data[38:54]
        return Frame(sort, message, str(ip_address(target)), everybody)
    return Frame(sort, data[34], str(ip_address(data[30:34])), everybody)


@pytest.mark.parametrize("version", [4, 6])
def test_where_each_is_is_known_and_nobody_asks_through_the_tunnel(version):
    """The first packets of all, in both families, over either: no ARP, no neighbour solicitation, and they arrive."""
    told(version, flood=True)
    with Wire() as wire:
        assert reaches("10.100.0.2")
        assert reaches("fd00:100::2")
        seen = wire.frames()
    assert {one.target for one in seen if one.sort == IPV4} == {"10.100.0.2"}
    assert "fd00:100::2" in {one.target for one in seen if one.sort == IPV6 and one.message == ECHO_REQUEST}
    asked = [one for one in seen if one.sort == ARP or (one.sort, one.message) == (IPV6, NEIGHBOUR_SOLICITATION)]
    assert [one for one in asked if one.everybody] == []


@pytest.mark.parametrize("version", [4, 6])
def test_the_largest_packet_passes_whole_and_a_larger_one_is_refused_here(version):
    """Its MTU is what the underlay leaves: 50 bytes less, 70 over IPv6; the container's own kernel says so."""
    told(version)
    size = 1500 - OVERHEAD[version]
    assert ip("-n node1 link show vx0")[0]["mtu"] == size
    assert reaches("10.100.0.2", size - 28)
    assert reaches("fd00:100::2", size - 48)
    with pytest.raises(AssertionError, match=f"mtu={size}"):
        sh(f"ip netns exec c1 ping -n -c 1 -W 2 -M do -s {size - 27} 10.100.0.2")


def test_the_mtu_follows_the_underlay():
    told()
    sh("ip -n node1 link set lan0 mtu 1400; ip -n node2 link set lan0 mtu 1400")
    told()
    assert ip("-n node1 link show vx0")[0]["mtu"] == 1350
    assert reaches("10.100.0.2", 1350 - 28)


def test_the_mtu_without_a_local_address_is_that_of_the_way_to_the_first_remote_end():
    sh("ip -n node1 link set lan0 mtu 1300")
    assert node(1, local=None, remotes=["192.0.2.2"])["links"][0]["mtu"] == 1250
    sh("ip -n node1 address add 203.0.113.1/32 dev lo")
    assert node(1, local="203.0.113.1", remotes=["192.0.2.2"])["links"][0]["mtu"] == 1250
    said = node(1, local="203.0.113.1", remotes=["198.51.100.1"])
    assert said["links"][0]["mtu"] == 1450
    assert (
        "vxlan_link vx0 in node1: no interface in node1 leads to 203.0.113.1 or 198.51.100.1, "
        "so its MTU fits one of 1500; give mtu if that is not so"
    ) in str(said["warnings"])


def test_what_has_no_entry_goes_nowhere_without_remotes_and_to_each_with_them():
    """10.100.0.77 is nobody's: to find that out it is asked for, once on the whole segment."""
    told()
    asks = "ip netns exec c1 ping -n -c 1 -W 1 10.100.0.77 >/dev/null || true"
    with Wire() as wire:
        sh(asks)
        assert wire.frames() == []
        told(flood=True)
        wire.frames()
        sh(f"ip -n c1 neigh flush dev eth0; {asks}")
        assert Frame(ARP, 0, "10.100.0.77", True) in wire.frames()


def test_ends_that_learn_need_no_entries():
    for host, other in ((1, 2), (2, 1)):
        seen = node(host, remotes=[f"192.0.2.{other}"])["links"][0]
        assert seen["learning"] is True
    fit()
    assert reaches("10.100.0.2")
    learned = [one for one in sh("bridge -n node1 fdb show dev vx0").splitlines() if one.startswith(MACS[2])]
    assert any("dst 192.0.2.2 self" in one for one in learned)
    assert any("master br0" in one for one in learned)


def test_ends_that_do_not_learn_stay_as_they_were_told():
    """Neither the tunnel nor the bridge knows a stranger who spoke, though his frame arrived."""
    told(flood=True)
    before = sh("bridge -n node2 fdb show dev vx0")
    sh("ip -n c1 link set eth0 address 02:42:0a:64:00:99")
    with Wire() as wire:
        sh("ip netns exec c1 ping -n -c 1 -W 1 10.100.0.2 >/dev/null || true")
        assert "10.100.0.2" in {one.target for one in wire.frames() if one.sort == IPV4}
    assert sh("bridge -n node2 fdb show dev vx0") == before


def test_a_container_that_moves_is_found_at_its_new_place():
    """From the second host to the first: its entry takes the old one's place, and both tables know."""
    told()
    assert reaches("10.100.0.2")
    sh(
        "ip -n node2 link del port;"
        f"ip -n node1 link add moved master br0 mtu 1450 type veth peer name eth0 address {MACS[2]} mtu 1450 netns c2;"
        "ip -n node1 link set moved up; ip -n c2 link set eth0 up; ip -n c2 address add 10.100.0.2/24 dev eth0"
    )
    node(1, entries=[])
    assert reaches("10.100.0.2")


def test_without_a_bridge_the_interface_itself_knows_its_neighbours():
    """A container with an end of its own: nobody is asked, in either family."""
    for host, other in ((1, 2), (2, 1)):
        words = {"entries": [{"mac": MACS[other], "remote": f"192.0.2.{other}", "ip": [f"10.200.0.{other}"]}]}
        node(host, master=None, **words)
        sh(
            f"ip -n node{host} link set vx0 address {MACS[host]}; ip -n node{host} address add 10.200.0.{host}/24 dev vx0"
        )
        node(host, master=None, **words)
    with Wire() as wire:
        sh("ip netns exec node1 ping -n -c 2 -i 0.2 -W 5 10.200.0.2")
        assert {one.sort for one in wire.frames() if one.sort != IPV6} == {IPV4}
