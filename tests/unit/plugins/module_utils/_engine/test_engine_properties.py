# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is true of every plan, from any state: `effect` is the kernel here (tests/kernel holds it against the real one)."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine import properties
from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import plan
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import DocknetError
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import (
    Birth,
    Link,
    LinkKey,
    LinkNeighbour,
    LinkRoute,
    Settings,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.namespace import Namespace
from ansible_collections.netwright.docknet.plugins.module_utils._model.veth import Veth
from ansible_collections.netwright.docknet.tests import worlds
from ansible_collections.netwright.docknet.tests.worlds import OWNER, apply, bare
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.filterwarnings("error")
thorough = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


SETTLED = (*properties.SETTINGS, "up", "owner", "addresses", "neighbours", "forwards")


def reach(scene):
    """The world of a scene: what was wanted is made, then what can be broken is broken."""
    world = bare()
    try:
        world = apply(world, plan(scene.earlier, world).operations)
    except DocknetError:
        pass
    for operation in scene.broken:
        if worlds.possible(world, operation):
            world = apply(world, [operation])
    return world


def planned(wanted, world):
    """The plan; a wish that meets somebody else's object is another test's matter."""
    try:
        return plan(wanted, world)
    except DocknetError:
        assume(False)


def reports(operations):
    return [operation.report() for operation in operations]


def essential(operations, world):
    """What is done, in any order, and all that goes; which end of a pair is named, and takes the other along, is all the same."""
    deleted = {key for operation in operations if operation.action == "delete" for key in touched(operation)}
    others = [operation for operation in operations if operation.action != "delete"]
    return sorted(map(str, hanging_on(deleted, world))), sorted(map(str, reports(others)))


def shuffle(wanted, random):
    """In another order, but for the two ends of a pair, which are one wish of the user's."""
    wishes = {}
    for one in wanted:
        ends = {one.value.key, one.value.data.peer} if is_end(one.value) else {id(one)}
        wishes.setdefault(frozenset(ends), []).append(one)
    return [one for each in random.sample(sorted(wishes, key=str), len(wishes)) for one in wishes[each]]


def is_end(value):
    return isinstance(value, Link) and isinstance(value.data, Veth)


def touched(operation):
    """The keys an operation is about."""
    value = operation.value
    if isinstance(value, Birth):
        return {link.key for link in value if link}
    return {value.link if hasattr(value, "link") else identity(value)}


@thorough
@given(worlds.scenes, worlds.wishes())
def test_converges_from_any_state(scene, wanted):
    world = reach(scene)
    todo = planned(wanted, world)
    after = apply(world, todo.operations)
    assert reports(plan(wanted, after).operations) == []


@thorough
@given(worlds.scenes, worlds.wishes())
def test_what_was_asked_for_is_so(scene, wanted):
    """Of a link what is set, and each of the sets that hang on it. Routes need a link that is up; of that the kernel judges."""
    world = reach(scene)
    after = apply(world, planned(wanted, world).operations)
    for link in (one.value for one in wanted if one.present and isinstance(one.value, Link)):
        seen = after.links[link.key]
        want = {name: value for name, value in vars(link).items() if name in SETTLED and value is not None}
        found = {name: getattr(seen, name) for name in want}
        if "forwards" in want:
            found["forwards"] = properties.managed(link, seen.forwards)
        assert found == want
        if link.answers is not None:
            macs = {one.mac for one in seen.forwards}
            there = after.links[LinkKey(link.key.netns, link.master)].neighbours
            assert {one for one in there if one.mac in macs} == link.answers


@thorough
@given(worlds.scenes, worlds.wishes())
def test_what_is_reported_is_what_comes_about(scene, wanted):
    """The operations in the order they are done lead to the world that `after` was read off."""
    world = reach(scene)
    todo = planned(wanted, world)
    assert replace(apply(world, todo.operations), users={}) == replace(todo.world, users={})
    assert bool(todo.operations) or todo.before == todo.after


@thorough
@given(worlds.scenes, worlds.wishes())
def test_converges_after_a_crash_at_any_point(scene, wanted):
    world = reach(scene)
    todo = planned(wanted, world)
    whole = apply(world, todo.operations)
    for count in range(len(todo.operations)):
        halfway = apply(world, todo.operations[:count])
        rest = plan(wanted, halfway)
        after = apply(halfway, rest.operations)
        assert reports(plan(wanted, after).operations) == []
        assert after == whole


@thorough
@given(worlds.scenes, worlds.wishes(), st.randoms(use_true_random=False))
def test_order_of_the_wishes_does_not_matter(scene, wanted, random):
    world = reach(scene)
    todo = planned(wanted, world)
    other = plan(shuffle(wanted, random), world)
    assert essential(other.operations, world) == essential(todo.operations, world)
    assert apply(world, other.operations) == apply(world, todo.operations)


@thorough
@given(worlds.scenes, worlds.wishes())
def test_nothing_else_moves(scene, wanted):
    """An operation is about what was asked for, or makes way for it; the kernel takes along only what hangs on that."""
    world = reach(scene)
    todo = planned(wanted, world)
    links = {one.value.key: one.value for one in wanted if isinstance(one.value, Link)}
    gone = {one.value.name for one in wanted if isinstance(one.value, Namespace) and not one.present}
    asked = {*links, *gone, *(identity(one.value) for one in wanted)}
    roots = set()
    for operation in todo.operations:
        keys, value = touched(operation), operation.value
        if operation.action == "delete" or (isinstance(value, Settings) and "mtu" in value.changes):
            roots |= keys
        makes_way = operation.first and operation.action == "delete"
        released = operation.action in ("delete", "remove") and keys <= {worlds.SHIM, worlds.TAGGED}
        answered = operation.action == "remove" and isinstance(value, LinkNeighbour)
        roots |= keys if answered else set()
        assert keys <= asked or makes_way or released or answered or all(key.netns in gone for key in keys), operation
        if isinstance(value, Settings):
            assert set(value.changes) - {"altname", "owner"} <= managed(links[value.link])
    for key in world.links.keys() - hanging_on(roots, world) - asked:
        assert todo.world.links[key] == world.links[key]


def identity(value):
    if isinstance(value, Namespace):
        return value.name
    return value.key if isinstance(value, Link) else value[:2]


def managed(link):
    """The names of what a wish manages."""
    own = vars(link.data) if link.data else {}
    return {name for name, value in {**vars(link), **own}.items() if value is not None}


def hanging_on(keys, world):
    """These links and all that is their other end, their child, their port, or in such a namespace."""
    found = set(keys)
    while True:
        more = {key for key, link in world.links.items() if {key.netns, *near(link)} & found} - found
        if not more:
            return found
        found |= more


def near(link):
    return (*link.under, link.data.peer) if is_end(link) else link.under


@thorough
@given(worlds.scenes, worlds.wishes())
def test_what_is_somebody_elses_is_in_no_operation(scene, wanted):
    world = reach(scene)
    for operation in planned(wanted, world).operations:
        for key in touched(operation):
            there = world.links.get(key)
            allowed = isinstance(operation.value, Settings) and set(operation.value.changes) == {"promiscuous"}
            assert not there or there.owner == OWNER or allowed, operation


@thorough
@given(worlds.scenes, worlds.wishes())
def test_what_is_there_takes_no_work(scene, wanted):
    """Whatever is asked for as it is seen, in full, needs nothing."""
    world = reach(scene)
    seen = [worlds.wish(link) for link in world.links.values() if link.owner == OWNER]
    seen += [worlds.wish(value) for name, value in world.namespaces.items() if name and value.owner == OWNER]
    assert reports(plan(seen, world).operations) == []


@thorough
@given(worlds.scenes, worlds.wishes())
def test_absent_takes_back_what_present_made_and_leaves_the_rest(scene, wanted):
    """With a child goes what was made for it alone; so that is not asked to go, and one that was left alone by hand goes with the next."""
    world = reach(scene)
    assume(world.users.get(worlds.TAGGED) != 0)
    made = [one for one in wanted if one.present and new(one.value, world)]
    if any(key.name in worlds.CHILDREN for key in world.links):
        made = [one for one in made if removable(one.value)]
    todo = planned(made, world)
    there = apply(world, todo.operations)
    gone = [one._replace(present=False) for one in made if removable(one.value)]
    back = apply(there, plan(gone, there).operations)
    assert back.namespaces == world.namespaces
    assert {key: strip(link) for key, link in back.links.items()} == {
        key: strip(link) for key, link in world.links.items()
    }


def new(value, world):
    """Whether a wish is for something that is not there, and that changes nothing that is."""
    if isinstance(value, Namespace):
        return value.name not in world.namespaces
    if isinstance(value, LinkRoute):
        return value.link not in world.links
    if not isinstance(value, Link) or value.data is None:
        return False
    keys = {value.key, value.data.peer} if is_end(value) else {value.key}
    return not keys & world.links.keys()


def removable(value):
    return isinstance(value, Namespace) or (isinstance(value, Link) and value.key not in (worlds.SHIM, worlds.TAGGED))


def strip(link):
    """A link without what follows its parent."""
    return (link.key, link.data, link.owner, link.up, link.addresses, link.master, link.forwards, link.neighbours)


@thorough
@given(worlds.scenes, worlds.wishes())
def test_planning_changes_none_of_its_input(scene, wanted):
    world = reach(scene)
    before, words = copy.deepcopy(world), copy.deepcopy(wanted)
    planned(wanted, world)
    assert world == before
    assert wanted == words


@thorough
@given(worlds.scenes, worlds.wishes())
def test_check_mode_says_what_the_run_does(scene, wanted):
    world = reach(scene)
    todo = planned(wanted, world)
    would = plan(wanted, world, assume=True)
    assert reports(would.operations) == reports(todo.operations)
    assert (would.before, would.after) == (todo.before, todo.after)


@thorough
@given(worlds.scenes, worlds.wishes())
def test_wishes_that_cannot_be_are_sentences(scene, wanted):
    """Whatever the state, and without leave to replace anything: a plan, or one of our errors with the object's name."""
    world = reach(scene)
    careful = [one._replace(recreate=False) for one in wanted]
    try:
        plan(careful, world)
    except DocknetError as error:
        assert error.what in {one.what for one in wanted}
        assert error.why and not error.why.endswith(".")
