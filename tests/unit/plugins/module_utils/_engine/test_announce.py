# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is announced after which steps, by which link, and what is not."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.announce import announcements
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.announce import checksum, frame
from ansible_collections.netwright.docknet.plugins.module_utils._model.announcement import Announcement
from ansible_collections.netwright.docknet.plugins.module_utils._model.bridge import Bridge
from ansible_collections.netwright.docknet.plugins.module_utils._model.ipvlan import Ipvlan
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import (
    Birth,
    Link,
    LinkAddress,
    LinkKey,
    LinkNeighbour,
    Neighbour,
    Settings,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.macvlan import Macvlan
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Operation, World
from ansible_collections.netwright.docknet.plugins.module_utils._model.veth import Veth

BRIDGE, PORT, OTHER = (LinkKey(None, name) for name in ("br0", "v0", "v1"))
ETH0, LAN = LinkKey("web", "eth0"), LinkKey(None, "lan0")
MINE, MAC = ip_interface("10.0.0.2/24"), "02:00:00:00:00:01"


def world(data=None, up=True):
    """A container behind a bridge that has another port, or on a parent."""
    links = [
        Link(
            BRIDGE, data=Bridge(), mac="02:00:00:00:00:02", up=True, addresses=frozenset({ip_interface("10.0.0.1/24")})
        ),
        Link(PORT, data=Veth(ETH0), mac="02:00:00:00:00:03", master="br0", up=True),
        Link(OTHER, data=Veth(LinkKey("db", "eth0")), mac="02:00:00:00:00:04", master="br0", up=True),
        Link(ETH0, data=data or Veth(PORT), mac=MAC, up=up, addresses=frozenset({MINE})),
    ]
    return World(links={link.key: link for link in links})


def told(at, *values, action="set"):
    return announcements([Operation(action, value, "", "") for value in values], at)


def born(key, data):
    return Birth(Link(key, data=data))


def test_a_link_behind_a_bridge_is_announced_by_the_bridge():
    expected = [Announcement(BRIDGE, MINE.ip, MAC)]
    assert told(world(), Settings(ETH0, {"mac": MAC})) == expected
    assert told(world(), Settings(ETH0, {"up": True})) == expected
    assert told(world(), LinkAddress(ETH0, MINE), action="add") == expected


def test_where_everybody_has_just_come_nobody_is_told():
    ports = Birth(Link(PORT, data=Veth(ETH0)), Link(ETH0)), Birth(Link(OTHER), Link(LinkKey("db", "eth0")))
    (one,) = told(world(), *ports, LinkAddress(ETH0, MINE), action="add")
    assert one == Announcement(BRIDGE, MINE.ip, MAC, others=False)


@pytest.mark.parametrize("data", [Macvlan(LAN, "bridge"), Ipvlan(LAN, "l2", "bridge")])
def test_a_link_on_the_lan_is_announced_by_itself(data):
    assert told(world(data), born(ETH0, data), LinkAddress(ETH0, MINE), action="add") == [
        Announcement(ETH0, MINE.ip, MAC)
    ]


@pytest.mark.parametrize("value", [LinkAddress(ETH0, MINE), Settings(ETH0, {"mac": MAC})])
def test_nothing_is_announced_of_a_link_that_is_down_gone_or_that_nobody_asks_for(value):
    action = "add" if isinstance(value, LinkAddress) else "set"
    assert told(world(up=False), value, action=action) == []
    assert told(World(), value, action=action) == []
    assert told(world(Ipvlan(LAN, "l3", "bridge")), value, action=action) == []


def test_steps_that_move_nothing_announce_nothing():
    assert told(world(), Settings(ETH0, {"mtu": 1400}), Settings(ETH0, {"up": False})) == []
    assert told(world(), LinkAddress(ETH0, MINE), action="remove") == []


def test_a_neighbour_on_another_host_is_told_to_the_ports_of_its_bridge():
    far = LinkNeighbour(BRIDGE, Neighbour(ip_address("10.0.0.9"), "02:00:00:00:00:09"))
    assert told(world(), far, action="add") == [Announcement(BRIDGE, far.neighbour.address, far.neighbour.mac)]
    alone = world()
    alone.links = {BRIDGE: alone.links[BRIDGE], PORT: replace(alone.links[PORT], master="")}
    assert told(alone, far, action="add") == []


def test_the_frames():
    mac = bytes.fromhex("020000000001")
    assert frame(ip_address("10.0.0.2"), mac).hex() == (
        "ffffffffffff0200000000010806" + "0001080006040001" + "020000000001" + "0a000002" + "000000000000" + "0a000002"
    )
    six = frame(ip_address("fd00::2"), mac)
    assert six[:14].hex() == "33330000000102000000000186dd"
    assert len(six) == 14 + 40 + 32
    source, target, message = six[22:38], six[38:54], six[54:]
    assert (six[20], six[21], message[0], message[4]) == (58, 255, 136, 0x20)
    assert checksum(source + target + (32).to_bytes(4, "big") + (58).to_bytes(4, "big") + message) == 0
