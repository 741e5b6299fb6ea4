# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning of namespaces with a second name: when the name is given, taken away or given anew, and that links stay."""

from __future__ import annotations

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.order import rank
from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import plan, question
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import Conflict, Missing
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkKey
from ansible_collections.netwright.docknet.plugins.module_utils._model.namespace import Namespace
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Wanted, World
from ansible_collections.netwright.docknet.plugins.module_utils._model.veth import Veth

ENGINE = "docker:web"
HOST_END = LinkKey(None, "v0")


def want(value, present=True, owner="shop", adopt=False):
    return Wanted(value, str(value), owner, present, adopt)


PROBE, WEB = want(Namespace("probe", same_as="web")), want(Namespace("web"))
OF_ENGINE = want(Namespace("probe", same_as=ENGINE))


def seen(name, inode, owner="shop", same_as=None):
    return Namespace(name, owner, marked=owner is not None, same_as=same_as, inode=inode)


def world(*namespaces, inside=None):
    """`inside`: under which name a pair of the owner's leads into a namespace."""
    found = World(namespaces={None: Namespace(""), **{one.name: one for one in namespaces}})
    if inside:
        eth0 = LinkKey(inside, "eth0")
        found.links = {
            key: Link(key, data=Veth(peer), owner="shop") for key, peer in ((eth0, HOST_END), (HOST_END, eth0))
        }
    return found


def steps(at, *wanted):
    made = plan(wanted, at)
    return [f"{one.action} {one.value}" + (" first" if one.first else "") for one in made.operations]


FIRST = seen("web", 7)
AGAIN = seen("probe", 7, same_as="web")


def test_a_second_name_comes_after_the_first():
    made = plan([PROBE, WEB], world())
    assert [(one.value.name, one.value.same_as, rank(one)) for one in made.operations] == [
        ("web", None, 10),
        ("probe", "web", 11),
    ]
    assert made.world.namespaces["probe"].same_as == "web"
    assert made.after[str(PROBE.value)] == {"owner": "shop", "loopback_up": True, "same_as": "web"}
    assert steps(world(FIRST), PROBE) == ["create netns probe"]
    assert steps(world(FIRST, AGAIN), PROBE, WEB) == []


def test_the_first_must_be_there():
    with pytest.raises(Missing, match='namespace "web" does not exist'):
        plan([PROBE], world())
    assert plan([PROBE], world(), assume=True).warnings


def test_a_name_without_our_mark_for_the_right_namespace_is_the_one_asked_for():
    """A run was killed before it had marked the name, or somebody gave it by hand."""
    assert steps(world(FIRST, seen("probe", 7)), PROBE) == []
    assert steps(world(FIRST, seen("probe", 7), inside="web"), PROBE._replace(present=False)) == ["delete netns probe"]


@pytest.mark.parametrize("same_as", [None, "", "other"])
def test_a_name_of_the_owners_for_another_namespace_is_given_anew(same_as):
    """The first name was deleted and made again, or the second was a container of its own."""
    at = world(FIRST, seen("probe", 8, same_as=same_as), inside="probe")
    links = [] if same_as else ["delete link eth0 in probe first"]
    assert steps(at, PROBE) == [*links, "delete netns probe first", "create netns probe"]
    if links:
        assert HOST_END not in plan([PROBE], at).world.links


def test_names_that_are_to_lead_elsewhere_are_of_one_rank():
    """Operations of a rank are carried out together: links are not names."""
    made = plan([PROBE], world(FIRST, seen("probe", 8), inside="probe"))
    assert [rank(one) for one in made.operations] == [1, 2, 11]


@pytest.mark.parametrize("adopt", [False, True])
@pytest.mark.parametrize(("owner", "said"), [("lab", 'belongs to owner "lab"'), (None, "did not make")])
@pytest.mark.parametrize("present", [True, False])
def test_a_foreign_namespace_of_that_name_is_not_touched(adopt, owner, said, present):
    """Adopting is of a namespace; a name that leads elsewhere cannot be adopted, only taken away."""
    wanted = PROBE._replace(adopt=adopt and present, present=present)
    with pytest.raises(Conflict, match=said):
        plan([wanted], world(FIRST, seen("probe", 8, owner)))


def test_a_name_for_another_owners_namespace():
    """Both show that owner's mark, for it is on the loopback."""
    at = world(seen("web", 7, "lab"), seen("probe", 7, "lab", same_as="web"), inside="web")
    assert steps(at, PROBE) == []
    assert steps(at, PROBE._replace(present=False)) == ["delete netns probe"]
    with pytest.raises(Conflict, match='belongs to owner "lab"'):
        plan([want(Namespace("probe"), present=False)], at)


def test_absent_takes_only_the_name_away():
    for inside in ("web", "probe"):
        at = world(FIRST, AGAIN, inside=inside)
        for wanted in (PROBE, want(Namespace("probe")), want(AGAIN)):
            made = plan([wanted._replace(present=False)], at)
            assert [str(one.value) for one in made.operations] == ["netns probe"]
            assert HOST_END in made.world.links and "web" in made.world.namespaces


def test_both_names_absent():
    at = world(FIRST, AGAIN, inside="web")
    gone = [one._replace(present=False) for one in (WEB, PROBE)]
    assert sorted(steps(at, *gone)) == ["delete link eth0 in web", "delete netns probe", "delete netns web"]
    assert steps(world(), *gone) == []


def test_the_first_name_alone_absent_takes_the_links_along():
    at = world(FIRST, AGAIN, inside="web")
    made = plan([WEB._replace(present=False)], at)
    assert [str(one.value) for one in made.operations] == ["link eth0 in web", "netns web"]
    assert made.world.namespaces["probe"].same_as == ""


def test_a_second_name_that_is_to_be_a_namespace_of_its_own():
    wanted = want(Namespace("probe"))
    assert steps(world(FIRST, AGAIN, inside="web"), wanted) == ["delete netns probe first", "create netns probe"]
    assert steps(world(seen("probe", 7, None, same_as="")), wanted) == [
        "delete netns probe first",
        "create netns probe",
    ]
    with pytest.raises(Conflict, match='belongs to owner "lab"'):
        plan([wanted], world(seen("web", 7, "lab"), seen("probe", 7, "lab", same_as="web")))


def engine(inode=9):
    return Namespace(ENGINE, inode=inode)


def test_a_name_for_a_real_containers_namespace():
    """It bears no mark of ours: the name is ours because it leads there, or because of how it is mounted."""
    assert steps(world(engine()), OF_ENGINE) == ["create netns probe"]
    for same_as in ("", None):
        at = world(engine(), seen("probe", 9, None, same_as=same_as))
        assert steps(at, OF_ENGINE) == []
        assert steps(at, OF_ENGINE._replace(present=False)) == ["delete netns probe"]


def test_a_real_container_that_was_started_anew():
    at = world(engine(10), seen("probe", 9, None, same_as=""), inside="probe")
    assert steps(at, OF_ENGINE) == ["delete netns probe first", "create netns probe"]


def test_a_real_container_that_is_gone():
    """Its name is still known as ours by how it is mounted; one that is not is left alone."""
    gone = OF_ENGINE._replace(present=False)
    assert steps(world(seen("probe", 9, None, same_as="")), gone) == ["delete netns probe"]
    with pytest.raises(Conflict, match="did not make"):
        plan([gone], world(seen("probe", 9, None)))


def test_unknown_is_not_the_same():
    """A namespace that is only about to be made has no inode yet."""
    assert steps(world(seen("web", 0), seen("probe", 0)), PROBE) == ["delete netns probe first", "create netns probe"]


def test_what_is_looked_at():
    assert question([PROBE]).namespaces >= {"probe", "web"}
    assert question([OF_ENGINE]).namespaces >= {"probe", ENGINE}
    assert question([WEB]).links == set()
