# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container gets nothing of what is for its neighbour: not by a frame with its MAC address, nor by an ARP or NDP answer."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
from ansible_collections.netwright.docknet.tests.kernel.machine import sh
from ansible_collections.netwright.docknet.tests.kernel.publishing import Site
from ansible_collections.netwright.docknet.tests.kernel.topologies import host, topology

ALL, ARP, IPV6 = b"\xff" * 6, 0x0806, 0x86DD


def shop(**web: Any) -> dict[str, Any]:
    front = {"enable_ipv6": True, "ipam": {"config": [{"subnet": "172.20.0.0/24"}, {"subnet": "fd20::/64"}]}}
    containers = {"web": {"networks": {"front": web}, "ports": ["8080:80/udp"]}, "evil": {"networks": ["front"]}}
    return {"name": "shop", "networks": {"front": front}, "containers": containers}


@pytest.fixture(name="here", scope="module")
def fixture_here() -> Iterator[Site]:
    with host() as here:
        yield here


def mac(where: str) -> str:
    return json.loads(sh(f"ip -j -n {where} link show eth0"))[0]["address"]


def octets(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def gateway(found: dict[str, Any]) -> bytes:
    device = found["topology"]["networks"]["front"]["device"]
    return octets(json.loads(sh(f"ip -j link show {device}"))[0]["address"])


def arp(sender: bytes, address: str, to: bytes) -> bytes:
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + sender + ip_address(address).packed
    return to + sender + struct.pack("!H", ARP) + body + to + ip_address(address).packed


def advertisement(sender: bytes, address: str, to: bytes) -> bytes:
    """An unsolicited one that overrides what is known (RFC 4861, section 4.4), to all nodes."""
    source, target = ip_address("fd20::3").packed, ip_address("ff02::1").packed
    body = struct.pack("!BBHI", 136, 0, 0, 0x20000000) + ip_address(address).packed + b"\x02\x01" + sender
    pseudo = source + target + struct.pack("!II", len(body), 58) + body
    total = sum(struct.unpack(f"!{len(pseudo) // 2}H", pseudo))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    body = body[:2] + struct.pack("!H", ~total & 0xFFFF) + body[4:]
    head = struct.pack("!IHBB", 6 << 28, len(body), 58, 255)
    return to + sender + struct.pack("!H", IPV6) + head + source + target + body


def datagrams(here: Site, frames: list[bytes]) -> int:
    """How many of ten that the LAN sends to web's port come to web, after evil has sent these frames."""
    with here.inside("evil"), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as line:
        line.bind(("eth0", 0))
        for frame in frames:
            line.send(frame)
    before = len(here.heard())
    for address in ("198.51.100.1", "fd51::1"):
        for _try in range(5):
            here.ask("lan", address, 8080, "udp", wait=0.3)
    deadline = time.monotonic() + 1
    while len(here.heard()) - before < 10 and time.monotonic() < deadline:
        time.sleep(0.01)
    return len(here.heard()) - before


@pytest.fixture(name="web", scope="module")
def fixture_web(here: Site) -> dict[str, Any]:
    found = topology(shop())
    here.serve("web", 80)
    assert datagrams(here, []) == 10
    return found


def test_by_one_frame_with_the_neighbours_mac_address(here, web):
    assert datagrams(here, [arp(octets(mac("web")), "172.20.0.3", gateway(web))]) == 10


def test_by_an_arp_answer(here, web):
    own, to = octets(mac("evil")), gateway(web)
    assert datagrams(here, [arp(own, "172.20.0.2", to), arp(own, "172.20.0.2", ALL)]) == 10


def test_by_a_neighbour_advertisement(here, web):
    assert datagrams(here, [advertisement(octets(mac("evil")), "fd20::2", gateway(web))]) == 10


def test_the_bridge_and_the_host_are_told_again_what_they_were_told_at_first(here, web):
    device = web["topology"]["networks"]["front"]["device"]
    sh(f"bridge fdb del {mac('web')} dev $(bridge fdb show | grep {mac('web')} | cut -d' ' -f3) master")
    sh(f"ip neigh replace fd20::2 lladdr {mac('evil')} nud permanent dev {device}")
    again = topology(shop())
    assert {one["action"] for one in again["actions"]} == {"add"} and len(again["actions"]) == 2, again["actions"]
    assert not topology(shop())["changed"]
    assert datagrams(here, [arp(octets(mac("web")), "172.20.0.3", gateway(web))]) == 10


def test_another_mac_address_of_a_container_is_learned_as_usual(here, web):
    """As VRRP has one. Frames for it go to its port alone."""
    assert web
    with here.inside("evil"), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as line:
        line.bind(("eth0", 0))
        line.send(arp(octets("00:00:5e:00:01:07"), "172.20.0.77", ALL))
    assert "00:00:5e:00:01:07" in sh("bridge fdb show")


def test_a_changed_mac_address_is_followed(here, web):
    assert web
    topology(shop(mac_address="02:00:00:00:00:77"))
    assert mac("web") == "02:00:00:00:00:77" and not topology(shop(mac_address="02:00:00:00:00:77"))["changed"]
    assert "02:42:ac:14:00:02" not in sh("bridge fdb show; ip neigh show")
    assert datagrams(here, [arp(octets("02:00:00:00:00:77"), "172.20.0.3", ALL)]) == 10
