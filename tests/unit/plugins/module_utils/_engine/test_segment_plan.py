# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans of segments: what they come to, whose they are, and how other people's filters are opened."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import facts, plan, question
from ansible_collections.netwright.docknet.plugins.module_utils._model import filter as layout
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import Conflict, InvalidRequest, Missing
from ansible_collections.netwright.docknet.plugins.module_utils._model.passage import (
    FORWARD,
    INPUT,
    OUTPUT,
    PREROUTING,
    Gate,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.rule import Ports, Snat, Table
from ansible_collections.netwright.docknet.plugins.module_utils._model.segment import ROUTED, Opening, Segment
from ansible_collections.netwright.docknet.tests.rule_worlds import OTHER, OWNER, apply, bare, wish

WEB = ip_address("172.17.0.3")
FRONT = Segment(
    None,
    "docknet0",
    modes={4: ROUTED},
    openings=frozenset({Opening(WEB, "tcp", Ports(80, 80))}),
    resolvers={WEB: 5301},
    nameservers=frozenset({WEB - 2}),
)
APART = Segment(None, "docknet0", icc=False, ports=frozenset({"veth1", "veth2"}))
BACK = Segment(None, "other0", internal=True)
HIDDEN = Snat(None, ip_network("172.17.0.0/16"), "docknet0")
FORWARDING = Gate("iptables-nft", "ip", "filter", "FORWARD", FORWARD, drops=True)
ENTERING = Gate("nft", "inet", "fw", "in", INPUT, drops=True)


def steps(todo):
    return [f"{step.action} {step.value}" for step in todo.operations]


def reasons(todo):
    return [step.reason for step in todo.operations]


def after(*wanted, world=None):
    start = world or bare()
    there = plan(list(wanted), start)
    found = apply(start, there.operations)
    assert found.tables == there.world.tables and found.gates == there.world.gates
    assert steps(plan(list(wanted), found)) == []
    return found


TABLE = "nftables table inet docknet"


@pytest.mark.parametrize("segment", [FRONT, APART, BACK])
def test_comes_and_goes_without_a_trace(segment):
    assert steps(plan([wish(segment)], bare())) == [f"create {TABLE}", f"create segment {segment.device}"]
    world = after(wish(segment))
    assert world.tables[None].segments == {segment.device: layout.whole(replace(segment, owner=OWNER))}
    assert (world.tables[None].bridge is not None) == (not segment.icc)
    gone = plan([wish(segment, present=False)], world)
    assert steps(gone) == [f"delete segment {segment.device}", f"delete {TABLE}"]
    assert gone.world.tables[None] == Table()


def test_only_what_differs_is_sent():
    many = {ip_address("172.17.1.0") + number: 5301 for number in range(200)}
    world = after(wish(replace(FRONT, resolvers=many)))
    todo = plan([wish(replace(FRONT, resolvers={**many, WEB: 5302}))], world)
    (change,) = [step.value for step in todo.operations]
    sent = [("nameserver_ip", "172.17.0.1 . 5302", ""), ("resolver_ip", str(WEB), "5302")]
    assert [element[:3] for element in change.add] == sent and not change.remove


def test_the_table_goes_with_the_last_of_either():
    world = after(wish(FRONT), wish(HIDDEN))
    assert steps(plan([wish(FRONT, present=False)], world)) == ["delete segment docknet0"]
    assert len(steps(plan([wish(HIDDEN, present=False)], world))) == 1
    everything = plan([wish(HIDDEN, present=False), wish(FRONT, present=False)], world)
    assert steps(everything)[-1] == f"delete {TABLE}" and everything.world.tables[None] == Table()


def test_the_bridge_table_goes_with_the_last_that_needs_it():
    other = replace(APART, device="other0", ports=frozenset({"veth3"}))
    world = after(wish(APART), wish(other))
    world = after(wish(replace(APART, icc=True)), world=world)
    assert world.tables[None].bridge == ()
    todo = plan([wish(other, present=False)], world)
    assert steps(todo) == ["delete segment other0", f"set {TABLE}"]
    assert todo.world.tables[None].bridge is None


def test_a_bridge_table_with_something_of_nobodys_stays():
    world = after(wish(APART))
    world.tables[None] = replace(world.tables[None], strange=("chain theirs",))
    todo = plan([wish(APART, present=False)], world)
    assert todo.world.tables[None].bridge == ()
    assert todo.warnings == ("nftables table bridge docknet stays, for what is not ours in it: chain theirs",)


@pytest.mark.parametrize("which", [0, 1, 2, 3, 4])
def test_a_lost_element_is_put_back_and_said(which):
    world = after(wish(FRONT))
    table = world.tables[None]
    key = sorted(table.elements)[which]
    elements = {other: element for other, element in table.elements.items() if other != key}
    world.tables[None] = replace(table, elements=elements, segments=layout.read(None, elements))
    todo = plan([wish(FRONT)], world)
    assert steps(todo) in (["set segment docknet0"], ["create segment docknet0"])
    assert apply(world, todo.operations).tables[None].elements == table.elements


def test_words():
    world = after(wish(FRONT))
    todo = plan([wish(replace(FRONT, icc=False, resolvers={}))], world)
    assert reasons(todo) == [
        "for containers that are kept apart",
        "icc is True, not False; resolvers is 172.17.0.3 5301, not none; nameservers is 172.17.0.1, not none",
    ]
    assert facts([wish(FRONT)], world) == {
        "segments": [
            {
                "netns": None,
                "device": "docknet0",
                "present": True,
                "icc": True,
                "internal": False,
                "modes": {"ipv4": "routed", "ipv6": "nat"},
                "ports": [],
                "openings": ["172.17.0.3 80/tcp"],
                "trusted": [],
                "resolvers": {"172.17.0.3": 5301},
                "nameservers": ["172.17.0.1"],
                "owner": OWNER,
            }
        ]
    }


@pytest.mark.parametrize("present", [True, False])
def test_another_owners_is_a_conflict(present):
    world = after(wish(FRONT, owner=OTHER))
    with pytest.raises(Conflict, match=f'belongs to owner "{OTHER}"'):
        plan([wish(FRONT, present=present)], world)


def test_nobodys_is_taken_over_only_when_asked_to():
    world = after(wish(FRONT))
    elements = {key: one._replace(comment="") for key, one in world.tables[None].elements.items()}
    world.tables[None] = Table(True, elements=elements, segments=layout.read(None, elements))
    with pytest.raises(Conflict, match="did not make"):
        plan([wish(FRONT)], world)
    todo = plan([wish(FRONT, adopt=True)], world)
    assert reasons(todo) == ["adopted"]
    assert todo.world.tables[None].segments["docknet0"].owner == OWNER


def test_refusals():
    with pytest.raises(Missing, match='namespace "web" does not exist'):
        plan([wish(replace(FRONT, netns="web"))], bare())
    with pytest.raises(Conflict, match="nft cannot name the interface"):
        plan([wish(replace(FRONT, trusted=frozenset({'a"b'})))], bare())
    with pytest.raises(InvalidRequest, match="asked for twice in different ways"):
        plan([wish(FRONT), wish(replace(FRONT, icc=False))], bare())
    assert question([wish(FRONT)]).filters == {None}


# -- other people's filters -----------------------------------------------------------------------------------


def gated(*gates):
    world = bare()
    world.gates[None] = gates
    return world


def test_what_drops_is_opened_and_closed_again():
    todo = plan([wish(FRONT)], gated(FORWARDING, ENTERING))
    assert steps(todo)[2:] == [
        "create passage through chain FORWARD in table ip filter of iptables-nft",
        "create passage through chain in in table inet fw",
    ]
    world = after(wish(FRONT), wish(BACK), world=gated(FORWARDING, ENTERING))
    assert not [step for step in steps(plan([wish(BACK, present=False)], world)) if "passage" in step]
    todo = plan([wish(FRONT, present=False), wish(BACK, present=False)], world)
    assert [step.partition(" through ")[0] for step in steps(todo)[:2]] == ["delete passage"] * 2


def test_input_is_opened_for_questions_only():
    world = after(wish(FRONT), world=gated(ENTERING))
    assert (
        steps(plan([wish(replace(FRONT, resolvers={}))], world))[0]
        == "delete passage through chain in in table inet fw"
    )
    assert not [step for step in steps(plan([wish(BACK)], gated(ENTERING))) if "passage" in step]


def test_what_drops_nothing_is_left_alone():
    gates = (replace(FORWARDING, drops=False), replace(ENTERING, open=True, ours=(7,)))
    assert not [step for step in steps(plan([wish(FRONT)], gated(*gates))) if "passage" in step]


def test_a_rule_of_ours_that_came_too_late_is_put_first():
    todo = plan([wish(FRONT)], gated(replace(FORWARDING, ours=(3,))))
    assert steps(todo)[-1] == "set passage through chain FORWARD in table ip filter of iptables-nft"
    assert reasons(todo)[-1] == "it may drop what is let through, before our rule is reached"


def test_what_cannot_be_opened_is_named():
    todo = plan([wish(FRONT)], gated(replace(ENTERING, hook=FORWARD, why_not="it comes before ours")))
    assert len(steps(todo)) == 2
    assert todo.warnings == (
        "chain in in table inet fw may drop what is accepted by docknet, and gets no rule of ours: it comes before ours; "
        "accept there what comes from and goes to docknet0",
    )


EARLY = Gate("nft", "inet", "early", "pre", PREROUTING, drops=True)
LEAVING = Gate("iptables-legacy", "ip", "filter", "OUTPUT", OUTPUT, drops=True)


def test_chains_before_and_after_ours_accept_each_bridge():
    """Where packets carry no mark, the bridges are named; a network more or less is a change of that rule."""
    world = gated(EARLY, LEAVING)
    todo = plan([wish(FRONT)], world)
    assert steps(todo)[2:] == [
        "create passage through chain pre in table inet early",
        "create passage through chain OUTPUT in table ip filter of iptables-legacy",
    ]
    world = after(wish(FRONT), world=world)
    assert not steps(plan([wish(FRONT)], world))
    assert [step.value.links for step in plan([wish(BACK)], world).operations[-2:]] == [{FRONT.device, BACK.device}] * 2
    world = after(wish(FRONT), wish(BACK), world=world)
    assert steps(plan([wish(BACK, present=False)], world))[:2] == [
        "set passage through chain pre in table inet early",
        "set passage through chain OUTPUT in table ip filter of iptables-legacy",
    ]


def test_firewalld_that_owns_its_table_is_named_and_so_are_its_commands():
    gate = replace(FORWARDING, program="nft", family="inet", table="firewalld", chain="filter_FORWARD", locked=True)
    todo = plan([wish(FRONT)], gated(gate))
    assert not [step for step in steps(todo) if "passage" in step]
    assert todo.warnings == (
        "chain filter_FORWARD in table inet firewalld may drop what docknet0 sends and gets, and only firewalld can write to it "
        "(flags owner); run firewall-cmd --permanent --zone=trusted --add-interface=docknet0 and firewall-cmd --reload",
    )
    assert not plan([wish(FRONT)], gated(replace(gate, links_named=frozenset({"docknet0", "eth0"})))).warnings


def test_a_chain_that_knows_ports_alone_is_named_where_hosts_come_in():
    overlay = replace(FRONT, vni=300, vteps=frozenset({ip_network("192.0.2.2/32")}))
    warnings = plan([wish(overlay)], gated(replace(EARLY, by_ports=True), LEAVING)).warnings
    assert [text.partition(" drops")[0] for text in warnings] == [
        "chain pre in table inet early",
        "chain OUTPUT in table ip filter of iptables-legacy",
    ]
    assert "accept UDP port 4789 there" in warnings[1]
