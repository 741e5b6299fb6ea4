# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What packets do with the rules: the publishing rows of the reachability table, and who must get no answer."""

from __future__ import annotations

import contextlib

import pytest
from ansible_collections.netwright.docknet.tests.kernel.machine import sh
from ansible_collections.netwright.docknet.tests.kernel.publishing import HOST4, HOST6, dnat, site, snat

WEB = {4: "172.17.0.3", 6: "fd17::3"}
HOST = {4: HOST4, 6: HOST6}
GATEWAY = {4: "172.17.0.1", 6: "fd17::1"}
NEAR = {4: "198.51.100.2", 6: "fd51::2"}
BEYOND = {4: "203.0.113.9", 6: "2001:db8::9"}
OUT = {4: "203.0.113.1", 6: "2001:db8::1"}
SUBNETS = {"docknet0": {4: "172.17.0.0/16", 6: "fd17::/64"}, "other0": {4: "172.18.0.0/16", 6: "fd18::/64"}}
QUIET = 0.3  # seconds that say "no answer" here, where an answer takes less than a millisecond


def hide_networks() -> None:
    sources = [(subnet, bridge) for bridge, subnets in SUBNETS.items() for subnet in subnets.values()]
    snat(*({"source": subnet, "except_out_interface": bridge} for subnet, bridge in sources))


@pytest.fixture(name="here", scope="module", params=[True, False], ids=["bridge-calls", "no-bridge-calls"])
def fixture_here(request):
    """8080 leads to web:80 in both families and protocols; everything else is there to be wrong."""
    with site(request.param) as here:
        here.serve("web", 80, 7000, 7005, 9003)
        here.serve("web2", 80)
        here.serve("beyond", 8080, 8085)
        here.serve(None, 8080)
        here.serve(None, 8444, address="127.0.0.1")
        hide_networks()
        both = [(version, sort) for version in (4, 6) for sort in ("tcp", "udp")]
        dnat(*({"host_port": 8080, "to_ip": WEB[version], "to_port": 80, "protocol": sort} for version, sort in both))
        yield here


both_families = pytest.mark.parametrize("version", [4, 6])
both_sorts = pytest.mark.parametrize("sort", ["tcp", "udp"])


@both_families
@both_sorts
class TestReach:
    def test_another_machine_is_seen_with_its_address(self, here, version, sort):
        assert here.ask("near", HOST[version], 8080, sort) == f"web:80 sees {NEAR[version]}"

    def test_the_hosts_own_addresses(self, here, version, sort):
        assert here.ask(None, HOST[version], 8080, sort) == f"web:80 sees {HOST[version]}"
        assert here.ask(None, GATEWAY[version], 8080, sort) == f"web:80 sees {GATEWAY[version]}"

    def test_hairpin(self, here, version, sort):
        """From the same network, and from the server itself: it must answer through the host."""
        for where in ("web2", "web"):
            for address in (HOST[version], GATEWAY[version]):
                assert here.ask(where, address, 8080, sort) == f"web:80 sees {GATEWAY[version]}"

    def test_another_network_is_seen_as_the_host(self, here, version, sort):
        assert here.ask("far", HOST[version], 8080, sort) == f"web:80 sees {GATEWAY[version]}"

    def test_transit_to_the_same_port_is_left_alone(self, here, version, sort):
        assert here.ask("near", BEYOND[version], 8080, sort) == f"beyond:8080 sees {NEAR[version]}"

    def test_the_outside_sees_the_host(self, here, version, sort):
        assert here.ask("web", BEYOND[version], 8080, sort) == f"beyond:8080 sees {OUT[version]}"

    def test_within_the_network_nothing_is_translated(self, here, version, sort):
        assert here.ask("web2", WEB[version], 80, sort) == f"web:80 sees {'172.17.0.2' if version == 4 else 'fd17::2'}"


@both_sorts
def test_loopback(here, sort):
    assert here.ask(None, "127.0.0.1", 8080, sort) == "web:80 sees 172.17.0.1"
    assert here.ask(None, "127.8.9.10", 8080, sort) == "web:80 sees 172.17.0.1"


@both_sorts
def test_ipv6_loopback_is_left_to_the_host(here, sort):
    assert here.ask(None, "::1", 8080, sort) == "host:8080 sees ::1"


def test_route_localnet_is_on_for_the_one_bridge(here):
    on = sh("grep -l 1 /proc/sys/net/ipv4/conf/*/route_localnet || true").split()
    assert on == ["/proc/sys/net/ipv4/conf/docknet0/route_localnet"]


def test_no_global_switch_is_touched(here):
    assert sh("cat /proc/sys/net/ipv4/conf/all/route_localnet /proc/sys/net/ipv4/conf/all/rp_filter").split() == [
        "0",
        "0",
    ]


@pytest.mark.parametrize("version", [4, 6])
def test_ranges(here, version):
    here_is = {"host_port": "7000-7010", "to_ip": WEB[version]}
    dnat(here_is, {"host_port": "9100-9105", "to_ip": WEB[version], "to_port": "9000-9005"})
    assert here.ask("near", HOST[version], 7005) == f"web:7005 sees {NEAR[version]}"
    assert here.ask("near", HOST[version], 9103) == f"web:9003 sees {NEAR[version]}"
    assert here.ask(None, HOST[version], 7000) == f"web:7000 sees {HOST[version]}"
    assert here.ask("near", HOST[version], 7011, wait=QUIET) is None
    dnat({"host_port": "7000-7010"}, {"host_port": "9100-9105"}, state="absent")
    assert here.ask("near", HOST[version], 7005, wait=QUIET) is None


@pytest.mark.parametrize("version", [4, 6])
def test_one_address_of_the_host(here, version):
    one = {"host_ip": HOST[version], "to_ip": WEB[version], "to_port": 80, "host_port": 8081}
    dnat(one, {**one, "host_port": "7000-7005", "to_port": None})
    assert here.ask("near", HOST[version], 8081) == f"web:80 sees {NEAR[version]}"
    assert here.ask("near", HOST[version], 7005) == f"web:7005 sees {NEAR[version]}"
    assert here.ask(None, HOST[version], 8081) == f"web:80 sees {HOST[version]}"
    assert here.ask("near", OUT[version], 8081, wait=QUIET) is None
    assert here.ask("web2", GATEWAY[version], 8081, wait=QUIET) is None
    assert here.ask("web2", HOST[version], 8081) == f"web:80 sees {GATEWAY[version]}"
    dnat(one, {**one, "host_port": "7000-7005"}, state="absent")


class TestLoopbackOnly:
    """Published on 127.0.0.1: the host alone, whatever the neighbours send."""

    @pytest.fixture(autouse=True)
    def published(self, here):
        dnat({"host_ip": "127.0.0.1", "host_port": 8443, "to_ip": WEB[4], "to_port": 80})
        yield
        dnat({"host_ip": "127.0.0.1", "host_port": 8443}, state="absent")

    def test_the_host_gets_there(self, here):
        assert here.ask(None, "127.0.0.1", 8443) == "web:80 sees 172.17.0.1"

    def test_its_other_addresses_do_not_lead_there(self, here):
        assert here.ask(None, HOST4, 8443, wait=QUIET) is None
        assert here.ask("near", HOST4, 8443, wait=QUIET) is None

    @pytest.mark.parametrize(
        "where, gateway", [("near", "198.51.100.1"), ("web2", "172.17.0.1"), ("far", "172.18.0.1")]
    )
    def test_a_neighbour_that_sends_to_our_loopback(self, here, where, gateway):
        """CVE-2020-8558: 127.0.0.1 as destination on the wire."""
        with loopback_routed(where, gateway):
            for port in (8443, 8080, 8444):
                for sort in ("tcp", "udp"):
                    assert here.ask(where, "127.0.0.1", port, sort, wait=QUIET) is None

    def test_it_is_the_drop_that_does_it(self, here):
        """docknet0 has route_localnet on: without our rules, its containers would reach the loopback of the host."""
        with loopback_routed("web2", "172.17.0.1"):
            sh("nft flush chain inet docknet guard")
            assert here.ask("web2", "127.0.0.1", 8444) == "host:8444 sees 172.17.0.2"
            dnat({"host_ip": "127.0.0.1", "host_port": 8443, "to_ip": WEB[4], "to_port": 80})
            assert here.ask("web2", "127.0.0.1", 8444, wait=QUIET) is None


@contextlib.contextmanager
def loopback_routed(where, gateway):
    """The namespace sends packets for 127.0.0.1 to the gateway, as no honest machine does."""
    rule = f"ip -n {where} rule"
    sh(f"""ip netns exec {where} sysctl -qw net.ipv4.conf.all.route_localnet=1
        {rule} add pref 100 lookup local; {rule} add pref 1 lookup 77; {rule} del pref 0 lookup local
        ip -n {where} route add 127.0.0.1 via {gateway} table 77""")
    try:
        yield
    finally:
        sh(f"""ip -n {where} route flush table 77; {rule} add pref 0 lookup local
            {rule} del pref 1 lookup 77; {rule} del pref 100 lookup local""")


@both_families
class TestAllowedSources:
    @pytest.fixture(autouse=True)
    def published(self, here, version):
        self.rule = {"host_port": "8085-8086", "to_ip": WEB[version], "to_port": "80-81"}
        yield
        dnat(self.rule, state="absent")

    def test_those_and_no_others(self, here, version):
        dnat({**self.rule, "allowed_sources": [NEAR[version], BEYOND[version]]})
        assert here.ask("near", HOST[version], 8085) == f"web:80 sees {NEAR[version]}"
        assert here.ask("beyond", OUT[version], 8085) == f"web:80 sees {BEYOND[version]}"
        assert here.ask("web2", HOST[version], 8085, wait=QUIET) is None
        assert here.ask("far", HOST[version], 8085, wait=QUIET) is None
        assert here.ask(None, HOST[version], 8085) == f"web:80 sees {HOST[version]}"

    def test_nobody(self, here, version):
        dnat({**self.rule, "allowed_sources": []})
        assert here.ask("near", HOST[version], 8085, wait=QUIET) is None
        assert here.ask(None, HOST[version], 8085) == f"web:80 sees {HOST[version]}"

    def test_left_out_stays_and_everyone_is_everyone(self, here, version):
        dnat({**self.rule, "allowed_sources": [BEYOND[version]]})
        assert not dnat(self.rule).operations
        assert here.ask("near", HOST[version], 8085, wait=QUIET) is None
        dnat({**self.rule, "allowed_sources": ["0.0.0.0/0" if version == 4 else "::/0"]})
        assert here.ask("near", HOST[version], 8085) == f"web:80 sees {NEAR[version]}"

    def test_other_traffic_to_that_port_is_left_alone(self, here, version):
        """Transit to it, and answers to a connection that the host itself began from it."""
        dnat({**self.rule, "allowed_sources": []})
        assert here.ask("near", BEYOND[version], 8085) == f"beyond:8085 sees {NEAR[version]}"
        for sort in ("tcp", "udp"):
            assert here.ask(None, BEYOND[version], 8080, sort, own_port=8085) == f"beyond:8080 sees {OUT[version]}"


@both_families
def test_not_local(here, version):
    rule = {"host_port": 8087, "to_ip": WEB[version], "to_port": 80}
    dnat({**rule, "local": False})
    assert here.ask("near", HOST[version], 8087) == f"web:80 sees {NEAR[version]}"
    assert here.ask("web2", HOST[version], 8087) == f"web:80 sees {GATEWAY[version]}"
    for address in (HOST[version], GATEWAY[version], "127.0.0.1"):
        assert here.ask(None, address, 8087, wait=QUIET) is None
    dnat(rule)
    assert here.ask(None, HOST[version], 8087) == f"web:80 sees {HOST[version]}"
    dnat(rule, state="absent")


@both_families
def test_not_hairpin(here, version):
    rule = {"host_port": 8088, "to_ip": WEB[version], "to_port": 80}
    dnat({**rule, "hairpin": False})
    assert here.ask("near", HOST[version], 8088) == f"web:80 sees {NEAR[version]}"
    assert here.ask("far", HOST[version], 8088) == f"web:80 sees {GATEWAY[version]}"
    assert here.ask("web2", HOST[version], 8088, wait=QUIET) is None
    assert here.ask("web", HOST[version], 8088, wait=QUIET) is None
    dnat(rule)
    assert here.ask("web2", HOST[version], 8088) == f"web:80 sees {GATEWAY[version]}"
    dnat(rule, state="absent")


@both_families
def test_a_fixed_address_for_a_source(here, version):
    address, rule = (
        ("203.0.113.77", "2001:db8::77")[version // 6],
        {"source": SUBNETS["docknet0"][version], "except_out_interface": "docknet0"},
    )
    sh(f"ip address add {address} dev wan0 preferred_lft 0" + " nodad" * (version == 6))
    snat({**rule, "to": address})
    assert here.ask("web", BEYOND[version], 8080) == f"beyond:8080 sees {address}"
    snat(rule)
    assert here.ask("web", BEYOND[version], 8080) == f"beyond:8080 sees {OUT[version]}"
    sh(f"ip address del {address} dev wan0")


def test_multicast_keeps_its_source(here):
    """A packet to a group leaves masqueraded by nobody: what the rule says of it, counted by the kernel."""
    said = sh("nft list chain inet docknet sources")
    assert said.count("daddr != 224.0.0.0/4") == 2 and said.count("daddr != ff00::/8") == 2
