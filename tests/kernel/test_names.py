# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names as containers get them: each sentence of what must be true of names, asked with dig inside the containers.

The containers ask the port of their name server itself; that a question to port 53 comes there is the packet filter's part.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import NamedTuple

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import Fixed, converge
from ansible_collections.netwright.docknet.plugins.module_utils._kernel import nameprobe
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._model.hosts import HostsBlock, HostsKey
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Question, Wanted
from ansible_collections.netwright.docknet.plugins.module_utils._model.state import (
    Allocation,
    Lease,
    NetworkLease,
    Surroundings,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.topology import (
    DEFAULT_BRIDGE,
    ContainerSpec,
    Document,
    EndpointSpec,
    NetworkSpec,
)
from ansible_collections.netwright.docknet.plugins.module_utils._topology.nameservice import plan_names
from ansible_collections.netwright.docknet.plugins.module_utils._topology.site import Site
from ansible_collections.netwright.docknet.tests.kernel.machine import machine, sh

NETWORKS = {
    "front": NetworkSpec("front", ipv6=True),
    "back": NetworkSpec("back"),
    "vault": NetworkSpec("vault", internal=True),
}
LEASES = {
    "front": NetworkLease(
        "front",
        (ip_network("172.20.0.0/24"), ip_network("fd00:20::/64")),
        {ip_network("172.20.0.0/24"): ip_address("172.20.0.1"), ip_network("fd00:20::/64"): ip_address("fd00:20::1")},
    ),
    "back": NetworkLease(
        "back", (ip_network("172.21.0.0/20"),), {ip_network("172.21.0.0/20"): ip_address("172.21.0.1")}
    ),
    "vault": NetworkLease(
        "vault", (ip_network("172.22.0.0/24"),), {ip_network("172.22.0.0/24"): ip_address("172.22.0.1")}
    ),
    DEFAULT_BRIDGE: NetworkLease(
        "docknet0", (ip_network("172.17.0.0/16"),), {ip_network("172.17.0.0/16"): ip_address("172.17.0.1")}
    ),
}
AROUND = Surroundings(servers=(ip_address("127.0.0.1"),), search=("lan.example",))


class Answer(NamedTuple):
    status: str
    data: list[str]


def on(name, *networks, **words):
    """A container; a network is its name, or (name, alias, ...)."""
    pairs = [(one,) if isinstance(one, str) else one for one in networks]
    endpoints = tuple(EndpointSpec(network, aliases=tuple(aliases)) for network, *aliases in pairs)
    return ContainerSpec(name, netns=name, endpoints=endpoints, **words)


WEB = on("web", ("front", "www", "static.shop.example"), hostname="server1")
MAIL = on("mail", ("front", "www"))
APP = on("app", "front", "back")
DB = on("db", "back")
SAFE = on("safe", "vault")
CONTAINERS = (WEB, MAIL, APP, DB, SAFE)


def given(tool, device, addresses):
    """No address is tentative, so that it can be listened on at once."""
    return "; ".join(f"{tool} address add {one} dev {device}{' nodad' if ':' in one else ''}" for one in addresses)


class Town:
    """A host with bridges and containers as a topology would have them, whose names the collection keeps."""

    def __init__(self):
        self.numbers = {}
        self.port = {}
        self.there = set()

    def build(self, *containers):
        """Bridges, namespaces and pairs that are not there yet; those are others' part."""
        for container in containers:
            self.once(f"ip netns add {container.netns}")
            for endpoint in container.endpoints:
                lease, number = LEASES[endpoint.network], self.number(container, endpoint.network)
                device, end, inside = lease.device, f"{container.name}-{endpoint.network}", f"ip -n {container.netns}"
                gateways = (f"{lease.gateways[one]}/{one.prefixlen}" for one in lease.subnets)
                self.once(f"ip link add {device} type bridge; ip link set {device} up; {given('ip', device, gateways)}")
                addresses = (f"{one[number]}/{one.prefixlen}" for one in lease.subnets)
                self.once(
                    f"ip link add {end} type veth peer name {device} netns {container.netns}; ip link set {end} master {device} up"
                    f"; {inside} link set {device} up; {given(inside, device, addresses)}"
                )

    def once(self, script):
        if script not in self.there:
            self.there.add(script)
            sh(script)

    def number(self, container, network):
        """The last part of its addresses there, and it keeps that."""
        taken = [number for (_one, other), number in self.numbers.items() if other == network]
        return self.numbers.setdefault((container.name, network), max(taken, default=1) + 1)

    def lease(self, container, network):
        four, *six = (subnet[self.number(container, network)] for subnet in LEASES[network].subnets)
        return Lease(four, six[0] if six else None)

    def names(self, *containers, around=AROUND, name="shop", **words):
        leases = {
            (one.name, spec.network): self.lease(one, spec.network) for one in containers for spec in one.endpoints
        }
        document = Document(name, NETWORKS, {one.name: one for one in containers}, **words)
        return plan_names(Site(document, None, Allocation(LEASES, leases), around))

    def run(self, *containers, around=AROUND, **words):
        """One run; what was wanted before and is no more goes. Returns its steps."""
        self.build(*containers)
        names = self.names(*containers, around=around, **words)
        self.port = {address: port for found in names.resolvers.values() for address, port in found.items()}
        wanted = [Wanted(one, str(one), "shop") for one in (*names.services, *names.texts, *names.blocks)]
        with Host() as host:
            seen = host.observe(Question(owners={"shop"}, owned=True))
            kept = {one.value.name for one in wanted if hasattr(one.value, "name")}
            wanted += [Wanted(one, str(one), "shop", False) for name, one in seen.services.items() if name not in kept]
            todo, _wanted, _world = converge(host, Fixed(wanted), False, [])
        return [(step.action, str(step.value).split()[0], step.reason) for step in todo.operations]

    def dig(self, container, *words, network=None):
        """What the container's name server says on the first of its networks, or on another."""
        network = network or container.endpoints[0].network
        address = self.lease(container, network).ipv4
        gateway = next(iter(LEASES[network].gateways.values()))
        said = sh(
            f"ip netns exec {container.netns} dig @{gateway} -p {self.port[address]} -b {address} +time=2 +tries=1"
            f" +nocmd +noall +comments +answer {' '.join(words)} || true"
        )
        lines = [line for line in said.splitlines() if line and not line.startswith(";")]
        status = said.partition("status: ")[2].partition(",")[0]
        return Answer(status or said, sorted(line.split()[-1] for line in lines))


@pytest.fixture(name="town")
def fixture_town():
    with machine():
        Path("/etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
        sh("ip link set lo up; mkdir /run/netns")
        try:
            yield Town()
        finally:
            for record in [*Path("/run").glob("docknet/service/*/pid"), *Path("/run").glob("outside*.pid")]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(record.read_text().split()[0]), signal.SIGKILL)


@pytest.fixture(name="shop")
def fixture_shop(town):
    town.run(*CONTAINERS)
    return town


def outside(address, name, says):
    """A name server of elsewhere, with one name."""
    known = f"--address=/{name}/{says}" if name else ""
    sh(
        f"dnsmasq --conf-file=/dev/null --pid-file=/run/outside-{address}.pid --no-resolv --no-hosts --bind-interfaces"
        f" --listen-address={address} {known}"
    )


def hosts(container):
    return [line for line in Path(f"/etc/netns/{container.netns}/hosts").read_text().splitlines() if "#" not in line]


def own(container):
    """The lines of our block, which are what follows the names that every hosts file has."""
    return [line for line in hosts(container) if "ip6-" not in line and line != "127.0.0.1\tlocalhost"]


# -- user-defined networks ------------------------------------------------------------------------------------


def test_a_container_is_known_by_its_name_hostname_and_aliases_each_with_the_network_too(shop):
    for name in ("web", "server1", "static.shop.example"):
        for one in (name, f"{name}.front"):
            assert shop.dig(MAIL, one) == Answer("NOERROR", ["172.20.0.2"])
            assert shop.dig(MAIL, one, "AAAA") == Answer("NOERROR", ["fd00:20::2"])


def test_an_address_is_known_by_the_name_of_its_container_and_network(shop):
    assert shop.dig(MAIL, "-x 172.20.0.2") == Answer("NOERROR", ["web.front."])
    assert shop.dig(MAIL, "-x fd00:20::2") == Answer("NOERROR", ["web.front."])
    assert shop.dig(DB, "-x 172.21.0.2") == Answer("NOERROR", ["app.back."])


def test_an_address_of_the_network_that_is_nobody_s_is_not_asked_for_elsewhere(shop):
    outside("127.0.0.1", "", "")
    for address in ("172.20.0.77", "172.20.0.255", "fd00:20::77"):
        assert shop.dig(MAIL, f"-x {address}") == Answer("NXDOMAIN", [])
    assert shop.dig(DB, "-x 172.21.9.9") == Answer("NXDOMAIN", [])


def test_names_are_case_insensitive(shop):
    for name in ("WEB", "Web.Front", "STATIC.shop.Example", "wWw.FRONT"):
        assert shop.dig(MAIL, name).status == "NOERROR" and "172.20.0.2" in shop.dig(MAIL, name).data


def test_a_name_without_an_ipv6_address_is_an_empty_answer(shop):
    outside("127.0.0.1", "", "")
    for name in ("db", "db.back"):
        assert shop.dig(APP, name, "AAAA") == Answer("NOERROR", [])
    assert shop.dig(APP, "no-such-name", "AAAA") == Answer("NXDOMAIN", [])


def test_an_alias_with_dots_and_without_an_ipv6_address_is_an_empty_answer_too(town):
    other = on("other", ("back", "other.shop.example"))
    town.run(APP, other)
    outside("127.0.0.1", "other.shop.example", "2001:db8::1")
    assert town.dig(APP, "other.shop.example", "AAAA") == Answer("NOERROR", [])
    assert town.dig(APP, "other.shop.example") == Answer("NOERROR", ["172.21.0.3"])


def test_two_containers_with_one_alias_are_both_answered(shop):
    for name in ("www", "www.front"):
        assert shop.dig(APP, name) == Answer("NOERROR", ["172.20.0.2", "172.20.0.3"])
        assert shop.dig(APP, name, "AAAA") == Answer("NOERROR", ["fd00:20::2", "fd00:20::3"])


def test_only_containers_that_share_a_network_know_each_other(shop):
    assert shop.dig(MAIL, "app").data == ["172.20.0.4"], "not its address on back"
    for asking, name in ((MAIL, "db"), (DB, "web"), (SAFE, "web"), (MAIL, "safe")):
        assert shop.dig(asking, name) == Answer("NXDOMAIN", [])


def test_a_container_on_two_networks_gets_both_networks_names(shop):
    for network in ("front", "back"):
        assert shop.dig(APP, "web", network=network).data == ["172.20.0.2"]
        assert shop.dig(APP, "db", network=network).data == ["172.21.0.3"]
        assert shop.dig(APP, "app", network=network).data == ["172.20.0.4", "172.21.0.2"]


def test_a_container_knows_itself(shop):
    assert shop.dig(WEB, "web").data == ["172.20.0.2"]


def test_removed_names_are_gone_at_once_and_the_server_stays(shop):
    pids = sorted(one.read_text() for one in Path("/run/docknet/service").glob("*/pid"))
    steps = shop.run(*(one for one in CONTAINERS if one is not WEB))
    assert {step for step in steps if step[1] == "service"} == {("set", "service", "hosts and servers changed")}
    until(lambda: shop.dig(MAIL, "web") == Answer("NXDOMAIN", []))
    assert shop.dig(MAIL, "www").data == ["172.20.0.3"]
    assert sorted(one.read_text() for one in Path("/run/docknet/service").glob("*/pid")) == pids


def until(condition):
    """At once, as far as a signal to another process is that."""
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def test_new_names_are_known_at_once(shop):
    shop.run(*CONTAINERS, on("new", "front"))
    until(lambda: shop.dig(MAIL, "new") == Answer("NOERROR", ["172.20.0.5"]))


def test_tcp_is_answered_too(shop):
    assert shop.dig(MAIL, "+tcp web") == Answer("NOERROR", ["172.20.0.2"])
    many = [on(f"many{number}", ("front", "crowd")) for number in range(60)]
    names = shop.names(*CONTAINERS, *many)
    with Host() as host:
        converge(host, Fixed([Wanted(one, str(one), "shop") for one in names.services]), False, [])
    until(lambda: len(shop.dig(MAIL, "crowd").data) == 60)


def test_ipv6_is_a_way_to_ask_too(shop):
    said = sh(f"ip netns exec mail dig @fd00:20::1 -p {shop.port[ip_address('fd00:20::3')]} +short web AAAA")
    assert said == "fd00:20::2\n"


# -- names of the world that look like ours ---------------------------------------------------------------------


def world(address, *lines):
    """A name server of elsewhere that has everything that it is told."""
    words = " ".join(f"'--{line}'" for line in lines)
    sh(
        f"dnsmasq --conf-file=/dev/null --pid-file=/run/outside-{address}.pid --no-resolv --no-hosts --bind-interfaces"
        f" --listen-address={address} {words}"
    )


def test_a_network_takes_no_domain_from_the_world(shop):
    world("127.0.0.1", "address=/metadata.front/192.0.2.7", "txt-record=deep.web.front,hello")
    for words in ("metadata.front", "+tcp metadata.front"):
        assert shop.dig(MAIL, words) == Answer("NOERROR", ["192.0.2.7"]), "only CONTAINER.NETWORK is ours"
    assert shop.dig(MAIL, "deep.web.front TXT") == Answer("NOERROR", ['"hello"'])
    assert shop.dig(MAIL, "web.front").data == ["172.20.0.2"]
    assert shop.dig(SAFE, "metadata.vault") == Answer("REFUSED", [])
    shop.run(*(one for one in CONTAINERS if one is not WEB))
    sh("kill $(cat /run/outside-127.0.0.1.pid)")
    until(lambda: not sh("ss -Hlnu 'src 127.0.0.1 and sport = :53'"))
    world("127.0.0.1", "address=/web.front/192.0.2.8")
    until(lambda: shop.dig(MAIL, "web.front") == Answer("NOERROR", ["192.0.2.8"]))


def test_an_alias_or_hostname_hides_no_other_name_of_its_domain(town):
    proxy = on("proxy", ("back", "example.com", "Site_1.example.com"), hostname="mail.example.com")
    twin = on("twin", ("front", "example.org"))
    town.run(APP, proxy, twin)
    world(
        "127.0.0.1",
        "address=/example.com/192.0.2.7",
        "address=/example.com/2001:db8::7",
        "address=/api.example.com/192.0.2.8",
        "txt-record=_acme-challenge.mail.example.com,challenge",
        "txt-record=example.org,v=spf1",
        "mx-host=example.org,mx.example.org,10",
    )
    for name in ("example.com", "EXAMPLE.com", "site_1.example.com", "mail.example.com"):
        assert town.dig(APP, name) == Answer("NOERROR", ["172.21.0.3"])
        assert town.dig(APP, f"{name} AAAA") == Answer("NOERROR", []), "not the world's"
    assert town.dig(APP, "api.example.com").data == ["192.0.2.8"]
    assert town.dig(APP, "_acme-challenge.mail.example.com TXT").data == ['"challenge"']
    assert town.dig(APP, "example.org").data == ["172.20.0.3"] and town.dig(APP, "example.org AAAA").data == [
        "fd00:20::3"
    ]
    assert town.dig(APP, "example.org TXT").data == ['"v=spf1"'] and town.dig(APP, "example.org MX").data == [
        "mx.example.org."
    ]


# -- names of elsewhere ---------------------------------------------------------------------------------------


def test_other_names_are_asked_of_the_host_s_servers_whatever_they_become(shop):
    outside("127.0.0.1", "elsewhere.example", "192.0.2.7")
    assert shop.dig(MAIL, "elsewhere.example") == Answer("NOERROR", ["192.0.2.7"])
    assert shop.dig(MAIL, "+tcp elsewhere.example") == Answer("NOERROR", ["192.0.2.7"])
    outside("127.0.0.2", "elsewhere.example", "192.0.2.8")
    Path("/etc/resolv.conf").write_text("nameserver 127.0.0.2\n")
    end = time.monotonic() + 5
    while shop.dig(MAIL, "elsewhere.example").data != ["192.0.2.8"] and time.monotonic() < end:
        time.sleep(0.1)
    assert shop.dig(MAIL, "elsewhere.example").data == ["192.0.2.8"]


def test_a_plain_name_never_leaves_the_host(shop):
    outside("127.0.0.1", "printer", "192.0.2.7")
    assert shop.dig(MAIL, "printer") == Answer("NXDOMAIN", [])


def test_a_container_s_own_dns_is_asked_instead(town):
    outside("127.0.0.1", "elsewhere.example", "192.0.2.7")
    sh("ip address add 192.0.2.53/32 dev lo")
    outside("192.0.2.53", "elsewhere.example", "192.0.2.9")
    mine = on("mine", "front", dns=(ip_address("192.0.2.53"),))
    town.run(WEB, mine)
    assert town.dig(mine, "elsewhere.example").data == ["192.0.2.9"] and town.dig(mine, "web").data == ["172.20.0.2"]
    assert town.dig(WEB, "elsewhere.example").data == ["192.0.2.7"] and town.dig(WEB, "mine").data == ["172.20.0.3"]


def test_names_of_outside_are_refused_to_containers_with_internal_networks_only(shop):
    outside("127.0.0.1", "elsewhere.example", "192.0.2.7")
    assert shop.dig(SAFE, "elsewhere.example") == Answer("REFUSED", [])
    assert shop.dig(SAFE, "-x 192.0.2.7") == Answer("REFUSED", [])
    assert shop.dig(SAFE, "safe").data == ["172.22.0.2"]
    both = on("both", "vault", "back")
    shop.run(*CONTAINERS, both)
    assert shop.dig(both, "elsewhere.example", network="back").data == ["192.0.2.7"]
    assert shop.dig(both, "elsewhere.example", network="vault") == Answer("REFUSED", [])
    assert shop.dig(SAFE, "elsewhere.example") == Answer("REFUSED", [])


# -- the servers ----------------------------------------------------------------------------------------------


def test_one_packaged_server_runs_for_each_distinct_set_of_networks(shop):
    """front; front and back; back; vault."""
    records = [*Path("/run/docknet/service").glob("shop-names-*/pid")]
    assert len(records) == 4 == len({shop.port[shop.lease(one, one.endpoints[0].network).ipv4] for one in CONTAINERS})
    for record in records:
        assert os.path.basename(os.readlink(f"/proc/{record.read_text().split()[0]}/exe")) == "dnsmasq"
    listening = sh("ss -Hlntu").splitlines()
    addresses = {line.split()[4].rpartition(":")[0] for line in listening}
    assert addresses == {"172.20.0.1", "[fd00:20::1]", "172.21.0.1", "172.22.0.1"}, "the gateways and nothing else"


def test_a_second_run_changes_nothing(shop):
    assert shop.run(*CONTAINERS) == []


def test_the_servers_of_nobody_go(shop):
    steps = shop.run(WEB)
    assert [step[:2] for step in steps if step[0] == "delete"] == [("delete", "service")] * 3
    assert len(list(Path("/run/docknet/service").iterdir())) == 1


def test_it_runs_as_nobody(shop):
    for record in Path("/run/docknet/service").glob("*/pid"):
        status = Path(f"/proc/{record.read_text().split()[0]}/status")
        until(lambda status=status: "\nUid:\t65534\t65534\t65534" in status.read_text())


def server_of(container, town):
    """The process of a container's name server."""
    port = town.port[town.lease(container, container.endpoints[0].network).ipv4]
    return next(
        int((one / "pid").read_text().split()[0])
        for one in Path("/run/docknet/service").iterdir()
        if f"port={port}\n" in (one / "conf").read_text()
    )


def test_a_stopped_name_server_is_started_again(shop):
    os.kill(server_of(DB, shop), signal.SIGSTOP)
    until(lambda: Path(f"/proc/{server_of(DB, shop)}/stat").read_text().split()[2] == "T")
    assert shop.run(*CONTAINERS) == [("set", "service", "it is stopped (SIGSTOP)")]
    assert shop.dig(DB, "app").data == ["172.21.0.2"]


def test_a_deaf_name_server_is_started_again_and_a_filter_in_between_is_not_its_fault(shop):
    """A process in its place that has its sockets and reads none of them."""
    victim = server_of(DB, shop)
    deaf = subprocess.Popen(["sleep", "100"])
    record = next(
        one for one in Path("/run/docknet/service").glob("*/pid") if one.read_text().split()[0] == str(victim)
    )
    port = shop.port[shop.lease(DB, "back").ipv4]
    os.kill(victim, signal.SIGKILL)
    until(lambda: not sh(f"ss -Hlnu src 172.21.0.1:{port}"))
    try:
        start = Path(f"/proc/{deaf.pid}/stat").read_text().rpartition(")")[2].split()[19]
        record.write_text(f"{deaf.pid} {start}\n")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
            mute.bind(("172.21.0.1", port))
            with Host() as host:
                began = time.monotonic()
                (seen,) = (
                    one for one in host.observe(Question(owners={"shop"}, owned=True)).services.values() if one.trouble
                )
                assert nameprobe.PATIENCE <= time.monotonic() - began < nameprobe.PATIENCE + 2
            assert (seen.name, seen.trouble) == (record.parent.name, "it does not answer")
        assert shop.run(*CONTAINERS) == [("set", "service", "it does not answer")]
        assert shop.dig(DB, "app").data == ["172.21.0.2"]
    finally:
        deaf.kill()
        deaf.wait()
    sh("nft 'add table inet mine; add chain inet mine in { type filter hook input priority 0; policy drop; }'")
    assert shop.run(*CONTAINERS) == []


def test_a_port_that_another_process_has_is_chosen_around(town):
    port = town.names(DB).resolvers["back"][town.lease(DB, "back").ipv4]
    town.build(DB)
    with socket.create_server(("172.21.0.1", port)), Host() as host:
        around = replace(AROUND, listeners=host.observe(Question(survey=True)).surroundings.listeners)
        town.run(DB, APP, around=around)
        assert town.port[town.lease(DB, "back").ipv4] != port
        assert town.dig(DB, "app").data == ["172.21.0.3"]
    with Host() as host:
        seen = host.observe(Question(survey=True)).surroundings.listeners
    assert seen and all(one.service.startswith("shop-names-") for one in seen)
    assert town.run(DB, APP, around=replace(AROUND, listeners=seen)) != [], "it goes back"


# -- the files of containers ----------------------------------------------------------------------------------


def test_resolv_conf_names_the_gateway_with_ndots_0_and_the_host_s_search(shop):
    seen = sh("ip netns exec mail cat /etc/resolv.conf").splitlines()
    assert seen[1:] == ["nameserver 172.20.0.1", "nameserver fd00:20::1", "search lan.example", "options ndots:0"]
    assert Path("/etc/netns/db/resolv.conf").read_text().splitlines()[1] == "nameserver 172.21.0.1"


def test_every_hosts_file_has_its_own_line(shop):
    assert own(WEB) == ["172.20.0.2\tserver1", "fd00:20::2\tserver1"]
    assert own(APP) == ["172.20.0.4\tapp", "fd00:20::4\tapp", "172.21.0.2\tapp"]


def test_a_link_is_known_to_its_container_alone(town):
    linked = on("linked", "back", links=(("db", "database"),))
    town.run(DB, linked, on("third", "back"))
    assert "172.21.0.2\tdatabase db" in own(linked)
    for container in (DB, on("third", "back")):
        assert "database" not in Path(f"/etc/netns/{container.netns}/hosts").read_text()
    assert town.dig(linked, "database") == Answer("NXDOMAIN", [])


def test_the_default_bridge_has_no_names_but_links(town):
    first = on("first", DEFAULT_BRIDGE, mode="bridge", hostname="one")
    second = on("second", DEFAULT_BRIDGE, mode="bridge", links=(("first", "uno"),))
    around = replace(AROUND, servers=(ip_address("127.0.0.53"), ip_address("192.0.2.53")))
    town.run(first, second, around=around)
    assert not os.path.exists("/run/docknet/service")
    assert own(second) == ["172.17.0.3\tsecond", "172.17.0.2\tuno one first"]
    assert own(first) == ["172.17.0.2\tone"]
    for one in (first, second):
        lines = Path(f"/etc/netns/{one.netns}/resolv.conf").read_text().splitlines()
        assert lines[1:] == ["nameserver 192.0.2.53", "search lan.example"], "no server on the host's loopback"


def test_the_host_knows_its_containers_where_that_is_asked_for(town):
    Path("/etc/hosts").write_text("127.0.0.1\tlocalhost\n")
    town.run(DB, APP, host_names=True)
    block = Path("/etc/hosts").read_text().splitlines()
    assert block[1:] == [
        "# BEGIN docknet@shop",
        "172.21.0.2\tdb db.back",
        "172.20.0.2\tapp app.front",
        "fd00:20::2\tapp app.front",
        "172.21.0.3\tapp app.back",
        "# END docknet@shop",
    ]
    with Host() as host:
        gone = HostsBlock(HostsKey(None, "/etc/hosts"), "shop")
        converge(host, Fixed([Wanted(gone, "names", "shop", False)]), False, [])
    assert Path("/etc/hosts").read_text() == "127.0.0.1\tlocalhost\n"
