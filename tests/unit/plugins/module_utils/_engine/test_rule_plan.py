# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is true of every plan of rules, from any table; and its words."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from itertools import combinations

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.order import rank
from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import facts, plan, question
from ansible_collections.netwright.docknet.plugins.module_utils._engine.rule import order
from ansible_collections.netwright.docknet.plugins.module_utils._model import nft
from ansible_collections.netwright.docknet.plugins.module_utils._model.bridge import Bridge
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import Conflict, InvalidRequest, Missing
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkKey
from ansible_collections.netwright.docknet.plugins.module_utils._model.passage import FORWARD, INPUT, Gate
from ansible_collections.netwright.docknet.plugins.module_utils._model.rule import (
    MASQUERADE,
    Dnat,
    Ports,
    RuleChange,
    Snat,
    Switch,
    Table,
    TableChange,
)
from ansible_collections.netwright.docknet.tests.rule_worlds import (
    OTHER,
    apply,
    bare,
    drift,
    planned,
    scenes,
    wish,
    wishes,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

thorough = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
ANY, WEB = ip_address("0.0.0.0"), ip_address("172.17.0.3")
PUBLISHED = Dnat(None, "tcp", ANY, Ports(8080, 8080), WEB, 80)
HIDDEN = Snat(None, ip_network("172.17.0.0/16"), "docknet0")


def reach(scene):
    world = bare()
    earlier, by_hand = scene
    for wanted in earlier:
        todo = planned(plan, wanted, world, assume_too=False)
        world = apply(world, todo.operations) if todo else world
    for how, which in by_hand:
        world.tables[None] = drift(world.tables[None], how, which)
    return world


def steps(todo):
    return [f"{step.action} {step.value}" for step in todo.operations]


def after(wanted, world=None):
    return plan(wanted, world or bare()).world


# -- filters of other programs ----------------------------------------------------------------------------------


def test_a_chain_that_drops_what_a_rule_lets_through_is_named_once():
    """No segment marks these packets, so the chain gets no rule of ours."""
    world = bare()
    shut = Gate("nft", "inet", "fw", "forward", FORWARD, drops=True, closed=True)
    world.gates[None] = (shut, replace(shut, chain="some", closed=False), replace(shut, chain="in", hook=INPUT))
    todo = plan([wish(PUBLISHED), wish(HIDDEN)], world)
    assert todo.warnings == (
        "chain forward in table inet fw drops what its own rules do not accept; see that they accept what is "
        "for 172.17.0.3, tcp port 80, from 172.17.0.0/16, and the answers",
    )
    assert not [step for step in steps(todo) if "passage" in step]
    assert not plan([wish(PUBLISHED), wish(HIDDEN)], todo.world).warnings
    assert question([wish(PUBLISHED)]).filters == {None} and not question([wish(HIDDEN, present=False)]).filters


# -- properties -----------------------------------------------------------------------------------------------


@thorough
@given(scenes(), wishes())
def test_converges_from_any_table(scene, wanted):
    world = reach(scene)
    todo = planned(plan, wanted, world)
    there = apply(world, todo.operations)
    assert steps(plan(wanted, there)) == []
    assert there.tables == todo.world.tables
    assert todo.operations or todo.before == todo.after


@thorough
@given(scenes(), wishes())
def test_converges_after_a_crash_between_any_two_steps(scene, wanted):
    """A transaction is all or nothing; route_localnet is switched before and after it."""
    world = reach(scene)
    todo = planned(plan, wanted, world)
    for cut in sorted({rank(operation) for operation in todo.operations}):
        halfway = apply(world, [operation for operation in todo.operations if rank(operation) < cut])
        rest = plan(wanted, halfway)
        assert steps(plan(wanted, apply(halfway, rest.operations))) == []
        assert rest.after == todo.after


@thorough
@given(scenes(), wishes())
def test_nothing_else_moves(scene, wanted):
    """Rules that were not asked for are the same after, and so are their elements."""
    world = reach(scene)
    todo = planned(plan, wanted, world)
    asked = {one.value.key for one in wanted}
    before, later = world.tables[None], todo.world.tables[None]
    for key, rule in before.rules.items():
        if key not in asked:
            assert later.rules[key] == rule
            for element in nft.elements(rule) if isinstance(rule, Dnat) else ():
                assert later.elements.get(element[:2]) == before.elements.get(element[:2])


@thorough
@given(scenes(), wishes(), st.randoms(use_true_random=False))
def test_order_of_the_wishes_does_not_matter(scene, wanted, random):
    world = reach(scene)
    todo = planned(plan, wanted, world)
    other = plan(random.sample(wanted, len(wanted)), world)
    assert sorted(steps(other)) == sorted(steps(todo))
    assert (other.world.tables[None].elements, other.after) == (todo.world.tables[None].elements, todo.after)


@thorough
@given(scenes(), wishes())
def test_what_is_sent_can_be_taken(scene, wanted):
    """Nothing is removed that is not there, or added that is; and what stays in a set that takes no overlaps has none."""
    world = reach(scene)
    todo = planned(plan, wanted, world)
    there = dict(world.tables[None].elements)
    changes = [step.value for step in todo.operations if isinstance(step.value, (RuleChange, TableChange))]
    if any(isinstance(change, TableChange) and change.drop for change in changes):
        return
    for change in changes:
        for element in change.remove:
            assert there.pop(element[:2]) == element
    for change in changes:
        for element in change.add:
            assert element[:2] not in there
            there[element[:2]] = element
            assert len(element.comment) <= 128
    assert there == todo.world.tables[None].elements
    for one, other in combinations(sorted(there), 2):
        assert one[0] != other[0] or not overlap(one[1], other[1]), (one, other)


def overlap(one, other):
    return all(
        first <= its_last and its_first <= last
        for (first, last), (its_first, its_last) in zip(spans(one), spans(other))
    )


def spans(key):
    """The first and the last value of each part of a key."""
    for part in key.split(" . "):
        if "." in part or ":" in part:
            network = ip_network(part)
            yield int(network[0]), int(network[-1])
        elif part[0].isdigit():
            first, _dash, last = part.partition("-")
            yield int(first), int(last or first)
        else:
            yield part, part


@thorough
@given(scenes(), wishes())
def test_route_localnet_is_on_where_it_is_needed_and_only_with_the_drop(scene, wanted):
    world = reach(scene)
    todo = planned(plan, wanted, world)
    there = todo.world.tables[None]
    touched = any(isinstance(step.value, RuleChange) for step in todo.operations)
    if touched or any(one.present for one in wanted):
        needed = {rule.needs_localnet for rule in there.dnats} - {None}
        assert {key for name, key in there.elements if name == nft.LOCALNET} == needed
    for step in todo.operations:
        if isinstance(step.value, Switch):
            table = there if step.value.on else world.tables[None]
            assert (nft.LOCALNET, step.value.device) in table.elements


# -- cases ----------------------------------------------------------------------------------------------------


def test_the_first_and_the_last_rule():
    todo = plan([wish(PUBLISHED)], bare())
    assert steps(todo) == [
        "create nftables table inet docknet",
        "create dnat 0.0.0.0:8080/tcp",
        "set sysctl net.ipv4.conf.docknet0.route_localnet",
    ]
    assert steps(plan([wish(PUBLISHED, present=False)], todo.world)) == [
        "clear sysctl net.ipv4.conf.docknet0.route_localnet",
        "delete dnat 0.0.0.0:8080/tcp",
        "delete nftables table inet docknet",
    ]


def test_defaults_of_a_new_rule_and_what_stays_of_an_old_one():
    bare_rule = replace(PUBLISHED, to_port=None)
    (new,) = after([wish(bare_rule)]).tables[None].dnats
    assert (str(new.to_ports), new.hairpin, new.local, new.open_to_all) == ("8080", True, True, True)
    changed = replace(PUBLISHED, allowed_sources=frozenset(), hairpin=False, local=False)
    world = after([wish(changed)])
    assert steps(plan([wish(bare_rule)], world)) == []


def test_what_is_left_over_of_a_publication_is_not_in_the_way_of_one_that_it_meets():
    closed = replace(PUBLISHED, allowed_sources=frozenset())
    world = after([wish(closed)])
    table = world.tables[None]
    gone = {element[:2] for element in nft.translations(table.dnats[0])}
    elements = {key: element for key, element in table.elements.items() if key not in gone}
    world.tables[None] = replace(table, elements=elements, rules={})
    there = replace(closed, host_ip=ip_address("127.0.0.1"))
    later = plan([wish(there)], world).world.tables[None]
    assert [key for name, key in later.elements if name == "guarded_ip"] == ["127.0.0.1 . 6 . 8080"]


def test_a_reason_says_what_is_and_what_is_to_be():
    world = after([wish(PUBLISHED), wish(replace(HIDDEN, to=MASQUERADE))])
    other = replace(PUBLISHED, to_ip=ip_address("172.18.0.3"), allowed_sources=frozenset({ip_network("10.0.0.0/8")}))
    todo = plan([wish(other), wish(replace(HIDDEN, to=ip_address("10.0.0.9")))], world)
    reasons = {str(step.value): step.reason for step in todo.operations}
    assert reasons["dnat 0.0.0.0:8080/tcp"] == (
        "to_ip is 172.17.0.3, not 172.18.0.3; allowed_sources is 0.0.0.0/0, not 10.0.0.0/8; "
        "via is docknet0 (172.17.0.0/16), not other0 (172.18.0.0/16)"
    )
    assert reasons["snat 172.17.0.0/16 not out docknet0"] == "to is masquerade, not 10.0.0.9"


def test_the_narrowest_source_is_tried_first():
    texts = ["0.0.0.0/0", "172.17.0.0/16", "172.17.9.9/32", "172.17.9.0/24"]
    plain = [Snat(None, ip_network(text), None, None, MASQUERADE, "shop") for text in texts]
    both = [*plain, *(replace(snat, out_interface="eth0") for snat in plain)]
    said = [(snat.source.prefixlen, bool(snat.out_interface)) for snat in order(both)]
    assert said == [(32, True), (32, False), (24, True), (24, False), (16, True), (16, False), (0, True), (0, False)]


def test_a_target_behind_a_link_of_this_very_run():
    """Its route is not there yet, and what the kernel says of it now leads elsewhere."""
    world = bare()
    target = ip_address("172.30.0.3")
    world.targets[(None, target)] = world.targets[(None, WEB)]
    link = Link(
        LinkKey(None, "new0"), data=Bridge(), owner="shop", addresses=frozenset({ip_interface("172.30.0.1/24")})
    )
    todo = plan([wish(link), wish(replace(PUBLISHED, to_ip=target))], world)
    (rule,) = todo.world.tables[None].dnats
    assert (rule.via.device, str(rule.via.subnet)) == ("new0", "172.30.0.0/24")
    assert "set sysctl net.ipv4.conf.new0.route_localnet" in steps(todo)


def test_no_way_to_the_target():
    rule = replace(PUBLISHED, to_ip=ip_address("192.0.2.9"))
    with pytest.raises(Missing, match="no route of the host leads to to_ip"):
        plan([wish(rule)], bare())
    todo = plan([wish(rule)], bare(), assume=True)
    assert "by an interface unknown" in todo.warnings[0] and todo.after[str(rule)]["interface"] is None


def test_another_owners_rule():
    world = after([wish(PUBLISHED, owner=OTHER)])
    for present in (True, False):
        with pytest.raises(Conflict, match='belongs to owner "shop2", not to "shop"'):
            plan([wish(PUBLISHED, present=present, adopt=True)], world)


def test_overlap_names_both():
    world = after([wish(PUBLISHED, owner=OTHER)])
    with pytest.raises(
        Conflict, match=r'dnat 172.17.0.1:8000-8100/tcp overlaps dnat 0.0.0.0:8080/tcp of owner "shop2"'
    ):
        plan([wish(replace(PUBLISHED, host_ip=ip_address("172.17.0.1"), ports=Ports(8000, 8100)))], world)


def test_one_rule_asked_for_twice():
    assert len(plan([wish(PUBLISHED), wish(PUBLISHED)], bare()).world.tables[None].rules) == 1
    with pytest.raises(InvalidRequest, match="is asked for twice"):
        plan([wish(PUBLISHED), wish(replace(PUBLISHED, to_ip=ip_address("172.17.0.4")))], bare())


def test_a_table_with_something_of_nobodys_stays():
    world = after([wish(PUBLISHED)])
    world.tables[None] = replace(world.tables[None], foreign=("chain theirs",))
    todo = plan([wish(PUBLISHED, present=False)], world)
    assert "delete nftables table inet docknet" not in steps(todo)
    assert todo.warnings == (
        "nftables table inet docknet: the last of ours in it is gone, but it stays, for what is not ours in it: chain theirs",
    )


def test_what_is_looked_at():
    asked = question([wish(replace(PUBLISHED, host_ip=ip_address("172.17.0.1"))), wish(HIDDEN)])
    assert (asked.tables, asked.links) == ({None}, set())
    assert asked.targets == {(None, WEB), (None, ip_address("172.17.0.1"))}
    assert question([wish(PUBLISHED, present=False)]).targets == set()


def test_a_source_rule_that_goes_leaves_one_that_comes_in_the_same_run():
    other = replace(HIDDEN, source=ip_network("172.18.0.0/16"))
    todo = plan([wish(HIDDEN, present=False), wish(other)], after([wish(HIDDEN)]))
    chains = [step.value.chain for step in todo.operations if isinstance(step.value, RuleChange)]
    assert [snat.source for snat in chains[-1]] == [other.source]


def test_facts():
    wanted = [wish(PUBLISHED), wish(HIDDEN, present=False)]
    found = facts(wanted, after(wanted))
    assert found["dnat"] == [
        {
            "netns": None,
            "present": True,
            "protocol": "tcp",
            "host_ip": "0.0.0.0",
            "host_port": "8080",
            "to_ip": "172.17.0.3",
            "to_port": "80",
            "allowed_sources": ["0.0.0.0/0"],
            "hairpin": True,
            "local": True,
            "interface": "docknet0",
            "owner": "shop",
        }
    ]
    assert found["snat"] == [
        {
            "netns": None,
            "present": False,
            "source": "172.17.0.0/16",
            "out_interface": None,
            "except_out_interface": "docknet0",
        }
    ]


def test_nothing_is_touched_without_a_reason():
    """A removal of what is not there repairs nothing, and asks nothing of a table that is not there."""
    damaged = after([wish(PUBLISHED)])
    damaged.tables[None] = replace(damaged.tables[None], damage=("chain guard is missing",))
    absent = wish(replace(PUBLISHED, ports=Ports(1, 1)), present=False)
    assert steps(plan([absent], damaged)) == steps(plan([absent], bare())) == []
    assert bare().tables[None] == Table()
