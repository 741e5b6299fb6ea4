# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that began before a published port changed: which are forgotten, which go on."""

from __future__ import annotations

import contextlib
import itertools
import socket
import subprocess
import sys
import threading
import time
from ipaddress import ip_address

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._kernel import conntrack
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.netlink import NETLINK_NETFILTER, Socket
from ansible_collections.netwright.docknet.tests.kernel.machine import sh
from ansible_collections.netwright.docknet.tests.kernel.publishing import HOST4, HOST6, KINDS, dnat, site, snat

WEB, WEB2 = {4: "172.17.0.3", 6: "fd17::3"}, {4: "172.17.0.2", 6: "fd17::2"}
HOST = {4: HOST4, 6: HOST6}
both_families = pytest.mark.parametrize("version", [4, 6])


@pytest.fixture(name="here", scope="module")
def fixture_here():
    with site() as here:
        here.serve("web", 80, 81, 5353)
        here.serve("web2", 80, 5353)
        here.serve("beyond", 9000)
        here.serve(None, 9001, 9002)
        # The kernel tracks connections only where some rule asks for it.
        snat({"source": "172.17.0.0/16", "except_out_interface": "docknet0"})
        yield here


class Sent(list):
    """The numbers of the datagrams sent, and the word that tells them from others'."""

    def __init__(self) -> None:
        super().__init__()
        self.word = f"stream{next(WORDS)}"


WORDS = itertools.count()


@contextlib.contextmanager
def stream(here, where, address, port):
    """Datagrams "WORD NUMBER", a thousand a second, from one socket, until the block ends. Yields what was sent."""
    with here.inside(where):
        client = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    client.connect((address, port))
    sent = Sent()
    end = threading.Event()

    def send() -> None:
        while not end.is_set():
            with contextlib.suppress(OSError):
                client.send(f"{sent.word} {len(sent)}".encode())
                sent.append(len(sent))
            time.sleep(0.001)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield sent
    finally:
        end.set()
        thread.join(10)
        client.close()


def more(sent: Sent, number: int) -> None:
    """Wait until so many more were sent."""
    end, deadline = len(sent) + number, time.monotonic() + 5
    while len(sent) < end:
        assert time.monotonic() < deadline
        time.sleep(0.002)


@both_families
@pytest.mark.parametrize("where", ["near", "host", "web2", "far"])
@pytest.mark.parametrize("to_port", [80, 5353], ids=["other-port", "same-port"])
def test_a_stream_of_datagrams_follows_its_port(here, version, where, to_port):
    """At most one datagram reaches the old target once the task has returned; measured over 4 switches.

    With the same port, a late answer of the old target, masqueraded, looks like the beginning of a connection that
    the client's datagrams belong to.
    """
    client, address = (None, "127.0.0.1" if version == 4 else HOST6) if where == "host" else (where, HOST[version])
    rule = {"host_port": 5353, "protocol": "udp", "to_port": to_port}
    dnat({**rule, "to_ip": WEB[version]})
    with stream(here, client, address, 5353) as sent:
        targets = [("web2", WEB2[version]), ("web", WEB[version])] * 2
        for name, target in targets:
            more(sent, 20)
            dnat({**rule, "to_ip": target})
            got = later(here, sent, 50)
            assert len([who for who in got if who != name]) <= 1
        dnat(rule, state="absent")
        assert len(later(here, sent, 50, 0)) <= 1


def later(here, sent, number, least=None) -> list[str]:
    """Who got the datagrams that are sent from now on: `least` of them, by itself half."""
    now, deadline = len(sent), time.monotonic() + 20
    least = number // 2 if least is None else least
    more(sent, number)
    while len(found := since(here, sent, now)) < least:
        assert time.monotonic() < deadline, f"only {found} got any"
        time.sleep(0.05)
    return found


def since(here, sent, now) -> list[str]:
    texts = [(who, text.partition(" ")) for who, text in here.heard()]
    return [who for who, (word, _blank, place) in texts if word == sent.word and int(place) >= now]


def test_a_new_port_takes_over_the_datagrams_that_the_host_had(here):
    with stream(here, "near", HOST4, 9001) as sent:
        assert set(later(here, sent, 20)) == {"host"}
        dnat({"host_port": 9001, "protocol": "udp", "to_ip": WEB[4], "to_port": 80})
        got = later(here, sent, 50)
        assert got.count("host") <= 1 and got[-1] == "web"
    dnat({"host_port": 9001, "protocol": "udp"}, state="absent")


@contextlib.contextmanager
def held(here, where, address, port):
    """A TCP connection that stays, to a server that echoes."""
    with here.inside(where):
        client = socket.socket(socket.AF_INET, KINDS["tcp"])
    with client:
        client.settimeout(1)
        client.connect((address, port))
        yield client


def alive(client) -> bool:
    try:
        client.sendall(b"ping")
        return client.recv(16) == b"ping"
    except OSError:
        return False


ECHO = """
import socket, sys
with socket.create_server(("", int(sys.argv[1]))) as server:
    print("ready", flush=True)
    while True:
        peer, _client = server.accept()
        while (data := peer.recv(16)):
            peer.sendall(data)
"""


@contextlib.contextmanager
def echo(where, port):
    inside = ["ip", "netns", "exec", where] if where else []
    server = subprocess.Popen([*inside, sys.executable, "-c", ECHO, str(port)], stdout=subprocess.PIPE)
    try:
        server.stdout.readline()
        yield
    finally:
        server.kill()
        server.wait(10)
        server.stdout.close()


def test_other_connections_go_on(here):
    """Through another rule, and of a changed rule where it still leads there."""
    rule = {"host_port": 6002, "to_ip": WEB[4], "to_port": 7}
    dnat({**rule, "host_port": 6001}, rule)
    with echo("web", 7), held(here, "near", HOST4, 6002) as mine:
        assert alive(mine)
        dnat({**rule, "host_port": 6001, "to_ip": WEB2[4]})
        assert alive(mine)
        dnat({**rule, "local": False, "allowed_sources": ["198.51.100.0/24"]})
        assert alive(mine)
        dnat({**rule, "allowed_sources": []})
        assert not alive(mine)
    dnat({"host_port": 6001}, {"host_port": 6002}, state="absent")


def test_transit_through_the_host_goes_on(here):
    with echo("beyond", 6003), held(here, "near", "203.0.113.9", 6003) as transit:
        assert alive(transit)
        dnat({"host_port": 6003, "to_ip": WEB[4], "to_port": 80})
        assert alive(transit)
        dnat({"host_port": 6003}, state="absent")
        assert alive(transit)


def test_a_connection_to_a_process_of_the_host_goes_on(here):
    """Publishing port 22 does not cut off the one who publishes it."""
    with echo(None, 6004), held(here, "near", HOST4, 6004) as mine:
        assert alive(mine)
        dnat({"host_port": 6004, "to_ip": WEB[4], "to_port": 80})
        assert alive(mine)
        assert here.ask("near", HOST4, 6004) == "web:80 sees 198.51.100.2"
        dnat({"host_port": 6004}, state="absent")


def test_a_changed_target_ends_tcp_too(here):
    dnat({"host_port": 6005, "to_ip": WEB[4], "to_port": 7})
    with echo("web", 7), held(here, "near", HOST4, 6005) as mine:
        assert alive(mine)
        dnat({"host_port": 6005, "to_ip": WEB2[4], "to_port": 80})
        assert not alive(mine)
    dnat({"host_port": 6005}, state="absent")


@pytest.mark.parametrize("protocol, version", [("udp", 4), ("udp", 6), ("tcp", 4), ("sctp", 4), ("sctp", 6)])
def test_one_entry_by_its_tuple(here, protocol, version):
    """SCTP has no sockets on every kernel, but entries it has everywhere."""
    source, destination = ("10.9.9.9", HOST4) if version == 4 else ("fd99::9", HOST6)
    numbers = f"--sport 1000 --dport 7777 -r {WEB[version]} -q {source} --reply-port-src 80 --reply-port-dst 1000"
    states = {"tcp": "--state SYN_SENT", "sctp": "--state ESTABLISHED --orig-vtag 1 --reply-vtag 2", "udp": ""}
    sh(f"conntrack -I -p {protocol} -s {source} -d {destination} {numbers} --timeout 60 {states[protocol]} 2>&1")
    socket_ = Socket(NETLINK_NETFILTER)
    with contextlib.closing(socket_):
        connections = conntrack.Connections(socket_, [protocol], version)
        for ports in ([7777], range(1, 65536)):
            flows = [flow for flow in connections.to(ports) if flow.port == 7777]
            assert [(flow.source, flow.source_port, flow.answer_port) for flow in flows] == [
                (ip_address(source), 1000, 80)
            ]
        dnat({"host_port": 7777, "protocol": protocol, "to_ip": WEB[version], "to_port": 80})
        assert list(connections.to([7777]))
        dnat({"host_port": 7777, "protocol": protocol, "to_ip": WEB[version], "to_port": 80}, state="absent")
        assert not list(connections.to([7777]))
        connections.drop(flows)  # one that is gone is fine
