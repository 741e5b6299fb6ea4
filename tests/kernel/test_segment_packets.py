# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What packets do with segments: the reachability table's rows about bridge networks, whatever FORWARD's policy says.

The machine is publishing.py's. Chains of iptables and of another nft table, at every hook, drop what they do not accept themselves.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import Fixed, converge
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Plan, Wanted
from ansible_collections.netwright.docknet.plugins.module_utils._model.rule import Ports
from ansible_collections.netwright.docknet.plugins.module_utils._model.segment import (
    NAT,
    ROUTED,
    UNPROTECTED,
    Opening,
    Segment,
)
from ansible_collections.netwright.docknet.tests.kernel.machine import sh
from ansible_collections.netwright.docknet.tests.kernel.publishing import HOST4, HOST6, Site, dnat, site, snat

WEB = {4: "172.17.0.3", 6: "fd17::3"}
WEB2 = {4: "172.17.0.2", 6: "fd17::2"}
FAR = {4: "172.18.0.2", 6: "fd18::2"}
HOST = {4: HOST4, 6: HOST6}
GATEWAY = {4: "172.17.0.1", 6: "fd17::1"}
NEAR = {4: "198.51.100.2", 6: "fd51::2"}
BEYOND = {4: "203.0.113.9", 6: "2001:db8::9"}
OUT = {4: "203.0.113.1", 6: "2001:db8::1"}
QUIET = 0.15  # seconds that say "no answer" here, where an answer takes less than a millisecond

FRONT = Segment(None, "docknet0")
APART = Segment(None, "docknet0", icc=False, ports=frozenset({"vweb", "vweb2"}))
OTHER = Segment(None, "other0")
CLOSED = Segment(None, "other0", internal=True)

# Docker sets the policy of FORWARD; a careful administrator those of INPUT and OUTPUT, and has another firewall that knows the
# cards of the machine alone.
HOSTILE = """
for program in iptables-nft ip6tables-nft; do
    $program -P FORWARD DROP
    $program -P INPUT DROP
    $program -A INPUT -i lan0 -j ACCEPT
    $program -A INPUT -i lo -j ACCEPT
    $program -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
    $program -P OUTPUT DROP
    for link in lan0 wan0 lo; do $program -A OUTPUT -o $link -j ACCEPT; done
done
iptables-nft -A INPUT -p icmp -j ACCEPT
ip6tables-nft -A INPUT -p ipv6-icmp -j ACCEPT
nft -f - <<'.'
table inet careful {
    chain checks {
        iifname "lan0" oifname "wan0" accept
        reject
    }
    chain passing {
        type filter hook forward priority 5
        jump checks
    }
    chain arriving {
        type filter hook prerouting priority -200; policy drop
        iifname { "lan0", "wan0", "lo" } accept
    }
    chain leaving {
        type filter hook postrouting priority 50
        oifname { "lan0", "wan0", "lo" } accept
        counter drop
    }
}
.
for program in iptables-nft ip6tables-nft; do $program -A FORWARD -i lan0 -o wan0 -j ACCEPT; $program -A FORWARD -i wan0 -o lan0 -j ACCEPT; done
nft insert rule inet careful checks iifname wan0 oifname lan0 accept
"""


def segments(*values: Segment, present: bool = True) -> Plan:
    with Host() as host:
        return converge(host, Fixed([Wanted(value, str(value), "docknet", present) for value in values]), False, [])[0]


def on(segment: Segment, **changes: Any) -> Segment:
    return Segment(**{**vars(segment), **changes})


@pytest.fixture(name="here", scope="module", params=[True, False], ids=["bridge-calls", "no-bridge-calls"])
def fixture_here(request) -> Iterator[Site]:
    """8080 leads to web:80 in both families, by TCP and UDP. The kernel's own setting is tried, and the other one."""
    with site(request.param) as here:
        sh(HOSTILE)
        for version, gateway in HOST.items():
            for subnet in ("172.17.0.0/16", "172.18.0.0/16") if version == 4 else ("fd17::/64", "fd18::/64"):
                sh(f"ip -n near route add {subnet} via {gateway}")
        here.serve("web", 80, 81, 443)
        here.serve("web2", 80, 443)
        here.serve("far", 80, 443)
        here.serve("near", 80)
        here.serve("beyond", 8080, 53)
        here.serve(None, 53, 5301, 5302, 9999)
        snat(
            *(
                {"source": subnet, "except_out_interface": device}
                for device, subnets in (
                    ("docknet0", ("172.17.0.0/16", "fd17::/64")),
                    ("other0", ("172.18.0.0/16", "fd18::/64")),
                )
                for subnet in subnets
            )
        )
        both = [(version, sort) for version in (4, 6) for sort in ("tcp", "udp")]
        dnat(*({"host_port": 8080, "to_ip": WEB[version], "to_port": 80, "protocol": sort} for version, sort in both))
        yield here


families = pytest.mark.parametrize("version", [4, 6])


def at_once(asks: list[tuple[Any, ...]], here: Site, wait: float) -> list[str | None]:
    with ThreadPoolExecutor(len(asks)) as pool:
        return list(pool.map(lambda ask: here.ask(*ask, wait=wait), asks))


def answer(here: Site, where: str | None, address: str, port: int) -> str | None:
    """What is said to a client of TCP and to one of UDP, which must be the same."""
    by_tcp, by_udp = at_once([(where, address, port, sort) for sort in ("tcp", "udp")], here, 2.0)
    return by_tcp if by_tcp == by_udp else f"{by_tcp} by TCP, {by_udp} by UDP"


def answered(here: Site, *asks: tuple[str | None, str, int]) -> list[Any]:
    """Who of these, by TCP or UDP, gets an answer; nobody should."""
    every = [(*ask, sort) for ask in asks for sort in ("tcp", "udp")]
    return [ask for ask, said in zip(every, at_once(every, here, QUIET)) if said is not None]


def ping(where: str, address: str) -> bool:
    return (
        sh(f"ip netns exec {where} ping -c 1 -W 0.15 -q {address} >/dev/null && echo yes || echo no").strip() == "yes"
    )


@pytest.fixture(name="nat", scope="class")
def fixture_nat(here):
    """Two networks as they are by default."""
    assert not segments(FRONT, OTHER).warnings


@families
@pytest.mark.usefixtures("nat")
class TestNat:
    def test_same_network(self, here, version):
        assert answer(here, "web2", WEB[version], 80) == f"web:80 sees {WEB2[version]}"
        assert answer(here, "web2", WEB[version], 443) == f"web:443 sees {WEB2[version]}"
        assert ping("web2", WEB[version])

    def test_same_network_by_the_published_port(self, here, version):
        for where in ("web", "web2"):
            assert answer(here, where, HOST[version], 8080) == f"web:80 sees {GATEWAY[version]}"

    def test_other_network_to_the_servers_address(self, here, version):
        assert not answered(here, ("far", WEB[version], 80))
        assert not ping("far", WEB[version])

    def test_other_network_by_the_published_port(self, here, version):
        assert answer(here, "far", HOST[version], 8080) == f"web:80 sees {GATEWAY[version]}"

    def test_the_host_to_the_servers_address(self, here, version):
        assert answer(here, None, WEB[version], 80) == f"web:80 sees {GATEWAY[version]}"

    def test_the_host_by_the_published_port(self, here, version):
        assert answer(here, None, HOST[version], 8080) == f"web:80 sees {HOST[version]}"

    def test_another_machine_by_the_published_port(self, here, version):
        assert answer(here, "near", HOST[version], 8080) == f"web:80 sees {NEAR[version]}"

    def test_another_machine_with_a_route_to_the_servers_address(self, here, version):
        assert not answered(here, ("near", WEB[version], 80))
        assert not ping("near", WEB[version])

    def test_transit(self, here, version):
        assert answer(here, "near", BEYOND[version], 8080) == f"beyond:8080 sees {NEAR[version]}"

    def test_transit_that_somebody_else_drops(self, here, version):
        """Nobody's filter lets something pass because of us."""
        sh("iptables-nft -D FORWARD -i lan0 -o wan0 -j ACCEPT; ip6tables-nft -D FORWARD -i lan0 -o wan0 -j ACCEPT")
        try:
            assert not answered(here, ("near", BEYOND[version], 8080))
        finally:
            sh("iptables-nft -A FORWARD -i lan0 -o wan0 -j ACCEPT; ip6tables-nft -A FORWARD -i lan0 -o wan0 -j ACCEPT")

    def test_outside(self, here, version):
        assert answer(here, "web", BEYOND[version], 8080) == f"beyond:8080 sees {OUT[version]}"


@pytest.mark.usefixtures("nat")
def test_the_hosts_loopback_by_the_published_port(here):
    assert answer(here, None, "127.0.0.1", 8080) == f"web:80 sees {GATEWAY[4]}"


@pytest.mark.usefixtures("nat")
def test_another_machine_to_a_port_published_on_loopback(here):
    dnat({"host_ip": "127.0.0.1", "host_port": 8443, "to_ip": WEB[4], "to_port": 80})
    assert here.ask(None, "127.0.0.1", 8443) == f"web:80 sees {GATEWAY[4]}"
    assert not answered(here, ("near", HOST4, 8443), ("far", HOST4, 8443))
    dnat({"host_ip": "127.0.0.1", "host_port": 8443}, state="absent")


@pytest.fixture(name="apart", scope="class")
def fixture_apart(here):
    """enable_icc: false."""
    segments(APART, OTHER)


@families
@pytest.mark.usefixtures("apart")
class TestApart:
    def test_same_network(self, here, version):
        assert not answered(here, ("web2", WEB[version], 80), ("web2", WEB[version], 443), ("web", WEB2[version], 80))

    def test_not_even_a_ping(self, here, version):
        assert not ping("web2", WEB[version])
        assert ping("web2", GATEWAY[version])

    def test_same_network_by_the_published_port(self, here, version):
        for where in ("web", "web2"):
            for address in (HOST[version], GATEWAY[version]):
                assert answer(here, where, address, 8080) == f"web:80 sees {GATEWAY[version]}"

    def test_everybody_else_as_before(self, here, version):
        assert not answered(here, ("far", WEB[version], 80), ("near", WEB[version], 80))
        assert answer(here, "far", HOST[version], 8080) == f"web:80 sees {GATEWAY[version]}"
        assert answer(here, None, WEB[version], 80) == f"web:80 sees {GATEWAY[version]}"
        assert answer(here, "near", HOST[version], 8080) == f"web:80 sees {NEAR[version]}"
        assert answer(here, "web2", BEYOND[version], 8080) == f"beyond:8080 sees {OUT[version]}"

    @pytest.mark.parametrize("mode", [NAT, UNPROTECTED])
    def test_not_by_way_of_the_gateway_either(self, here, version, mode):
        segments(on(APART, modes={version: mode}))
        address, route = WEB[version], f"{WEB[version]} via {GATEWAY[version]}"
        sh(f"ip -n web2 route add {route}; sysctl -qw net.ipv4.conf.docknet0.send_redirects=0")
        heard = here.heard()
        assert not answered(here, ("web2", address, 80))
        assert here.heard() == heard
        sh(f"ip -n web2 route del {route}")
        segments(APART)

    @pytest.mark.parametrize("mode", [ROUTED, UNPROTECTED])
    def test_what_is_open_to_others_is_not_open_within(self, here, version, mode):
        opening = Opening(ip_address(WEB[version]), "tcp", Ports(80, 80))
        segments(on(APART, modes={version: mode}, openings=frozenset({opening})))
        assert here.ask("near", WEB[version], 80) == f"web:80 sees {NEAR[version]}"
        assert not answered(here, ("web2", WEB[version], 80))
        segments(APART)


@pytest.fixture(name="internal", scope="class")
def fixture_internal(here):
    segments(FRONT, CLOSED)
    to = [{"host_port": 8099, "to_ip": address, "to_port": 80} for address in FAR.values()]
    dnat(*({**one, "protocol": sort} for one in to for sort in ("tcp", "udp")))
    yield
    gone = [{"host_port": 8099, "host_ip": host} for host in ("0.0.0.0", "::")]
    dnat(*({**one, "protocol": sort} for one in gone for sort in ("tcp", "udp")), state="absent")


@families
@pytest.mark.usefixtures("internal")
class TestInternal:
    def test_nothing_leaves(self, here, version):
        """Not even a packet that nobody would answer."""
        there = (BEYOND[version], 8080), (NEAR[version], 80), (WEB[version], 80), (HOST[version], 8080)
        heard = here.heard()
        assert not answered(here, *(("far", *address) for address in there))
        assert here.heard() == heard
        assert not ping("far", BEYOND[version])

    def test_nothing_comes_in(self, here, version):
        heard = here.heard()
        assert not answered(here, ("near", FAR[version], 80), ("web", FAR[version], 80))
        assert here.heard() == heard

    def test_not_even_by_a_published_port(self, here, version):
        heard = here.heard()
        assert not answered(here, ("near", HOST[version], 8099), ("web", HOST[version], 8099))
        assert here.heard() == heard

    def test_the_host(self, here, version):
        assert answer(here, None, FAR[version], 80) == f"far:80 sees {'172.18.0.1' if version == 4 else 'fd18::1'}"


@families
class TestModes:
    def test_routed_opens_what_is_published(self, here, version):
        openings = frozenset(
            Opening(ip_address(WEB[version]), *what) for what in (("tcp", Ports(80, 81)), ("udp", Ports(80, 80)))
        )
        segments(on(FRONT, modes={version: ROUTED}, openings=openings), OTHER)
        assert answer(here, "near", WEB[version], 80) == f"web:80 sees {NEAR[version]}"
        assert here.ask("near", WEB[version], 81) == f"web:81 sees {NEAR[version]}"
        assert here.ask("near", WEB[version], 81, "udp", wait=QUIET) is None
        other = 10 - version
        assert not answered(
            here,
            ("near", WEB[version], 443),
            ("near", WEB2[version], 80),
            ("near", WEB[other], 80),
            ("near", FAR[version], 80),
        )
        assert ping("near", WEB[version]) and not ping("near", WEB[other])

    def test_unprotected_opens_all(self, here, version):
        segments(on(FRONT, modes={version: UNPROTECTED}), OTHER)
        assert answer(here, "near", WEB[version], 443) == f"web:443 sees {NEAR[version]}"
        assert not answered(here, ("near", WEB[10 - version], 443), ("near", FAR[version], 443))

    def test_trusted(self, here, version):
        segments(on(FRONT, trusted=frozenset({"lan0"})), OTHER)
        assert answer(here, "near", WEB[version], 443) == f"web:443 sees {NEAR[version]}"
        assert not answered(here, ("near", FAR[version], 443), ("far", WEB[version], 443))
        segments(FRONT)
        assert not answered(here, ("near", WEB[version], 443))


@families
def test_sctp(here, version):
    """In mode routed. Without SCTP's sockets: the first packet of a connection, and whether it gets there."""
    opening = Opening(ip_address(WEB[version]), "sctp", Ports(3868, 3868))
    segments(on(FRONT, modes={version: ROUTED}, openings=frozenset({opening})), OTHER)
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with here.inside("web"):
        server = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_SCTP)
    with here.inside("near"):
        client = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_SCTP)
    with server, client:
        for port in (3869, 3868):
            # RFC 9260: ports, tag, checksum; an INIT chunk of 20 bytes.
            header, init = (
                struct.pack("!HHII", 40000, port, 0, 0),
                struct.pack("!BBHIIHHI", 1, 0, 20, 1, 65535, 1, 1, 1),
            )
            client.sendto(header + init, (WEB[version], 0))
        server.settimeout(2)
        seen = server.recv(200)[20 if version == 4 else 0 :]
        assert struct.unpack("!HH", seen[:4]) == (40000, 3868)
    segments(FRONT)


@pytest.fixture(name="resolvers", scope="class")
def fixture_resolvers(here):
    segments(ASKED, OTHER)
    yield
    segments(FRONT, OTHER)


OWN_RESOLVERS = {ip_address(one): port for ones, port in ((WEB, 5301), (WEB2, 5302)) for one in ones.values()}
ASKED = on(FRONT, resolvers=OWN_RESOLVERS, nameservers=frozenset(map(ip_address, GATEWAY.values())))


@families
@pytest.mark.usefixtures("resolvers")
class TestResolvers:
    def test_each_asks_his_own(self, here, version):
        assert answer(here, "web", GATEWAY[version], 53) == f"host:5301 sees {WEB[version]}"
        assert answer(here, "web2", GATEWAY[version], 53) == f"host:5302 sees {WEB2[version]}"

    def test_nothing_else_gets_in(self, here, version):
        """INPUT drops, and only questions are let through."""
        gateway = {4: "172.18.0.1", 6: "fd18::1"}[version]
        assert not answered(
            here, ("web", GATEWAY[version], 9999), ("web", GATEWAY[version], 5301), ("far", gateway, 53)
        )

    def test_a_name_server_s_own_port_is_nobody_s_to_ask_but_the_host_s(self, here, version):
        """Also where INPUT lets everything in, as it does by default."""
        program, gateway = {4: "iptables-nft", 6: "ip6tables-nft"}[version], GATEWAY[version]
        sh(f"{program} -P INPUT ACCEPT")
        try:
            assert not answered(
                here, *((where, gateway, port) for where in ("web", "web2", "far", "near") for port in (5301, 5302))
            )
            assert answer(here, "web", gateway, 53) == f"host:5301 sees {WEB[version]}"
            assert answer(here, None, gateway, 5302) == f"host:5302 sees {gateway}"
            assert here.ask("near", HOST[version], 5301) == f"host:5301 sees {NEAR[version]}", "a service of the host's"
            assert here.ask("far", gateway, 9999) == f"host:9999 sees {FAR[version]}"
        finally:
            sh(f"{program} -P INPUT DROP")

    def test_other_name_servers_are_asked_themselves(self, here, version):
        """Also the host's own, by an address that is not the gateway's (by UDP the test's server would answer from another)."""
        assert answer(here, "web", BEYOND[version], 53) == f"beyond:53 sees {OUT[version]}"
        accept = f"-i docknet0 -d {HOST[version]} -j ACCEPT"
        program = {4: "iptables-nft", 6: "ip6tables-nft"}[version]
        sh(f"{program} -A INPUT {accept}")
        assert here.ask("web", HOST[version], 53) == f"host:53 sees {WEB[version]}"
        sh(f"{program} -D INPUT {accept}")

    def test_a_change_counts_for_who_asks_by_the_same_port_again(self, here, version):
        assert here.ask("web", GATEWAY[version], 53, "udp", own_port=5353) == f"host:5301 sees {WEB[version]}"
        segments(on(ASKED, resolvers={**OWN_RESOLVERS, ip_address(WEB[version]): 5302}))
        assert here.ask("web", GATEWAY[version], 53, "udp", own_port=5353) == f"host:5302 sees {WEB[version]}"
        segments(ASKED)


# -- sources that are not the network's -----------------------------------------------------------------------

STRANGER = {4: "198.51.100.77", 6: "fd51::77"}
TRANSPARENT = {4: (socket.IPPROTO_IP, 19), 6: (socket.IPPROTO_IPV6, 75)}  # linux/in.h, linux/in6.h: any source


def send(here: Site, where: str, source: str, to: str, port: int, text: str) -> None:
    version = 6 if ":" in to else 4
    with here.inside(where):
        client = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_DGRAM)
    with client:
        client.setsockopt(*TRANSPARENT[version], 1)
        client.bind((source, 0))
        client.sendto(text.encode(), (to, port))


def arrives(here: Site, where: str, source: str, to: str, port: int, control: tuple[str, str], text: str = "") -> bool:
    """Whether it does, once a datagram has come that was sent later. `control`: from where that one comes, and its source."""
    number = len(here.heard())
    send(here, where, source, to, port, f"{text}{where}-{number}")
    send(here, *control, to, port, f"{text}later-{number}")
    deadline = time.monotonic() + 5
    while not any(f"later-{number}" in one for _who, one in here.heard()):
        assert time.monotonic() < deadline, "nothing comes at all"
        time.sleep(0.01)
    return any(f"{where}-{number}" in one for _who, one in here.heard())


@families
@pytest.mark.usefixtures("nat")
class TestForgedSources:
    def test_do_not_leave_the_host(self, here, version):
        """Not a LAN's neighbour's, not another network's, not the host's."""
        for source in (STRANGER[version], WEB2[version], GATEWAY[version], OUT[version], HOST[version]):
            assert not arrives(here, "far", source, BEYOND[version], 53, ("far", FAR[version])), source

    def test_do_not_reach_a_port_with_allowed_sources(self, here, version):
        source = STRANGER[version]
        port = {"host_port": 8070, "to_ip": WEB[version], "to_port": 80, "protocol": "udp"}
        dnat({**port, "allowed_sources": [source]})
        try:
            for address in (HOST[version], GATEWAY[version]):
                assert not arrives(here, "far", source, address, 8070, ("near", source)), address
        finally:
            dnat({**port, "host_ip": "0.0.0.0" if version == 4 else "::"}, state="absent")

    def test_do_not_get_into_an_open_network(self, here, version):
        segments(on(FRONT, modes={version: UNPROTECTED}))
        for source in (STRANGER[version], WEB2[version], GATEWAY[version]):
            assert not arrives(here, "far", source, WEB[version], 80, ("far", FAR[version])), source
        segments(FRONT)

    def test_do_not_get_into_an_overlay(self, here, version):
        """Of its hosts the container may write the address, but it is not where that is reached."""
        number, vteps = 4097, frozenset({ip_network(NEAR[version])})
        segments(on(FRONT, vni=number, vteps=vteps))
        header = f"\x08\0\0\0\0{chr(number >> 8)}{chr(number & 255)}\0"
        here.serve(None, 4789, address=HOST[version])
        for where in ("far", "web"):
            for address in (HOST[version],):
                assert not arrives(here, where, NEAR[version], address, 4789, ("near", NEAR[version]), header), (
                    f"{where} to {address}"
                )
        segments(FRONT)

    def test_a_network_behind_a_container_counts_where_the_host_has_a_route(self, here, version):
        behind, way = {4: ("10.66.0.9", "10.66.0.0/24"), 6: ("fd66::9", "fd66::/64")}[version]
        sh(f"ip route add {way} via {FAR[version]}; ip -n beyond route add {way} via {OUT[version]}")
        assert arrives(here, "far", behind, BEYOND[version], 53, ("far", FAR[version]))
        sh(f"ip route del {way} via {FAR[version]}; ip -n beyond route del {way} via {OUT[version]}")
        assert not arrives(here, "far", behind, BEYOND[version], 53, ("far", FAR[version]))

    def test_what_stays_on_the_bridge_is_its_containers_own_affair(self, here, version):
        """A router among them brings other sources, also where the host sees the bridge's frames (br_netfilter)."""
        assert arrives(here, "web2", STRANGER[version], WEB[version], 80, ("web2", WEB2[version]))


@families
@pytest.mark.usefixtures("internal")
class TestOtherNameServersOfTheHost:
    def test_are_not_asked_from_an_internal_network(self, here, version):
        """One that listens on every address would ask outside. Other services of the host are reached, as in Docker."""
        program, gateway = {4: "iptables-nft", 6: "ip6tables-nft"}[version], {4: "172.18.0.1", 6: "fd18::1"}[version]
        sh(f"{program} -P INPUT ACCEPT")
        try:
            assert not answered(here, *(("far", address, 53) for address in (gateway, HOST[version], GATEWAY[version])))
            assert answer(here, "far", gateway, 9999) == f"host:9999 sees {FAR[version]}"
            assert answer(here, "web", GATEWAY[version], 53) == f"host:53 sees {WEB[version]}"
        finally:
            sh(f"{program} -P INPUT DROP")


def test_the_last_one_takes_everything_with_it(here):
    before = sh("nft list ruleset; iptables-nft -S; ip6tables-nft -S")
    assert "docknet" in before
    segments(FRONT, OTHER, present=False)
    dnat(
        *(
            {"host_port": 8080, "host_ip": host, "protocol": sort}
            for host in ("0.0.0.0", "::")
            for sort in ("tcp", "udp")
        ),
        state="absent",
    )
    for device, subnets in (("docknet0", ("172.17.0.0/16", "fd17::/64")), ("other0", ("172.18.0.0/16", "fd18::/64"))):
        snat(*({"source": subnet, "except_out_interface": device} for subnet in subnets), state="absent")
    assert "docknet" not in sh("nft list tables; nft list table inet careful; iptables-nft -S; ip6tables-nft -S")
