# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology on the real kernel, every path of it tried: all is well, and what is broken by hand is named."""

from __future__ import annotations

import contextlib
import copy
import os
import socket
import threading
import time

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.namespaces import inside, open_namespace
from ansible_collections.netwright.docknet.plugins.module_utils._topology import trial
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.machine import sh
from ansible_collections.netwright.docknet.tests.kernel.topologies import host, topology
from ansible_collections.netwright.docknet.tests.lab.packets import wait
from ansible_collections.netwright.docknet.tests.leaks import nothing_left
from ansible_collections.netwright.docknet.tests.patience import FACTOR

SHOP = {
    "name": "shop",
    "networks": {
        "front": {"enable_ipv6": True},
        "back": {"internal": True},
        "apart": {"driver_opts": {"com.docker.network.bridge.enable_icc": "false"}},
        "open": {"driver_opts": {"com.docker.network.bridge.gateway_mode_ipv4": "nat-unprotected"}},
        "routed": {"driver_opts": {"com.docker.network.bridge.gateway_mode_ipv4": "routed"}},
        "lan": {
            "driver": "macvlan",
            "driver_opts": {"parent": "lan0"},
            "ipam": {"config": [{"subnet": "198.51.100.0/24", "ip_range": "198.51.100.128/25"}]},
        },
    },
    "containers": {
        "web": {"networks": ["front", "back"], "ports": ["8080:80", "127.0.0.1:8443:443", "5353:53/udp"]},
        "mate": {"networks": ["front"]},
        "db": {"networks": ["back"]},
        "one": {"networks": ["apart"]},
        "two": {
            "networks": ["apart"],
            "ports": ["7000-7003:7000-7003", {"target": 80, "published": 8081, "allowed_sources": ["198.51.100.2/32"]}],
        },
        "wide": {"networks": ["open"]},
        "way": {"networks": ["routed"], "ports": ["80"]},
        "phone": {"networks": ["lan"]},
        "printer": {"networks": ["lan"]},
        "probe": {"network_mode": "container:web"},
        "alone": {"network_mode": "none"},
        "old": {"network_mode": "bridge"},
    },
}
# Where an answer takes less than a millisecond, none in so many seconds is none.
QUIET = 0.4 * FACTOR


@pytest.fixture(name="shop", scope="module")
def fixture_shop():
    with nothing_left(), host():
        topology(SHOP)
        yield
        topology({"name": "shop"}, state="absent")


@pytest.fixture(name="mended")
def fixture_mended(shop):
    """The test breaks what it likes. Afterwards the topology is made whole, and that is tried too."""
    yield
    topology(SHOP)
    assert not tried().get("failed")


def tried(document=None, **words):
    return call("path_info", topology=copy.deepcopy(document or SHOP), **{"timeout": QUIET, **words})


def one(answer, source, target, protocol="tcp", **words):
    """The one path that is so."""
    wanted = {"source": source, "target": target, "protocol": protocol, **words}
    found = [path for path in answer["paths"] if wanted.items() <= path.items()]
    assert len(found) == 1, (wanted, found)
    return found[0]


def sockets():
    """Connections and listeners of each namespace, in whatever state: what a trial must not leave behind."""
    return {name: sh(f"ip netns exec {name} ss -Hantuw") for name in ("web", "mate", "two", "phone")} | {
        "": sh("ss -Hantuw")
    }


@contextlib.contextmanager
def within(netns):
    descriptor = open_namespace(netns)
    try:
        with inside(descriptor):
            yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def server(netns, sort, port, answer=b""):
    """Somebody's own; yields what it was told."""
    with within(netns):
        made = socket.socket(socket.AF_INET, sort)
    with contextlib.closing(made) as listener:
        listener.bind(("0.0.0.0", port))
        listener.settimeout(0.05)
        told, end = [], threading.Event()
        if sort == socket.SOCK_STREAM:
            listener.listen()

        def run():
            while not end.is_set():
                with contextlib.suppress(TimeoutError, ConnectionError):
                    if sort == socket.SOCK_DGRAM:
                        text, peer = listener.recvfrom(100)
                        told.append(text)
                        if answer:
                            listener.sendto(answer, peer)
                    else:
                        guest, _peer = listener.accept()
                        guest.settimeout(1)
                        told.append(b"")
                        with contextlib.closing(guest):
                            told[-1] += guest.recv(100)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield told
        finally:
            end.set()
            thread.join()


def test_all_is_well(shop):
    before = sockets()
    start = time.monotonic()
    answer = tried()
    took = time.monotonic() - start
    assert not answer.get("failed"), answer["msg"]
    assert answer["changed"] is False
    assert {path["ok"] for path in answer["paths"]} == {True}
    # Both sorts are there, in great number: silence is waited for once.
    assert min(sum(path["expected"] is said for path in answer["paths"]) for said in (True, False)) > 60
    assert took < QUIET + 2.5 * FACTOR
    assert sockets() == before


def test_check_mode_tries_as_well(shop):
    answer = tried(_ansible_check_mode=True)
    assert {path["ok"] for path in answer["paths"]} == {True}


def test_what_the_servers_see(shop):
    answer = tried()
    assert one(answer, "the host", "web", port=8080, address="198.51.100.1")["seen_as"] == "198.51.100.1"
    mine = one(answer, "mate", "web", address="198.51.100.1", port=8080)
    assert (
        mine["seen_as"]
        == one(
            answer, "web", "the host", "icmp", why="it is the host's address on network front", address=mine["seen_as"]
        )["address"]
    )
    assert one(answer, "web", "db", "tcp")["seen_as"] == one(answer, "db", "web", "tcp", expected=True)["address"]


def named(*parts):
    """What the sentence of a run that fails says."""
    answer = tried()
    assert answer["failed"], "nothing was noticed"
    assert answer["failure"] == {"kind": "not_reachable", "object": "topology shop"}
    for part in parts:
        assert part in answer["msg"], answer["msg"]
    return answer


def bad(answer):
    return {(path["source"], path["target"]) for path in answer["paths"] if path["ok"] is not True}


def test_a_packet_filter_that_was_flushed_is_noticed_both_ways(mended):
    sh("nft flush ruleset")
    answer = named("paths are not as they should be", "and", "more")  # which three are named is not told
    assert one(answer, "mate", "web", address="198.51.100.1", port=8080)["arrived"] is False
    assert ("web", "db") not in bad(answer)
    # ARP that the filter had dropped is sent again after a second only (net.ipv4.neigh.default.retrans_time_ms).
    assert any(one(tried(), "one", "two", "icmp")["arrived"] for _turn in range(6))


def test_a_link_that_is_gone(mended):
    sh("ip -n db link delete eth0")
    answer = named(
        "web -> db (icmp", "-> db (tcp 172.19.0.3) cannot be tried: no interface has 172.19.0.3", "the host -> db"
    )
    assert {pair for pair in bad(answer) if "db" not in pair} == set()


def test_a_link_that_is_down(mended):
    sh("ip -n mate link set eth0 down")
    answer = named("web -> mate", "mate -> the host (icmp", "does not arrive, Network is unreachable")
    assert {pair for pair in bad(answer) if "mate" not in pair} == set()


def test_a_namespace_that_is_gone(mended):
    sh("ip netns delete mate")
    answer = named("netns mate does not exist")
    assert {pair for pair in bad(answer) if "mate" not in pair} == set()


@pytest.mark.parametrize("how", ["drop", "reject", "reject with tcp reset"])
def test_somebody_who_drops_what_was_published(mended, how):
    tcp = "tcp dport 80" if "tcp" in how else "meta l4proto tcp th dport 80"
    sh(
        f"nft 'add table ip rude; add chain ip rude f {{ type filter hook forward priority 5; }}; add rule ip rude f {tcp} {how}'"
    )
    answer = tried()
    sh("nft delete table ip rude")
    assert answer["failed"]
    # From the host itself it is output, not forwarding.
    assert ("mate", "web") in bad(answer) and ("the host", "web") not in bad(answer)
    assert one(answer, "mate", "web", address="198.51.100.1", port=8080)["arrived"] is False
    assert "though port 80 is published as 8080" in answer["msg"]


def test_somebody_who_lets_pass_what_must_not(mended):
    """The element that keeps an internal network closed is taken away, and it is given a way out."""
    sh("nft delete element inet docknet closed '{' $(nft list set inet docknet closed | grep -o 'br-[0-9a-f]*') '}'")
    sh("ip -n db route add default via $(ip -j -n db route | grep -o '172[0-9.]*' | head -1 | sed 's/[0-9]*$/1/')")
    answer = named("arrives, though none of the networks of db leads elsewhere")
    assert ("db", "the host") in bad(answer)


def test_a_firewall_of_the_host_is_none_of_our_business(shop):
    sh(
        "nft 'add table ip own; add chain ip own i { type filter hook input priority 0; }; add rule ip own i icmp type echo-request drop'"
    )
    answer = tried()
    sh("nft delete table ip own")
    assert not answer.get("failed"), answer["msg"]
    path = one(answer, "db", "the host", "icmp", expected=True)
    assert (path["arrived"], path["ok"], path["note"]) == (None, None, "the host's own firewall may have dropped it")
    assert one(answer, "the host", "db", "icmp")["ok"] is True


def test_a_port_that_leads_elsewhere(mended):
    """Somebody answers, but it is not the container."""
    with server(None, socket.SOCK_STREAM, 8080):
        sh("nft flush chain inet docknet publish")
        answer = tried()
    assert one(answer, "the host", "web", address="127.0.0.1", port=8080)["arrived"] is False
    assert "somebody" in one(answer, "the host", "web", address="198.51.100.1", port=8080)["note"]


def test_a_server_of_theirs_is_called_and_told_nothing(shop):
    with server("web", socket.SOCK_STREAM, 80) as told:
        answer = tried()
    assert not answer.get("failed"), answer["msg"]
    assert told and set(told) == {b""}
    assert one(answer, "mate", "web", address="198.51.100.1", port=8080)["seen_as"] is None
    assert {port["served"] for port in answer["published"] if (port["port"], port["host_ip"]) == (8080, "0.0.0.0")} == {
        False
    }


def test_a_silent_server_of_theirs_is_told_about(shop):
    with server("web", socket.SOCK_DGRAM, 53) as told:
        answer = tried()
    assert not answer.get("failed"), answer["msg"]
    assert told
    path = one(answer, "mate", "web", "udp", address="198.51.100.1", port=5353)
    assert (path["arrived"], path["ok"]) == (None, None)
    said = "topology shop: port 53 of web (udp) was tried and not judged: a server has the port and did not answer"
    # A warning is text or more than that, as ansible-core's version has it.
    assert sum(said in str(warning) for warning in answer["warnings"]) == 1, answer["warnings"]


def test_an_answering_server_of_theirs_is_enough(shop):
    with server("web", socket.SOCK_DGRAM, 53, b"yes?"):
        answer = tried()
    assert one(answer, "mate", "web", "udp", address="198.51.100.1", port=5353)["ok"] is True


def test_only_what_was_built_is_tried(shop):
    more = copy.deepcopy(SHOP)
    more["containers"]["new"] = {"networks": ["front"]}
    answer = tried(more)
    assert answer["failed"] and "containers.new.networks.front: it has no address yet" in answer["msg"]
    answer = tried({"name": "other"})
    assert answer["msg"].startswith("topology other: it is not on this host")


def test_nothing_is_changed(shop):
    tried()
    assert not topology(SHOP)["changed"]


# -- from another machine ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def serving(seconds=3.0 * FACTOR):
    """The module's `serve`, as it runs in the background on a host: in a thread, which has its own namespace."""
    words = {"host": None, "timeout": 2.0, "serve": seconds, "address": None, "peers": None}
    design = trial.prepare({"topology": copy.deepcopy(SHOP), **words})

    def run():
        with Host() as mine:
            troubles.extend(mine.serve(design.spots(mine.observe(design.question)), seconds))

    troubles = []
    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait(lambda: all(f":{port} " in sh("ip netns exec two ss -Hlnt") for port in (80, 7003)), "it serves")
        yield troubles
    finally:
        thread.join()


def from_the_lan(published, address="198.51.100.1"):
    peers = [{"name": "here", "address": address, "published": published}]
    mine = "fd51::2" if ":" in address else "198.51.100.2"
    with within("lan"):
        return tried(peers=peers, address=mine)


@pytest.mark.parametrize(("address", "mine"), [("198.51.100.1", "198.51.100.2"), ("fd51::1", "fd51::2")])
def test_another_machine_is_seen_as_itself(shop, address, mine):
    published = tried()["published"]
    with serving() as troubles:
        answer = from_the_lan(published, address)
    assert not troubles
    assert not answer.get("failed"), answer["msg"]
    assert one(answer, "the host", "web on here", port=8080)["seen_as"] == mine
    assert one(answer, "the host", "web on here", "udp", port=5353)["seen_as"] == mine
    if ":" not in address:
        assert one(answer, "the host", "web on here", port=8443)["arrived"] is False
        assert one(answer, "the host", "two on here", port=8081)["arrived"] is True


def test_another_machine_that_is_hidden_is_noticed(mended):
    published = tried()["published"]
    sh(
        "nft 'add table ip rude; add chain ip rude p { type nat hook postrouting priority 50; }; add rule ip rude p ip saddr 198.51.100.2 masquerade'"
    )
    with serving():
        answer = from_the_lan(published)
    sh("nft delete table ip rude")
    assert answer["failed"] and "not as 198.51.100.2" in answer["msg"]


def test_another_machine_that_is_kept_out_is_noticed(mended):
    published = tried()["published"]
    sh("nft flush chain inet docknet publish")
    with serving():
        answer = from_the_lan(published)
    assert answer["failed"] and "the host -> web on here (tcp 198.51.100.1:8080) does not arrive" in answer["msg"]
