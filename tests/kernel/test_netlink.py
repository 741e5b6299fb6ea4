# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our netlink codec against the kernel: large and interrupted dumps, batches with refusals, its own words."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket as socket_options
import time

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._kernel import links as look
from ansible_collections.netwright.docknet.plugins.module_utils._kernel import netlink
from ansible_collections.netwright.docknet.plugins.module_utils._kernel import rtnetlink as rt
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.netlink import Message, NetlinkError, Socket
from ansible_collections.netwright.docknet.plugins.module_utils._model.bridge import Bridge
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Link, LinkKey
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Question
from ansible_collections.netwright.docknet.tests.kernel.machine import ip, links, sh

pytestmark = pytest.mark.usefixtures("machine")


def bridge(name, **more):
    return rt.new_link(Link(LinkKey(None, name), data=Bridge(), **more), b"")


def pairs(count):
    sh(f"for i in $(seq {count}); do echo link add v$i type veth peer name w$i; done | ip -batch -")
    return {f"{end}{number}" for number in range(1, count + 1) for end in "vw"}


@pytest.fixture(name="socket")
def fixture_socket():
    with contextlib.closing(Socket()) as socket:
        yield socket


@contextlib.contextmanager
def churn():
    """Another process that makes and removes links without a pause."""
    writer = os.fork()
    if not writer:
        socket = Socket()
        while True:
            socket.send([bridge("churn"), Message(rt.RTM_DELLINK, 0, rt.link_header() + rt.text_name("churn"))])
    try:
        yield
    finally:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)


def names(payloads):
    return {netlink.as_text(netlink.attributes(payload, 16)[rt.IFLA_IFNAME]) for payload in payloads}


def test_a_thousand_links_are_all_seen_as_iproute2_sees_them(socket):
    made = pairs(500)
    assert names(look.links_of(socket)) == made | {"lo"}
    with Host() as host:
        seen = host.observe(Question(namespaces={None}, links={None}, addresses={None})).links
    for name, link in links().items():
        ours = seen[LinkKey(None, name)]
        assert (ours.index, ours.mac, ours.mtu) == (link["ifindex"], link["address"], link["mtu"])
        if "link" in link:
            assert ours.data.peer == LinkKey(None, link["link"])


def test_no_link_is_missed_while_others_come_and_go(socket):
    """Table row T4. Every one of these dumps is marked as interrupted; none may lack a link that is there all the time."""
    made = pairs(250)
    interrupted = 0
    with churn(), churn():
        for _each in range(5):
            interrupted += socket._dump(rt.get_links())[1]
            assert names(look.links_of(socket)) >= made
            assert names(look.links_of(socket)) <= made | {"lo", "churn"}
    assert interrupted


def test_a_dump_that_is_always_interrupted_is_put_together_from_all_tries(socket, monkeypatch):
    """As on kernels whose list moves under a dump: each try lacks another link, and has one that is gone."""
    pairs(3)
    whole = socket.dump(rt.get_links())
    sh("ip link delete v3")
    tries = [whole[:position] + whole[position + 1 :] for position in range(netlink.DUMP_TRIES)]
    monkeypatch.setattr(socket, "_dump", lambda _message: (tries.pop(), True))
    assert names(look.links_of(socket)) >= {"lo", "v1", "w1", "v2", "w2"}
    assert not tries


def test_without_a_way_to_ask_again_it_is_an_error(socket, monkeypatch):
    monkeypatch.setattr(socket, "_dump", lambda _message: ([], True))
    with pytest.raises(NetlinkError, match="the list changed while it was read, 5 times in a row"):
        socket.dump(rt.get_addresses())


def test_a_batch_goes_on_after_a_refusal_and_says_which_it_was(socket):
    answers = socket.send([bridge("a"), bridge("a"), bridge("b"), bridge("x" * 16), bridge("c")])
    assert [answer and answer.code for answer in answers] == [None, errno.EEXIST, None, errno.ERANGE, None]
    assert {"a", "b", "c"} <= links().keys()


def test_batches_larger_than_the_answers_buffer(socket):
    count = netlink.BATCH_MESSAGES * 3 + 1
    assert socket.send([bridge(f"b{number}") for number in range(count)]) == [None] * count
    answers = socket.send([bridge(f"b{number}") for number in range(count)])
    assert {answer.code for answer in answers} == {errno.EEXIST}
    assert len(links()) == count + 1


def test_the_kernels_own_words_are_passed_on(socket):
    sh("ip link add br0 type bridge")
    index = links()["br0"]["ifindex"]
    [answer] = socket.send(rt.set_link(index, {"mtu": 1 << 20}))
    assert answer == (errno.EINVAL, "mtu greater than device maximum")
    [answer] = socket.send([rt.set_data(index, "bridge", netlink.u8(46, 2))])  # IFLA_BR_MULTI_BOOLOPT is longer
    assert answer.code and answer.text


def test_words_that_come_at_the_end_of_a_dump(socket):
    """IPv4 says so of a table that is not there, as of a new namespace's: no error, and no routes."""
    with pytest.raises(NetlinkError, match="FIB table does not exist") as raised:
        socket.dump(rt.get_routes(2))
    assert raised.value.refusal.code == errno.ENOENT
    assert look.routes_of(socket, 2) == []


def test_a_link_that_is_not_there(socket):
    with pytest.raises(NetlinkError) as raised:
        socket.get(rt.get_link("nothing"))
    assert raised.value.refusal.code == errno.ENODEV


def test_answers_that_do_not_fit_are_an_error_and_not_a_silence(monkeypatch):
    monkeypatch.setattr(netlink, "RECEIVE_BUFFER", 1)  # the kernel's least: 2,304 bytes
    with contextlib.closing(Socket()) as small:
        with pytest.raises(NetlinkError, match="did not fit into our buffer"):
            small.send([bridge("lo")] * 100)
        time.sleep(0.01)
        with pytest.raises(NetlinkError) as raised:
            small.get(rt.get_link("nothing"))
        assert raised.value.refusal.code == errno.ENODEV


def test_an_answer_that_never_comes_is_an_error(socket):
    socket._socket.setsockopt(socket_options.SOL_SOCKET, socket_options.SO_RCVTIMEO, netlink.TIMEVAL.pack(0, 1000))
    with pytest.raises(NetlinkError, match="did not answer within"):
        socket._receive()


def test_an_answer_that_is_cut_off_is_an_error(socket, monkeypatch):
    pairs(3)
    monkeypatch.setattr(netlink, "RECEIVE_SIZE", 3000)
    with pytest.raises(NetlinkError, match="cut off"):
        socket.dump(rt.get_links())


def test_a_socket_stays_in_its_namespace(socket):
    sh("ip netns add other; ip -n other link add there type bridge")
    with Host() as host:
        assert "there" in names(look.links_of(host.socket("other")))
    assert "there" not in names(look.links_of(socket))
    assert ip("link show")[0]["ifname"] == "lo"
