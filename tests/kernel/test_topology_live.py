# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Topologies with packets, while they change: what goes on, what leads where, what is published."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import pytest
from ansible_collections.netwright.docknet.tests.kernel.machine import ip, sh
from ansible_collections.netwright.docknet.tests.kernel.publishing import HOST4, HOST6
from ansible_collections.netwright.docknet.tests.kernel.topologies import (
    Flow,
    address,
    built,
    endpoint,
    everything,
    host,
    hosts,
    misses,
    ports,
    reaches,
    refused,
    steps,
    topology,
    until,
)

QUIET = 0.25  # seconds without an answer that say "none", where one takes less than a millisecond


def subnet(text):
    return {"ipam": {"config": [{"subnet": text}]}}


@pytest.fixture(name="here")
def fixture_here():
    with host() as here:
        yield here


# -- what goes on ---------------------------------------------------------------------------------------------


class Town:
    """Two flows, db to web and the LAN to web's published port, and neighbours of theirs that change."""

    def __init__(self):
        self.document = {
            "name": "town",
            "networks": {"front": subnet("172.20.0.0/16"), "back": subnet("172.21.0.0/16")},
            "containers": {
                "web": {"networks": {"front": {}}, "ports": ["8080:80"]},
                "db": {"networks": {"front": {}}},
                "next": {"networks": {"front": {}}},
                "far": {"networks": {"back": {}}},
            },
        }
        self.answer = built(self.document)

    def network(self, name):
        return self.document["networks"][name]

    def container(self, name):
        return self.document["containers"].setdefault(name, {})

    def front(self, name):
        return self.container(name)["networks"]["front"]

    def run(self):
        """What is done for the change, but for what every change of the document is written down as."""
        self.answer = topology(self.document)
        done = steps(self.answer)
        assert done.pop(0) == "set state town"
        return done


@pytest.fixture(name="town", scope="module")
def fixture_town():
    with host() as here:
        town = Town()
        web = address(town.answer, "web", "front")
        with Flow(here, "db", (web, 81), "web", 81) as near, Flow(here, "lan", (HOST4, 8080), "web", 80) as far:
            town.flows = (near, far)
            yield town
        assert not [flow.error for flow in town.flows if flow.error]


@pytest.fixture(name="flowing", autouse=True)
def fixture_flowing(request):
    """Whatever a test does to the town, its flows go on."""
    flows = request.getfixturevalue("town").flows if "town" in request.fixturenames else ()
    assert all(flow.goes_on() for flow in flows)
    yield
    for flow in flows:
        assert flow.goes_on(), flow.error


def test_flows_go_on_while_a_neighbour_s_port_comes_and_goes(town):
    town.container("next")["ports"] = ["9000:9"]
    assert town.run() == ["create dnat 0.0.0.0:9000/tcp"]
    del town.container("next")["ports"]
    assert town.run() == ["delete dnat 0.0.0.0:9000/tcp"]


def test_flows_go_on_while_a_neighbour_gets_an_alias(town):
    town.front("next")["aliases"] = ["beside"]
    (done,) = town.run()
    assert done.startswith("set service town-names-")
    assert until(lambda: reaches("db", "beside")), "the name server was told a moment ago"


def test_flows_go_on_while_a_neighbour_s_address_changes(town):
    town.front("next")["ipv4_address"] = "172.20.0.77"
    done = town.run()
    others = [step for step in done if "behind veth" not in step]
    assert not [step for step in others if " in web" in step or " in db" in step or "veth" in step or "dnat" in step]
    assert [step.split()[:3] for step in done if "172.20.0.77" in step] == [
        ["add", "address", "172.20.0.77/16"],
        ["add", "neighbour", "172.20.0.77"],
    ]
    assert reaches("db", "172.20.0.77") and reaches("next", "web")


def test_flows_go_on_while_the_mtu_of_another_network_and_of_their_own_changes(town):
    town.network("back")["driver_opts"] = {"mtu": 1400}
    done = town.run()
    assert len(done) == 3 and "set link eth0 in far" in done
    town.network("front")["driver_opts"] = {"mtu": 1450}
    done = town.run()
    assert len(done) == 7 and all(step.startswith("set link ") for step in done)
    assert {link["mtu"] for link in ip("-n web link") if link["ifname"] == "eth0"} == {1450}


def test_flows_go_on_while_another_network_is_closed_and_while_theirs_gets_ipv6(town):
    town.network("back")["internal"] = True
    assert not [step for step in town.run() if " in web" in step or " in db" in step]
    assert misses("far", "198.51.100.2")
    town.network("front")["enable_ipv6"] = True
    town.run()
    assert reaches("db", address(town.answer, "web", "front", 6)) and reaches("web", "fd51::2")


def test_other_flows_go_on_while_containers_are_kept_apart(town):
    """What is concerned has to wait until they may reach each other again."""
    near, far = town.flows
    town.network("front")["driver_opts"]["enable_icc"] = False
    done = town.run()
    assert not [step for step in done if not step.startswith(("set nftables", "set segment"))]
    assert misses("next", address(town.answer, "web", "front"))
    assert far.goes_on() and not near.goes_on(patience=0.15)
    town.network("front")["driver_opts"]["enable_icc"] = True
    town.run()
    assert near.goes_on(patience=5.0)


def test_flows_go_on_while_their_container_is_connected_and_disconnected(town):
    town.container("web")["networks"]["back"] = {}
    done = town.run()
    assert not [step for step in done if step.endswith(("on eth0 in web", "link eth0 in web", "through eth0 in web"))]
    assert not [step for step in done if " in db" in step or " in next" in step or "dnat" in step]
    assert endpoint(town.answer, "web", "back")["interface"] == "eth1" and reaches("far", "web")
    del town.container("web")["networks"]["back"]
    done = town.run()
    assert [step for step in done if step.startswith("delete link")]
    assert misses("far", address(town.answer, "web", "front"))


def test_flows_go_on_while_a_network_before_theirs_comes_and_goes(town):
    """The interface that is there keeps its name, as the default route and the published port keep theirs."""
    town.container("web")["networks"] = {"back": {}, "front": town.front("web")}
    town.run()
    assert {name: endpoint(town.answer, "web", name)["interface"] for name in ("front", "back")} == {
        "front": "eth0",
        "back": "eth1",
    }
    del town.container("web")["networks"]["back"]
    town.run()
    assert endpoint(town.answer, "web", "front")["interface"] == "eth0"


def test_flows_go_on_while_everybody_else_leaves_and_others_come(town):
    for name in ("next", "far"):
        del town.document["containers"][name]
    town.document["containers"] = {"first": {"networks": ["front"]}, **town.document["containers"]}
    del town.document["networks"]["back"]
    assert not [step for step in town.run() if " in web" in step or " in db" in step]
    assert reaches("first", "web") and "far" not in os.listdir("/run/netns")


# -- several networks -----------------------------------------------------------------------------------------


@pytest.fixture(name="two", scope="module")
def fixture_two():
    """app is on two networks; what is published for it leads to the one with the default route."""
    document = {
        "name": "two",
        "networks": {
            "front": {**subnet("172.20.0.0/16"), "driver_opts": {"gateway_mode": "nat-unprotected"}},
            "back": {**subnet("172.21.0.0/16"), "driver_opts": {"gateway_mode": "nat-unprotected"}},
        },
        "containers": {
            "app": {"networks": {"front": {}, "back": {"gw_priority": 1}}, "ports": ["8080:80"]},
            "far": {"networks": ["front"]},
        },
    }
    with host() as here:
        answer = built(document)
        here.serve("app", 80)
        sh(f"ip -n lan route add 172.20.0.0/15 via {HOST4}")
        yield here, document, answer


def test_the_default_route_follows_gw_priority(two):
    (route,) = ip("-n app route show default")
    assert (route["gateway"], route["dev"]) == ("172.21.0.1", "eth1")


def test_answers_leave_by_the_interface_they_came_to(two):
    here, _document, answer = two
    for network in ("front", "back"):
        assert here.ask("lan", address(answer, "app", network), 80) == "app:80 sees 198.51.100.2"
    assert here.ask("lan", HOST4, 8080) == "app:80 sees 198.51.100.2"
    drop = "table ip t { chain c { type filter hook postrouting priority 0; oifname eth1 drop; }; }"
    sh(f"echo '{drop}' | ip netns exec app nft -f -")
    try:
        assert here.ask("lan", address(answer, "app", "front"), 80) == "app:80 sees 198.51.100.2"
        assert here.ask("lan", address(answer, "app", "back"), 80, wait=QUIET) is None
    finally:
        sh("ip netns exec app nft delete table ip t")


def test_the_default_route_moves_and_the_published_port_with_it(two):
    here, document, answer = two
    other = copy.deepcopy(document)
    other["containers"]["app"]["networks"]["back"]["gw_priority"] = -1
    app = address(answer, "app", "front")
    with Flow(here, "far", (app, 81), "app", 81) as flow:
        built(other)
        (route,) = ip("-n app route show default")
        assert (route["gateway"], route["dev"]) == ("172.20.0.1", "eth0")
        for to, port in ((HOST4, 8080), (app, 80), (address(answer, "app", "back"), 80)):
            assert here.ask("lan", to, port) == "app:80 sees 198.51.100.2"
        del other["containers"]["app"]["networks"]["back"]
        built(other)
        assert "lookup 100" not in sh("ip -n app rule")
        built(document)
        assert here.ask("lan", HOST4, 8080) == "app:80 sees 198.51.100.2"
        assert flow.goes_on(), flow.error


# -- links ----------------------------------------------------------------------------------------------------


def test_a_link_follows_its_target_and_nothing_else_of_the_file_changes(here):
    document = {
        "name": "old",
        "containers": {
            "db": {"network_mode": "bridge", "hostname": "database"},
            "app": {"network_mode": "bridge", "links": ["db:data"], "extra_hosts": ["registry:host-gateway"]},
        },
    }
    built(document)
    path = Path("/etc/netns/app/hosts")
    assert "172.17.0.2\tdata database db" in hosts("app") and "172.17.0.1\tregistry" in hosts("app")
    assert "172.17.0.3\tapp" in hosts("app")
    assert reaches("app", "data") and reaches("app", "registry") and not reaches("db", "app")
    path.write_text("# mine\n" + path.read_text() + "192.0.2.1\tmine")
    before, inode = path.read_bytes(), path.stat().st_ino
    assert not topology(document)["changed"]
    # Its new place: whoever comes first now takes the lowest address.
    without = copy.deepcopy(document)
    del without["containers"]["db"], without["containers"]["app"]["links"]
    topology(without)
    third = {"new": {"network_mode": "bridge"}, **document["containers"]}
    done = topology({**document, "containers": third})
    assert address(done, "new", "bridge") == "172.17.0.2" and address(done, "db", "bridge") == "172.17.0.4"
    assert path.read_bytes() == before.replace(b"172.17.0.2\tdata", b"172.17.0.4\tdata")
    assert path.stat().st_ino == inode and reaches("app", "data")


def test_one_line_changes_when_the_target_gets_another_address(here):
    document = {
        "name": "new",
        "networks": {"front": subnet("172.20.0.0/16")},
        "containers": {"app": {"networks": ["front"], "links": ["db:data"]}, "db": {"networks": {"front": {}}}},
    }
    built(document)
    path = Path("/etc/netns/app/hosts")
    before, inode = path.read_bytes(), path.stat().st_ino
    document["containers"]["db"]["networks"]["front"]["ipv4_address"] = "172.20.0.50"
    done = topology(document)
    assert [step for step in steps(done) if "hosts block" in step and "in app" in step] == [
        "set hosts block new in app"
    ]
    assert path.read_bytes() == before.replace(b"172.20.0.3\tdata", b"172.20.0.50\tdata") != before
    assert path.stat().st_ino == inode and reaches("app", "data")


# -- published ports ------------------------------------------------------------------------------------------


STALL = {
    "name": "stall",
    "networks": {"front": {"enable_ipv6": True}},
    "containers": {
        "web": {
            "networks": ["front"],
            "ports": [
                "80",
                "8080:80",
                "127.0.0.1:8443:443",
                "7000-7002:7000-7002/udp",
                {"target": 81, "published": "8000-8010"},
                {"target": 82, "published": 8282, "allowed_sources": ["198.51.100.2/32"]},
                {"target": 83, "published": 8383, "allowed_sources": ["203.0.113.0/24"]},
                f"{HOST4}:9191:80",
            ],
        },
        "db": {"networks": ["front"]},
    },
}


@pytest.fixture(name="stall", scope="module")
def fixture_stall():
    with host() as here:
        here.answer = built(STALL)
        here.serve("web", 80, 81, 82, 83, 443, 7000, 7001, 7002)
        here.serve(None, 5555)
        yield here


@pytest.mark.parametrize(("at", "seen"), [(HOST4, "198.51.100.2"), (HOST6, "fd51::2")], ids=["ipv4", "ipv6"])
def test_another_machine_reaches_what_is_published_for_it(stall, at, seen):
    free = int(ports(stall.answer, "web")[0])
    for port, target in ((free, 80), (8080, 80), (8000, 81)):
        assert stall.ask("lan", at, port) == f"web:{target} sees {seen}"
    for port in (7000, 7001, 7002):
        assert stall.ask("lan", at, port, "udp") == f"web:{port} sees {seen}"
    assert stall.ask("lan", at, 8443, wait=QUIET) is None
    assert stall.ask("lan", at, 8383, wait=QUIET) is None
    assert stall.ask("lan", at, 7003, "udp", wait=QUIET) is None


def test_sources_and_addresses_of_a_port_are_of_one_family(stall):
    assert stall.ask("lan", HOST4, 8282) == "web:82 sees 198.51.100.2"
    assert stall.ask("lan", HOST4, 9191) == "web:80 sees 198.51.100.2"
    assert stall.ask("lan", HOST6, 8282, wait=QUIET) is None
    assert stall.ask("lan", HOST6, 9191, wait=QUIET) is None


def test_the_host_and_the_container_itself_reach_it_too(stall):
    assert stall.ask(None, "127.0.0.1", 8443) == "web:443 sees 172.18.0.1"
    assert stall.ask(None, "127.0.0.1", 8080) == "web:80 sees 172.18.0.1"
    assert stall.ask(None, HOST4, 8080) == f"web:80 sees {HOST4}"
    assert stall.ask(None, HOST6, 8080) == f"web:80 sees {HOST6}"
    for where in ("web", "db"):
        assert stall.ask(where, HOST4, 8080) == "web:80 sees 172.18.0.1"


def test_a_free_port_is_chosen_and_stays(stall):
    (port, *_others) = ports(stall.answer, "web")
    assert 32768 <= int(port) <= 60999
    again = copy.deepcopy(STALL)
    again["containers"] = {"early": {"networks": ["front"], "ports": ["80"]}, **again["containers"]}
    done = topology(again)
    assert ports(done, "web")[0] == port and ports(done, "early")[0] not in (port, None)
    topology(STALL)


@pytest.mark.parametrize(
    ("port", "sentence"),
    [
        ("5555:80", "port 5555/tcp is already taken by python"),
        ("8080:81", "8080:81/tcp is published on this host by container web too"),
        ("7001:80/udp", "7001:80/udp is published on this host by container web too"),
        ("[::1]:9000:80", "host_ip '::1' cannot be served without a proxy process"),
        (1342, 'quote it: "22:22"'),
    ],
)
def test_a_port_that_cannot_be_published_is_refused_by_name(stall, port, sentence):
    before = everything()
    other = copy.deepcopy(STALL)
    other["containers"]["db"]["ports"] = [port]
    assert sentence in refused(other)
    assert everything() == before


def test_a_port_that_another_topology_has_is_refused_by_name(stall):
    other = {"name": "other", "containers": {"cow": {"ports": ["8080:80"]}}}
    assert "port 8080/tcp is already taken by container web of topology stall" in refused(other)


# -- whatever the host is like --------------------------------------------------------------------------------


def test_reachability_depends_neither_on_forward_nor_on_br_netfilter(stall):
    switch = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    values = ("0", "1") if switch.exists() else ("",)
    web = address(stall.answer, "web", "front")
    sh("iptables-nft -P FORWARD DROP; ip6tables-nft -P FORWARD DROP")
    topology(STALL)
    for value in values:
        for name in ("iptables", "ip6tables") if value else ():
            sh(f"sysctl -qw net.bridge.bridge-nf-call-{name}={value}")
        assert not topology(STALL)["changed"]
        assert stall.ask("lan", HOST4, 8080) == "web:80 sees 198.51.100.2"
        assert stall.ask("lan", HOST6, 8080) == "web:80 sees fd51::2"
        assert stall.ask("db", web, 80) == f"web:80 sees {address(stall.answer, 'db', 'front')}"
        assert stall.ask("web", HOST4, 8080) == "web:80 sees 172.18.0.1"
        assert reaches("web", "198.51.100.2") and reaches("web", "fd51::2") and reaches("web", "db")
