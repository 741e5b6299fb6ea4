# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning of programs that run for a network: when one is started, told or left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.order import Step, rank
from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import facts, plan, question
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import Conflict, InvalidRequest, Missing
from ansible_collections.netwright.docknet.plugins.module_utils._model.namespace import Namespace
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Wanted, World
from ansible_collections.netwright.docknet.plugins.module_utils._model.service import CHANGED, Service, ServiceFile
from hypothesis import given
from hypothesis import strategies as st

CONF, NAMES = ServiceFile("conf", "port=20000\n"), ServiceFile("hosts", "10.0.0.2\tweb\n", live=True)
SERVICE = Service("shop-names", netns="web", command=("dnsmasq", "-k"), files=(CONF, NAMES), package="dnsmasq-base")
SEEN = replace(SERVICE, owner="shop")


def want(service=SERVICE, present=True, owner="shop", adopt=False):
    return Wanted(service, str(service), owner, present, adopt)


def host(*services, namespaces=("web",)):
    return World(
        namespaces={None: Namespace(""), **{name: Namespace(name) for name in namespaces}},
        services={one.name: one for one in services},
    )


def steps(wanted, world, **words):
    return [(one.action, one.reason, one.value.start) for one in plan([wanted], world, **words).operations]


def test_what_is_looked_at_is_the_service_and_its_namespace():
    asked = question([want()])
    assert (asked.services, asked.namespaces) == ({"shop-names"}, {"web"})
    assert question([want(present=False)]).namespaces == set()


def test_one_that_is_not_there_is_made_and_its_owner_is_the_wish_s():
    made = plan([want()], host())
    (step,) = made.operations
    assert step.report() == {"action": "create", "object": "service shop-names in web", "reason": "missing"}
    assert made.world.services == {"shop-names": SEEN}


def test_one_that_is_as_it_should_be_is_left_alone():
    assert steps(want(), host(SEEN)) == []
    assert steps(want(), host(replace(SEEN, package="another"))) == [], "what to install is no property of what runs"


def test_a_live_file_that_changes_is_told():
    new = replace(SERVICE, files=(CONF, NAMES._replace(content="")))
    assert steps(want(new), host(SEEN)) == [("set", "hosts changed", False)]
    changed = replace(SEEN, files=(CONF, NAMES._replace(content=CHANGED)))
    assert steps(want(), host(changed)) == [("set", "hosts changed", False)]


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ({"running": False}, "it does not run"),
        ({"trouble": "it does not answer"}, "it does not answer"),
        ({"command": ("dnsmasq",)}, "started with other arguments"),
        ({"netns": None}, "in another namespace"),
        ({"files": (CONF._replace(content="port=1\n"), NAMES)}, "conf changed"),
        ({"files": (CONF._replace(content=CHANGED), NAMES)}, "conf changed"),
        ({"files": (CONF, NAMES._replace(live=False))}, "hosts changed"),
        ({"files": (CONF,)}, "hosts changed"),
        ({"files": (CONF, NAMES, NAMES._replace(path="more"))}, "more changed"),
    ],
)
def test_anything_else_starts_it_again(seen, reason):
    assert steps(want(), host(replace(SEEN, **seen))) == [("set", reason, True)]


def test_several_reasons_are_all_said():
    seen = replace(SEEN, running=False, files=(CONF._replace(content=""), NAMES._replace(content="")))
    assert steps(want(), host(seen)) == [("set", "it does not run, conf changed, hosts changed", True)]


def test_absent():
    assert steps(want(present=False), host(SEEN)) == [("delete", "to be absent", True)]
    assert steps(want(Service("shop-names"), present=False), host(SEEN, namespaces=())) == [
        ("delete", "to be absent", True)
    ]
    assert steps(want(present=False), host()) == []


@pytest.mark.parametrize("present", [True, False])
def test_whose_it_is(present):
    with pytest.raises(Conflict, match='belongs to owner "other", not to "shop"'):
        plan([want(present=present, adopt=True)], host(replace(SEEN, owner="other")))
    with pytest.raises(Conflict, match="adopt: true"):
        plan([want(present=present)], host(replace(SEEN, owner=None)))


def test_one_that_is_adopted_runs_on():
    assert steps(want(adopt=True), host(replace(SEEN, owner=None))) == [("set", "adopted", False)]


def test_its_namespace_must_be_there_or_come():
    with pytest.raises(Missing, match='namespace "web" does not exist'):
        plan([want()], host(namespaces=()))
    made = plan([want(), Wanted(Namespace("web"), "netns web", "shop")], host(namespaces=()))
    assert [type(one.value).__name__ for one in made.operations] == ["Namespace", "ServiceChange"]
    assumed = plan([want()], host(namespaces=()), assume=True)
    assert assumed.warnings and [one.action for one in assumed.operations] == ["create"]


def test_a_service_asked_for_in_two_ways_is_an_error():
    with pytest.raises(InvalidRequest):
        plan([want(), want(replace(SERVICE, netns=None))], host())


def test_a_name_server_starts_before_questions_are_sent_to_it_and_ends_after_and_is_guarded_all_the_while():
    server = replace(SERVICE, netns=None)
    start = plan([want(server)], host()).operations[0]
    stop = plan([want(server, present=False)], host(replace(SEEN, netns=None))).operations[0]
    assert Step.GUARD < rank(start) < Step.OPEN < rank(stop) < Step.UNGUARD


def test_a_dhcp_client_gives_its_lease_back_before_its_link_goes():
    stop = plan([want(present=False)], host(SEEN)).operations[0]
    assert rank(stop) < Step.LINK_GOES


def test_what_is_shown():
    shown = {"owner": "shop", "netns": "web", "command": ["dnsmasq", "-k"], "running": True}
    files = {"conf": ["port=20000"], "hosts": ["10.0.0.2\tweb"]}
    made = plan([want()], host())
    assert (made.before, made.after) == ({str(SERVICE): None}, {str(SERVICE): {**shown, "files": files}})
    changed = plan([want()], host(replace(SEEN, files=(CONF, NAMES._replace(content=CHANGED)))))
    assert changed.before[str(SERVICE)]["files"]["hosts"] == ["(changed since the program read it)"]
    assert facts([want()], host(SEEN)) == {
        "services": [{"name": "shop-names", "netns": "web", "present": True, "running": True}]
    }
    assert facts([want()], host())["services"][0]["present"] is False


some_files = st.lists(
    st.builds(ServiceFile, st.sampled_from("abc"), st.sampled_from(["", "x", "y"]), st.booleans()),
    unique_by=lambda one: one.path,
).map(tuple)
some = st.builds(
    lambda netns, command, files, running: replace(SERVICE, netns=netns, command=command, files=files, running=running),
    st.sampled_from([None, "web"]),
    st.sampled_from([("dnsmasq",), ("udhcpc", "-f")]),
    some_files,
    st.booleans(),
)


@given(some, st.none() | some)
def test_after_a_plan_there_is_nothing_left_to_do(wanted, seen):
    first = plan([want(wanted)], host(*([replace(seen, owner="shop")] if seen else [])))
    assert len(first.operations) <= 1
    assert plan([want(wanted)], first.world).operations == ()
    assert plan([want(wanted, present=False)], first.world).world.services == {}
