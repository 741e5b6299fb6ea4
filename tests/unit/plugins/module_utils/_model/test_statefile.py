# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A saved specification is the same text for the same state, and what cannot be one is refused with the way out."""

from __future__ import annotations

import json
from ipaddress import ip_address as A
from ipaddress import ip_network as N

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine import plan as engine
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import Unsupported
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Wanted, World
from ansible_collections.netwright.docknet.plugins.module_utils._model.rule import Ports
from ansible_collections.netwright.docknet.plugins.module_utils._model.state import (
    Allocation,
    Lease,
    NetworkLease,
    State,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.statefile import DamagedState, decode, encode

FOUR, OTHER, SIX = N("172.18.0.0/16"), N("172.19.0.0/16"), N("fd00::/64")
NETWORKS = {
    "front": NetworkLease("br-1", (FOUR, SIX), {FOUR: A("172.18.0.1"), SIX: A("fd00::1")}),
    "lan": NetworkLease("", (FOUR, OTHER), {OTHER: A("172.19.0.9")}, {4: A("172.18.0.9"), 6: A("fd00::9")}),
    "mute": NetworkLease(),
    "gate": NetworkLease("br-2", (FOUR,), mtu=1500, slices={"one": (N("172.18.0.0/24"), N("fd00::/72")), "two": ()}),
}
ENDPOINTS = {
    ("web", "front"): Lease(A("172.18.0.2"), A("fd00::2"), "02:42:ac:12:00:02"),
    ("db", "lan"): Lease(mac="02:42:00:00:00:01"),
}
PORTS = {("web", "8080:80/tcp"): Ports(8080, 8080), ("web", "::1:8000-8010:1-2/udp"): Ports(8001, 8002)}
ON = {("web", "8080:80/tcp"): (A("127.0.0.1"), A("::"))}
STATE = State(
    "shop",
    "one",
    {"name": "shop", "containers": {"web": None, "db": {"x": [1, "ä"]}}},
    Allocation(NETWORKS, ENDPOINTS, PORTS, ON),
    ("docker:x",),
)


def backwards(words):
    return dict(reversed(words.items()))


def test_it_comes_back_as_it_was():
    assert decode("shop", encode(STATE)) == STATE
    assert decode("shop", encode(State("shop"))) == State("shop")
    said = {"8080:80/tcp": "127.0.0.1:8080 [::]:8080", "::1:8000-8010:1-2/udp": "8001-8002"}
    assert json.loads(encode(STATE))["ports"] == {"web": said}


def test_the_order_in_which_it_was_chosen_does_not_show_and_the_document_s_order_does():
    chosen = Allocation(backwards(NETWORKS), backwards(ENDPOINTS), backwards(PORTS), ON)
    assert encode(State(STATE.name, STATE.host, STATE.document, chosen, STATE.attached)) == encode(STATE)
    turned = State(STATE.name, STATE.host, backwards(STATE.document), STATE.allocation, STATE.attached)
    assert turned == STATE and encode(turned) != encode(STATE)


def changed(**words):
    return json.dumps({**json.loads(encode(STATE)), **words})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[]",
        "[" * 100_000,
        encode(STATE)[:-20],
        changed(networks={"front": {}}),
        changed(networks=None),
        changed(endpoints={"web": {"front": {"ipv4": "172.18.0.300", "ipv6": None, "mac": None}}}),
        changed(ports={"web": {"80/tcp": "http"}}),
        changed(ports={"web": {"80/tcp": ""}}),
        changed(ports={"web": {"80/tcp": "localhost:80"}}),
        changed(document=[]),
        changed(version="1"),
        changed(version=0),
        changed(name="other"),
    ],
)
def test_a_damaged_file_says_the_way_out(content):
    with pytest.raises(DamagedState, match=r"topology shop: /var/lib/docknet/shop\.json .*; remove the file, and"):
        decode("shop", content)


def test_a_later_version_is_not_touched():
    with pytest.raises(Unsupported, match="is of version 2, and this collection knows up to 1; use the later"):
        decode("shop", changed(version=2))


def planned(states, wanted):
    return engine.plan([wanted], World(states=states))


def test_planning_of_it():
    present = Wanted(STATE, "topology shop", "shop")
    done = planned({}, present)
    assert [(one.action, one.value, one.reason) for one in done.operations] == [("create", STATE, "missing")]
    assert done.before == {"state shop": None}
    assert done.after["state shop"]["endpoints"]["web.front"] == "172.18.0.2 fd00::2 02:42:ac:12:00:02"
    assert done.world is not None and done.world.states == {"shop": STATE}
    assert not planned({"shop": decode("shop", encode(STATE))}, present).operations
    other = State("shop", "one", STATE.document, Allocation(NETWORKS, ENDPOINTS, {}), STATE.attached)
    done = planned({"shop": other}, present)
    assert [(one.action, one.reason) for one in done.operations] == [("set", "ports changed")]
    assert done.before != done.after
    done = planned({"shop": State("shop", "one", backwards(STATE.document), STATE.allocation, STATE.attached)}, present)
    assert done.operations[0].reason == "document changed" and done.before != done.after
    absent = Wanted(State("shop"), "topology shop", "shop", present=False)
    assert [one.action for one in planned({"shop": STATE}, absent).operations] == ["delete"]
    assert not planned({"other": STATE}, absent).operations
