# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else a host has: told by the kernel of a machine that has it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from ipaddress import ip_address as A
from ipaddress import ip_network as N

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._model.owner import altname, group
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Question
from ansible_collections.netwright.docknet.plugins.module_utils._model.rule import Ports
from ansible_collections.netwright.docknet.plugins.module_utils._model.state import Listener, OnLink, Surroundings
from ansible_collections.netwright.docknet.tests.kernel.machine import sh

pytestmark = pytest.mark.usefixtures("machine")


def look(**words):
    with Host() as host:
        return host.observe(Question(survey=True, **words)).surroundings


def test_nothing_is_looked_at_unasked():
    with Host() as host:
        assert host.observe(Question()).surroundings == Surroundings()


def test_subnets_on_links_and_beyond():
    sh(
        f"""
        ip link set lo up; ip address add 10.99.0.1/32 dev lo
        ip link add up0 type veth peer name up1
        ip address add 192.0.2.10/24 dev up0; ip address add 2001:db8::10/64 dev up0 nodad
        ip address add 10.3.0.1 peer 10.3.0.2/32 dev up0
        ip link set up0 up; ip link set up1 up
        ip route add default via 192.0.2.1; ip route add 10.0.0.0/8 via 192.0.2.1
        ip route add 10.1.0.0/16 dev up0; ip route add blackhole 10.2.0.0/16
        ip route add 2001:db8:1::/48 via 2001:db8::1; ip -6 route add default via 2001:db8::1
        ip route add 10.6.0.0/16 nexthop via 192.0.2.1 nexthop via 192.0.2.2
        ip route add 10.7.0.0/16 via inet6 2001:db8::1 dev up0
        ip route add 10.8.0.0/16 via 192.0.2.1 table 77
        ip link add br-x type bridge; ip link property add dev br-x altname {altname("shop", "br-x")}
        ip address add 172.18.0.1/16 dev br-x
        ip link add br-y group {group("young")} type bridge; ip address add 172.19.0.1/16 dev br-y; ip link set br-y up
        """
    )
    for words in ({"owners": {"young"}}, {"owners": {"young"}, "owned": True}):
        around = look(**words)
        assert set(around.on_link) == {
            OnLink(N("10.99.0.1/32"), "lo"),
            OnLink(N("192.0.2.0/24"), "up0"),
            OnLink(N("2001:db8::/64"), "up0"),
            OnLink(N("10.3.0.2/32"), "up0"),
            OnLink(N("10.3.0.1/32"), "up0"),
            OnLink(N("172.18.0.0/16"), "br-x", "shop"),
            OnLink(N("172.19.0.0/16"), "br-y", "young"),
        }
        beyond = ("10.0.0.0/8", "2001:db8:1::/48", "10.6.0.0/16", "10.7.0.0/16")
        assert set(around.routed) == {N(one) for one in (*beyond, "10.1.0.0/16")}
        assert around.addresses == {A(one) for one in ("10.99.0.1", "192.0.2.10", "2001:db8::10", "10.3.0.1")}
        assert around.uplinks == ()


def test_what_a_vpn_leads_to_is_no_subnet_of_its_link():
    """As wg-quick and OpenVPN have it: routes without a next hop, the host's own address among them."""
    sh(
        """
        ip link add wg0 type veth peer name wg1; ip link set wg0 up; ip link set wg1 up; ip address add 10.13.13.2/32 dev wg0
        for to in 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 0.0.0.0/1 128.0.0.0/1; do ip route add $to dev wg0; done
        ip address add fd13::2/128 dev wg0 nodad; ip -6 route add fc00::/7 dev wg0; ip -6 route add 2000::/3 dev wg0
        """
    )
    around = look()
    assert set(around.on_link) == {OnLink(N("10.13.13.2/32"), "wg0"), OnLink(N("fd13::2/128"), "wg0")}
    assert set(map(str, around.routed)) == {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"}


def test_an_advertised_default_route_makes_an_uplink_where_the_kernel_takes_it():
    for name in ("up", "own"):
        sh(
            f"""
            ip link add {name}0 type veth peer name {name}1; ip link set {name}0 up; ip link set {name}1 up
            ip -6 route add default via fe80::1 dev {name}0 proto ra metric {1024 if name == "up" else 1025}
            """
        )
    sh("sysctl -qw net.ipv6.conf.own0.accept_ra=0")
    assert look().uplinks == ("up0",)
    sh("sysctl -qw net.ipv6.conf.up0.accept_ra=2")
    assert look().uplinks == ("up0",)


def test_name_servers_search_list_and_the_machine():
    assert (look().servers, look().search, look().machine) == ((), (), socket.gethostname())
    with open("/etc/resolv.conf", "w", encoding="ascii") as file:
        file.write("# x\nnameserver 192.0.2.53 \nnameserver fe80::53%eth0\nnameserver none\nnameserver\n\n")
        file.write("domain old.example\nsearch a.example b.example\noptions ndots:2\nnameserver 192.0.2.53\n")
    with open("/etc/machine-id", "w", encoding="ascii") as file:
        file.write("0123456789abcdef0123456789abcdef\n")
    around = look()
    assert around.servers == (A("192.0.2.53"), A("fe80::53")) and around.search == ("a.example", "b.example")
    assert around.machine == "0123456789abcdef0123456789abcdef"


def test_the_servers_behind_systemd_resolved_s_stub():
    sh("mkdir -p /run/systemd/resolve; ln -s ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf")
    sh("printf 'nameserver 127.0.0.53\nsearch a.example\n' >/run/systemd/resolve/stub-resolv.conf")
    assert (look().servers, look().search) == ((A("127.0.0.53"),), ("a.example",))
    sh("printf 'nameserver 192.0.2.53\nnameserver 127.0.0.1\nsearch b.example\n' >/run/systemd/resolve/resolv.conf")
    around = look()
    assert (around.servers, around.search) == ((A("192.0.2.53"), A("127.0.0.1")), ("a.example",))
    assert (around.resolver, around.no_resolver) == ("/run/systemd/resolve/stub-resolv.conf", False)


@pytest.mark.parametrize(
    ("made", "resolver"),
    [
        ("true", "/etc/resolv.conf"),
        ("ln -s ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf", "/run/systemd/resolve/stub-resolv.conf"),
        ("ln -s resolv.conf /etc/resolv.conf", None),
        ("mount -t tmpfs -o ro none /mnt; ln -s /mnt/none/resolv.conf /etc/resolv.conf", None),
    ],
)
def test_a_host_without_resolv_conf(made, resolver):
    sh(made)
    assert (look().resolver, look().no_resolver, look().servers) == (resolver, True, ())


def test_the_lookup_order_of_the_host():
    assert look().nsswitch is None
    sh("echo 'hosts: files dns' >/etc/nsswitch.conf")
    assert look().nsswitch == ("hosts: files dns",)


# A process that listens; what it is told to, it says when it is done.
PROGRAM = """
import socket, sys
kept = []
for word in sys.argv[1:]:
    kind, address, port = word.split(",")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kept.append(socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM))
    kept[-1].bind((address, int(port)))
    if kind == "tcp":
        kept[-1].listen()
print("there", flush=True)
sys.stdin.read()
"""


def test_listeners_and_who_they_are():
    sh("ip link set lo up; ip address add 2001:db8::1/128 dev lo")
    words = [
        "tcp,0.0.0.0,8080",
        "tcp,::,8081",
        "udp,127.0.0.1,5353",
        "tcp,2001:db8::1,8082",
        "tcp,::ffff:127.0.0.1,8083",
    ]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"there\n"
        # What is connected is nobody's port.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as busy, socket.create_connection(("127.0.0.1", 8080)):
            busy.connect(("127.0.0.1", 5353))
            found = look().listeners
        process.stdin.close()
    expected = {
        ("tcp", "0.0.0.0", 8080),
        ("tcp", "::", 8081),
        ("udp", "127.0.0.1", 5353),
        ("tcp", "2001:db8::1", 8082),
        ("tcp", "127.0.0.1", 8083),
    }
    assert {(one.protocol, str(one.address), one.port) for one in found} == expected
    (who,) = {one.process for one in found}
    assert who.startswith("python") and who.endswith(f" (pid {process.pid})")
    assert look().listeners == ()


def test_a_udp_socket_at_a_port_of_the_kernel_s_choice_may_be_a_client_s():
    """A tunnel's socket is the kernel's, and no client's."""
    sh("ip link set lo up; ip link add vx0 type vxlan id 7 dstport 51820; ip link set vx0 up")
    words = ["udp,0.0.0.0,0", "udp,0.0.0.0,5000", "tcp,0.0.0.0,40000"]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"there\n"
        found = {
            (one.protocol, one.port if one.port in (5000, 40000, 51820) else 0): one.passing for one in look().listeners
        }
        process.stdin.close()
    assert found == {("udp", 0): True, ("udp", 5000): False, ("tcp", 40000): False, ("udp", 51820): False}


def test_listeners_are_those_of_the_own_namespace():
    sh("ip netns add other")
    code = [sys.executable, "-c", PROGRAM, "tcp,0.0.0.0,8090"]
    with subprocess.Popen(
        ["ip", "netns", "exec", "other", *code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"there\n"
        mine = socket.create_server(("127.0.0.1", 8091))
        found = look().listeners
        mine.close()
        process.stdin.close()
    assert [one._replace(process="") for one in found] == [Listener("tcp", A("127.0.0.1"), 8091)]
    assert f"(pid {os.getpid()})" in found[0].process


def test_the_kernel_s_own_range_of_ports():
    assert look().free_ports == Ports(32768, 60999)
    sh("sysctl -qw net.ipv4.ip_local_port_range='40000 41000' net.ipv4.ip_local_reserved_ports=40001,40010-40020")
    around = look()
    assert around.free_ports == Ports(40000, 41000)
    assert around.reserved == (Ports(40001, 40001), Ports(40010, 40020))
