# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Second names of namespaces on the real kernel: one namespace under two names, of ours and of a process's."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import time

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._kernel import namespaces
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import Conflict
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkKey
from ansible_collections.netwright.docknet.plugins.module_utils._model.namespace import Namespace
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Question
from ansible_collections.netwright.docknet.plugins.module_utils._model.veth import Veth
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.engine import carry_out, look, steps, wish
from ansible_collections.netwright.docknet.tests.kernel.machine import CLONE_NEWNS, ip, links, sh
from ansible_collections.netwright.docknet.tests.kernel.machine import call as system

pytestmark = pytest.mark.usefixtures("machine")

NETNS = pathlib.Path("/run/netns")
WEB, PROBE = wish(Namespace("web")), wish(Namespace("probe", same_as="web"))
GONE = (WEB._replace(present=False), PROBE._replace(present=False))


def inode(name):
    return os.stat(NETNS / name).st_ino


def names():
    return sorted(one["name"] for one in ip("netns list"))


def connect(netns="web"):
    result = call("veth_pair", owner="shop", a={"name": "v0"}, b={"name": "eth0", "netns": netns})
    assert not result.get("failed"), result
    return result


@contextlib.contextmanager
def container():
    """A process in a network namespace of its own, with no name: what an engine's container is to us."""
    with subprocess.Popen(["unshare", "--net", "sleep", "60"]) as process:
        try:
            mine = os.stat("/proc/self/ns/net").st_ino
            for _each in range(200):
                if os.stat(f"/proc/{process.pid}/ns/net").st_ino != mine:
                    break
                time.sleep(0.01)
            yield f"pid:{process.pid}"
        finally:
            process.kill()


def loopback(ref):
    return sh(f"nsenter --net={namespaces.path_of(ref)} ip -d -o link show lo")


def test_one_namespace_under_two_names():
    made = carry_out(PROBE, WEB)
    assert steps(made) == [("create", "netns web", "missing"), ("create", "netns probe", "missing")]
    assert inode("web") == inode("probe")
    connect()
    assert "eth0" in links("probe")
    assert sh("ip netns exec probe cat /proc/net/dev").count("eth0") == 1
    world = look([PROBE, WEB])
    assert world.namespaces == {**world.namespaces, **{name: made.world.namespaces[name] for name in ("web", "probe")}}
    assert world.namespaces["probe"].same_as == "web" and world.namespaces["web"].same_as is None
    assert not carry_out(PROBE, WEB).operations


def test_only_the_name_goes():
    carry_out(PROBE, WEB)
    connect()
    made = carry_out(GONE[1])
    assert steps(made) == [("delete", "netns probe", "to be absent")]
    assert names() == ["web"] and "eth0" in links("web") and "v0" in links()
    assert not (NETNS / "probe").exists()


def test_the_netns_module_takes_only_the_name_too():
    carry_out(PROBE, WEB)
    connect()
    result = call("netns", name="probe", owner="shop", state="absent")
    assert [action["object"] for action in result["actions"]] == ["netns probe"], result
    assert "eth0" in links("web")


def test_both_go_and_nothing_is_left():
    carry_out(PROBE, WEB)
    connect()
    made = carry_out(*GONE)
    assert sorted(value for _action, value, _reason in steps(made)) == ["link eth0 in web", "netns probe", "netns web"]
    assert not names() and "v0" not in links() and not list(NETNS.iterdir())
    assert not carry_out(*GONE).operations


def test_the_first_was_deleted_by_hand():
    """The namespace lives on under its second name, with the links: all of it makes way."""
    carry_out(PROBE, WEB)
    connect()
    old = inode("probe")
    sh("ip netns del web")
    link = Link(LinkKey(None, "v0"), data=Veth(LinkKey("web", "eth0")), owner="shop", up=True)
    peer = Link(LinkKey("web", "eth0"), data=Veth(LinkKey(None, "v0")), owner="shop", up=True)
    made = carry_out(WEB, PROBE, wish(link), wish(peer))
    assert [step[:2] for step in steps(made)][:4] == [
        ("delete", "link eth0 in probe"),
        ("delete", "netns probe"),
        ("create", "netns web"),
        ("create", "netns probe"),
    ]
    assert inode("web") == inode("probe") != old
    assert "eth0" in links("probe")


def test_a_container_of_its_own_becomes_a_name_and_back():
    carry_out(WEB, wish(Namespace("probe")))
    connect("probe")
    made = carry_out(WEB, PROBE)
    assert ("delete", "netns probe", "to be a name for web") in steps(made)
    assert inode("web") == inode("probe") and "v0" not in links()
    connect()
    carry_out(WEB, wish(Namespace("probe")))
    assert inode("web") != inode("probe")
    assert "eth0" in links("web") and "eth0" not in links("probe")


def test_links_are_seen_once():
    """Under the first name, also when everything of an owner is asked for; the pair's other end leads there."""
    carry_out(PROBE, WEB)
    connect()
    for asked in (
        Question(owners={"shop"}, owned=True),
        Question(namespaces={"probe"}, links={"probe"}, owners={"shop"}, owned=True),
    ):
        with Host() as host:
            world = host.observe(asked)
        assert {key for key in world.links if key.name == "eth0"} == {LinkKey("web", "eth0")}
        assert world.links[LinkKey(None, "v0")].data == Veth(LinkKey("web", "eth0"))
        assert world.namespaces["probe"].owner == "shop"


def test_links_can_be_made_by_the_second_name_as_well():
    carry_out(PROBE, WEB)
    connect("probe")
    assert not connect("probe")["changed"]
    assert "eth0" in links("web")


@pytest.mark.parametrize("script", ["ip netns add probe", "echo data >/run/netns/probe", "ln -s web /run/netns/probe"])
def test_what_is_not_ours_is_left_alone(script):
    carry_out(WEB)
    sh(script)
    before = os.lstat(NETNS / "probe")
    for wanted in (PROBE, GONE[1]):
        with pytest.raises(Conflict, match="probe"):
            carry_out(wanted)
    assert os.lstat(NETNS / "probe") == before


def test_an_empty_file_of_a_killed_run_is_taken_over():
    carry_out(WEB)
    sh(": >/run/netns/probe")
    carry_out(PROBE)
    assert inode("web") == inode("probe")


def test_a_run_that_was_killed_before_it_marked_the_name():
    carry_out(WEB)
    sh("touch /run/netns/probe; mount --bind /run/netns/web /run/netns/probe")
    connect()
    assert not carry_out(WEB, PROBE).operations
    assert steps(carry_out(GONE[1])) == [("delete", "netns probe", "to be absent")]
    assert "eth0" in links("web")


def test_other_mount_namespaces_see_it_come_and_go():
    """/run/netns passes its mounts on."""
    carry_out(WEB)
    home = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    with subprocess.Popen(["unshare", "--mount", "--propagation", "slave", "sleep", "60"]) as other:
        try:
            time.sleep(0.2)
            carry_out(PROBE)
            there = f"/proc/{other.pid}/root/run/netns/probe"
            assert os.stat(there).st_ino == inode("web")
            carry_out(GONE[1])
            assert not os.path.exists(there)
        finally:
            other.kill()
            system("setns", home, CLONE_NEWNS)
            os.close(home)


def test_a_name_for_a_real_containers_namespace():
    """Its loopback gets no mark and is not set up: nothing in it is touched."""
    with container() as ref:
        wanted = wish(Namespace("probe", same_as=ref))
        before = loopback(ref)
        made = carry_out(wanted)
        assert steps(made) == [("create", "netns probe", "missing")]
        assert inode("probe") == os.stat(namespaces.path_of(ref)).st_ino
        seen = look([wanted]).namespaces["probe"]
        assert (seen.owner, seen.same_as) == (None, "")
        assert not carry_out(wanted).operations
        carry_out(wanted._replace(present=False))
        assert loopback(ref) == before and not names()


def test_links_of_a_real_container_are_seen_under_what_the_user_calls_it():
    with container() as ref:
        carry_out(wish(Namespace("probe", same_as=ref)))
        connect(ref)
        asked = Question(namespaces={"probe", ref}, links={"probe", ref, None}, owners={"shop"})
        asked.neighbours |= {(None, ref), (None, "probe"), (ref, None), ("probe", None)}
        with Host() as host:
            world = host.observe(asked)
        assert {key for key in world.links if key.name == "eth0"} == {LinkKey(ref, "eth0")}
        assert world.links[LinkKey(None, "v0")].data == Veth(LinkKey(ref, "eth0"))


def test_a_name_for_a_real_container_that_ended_or_is_another_one_now():
    with container() as ref:
        carry_out(wish(Namespace("probe", same_as=ref)))
    with container() as ref:
        wanted = wish(Namespace("probe", same_as=ref))
        made = carry_out(wanted)
        assert [step[:2] for step in steps(made)] == [("delete", "netns probe"), ("create", "netns probe")]
        assert inode("probe") == os.stat(namespaces.path_of(ref)).st_ino
    assert steps(carry_out(wanted._replace(present=False))) == [("delete", "netns probe", "to be absent")]
    assert not list(NETNS.iterdir())


def test_odd_names_are_read_from_the_kernels_list():
    sh("ip netns add 'a b'; ip netns add web")
    found = namespaces.mounted()
    assert found["a b"] == (inode("a b"), False) and found["web"] == (inode("web"), False)
