# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner's properties on the real kernel, and that `effect`, its stand-in for one, says what the kernel does."""

from __future__ import annotations

import difflib
import errno
import os
from dataclasses import fields

from ansible_collections.netwright.docknet.plugins.module_utils._engine.effect import effect
from ansible_collections.netwright.docknet.plugins.module_utils._engine.order import REMOVAL, rank
from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import plan
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._model.bridge import Bridge
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import DocknetError, KernelRefused
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkKey, Settings
from ansible_collections.netwright.docknet.plugins.module_utils._model.macvlan import Macvlan
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Question
from ansible_collections.netwright.docknet.tests import worlds
from ansible_collections.netwright.docknet.tests.kernel.machine import machine, sh
from ansible_collections.netwright.docknet.tests.lab.packets import wait
from ansible_collections.netwright.docknet.tests.patience import FACTOR
from ansible_collections.netwright.docknet.tests.worlds import OTHER, OWNER, PLACES
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

few = settings(
    max_examples=int(os.environ.get("DOCKNET_EXAMPLES", "30")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
scenes = st.builds(
    lambda earlier, broken: worlds.Scene(tuple(earlier), tuple(broken)), worlds.wishes(real=True), worlds.breakages
)
EVERYTHING = Question(
    namespaces=set(PLACES),
    links=set(PLACES),
    addresses=set(PLACES),
    owners={OWNER, OTHER},
    neighbours={(here, there) for here in PLACES for there in PLACES if here != there},
    forwards={LinkKey(at, name) for at in PLACES for name in worlds.TUNNELS},
    permanent={LinkKey(at, name) for at in PLACES for name in worlds.NAMES},
    stations={LinkKey(at, name) for at in PLACES for name in worlds.NAMES},
    sysctls={(place, ("net", "ipv4", "ip_forward")) for place in PLACES},
)


# Seconds in which the kernel ends what went with something else.
SOON = 5 * FACTOR

# Whether a link has a carrier shows up to a second later.
ALL = (
    "ip -d link | sed -E 's/ state [A-Z]+|,LOWER_UP|NO-CARRIER,//g'; ip -o address; ip route; ip -6 route;"
    "bridge fdb show | grep dst || true; ip neigh show nud permanent; ls /run/netns 2>/dev/null || true"
)


class Kernel:
    """The real one, on a machine with the pair of `worlds.bare`."""

    def __init__(self):
        sh("ip link add lan0 type veth peer name lan1")
        sh("for end in lan0 lan1; do ip link set $end addrgenmode none; ip link set $end up; done")

    def observe(self):
        with Host() as host:
            world = host.observe(EVERYTHING)
        world.links = {key: link for key, link in world.links.items() if key.name != "lo"}
        return world

    def apply(self, operations):
        """Carry out; what two links cannot share (a bridge's port with children of its own) is no test of ours."""
        with Host() as host:
            host.observe(EVERYTHING)
            try:
                list(host.apply(operations, rank, REMOVAL))
            except KernelRefused as error:
                assume(error.code != errno.EBUSY)
                raise

    def reach(self, scene):
        try:
            self.apply(plan(scene.earlier, self.observe()).operations)
        except DocknetError as error:
            assert not isinstance(error, KernelRefused), error
        for operation in scene.broken:
            if worlds.possible(self.observe(), operation):
                self.step(operation)
        return self.observe()

    def step(self, operation):
        """One operation, until what it takes along has gone too: the links of a namespace end a moment after it."""
        world = self.observe()
        effect(world, operation)
        self.apply([operation])
        wait(lambda: self.observe().links.keys() == world.links.keys(), str(operation), SOON)


def planned(wanted, world):
    try:
        return plan(wanted, world)
    except DocknetError:
        assume(False)


def differences(done, predicted, seen):
    """Where a world is not as predicted by what was done; None is "unknown", and what is taken for gone may be there."""
    found = []
    if predicted.namespaces.keys() != seen.namespaces.keys():
        found.append(f"namespaces {predicted.namespaces.keys()} {seen.namespaces.keys()}")
    for key in predicted.links.keys() ^ seen.links.keys():
        found.append(f"{key} is {'not' if key in predicted.links else ''} there")
    sizes = {one.link for one in done if isinstance(one, Settings) and "mtu" in one.changes}
    for key in predicted.links.keys() & seen.links.keys():
        one, other = predicted.links[key], seen.links[key]
        # A bridge whose MTU nobody has set yet follows its ports, and its children follow it.
        follows = isinstance(one.data, (Bridge, Macvlan)) and key not in sizes
        for name in [field.name for field in fields(Link) if field.compare and not (field.name == "mtu" and follows)]:
            new, old = getattr(one, name), getattr(other, name)
            if name == "data":
                differs = [new, old] if not matches(new, old) else []
            elif name in ("addresses", "gateways", "routes"):
                differs = new - old
            elif name in ("forwards", "neighbours", "stations"):
                differs = (new or frozenset()) ^ (old or frozenset())
            else:
                differs = [new, old] if new is not None and new != old else []
            if differs:
                found.append(f"{key} {name}: {differs}")
    return found


def matches(new, old):
    return type(new) is type(old) and all(value in (None, getattr(old, name)) for name, value in vars(new).items())


@few
@given(scenes, worlds.wishes(real=True))
def test_each_step_does_what_effect_says(scene, wanted):
    with machine():
        kernel = Kernel()
        world = kernel.reach(scene)
        done = []
        for operation in planned(wanted, world).operations:
            effect(world, operation)
            kernel.step(operation)
            done.append(operation.value)
            assert differences(done, world, kernel.observe()) == [], operation
        assert plan(wanted, kernel.observe()).operations == ()


@few
@given(scenes, worlds.wishes(real=True), st.integers(0, 30))
def test_converges_after_a_crash_at_any_point(scene, wanted, count):
    with machine():
        kernel = Kernel()
        for operation in planned(wanted, kernel.reach(scene)).operations[:count]:
            kernel.step(operation)
        kernel.apply(plan(wanted, kernel.observe()).operations)
        wait(lambda: not plan(wanted, kernel.observe()).operations, str(wanted), SOON)


@few
@given(worlds.wishes(real=True))
def test_absent_after_present_leaves_what_was(wanted):
    with machine():
        kernel = Kernel()
        before = sh(ALL)
        made = [one for one in wanted if one.present and isinstance(one.value, worlds.MADE)]
        made = [one for one in made if getattr(one.value, "data", True)]
        kernel.apply(planned(made, kernel.observe()).operations)
        gone = [one._replace(present=False) for one in made]
        kernel.apply(plan(gone, kernel.observe()).operations)
        wait(lambda: not plan(gone, kernel.observe()).operations, str(gone), SOON)
        wait(lambda: sh(ALL) == before, "\n".join(difflib.ndiff(before.splitlines(), sh(ALL).splitlines())), SOON)
