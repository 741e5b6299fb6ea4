# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VXLANs, their entries and permanent neighbours on the real kernel, as `ip -j` and `bridge -j` see them."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_interface

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._model.bridge import Bridge
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import Conflict, KernelRefused
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkKey, Neighbour
from ansible_collections.netwright.docknet.plugins.module_utils._model.namespace import Namespace
from ansible_collections.netwright.docknet.plugins.module_utils._model.vxlan import FLOOD, Forward, Vxlan
from ansible_collections.netwright.docknet.tests.kernel.engine import carry_out, look, steps, wish
from ansible_collections.netwright.docknet.tests.kernel.machine import ip, sh

pytestmark = pytest.mark.usefixtures("machine")
KEY, BRIDGE = LinkKey(None, "vx0"), LinkKey(None, "br0")
MACS = tuple(f"02:42:0a:00:00:{number:02x}" for number in range(4))
ENDS = tuple(map(ip_address, ("192.0.2.2", "192.0.2.3", "192.0.2.4")))
LOCAL = ip_address("192.0.2.1")


def vxlan(**more):
    data = Vxlan(more.pop("vni", 7), more.pop("local", LOCAL), 4789, more.pop("learning", False))
    return Link(more.pop("key", KEY), data=data, owner="shop", up=True, **more)


def bridge(**more):
    return Link(BRIDGE, data=Bridge(), owner="shop", mac="02:42:00:00:00:01", up=True, **more)


def table(name="vx0"):
    """(MAC address, remote end or the bridge, state) of each entry of the link's, without its own addresses."""
    seen = json.loads(sh(f"bridge -j fdb show dev {name}"))
    own = {link["address"] for link in ip("link show") if link["ifname"] != "lo"}
    return {
        (one["mac"], one.get("dst") or one.get("master"), one["state"])
        for one in seen
        if one["mac"] not in own and not one["mac"].startswith(("33:33", "01:00:5e"))
    }


def known(name):
    """The permanent neighbours on a link."""
    return {(one["dst"], one["lladdr"]) for one in ip(f"neigh show dev {name} nud permanent")}


def static(mac, end):
    """An entry as it is in both tables."""
    return {(mac, str(end), "static"), (mac, "br0", "static")}


def test_entries_come_change_place_and_go():
    first = frozenset({Forward(MACS[1], ENDS[0]), Forward(MACS[2], ENDS[1]), Forward(FLOOD, ENDS[0])})
    carry_out(wish(bridge()), wish(vxlan(master="br0", forwards=first)))
    assert table() == static(MACS[1], ENDS[0]) | static(MACS[2], ENDS[1]) | {(FLOOD, "192.0.2.2", "permanent")}
    second = frozenset({Forward(MACS[1], ENDS[2]), Forward(FLOOD, ENDS[0]), Forward(FLOOD, ENDS[1])})
    made = carry_out(wish(bridge()), wish(vxlan(master="br0", forwards=second)))
    assert steps(made) == [
        ("remove", f"forward {MACS[2]} at 192.0.2.3 on vx0", "not asked for"),
        ("add", f"forward {FLOOD} at 192.0.2.3 on vx0", "missing"),
        ("add", f"forward {MACS[1]} at 192.0.2.4 on vx0", f"in place of {MACS[1]} at 192.0.2.2"),
    ]
    assert table() == static(MACS[1], ENDS[2]) | {(FLOOD, str(end), "permanent") for end in ENDS[:2]}
    carry_out(wish(bridge()), wish(vxlan(master="br0", forwards=frozenset())))
    assert table() == set()


def test_settings_change_on_the_living_link():
    carry_out(wish(bridge()), wish(vxlan(learning=True, mtu=1450)))
    there = ip("link show vx0")[0]
    new = vxlan(local=ENDS[2], mtu=1400, master="br0", port_learning=False, neigh_suppress=True)
    made = carry_out(wish(bridge()), wish(new))
    assert all(one.action == "set" for one in made.operations)
    seen = ip("link show vx0")[0]
    data, port = seen["linkinfo"]["info_data"], seen["linkinfo"]["info_slave_data"]
    assert (seen["ifindex"], seen["mtu"]) == (there["ifindex"], 1400)
    assert (data["id"], data["local"], data["port"], data["learning"]) == (7, "192.0.2.4", 4789, False)
    assert (port["learning"], port["neigh_suppress"]) == (False, True)


def test_an_entry_that_the_bridge_lost_is_given_back():
    """By hand out of one table: the entry is half there, and comes whole, or goes whole."""
    want = [wish(bridge()), wish(vxlan(master="br0", forwards=frozenset({Forward(MACS[1], ENDS[0])})))]
    carry_out(*want)
    sh(f"bridge fdb del {MACS[1]} dev vx0 master")
    assert steps(carry_out(*want)) == [
        ("add", f"forward {MACS[1]} at 192.0.2.2 on vx0", f"in place of {MACS[1]} at 192.0.2.2 (not on the bridge)")
    ]
    sh("ip link set vx0 nomaster")
    carry_out(*want)
    assert table() == static(MACS[1], ENDS[0])
    sh(f"bridge fdb del {MACS[1]} dev vx0 master; bridge fdb add {MACS[2]} dev vx0 dst 192.0.2.9")
    carry_out(wish(bridge()), wish(vxlan(master="br0", forwards=frozenset())))
    assert table() == set()


def test_a_port_of_no_bridge_has_whole_entries():
    entries = frozenset({Forward(MACS[1], ENDS[0]), Forward(FLOOD, ENDS[1])})
    carry_out(wish(vxlan(forwards=entries)))
    assert table() == {(MACS[1], "192.0.2.2", "static"), (FLOOD, "192.0.2.3", "permanent")}


def test_what_others_put_there_is_left_alone():
    """What is learned, what a routing daemon marked as its own, and what says more than an address."""
    sh(
        "ip link add vx0 type vxlan id 7 dstport 4789 local 192.0.2.1; ip link set vx0 up;"
        f"bridge fdb add {MACS[1]} dev vx0 dst 192.0.2.2 dynamic;"
        f"bridge fdb add {MACS[2]} dev vx0 dst 192.0.2.2 extern_learn;"
        f"bridge fdb add {MACS[3]} dev vx0 dst 192.0.2.2 port 8472;"
        f"ip neigh add 10.0.0.1 dev vx0 lladdr {MACS[1]} nud reachable;"
        f"ip neigh add 10.0.0.2 dev vx0 lladdr {MACS[2]} nud permanent extern_learn; ip neigh add proxy 10.0.0.3 dev vx0"
    )
    before = table(), ip("neigh show dev vx0")
    want = [wish(vxlan(forwards=frozenset(), neighbours=frozenset()))._replace(adopt=True)]
    assert {action for action, _object, _reason in steps(carry_out(*want))} == {"set"}
    assert (table(), ip("neigh show dev vx0")) == before


@pytest.mark.parametrize("flooding, left", [(None, {1}), (True, {1, 3}), (False, {0, 1})])
def test_only_the_entries_that_are_managed_change(flooding, left):
    carry_out(wish(vxlan(forwards=frozenset({Forward(FLOOD, ENDS[0]), Forward(MACS[3], ENDS[0])}))))
    new = Forward(FLOOD if flooding else MACS[1], ENDS[1])
    carry_out(wish(vxlan(forwards=frozenset({new}), flooding=flooding)))
    names = {0: (FLOOD, "192.0.2.2"), 1: (new.mac, "192.0.2.3"), 3: (MACS[3], "192.0.2.2")}
    assert {one[:2] for one in table()} == {names[one] for one in left}


def test_neighbours_come_change_and_go():
    there = {ip_address(f"10.0.0.{host}"): MACS[host] for host in (1, 2)} | {ip_address("fd00::1"): MACS[1]}
    addresses = frozenset({ip_interface("10.0.0.9/24")})

    def wanted(entries):
        neighbours = frozenset(Neighbour(address, mac) for address, mac in entries.items())
        return wish(bridge(addresses=addresses, neighbours=neighbours))

    carry_out(wanted(there))
    assert known("br0") == {(str(address), mac) for address, mac in there.items()}
    del there[ip_address("10.0.0.2")]
    there[ip_address("10.0.0.1")] = MACS[3]
    assert steps(carry_out(wanted(there))) == [
        ("remove", f"neighbour 10.0.0.2 at {MACS[2]} on br0", "not asked for"),
        ("add", f"neighbour 10.0.0.1 at {MACS[3]} on br0", f"in place of 10.0.0.1 at {MACS[1]}"),
    ]
    assert known("br0") == {(str(address), mac) for address, mac in there.items()}
    for broken in ("ip link set br0 down", "ip link set br0 address 02:42:00:00:00:09", "ip addr flush dev br0"):
        sh(broken)
        carry_out(wanted(there))
        assert known("br0") == {(str(address), mac) for address, mac in there.items()}, broken


def answering(*entries):
    """A VXLAN on somebody else's bridge, which answers for those behind it."""
    forwards = frozenset(Forward(mac, ENDS[0]) for mac, _address in entries)
    answers = frozenset(Neighbour(ip_address(address), mac) for mac, address in entries if address)
    return wish(vxlan(master="br0", forwards=forwards, answers=answers))


def test_neighbours_on_a_foreign_bridge_go_with_those_behind_the_vxlan():
    """What is on the bridge and is not behind the VXLAN stays."""
    sh(
        "ip link add br0 address 02:42:00:00:00:02 type bridge; ip link set br0 up;"
        f"ip neigh add 10.0.0.3 dev br0 lladdr {MACS[3]} nud permanent; ip link add br1 type bridge; ip link set br1 up"
    )
    foreign = ("10.0.0.3", MACS[3])
    carry_out(answering((MACS[1], "10.0.0.1"), (MACS[2], "fd00::2")))
    assert known("br0") == {foreign, ("10.0.0.1", MACS[1]), ("fd00::2", MACS[2])}
    carry_out(answering((MACS[1], None), (MACS[0], "10.0.0.1")))
    assert known("br0") == {foreign, ("10.0.0.1", MACS[0])}
    moved = answering((MACS[1], "10.0.0.1"))
    carry_out(moved._replace(value=moved.value.__class__(**{**vars(moved.value), "master": "br1"})))
    assert (known("br0"), known("br1")) == ({foreign}, {("10.0.0.1", MACS[1])})
    carry_out(wish(Link(KEY, data=Vxlan()), present=False))
    assert (known("br0"), known("br1")) == ({foreign}, set())
    assert "vx0" not in {link["ifname"] for link in ip("link show")}


def test_its_family_follows_from_its_remote_ends():
    carry_out(wish(vxlan(local=None, forwards=frozenset({Forward(MACS[1], ip_address("fd00::2"))}))))
    assert table() == {(MACS[1], "fd00::2", "static")}
    carry_out(wish(vxlan(key=LinkKey(None, "vx4"), local=None, forwards=frozenset({Forward(MACS[1], ENDS[0])}))))


def test_a_second_one_of_its_segment_is_refused_with_its_name():
    sh("ip link add other type vxlan id 7 dstport 4789 local 192.0.2.8")
    with pytest.raises(Conflict, match='VNI 7 on port 4789 has an interface already on the host: "other", that'):
        carry_out(wish(Namespace("web")), wish(vxlan()))
    assert {link["ifname"] for link in ip("link show")} == {"lo", "other"}


def test_one_that_hides_in_another_namespace_is_found():
    """What a container engine does: made here, and moved away. The kernel still counts it as of here."""
    sh(
        "ip netns add hideout; ip link add vx9 type vxlan id 7 dstport 4789 local 192.0.2.8; ip link set vx9 netns hideout"
    )
    with pytest.raises(KernelRefused, match='"vx9" in namespace "hideout"'):
        carry_out(wish(vxlan()))


def test_one_that_goes_makes_way_for_another_of_its_segment():
    carry_out(wish(vxlan()))
    carry_out(wish(Link(KEY, data=Vxlan()), present=False), wish(vxlan(key=LinkKey(None, "vx1"))))
    assert {link["ifname"] for link in ip("link show")} == {"lo", "vx1"}


def test_another_number_or_family_is_another_identity():
    carry_out(wish(vxlan()))
    for other, words in ((vxlan(vni=8), "vni is 7, not 8"), (vxlan(local=ip_address("fd00::1")), "local is 192.0.2.1")):
        with pytest.raises(Conflict, match=words):
            carry_out(wish(other))
    carry_out(wish(vxlan(vni=8, local=ip_address("fd00::1")))._replace(recreate=True))
    assert ip("link show vx0")[0]["linkinfo"]["info_data"]["local6"] == "fd00::1"


def test_ten_thousand_entries_in_one_run():
    many = [f"02:42:0a:01:{number >> 8:02x}:{number & 255:02x}" for number in range(10_000)]
    forwards = frozenset(Forward(mac, ENDS[number % 3]) for number, mac in enumerate(many))
    neighbours = frozenset(Neighbour(ip_address(0x0A010000 + number), mac) for number, mac in enumerate(many))
    want = [wish(bridge(neighbours=neighbours)), wish(vxlan(master="br0", forwards=forwards))]
    carry_out(*want)
    assert len(table()) == 20_000
    assert len(known("br0")) == 10_000
    seen = look(want)
    assert (seen.links[KEY].forwards, seen.links[BRIDGE].neighbours) == (forwards, neighbours)
