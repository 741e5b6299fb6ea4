# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What vxlan_link's options mean where they are left out, and together."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import plan
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkKey, Neighbour
from ansible_collections.netwright.docknet.plugins.module_utils._model.namespace import Namespace
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import World
from ansible_collections.netwright.docknet.plugins.module_utils._model.vxlan import FITTING, FLOOD, Forward, Vxlan
from ansible_collections.netwright.docknet.plugins.module_utils._topology.vxlan import desired

NOTHING = dict.fromkeys(("netns", "local", "remotes", "entries", "master", "mtu", "learning"))
COMMON = {"state": "present", "owner": "docknet", "adopt": False, "recreate": False, "up": True}
MAC, END, IP = "02:42:0a:00:00:02", ip_address("192.0.2.2"), ip_address("10.0.0.2")
PLAIN = {"mac": "02-42-0A-00-00-02", "remote": "192.0.2.2", "ip": None}
NAMED = {**PLAIN, "ip": ["10.0.0.2"]}


def link(**words) -> Link:
    wanted = desired({**NOTHING, **COMMON, "name": "vx0", "vni": 7, "port": 4789, **words})
    assert len(wanted) == 1
    return wanted[0].value


@pytest.mark.parametrize(
    ("words", "learning"),
    [
        ({}, True),
        ({"remotes": ["192.0.2.2"]}, True),
        ({"entries": []}, False),
        ({"entries": [PLAIN], "learning": True}, True),
        ({"learning": False}, False),
    ],
)
def test_it_learns_where_nobody_says_who_is_where(words, learning):
    """And the port of a bridge as the VXLAN itself; of no bridge it has no such setting."""
    assert (link(**words).data.learning, link(**words).port_learning) == (learning, None)
    assert link(**words, master="br0").port_learning == learning
    assert link(**words, master="").port_learning is None


@pytest.mark.parametrize(
    ("words", "suppress"),
    [
        ({}, False),
        ({"learning": False}, True),
        ({"entries": [PLAIN]}, False),
        ({"entries": [PLAIN, NAMED]}, True),
        ({"entries": [NAMED], "learning": True}, False),
    ],
)
def test_questions_are_kept_from_the_tunnel_where_somebody_knows_the_answers(words, suppress):
    assert link(**words, master="br0").neigh_suppress == suppress
    assert link(**words).neigh_suppress is None


@pytest.mark.parametrize(
    ("remotes", "entries", "flooding", "macs"),
    [
        (None, None, None, None),
        ([], None, True, set()),
        (None, [PLAIN], False, {MAC}),
        (["192.0.2.2"], [], None, {FLOOD}),
        (["192.0.2.2"], [PLAIN], None, {FLOOD, MAC}),
    ],
)
def test_what_is_left_out_of_the_two_lists_is_not_managed(remotes, entries, flooding, macs):
    seen = link(remotes=remotes, entries=entries)
    assert (seen.flooding, seen.forwards and {one.mac for one in seen.forwards}) == (flooding, macs or seen.forwards)
    assert (seen.forwards is None) == (macs is None)


def test_addresses_are_the_bridges_to_know_or_without_one_its_own():
    known = frozenset({Neighbour(IP, MAC)})
    own, port = link(entries=[NAMED]), link(entries=[NAMED], master="br0")
    assert (own.neighbours, own.answers) == (known, None)
    assert (port.neighbours, port.answers) == (frozenset(), known)
    assert (link(master="br0").neighbours, link(master="br0").answers) == (None, None)


def test_a_station_with_several_addresses_may_be_given_in_several_entries():
    seen = link(entries=[NAMED, {**PLAIN, "ip": ["fd00::2"]}])
    assert seen.forwards == {Forward(MAC, END)}
    assert seen.neighbours == {Neighbour(IP, MAC), Neighbour(ip_address("fd00::2"), MAC)}


def test_to_be_absent_it_needs_only_its_name():
    words = dict.fromkeys(("vni", "port"))
    assert link(state="absent", **words) == Link(LinkKey(None, "vx0"), data=Vxlan())


@pytest.mark.parametrize(("local", "size"), [("192.0.2.1", 1450), ("2001:db8::1", 1430)])
def test_an_underlay_that_is_not_known_is_taken_for_ethernets_and_said(local, size):
    wanted = desired({**NOTHING, **COMMON, "name": "vx0", "vni": 7, "port": 4789, "local": local})
    assert wanted[0].value.mtu == FITTING
    todo = plan(wanted, World(namespaces={None: Namespace("")}))
    assert todo.world.links[LinkKey(None, "vx0")].mtu == size
    assert todo.warnings == (
        f"vxlan_link vx0: no interface on the host leads to {local}, so its MTU fits one of 1500; give mtu if that is not so",
    )
