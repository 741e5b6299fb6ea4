# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning of hosts files: what the lines become, when they change, and what is an error."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import facts, plan, question
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import Conflict, InvalidRequest, Missing
from ansible_collections.netwright.docknet.plugins.module_utils._model.hosts import (
    HEADER,
    HostsBlock,
    HostsFile,
    HostsKey,
    HostsLine,
    HostsLink,
    put,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkKey, Other
from ansible_collections.netwright.docknet.plugins.module_utils._model.namespace import Namespace
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Wanted, World
from hypothesis import given
from hypothesis import strategies as st

CLIENT = HostsKey("client")
PATH = "/etc/netns/client/hosts"
ETH0 = LinkKey("web", "eth0")
TO_WEB = HostsLink(ETH0, ("web", "www"))


def want(*links, key=CLIENT, owner="shop", present=True):
    return Wanted(HostsBlock(key, owner, links), f"container_hosts_link {key}", owner, present)


def host(*addresses, content=None, namespaces=("client", "web"), files=None):
    """A host whose container web has these addresses on its eth0."""
    link = Link(key=ETH0, data=Other("device"), addresses=frozenset(map(ip_interface, addresses)))
    return World(
        namespaces={name: Namespace(name) for name in namespaces} | {None: Namespace("")},
        links={ETH0: link} if "web" in namespaces else {},
        files={CLIENT: HostsFile(PATH, content)} if files is None else files,
    )


def lines(made, key=CLIENT):
    """The block's lines after a plan, as they would be read."""
    return made.after[str(HostsBlock(key, "shop"))]["lines"]


def actions(made):
    return [operation.report() for operation in made.operations]


def block(*said):
    return [HostsLine(ip_address(address), tuple(names.split())) for address, names in said]


def test_what_is_asked_of_the_host():
    asked = question([want(TO_WEB)])
    assert asked.namespaces == {"client", "web"}
    assert (asked.links, asked.addresses, asked.files) == ({"web"}, {"web"}, {CLIENT})
    asked = question([want(present=False)])
    assert not asked.namespaces and not asked.links
    assert asked.files == {CLIENT}


def test_a_line_for_each_family():
    addresses = ["172.17.0.10/16", "172.17.0.3/16", "fd00::9/64", "fe80::1/64", "127.0.0.1/8"]
    made = plan([want(TO_WEB)], host(*addresses))
    assert lines(made) == ["172.17.0.3\tweb www", "fd00::9\tweb www"]
    assert actions(made) == [
        {"action": "create", "object": "hosts block shop in client", "reason": "missing, and the file with it"}
    ]
    assert made.before == {"hosts block shop in client": None}
    assert made.world.files[CLIENT].content.startswith(HEADER)


def test_an_address_itself():
    made = plan([want(HostsLink(ip_address("192.0.2.17"), ("registry",)))], host(content=b""))
    assert lines(made) == ["192.0.2.17\tregistry"]
    assert made.world.files[CLIENT].content == b"# BEGIN docknet@shop\n192.0.2.17\tregistry\n# END docknet@shop\n"


def test_nothing_to_do():
    content = put(b"", "shop", block(("172.17.0.3", "web www")))
    assert not plan([want(TO_WEB)], host("172.17.0.3/16", content=content)).operations


def test_the_line_follows_the_address():
    content = put(b"x\n", "shop", block(("172.17.0.3", "web www"), ("192.0.2.1", "db")))
    made = plan([want(TO_WEB, HostsLink(ip_address("192.0.2.1"), ("db",)))], host("172.17.0.9/16", content=content))
    assert actions(made) == [
        {
            "action": "set",
            "object": "hosts block shop in client",
            "reason": "172.17.0.9 web www in place of 172.17.0.3 web www",
        }
    ]
    assert made.before[str(made.operations[0].value)]["lines"] == ["172.17.0.3\tweb www", "192.0.2.1\tdb"]
    assert lines(made) == ["172.17.0.9\tweb www", "192.0.2.1\tdb"]
    assert made.world.files[CLIENT].content == content.replace(b"172.17.0.3", b"172.17.0.9")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ([("172.17.0.3", "web www"), ("10.0.0.1", "old")], "10.0.0.1 old is too much"),
        ([], "172.17.0.3 web www is new"),
        (
            [(f"10.0.0.{number}", f"n{number}") for number in range(1, 6)],
            "172.17.0.3 web www in place of 10.0.0.1 n1, 10.0.0.2 n2, 10.0.0.3 n3 and 2 more",
        ),
    ],
)
def test_reasons(found, reason):
    made = plan([want(TO_WEB)], host("172.17.0.3/16", content=put(b"", "shop", block(*found))))
    assert made.operations[0].reason == reason


def test_another_order_is_a_change():
    links = [HostsLink(ip_address(address), (name,)) for address, name in (("10.0.0.2", "b"), ("10.0.0.1", "a"))]
    made = plan([want(*links)], host(content=put(b"", "shop", block(("10.0.0.1", "a"), ("10.0.0.2", "b")))))
    assert [(operation.action, operation.reason) for operation in made.operations] == [("set", "in another order")]


@pytest.mark.parametrize(("wanted", "reason"), [(want(present=False), "to be absent"), (want(), "no links")])
def test_absent(wanted, reason):
    content = put(b"x\n", "shop", block(("172.17.0.3", "web")))
    made = plan([wanted], host(content=content))
    assert [(operation.action, operation.reason) for operation in made.operations] == [("delete", reason)]
    assert made.world.files[CLIENT].content == b"x\n"
    assert made.after == {"hosts block shop in client": None}
    assert not plan([wanted], made.world).operations


@pytest.mark.parametrize("wanted", [want(present=False), want()])
def test_a_block_that_says_nothing_goes_too(wanted):
    made = plan([wanted], host(content=put(b"x\n", "shop", [])))
    assert made.world.files[CLIENT].content == b"x\n"


def test_absent_takes_a_file_that_was_made():
    made = plan([want(present=False)], host(content=put(None, "shop", block(("172.17.0.3", "web")))))
    assert made.operations[0].reason == "to be absent, and the file with it"
    assert made.world.files[CLIENT].content is None


def test_absent_takes_what_a_killed_run_left():
    made = plan([want(present=False)], host(content=HEADER))
    assert [(operation.action, operation.reason) for operation in made.operations] == [
        ("delete", "to be absent, and the file with it")
    ]
    assert made.world.files[CLIENT].content is None


def test_absent_without_the_container():
    """Its name is gone, its file was left; or there is no such container at all."""
    content = put(None, "shop", block(("172.17.0.3", "web")))
    assert plan([want(present=False)], host(content=content, namespaces=())).operations
    made = plan([want(present=False, key=HostsKey("docker:gone"))], host(files={}))
    assert not made.operations and not made.warnings


def test_two_owners_in_one_file():
    first = plan(
        [want(TO_WEB), want(HostsLink(ip_address("192.0.2.1"), ("db",)), owner="other")], host("172.17.0.3/16")
    )
    assert [operation.reason for operation in first.operations] == ["missing, and the file with it", "missing"]
    swapped = plan([want(present=False), want(TO_WEB, owner="third")], first.world)
    assert [operation.action for operation in swapped.operations] == ["create", "delete"]
    content = swapped.world.files[CLIENT].content
    assert content == put(put(None, "other", block(("192.0.2.1", "db"))), "third", block(("172.17.0.3", "web www")))


def test_two_names_of_one_file():
    key = HostsKey(None, PATH)
    files = {CLIENT: HostsFile(PATH, b""), key: HostsFile(PATH, b"")}
    mine, other = want(TO_WEB), want(TO_WEB, key=key, owner="other")
    made = plan([mine, other], host("172.17.0.3/16", files=files))
    assert made.world.files[CLIENT].content == made.world.files[key].content
    with pytest.raises(
        Conflict, match=r"its file /etc/netns/client/hosts is the one of container_hosts_link client too"
    ):
        plan([mine, want(HostsLink(ip_address("::2"), ("a",)), key=key)], host("172.17.0.3/16", files=files))


def test_one_block_is_asked_for_twice():
    with pytest.raises(InvalidRequest, match="hosts block shop in client is asked for twice"):
        plan([want(TO_WEB), want()], host("172.17.0.3/16"))
    assert len(plan([want(TO_WEB), want(TO_WEB)], host("172.17.0.3/16")).operations) == 1


@pytest.mark.parametrize(
    ("world", "wanted", "sentence"),
    [
        (host(namespaces=["web"]), want(TO_WEB), 'namespace "client" does not exist'),
        (host(namespaces=["client"]), want(TO_WEB), 'namespace "web" does not exist'),
        (
            host(),
            want(HostsLink(LinkKey("web", "eth1"), ("a",))),
            r'interface "eth1" does not exist in web \(did you mean "eth0"\?\)',
        ),
        (host("fe80::1/64"), want(TO_WEB), 'interface "eth0" in web has no address that others can use'),
        (host(files={}), want(key=HostsKey(None, "/srv/x/hosts")), 'directory "/srv/x" does not exist'),
        (host(files={}), want(), "the container has no hosts file of its own; name one as path"),
    ],
)
def test_what_is_missing(world, wanted, sentence):
    with pytest.raises(Missing, match="^container_hosts_link .*" + sentence):
        plan([wanted], world)


@pytest.mark.parametrize(
    ("world", "key", "warnings"),
    [
        (host(namespaces=[]), CLIENT, ['namespace "client"', 'namespace "web"', 'interface "eth0 in web"']),
        (host(namespaces=["client"]), CLIENT, ['namespace "web"', 'interface "eth0 in web"']),
        (host(), CLIENT, ['interface "eth0 in web" has no address yet']),
        (
            host(files={}),
            HostsKey(None, "/srv/x/hosts"),
            ['directory "/srv/x"', 'interface "eth0 in web" has no address yet'],
        ),
    ],
)
def test_in_check_mode_what_is_missing_is_taken_as_made(world, key, warnings):
    made = plan([want(TO_WEB, key=key)], world, assume=True)
    assert lines(made, key) == ["unknown\tweb www"]
    assert actions(made)[0]["action"] == "create"
    assert len(made.warnings) == len(warnings)
    assert all(any(expected in said for said in made.warnings) for expected in warnings)


def test_damage_is_named():
    content = b"x\n# BEGIN docknet@shop\n"
    for wanted in (want(TO_WEB), want(present=False)):
        with pytest.raises(Conflict, match=r'in /etc/\S+ the marks of owner "shop" \(line 2\) are not one BEGIN'):
            plan([wanted], host("172.17.0.3/16", content=content))


def test_facts():
    wanted = [want(TO_WEB)]
    made = plan(wanted, host("172.17.0.3/16"))
    shown = {"container": "client", "path": PATH, "owner": "shop", "present": True, "lines": ["172.17.0.3\tweb www"]}
    assert facts(wanted, made.world) == {"hosts": [shown]}
    gone = want(present=False, key=HostsKey("docker:gone"))
    shown = {"container": "docker:gone", "path": None, "owner": "shop", "present": False, "lines": []}
    assert facts([gone], host(files={})) == {"hosts": [shown]}


targets = st.sampled_from(
    [TO_WEB, HostsLink(ip_address("192.0.2.1"), ("db",)), HostsLink(ip_address("::2"), ("six", "v6"))]
)
wishes = st.builds(
    lambda links, owner, present: want(*links, owner=owner, present=present),
    st.lists(targets, unique=True, max_size=3),
    st.sampled_from(["shop", "shop2", "a"]),
    st.booleans(),
)


@given(
    st.none() | st.binary(max_size=20),
    st.lists(st.lists(wishes, unique_by=lambda one: one.owner, max_size=3), max_size=4),
)
def test_a_plan_leads_there_and_then_there_is_nothing_to_do(content, runs):
    world = host("172.17.0.3/16", "fd00::3/64", content=content)
    for wanted in runs:
        made = plan(wanted, world)
        assert made.operations or made.before == made.after
        world = made.world
        assert not plan(wanted, world).operations
    owners = {wanted.owner for run in runs for wanted in run}
    last = plan([want(owner=owner, present=False) for owner in sorted(owners)], world)
    assert last.world.files[CLIENT].content == content


@given(st.lists(wishes, unique_by=lambda one: one.owner, max_size=3), st.data())
def test_the_order_of_wishes_is_no_matter(wanted, data):
    """Blocks may stand in another order; what each says is the same."""
    world = host("172.17.0.3/16", content=put(b"x", "shop", block(("10.0.0.1", "old"))))
    shuffled = data.draw(st.permutations(wanted))
    one, other = plan(wanted, world), plan(shuffled, world)
    assert one.after == other.after
    assert sorted(map(str, actions(one))) == sorted(map(str, actions(other)))
