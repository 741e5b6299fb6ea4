# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of containers, as values: who asks which server, what that knows, and what is in the containers' files."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import InvalidRequest
from ansible_collections.netwright.docknet.plugins.module_utils._model.hosts import HostsKey
from ansible_collections.netwright.docknet.plugins.module_utils._model.rule import Ports
from ansible_collections.netwright.docknet.plugins.module_utils._model.state import (
    Allocation,
    Lease,
    Listener,
    NetworkLease,
    State,
    Surroundings,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.text import TextKey
from ansible_collections.netwright.docknet.plugins.module_utils._model.topology import (
    DEFAULT_BRIDGE,
    HOST_GATEWAY,
    ContainerSpec,
    Document,
    EndpointSpec,
    NetworkSpec,
    Options,
    Shim,
)
from ansible_collections.netwright.docknet.plugins.module_utils._topology import nameservice
from ansible_collections.netwright.docknet.plugins.module_utils._topology.dhcp import client
from ansible_collections.netwright.docknet.plugins.module_utils._topology.nameservice import PORTS, plan_names
from ansible_collections.netwright.docknet.plugins.module_utils._topology.site import Site

NETWORKS = (
    NetworkSpec("front"),
    NetworkSpec("back"),
    NetworkSpec("vault", internal=True),
    NetworkSpec("mute", options=Options(inhibit_ipv4=True)),
    NetworkSpec("theirs", external=True),
    NetworkSpec("lan", driver="macvlan", options=Options(parents={"": "eth1"})),
    NetworkSpec("shimmed", driver="macvlan", options=Options(shim=Shim("shim", ip_address("10.6.0.200")))),
    NetworkSpec("twin", ipv6=True),
)
TWIN = ip_network("fd00:7::/64")
ORDER = (*(one.name for one in NETWORKS if one.name != "twin"), DEFAULT_BRIDGE, "twin")
AROUND = Surroundings(servers=tuple(map(ip_address, ("127.0.0.53", "192.0.2.53"))), search=("example.org",))


def at(network, number):
    return ip_address(f"10.{ORDER.index(network)}.0.{number}")


def on(name, *networks, **words):
    """A container; a network is its name, or (name, alias, ...)."""
    pairs = [(one,) if isinstance(one, str) else one for one in networks]
    endpoints = tuple(EndpointSpec(network, aliases=tuple(aliases)) for network, *aliases in pairs)
    return ContainerSpec(name, **{"netns": name, "endpoints": endpoints, **words})


def names(*containers, around=AROUND, owner="shop", foreign=(), **words):
    """Containers have the addresses .2, .3 and so on, of all networks."""
    leases = {
        (one.name, spec.network): Lease(
            at(spec.network, 2 + place), TWIN[2 + place] if spec.network == "twin" else None
        )
        for place, one in enumerate(containers)
        for spec in one.endpoints
    }
    given = {
        name: NetworkLease(f"br-{name}", (net,), {net: at(name, 1)})
        for place, name in enumerate(ORDER)
        for net in [ip_network(f"10.{place}.0.0/24")]
    }
    twin = given["twin"]
    given["twin"] = replace(twin, subnets=(*twin.subnets, TWIN), gateways={**twin.gateways, TWIN: TWIN[1]})
    given["shimmed"] = replace(given["shimmed"], shim={4: at("shimmed", 200)})
    document = Document(owner, {one.name: one for one in NETWORKS}, {one.name: one for one in containers}, **words)
    return plan_names(Site(document, None, Allocation(given, leases), around), foreign)


def text(service, path):
    return next(one.content for one in service.files if one.path == path).splitlines()


def lines(found, path):
    """A file of the only service."""
    (service,) = found.services
    return text(service, path)


def resolv(found, name):
    return next((list(one.lines) for one in found.texts if one.key == TextKey(name, "resolv.conf")), None)


def block(found, key):
    """The block of a hosts file, as text."""
    key = key if isinstance(key, HostsKey) else HostsKey(key)
    one = next((one for one in found.blocks if one.key == key), None)
    return one and [" ".join((str(link.to), *link.names)) for link in one.links]


# -- servers --------------------------------------------------------------------------------------------------


def test_one_service_for_each_set_of_networks_and_servers():
    dns = (ip_address("192.0.2.1"),)
    found = names(
        on("a", "front"),
        on("b", "front"),
        on("c", "front", "back"),
        on("d", "back", "front"),
        on("e", "front", dns=dns),
    )
    assert len(found.services) == 3
    port = {name: found.resolvers["front"][at("front", 2 + place)] for place, name in enumerate("abcde")}
    assert port["a"] == port["b"] and port["c"] == port["d"] == found.resolvers["back"][at("back", 4)]
    assert len(set(port.values())) == 3
    assert all(one.owner == "shop" and one.netns is None and one.package == "dnsmasq-base" for one in found.services)
    assert len({one.name for one in found.services}) == 3 and all(
        one.name.startswith("shop-names-") for one in found.services
    )


def test_names_and_ports_do_not_depend_on_order_and_stay_when_others_come():
    one, two, three = on("a", "front"), on("b", "back"), on("c", "front", "back")
    before = {service.name: service.files[0] for service in names(one, two).services}
    after = {service.name: service.files[0] for service in names(one, two, three).services}
    assert before.items() <= after.items()
    assert {service.name for service in names(three, two, one).services} == set(after)


def test_what_a_server_is_told():
    found = names(on("web", ("front", "www", "a.b.c"), hostname="one"), on("db", "front"))
    port = found.resolvers["front"][at("front", 2)]
    assert found.services[0].command == ("dnsmasq", "--keep-in-foreground", "--conf-file={dir}/conf")
    assert lines(found, "conf") == [
        f"port={port}",
        "min-port=32768",
        "max-port=60999",
        "bind-dynamic",
        "listen-address=10.0.0.1",
        "no-hosts",
        "addn-hosts={dir}/hosts",
        "servers-file={dir}/servers",
        "resolv-file=/etc/resolv.conf",
        "domain-needed",
        "cache-size=0",
        "pid-file",
        "log-facility=-",
    ]
    names_of_ours = ["a.b.c", "a.b.c.front", "db.front", "one.front", "web.front", "www.front"]
    only = [line for name in names_of_ours for line in (f"server=/{name}/", f"server=/*.{name}/#")]
    assert lines(found, "servers") == ["server=//", "rev-server=10.0.0.0/24", *only], "names, and no domain"
    assert lines(found, "hosts") == [
        "10.0.0.2\tweb.front web one.front one www.front www a.b.c.front a.b.c",
        "10.0.0.3\tdb.front db",
    ]
    assert [one.live for one in found.services[0].files] == [False, True, True]


def test_a_container_that_comes_or_goes_changes_live_files_only():
    before, after = (
        names(*some).services[0] for some in ((on("web", "front"),), (on("web", "front"), on("db", "front")))
    )
    assert (before.name, before.command, before.files[0]) == (after.name, after.command, after.files[0])
    assert before.files[1] != after.files[1]


def test_who_is_asked_for_names_of_elsewhere():
    dns = tuple(map(ip_address, ("192.0.2.1", "2001:db8::1")))
    own = names(on("a", "front", dns=dns))
    assert "no-resolv" in lines(own, "conf") and lines(own, "servers")[-2:] == [
        "server=192.0.2.1",
        "server=2001:db8::1",
    ]
    inside = names(on("a", "vault", dns=dns))
    assert "no-resolv" in lines(inside, "conf") and not any("192.0.2.1" in line for line in lines(inside, "servers"))
    outside = names(on("a", "vault", "lan"))
    assert "resolv-file=/etc/resolv.conf" in lines(outside, "conf"), "it has a network that leads out"


def test_what_comes_by_an_internal_network_is_asked_nowhere_while_the_container_has_another_to_ask_by():
    """A neighbour can write its address there. An internal network that only it asks by serves it as before."""
    found = names(on("a", "vault", "front"))
    assert resolv(found, "a")[0] == "nameserver 10.0.0.1"
    by_port = {one.answers_at[0].port: text(one, "conf") for one in found.services}
    (inner,), (outer,) = (found.resolvers[name].values() for name in ("vault", "front"))
    assert inner != outer and "no-resolv" in by_port[inner] and "resolv-file=/etc/resolv.conf" in by_port[outer]
    names_there = next(text(one, "hosts") for one in found.services if one.answers_at[0].port == inner)
    assert names_there == ["10.2.0.2\ta.vault a"]


def test_a_name_with_addresses_of_both_families_is_asked_outside_for_its_other_records():
    found = names(on("proxy", ("twin", "example.com"), ("front", "example.org")))
    said = lines(found, "servers")
    assert "server=/proxy.twin/" in said, "a name of ours in every respect"
    assert "server=/example.com/" not in said and "server=/example.org/" in said


def test_a_container_that_asks_itself_gets_its_own_servers_and_the_names_in_its_hosts_file():
    dns = tuple(map(ip_address, ("127.0.0.1", "1.1.1.1")))
    found = names(on("pihole", "front", dns=dns), on("db", "front"))
    assert resolv(found, "pihole") == ["nameserver 127.0.0.1", "nameserver 1.1.1.1", "search example.org"]
    assert block(found, "pihole") == ["10.0.0.2 pihole", "10.0.0.3 db.front db"]
    assert "10.0.0.2\tpihole.front pihole" in lines(found, "hosts"), "others know it"


def test_names_of_a_network_without_an_address_of_the_host_s_come_by_another():
    found = names(on("a", "mute", "front"), on("b", "mute"))
    assert "listen-address=10.0.0.1" in lines(found, "conf") and "10.3.0.3\tb.mute b" in lines(found, "hosts")
    assert set(found.resolvers) == {"front"} and resolv(found, "a")[0] == "nameserver 10.0.0.1"
    assert block(found, "b") == ["10.3.0.3 b", "10.3.0.2 a.mute a"], "nobody to ask"


LENT = Allocation(
    {
        "net": NetworkLease(
            "br-theirs", (ip_network("10.4.0.0/24"),), {ip_network("10.4.0.0/24"): ip_address("10.4.0.1")}
        ),
        "more": NetworkLease("br-more"),
    },
    {("x", "net"): Lease(ip_address("10.4.0.99")), ("y", "more"): Lease(ip_address("10.9.0.9"))},
)
LENDER = {
    "name": "shop2",
    "networks": {"net": {}, "more": {}},
    "containers": {"x": {"hostname": "ex", "networks": {"net": {"aliases": ["xa"]}}}, "y": {"networks": ["more"]}},
}


def lent(**words):
    return replace(AROUND, states={"shop2": State("shop2", document={**LENDER, **words}, allocation=LENT)})


def test_on_an_external_network_all_topologies_containers_are_known_and_may_ask():
    found = names(on("a", "theirs", "front"), on("b", "theirs"), around=lent())
    for one in found.services:
        content = {each.path: each.content.splitlines() for each in one.files}
        assert "listen-address=10.4.0.1" in content["conf"] and "server=/xa.theirs/" in content["servers"]
        assert "10.4.0.99\tx.theirs x ex.theirs ex xa.theirs xa" in content["hosts"]
    assert len(found.services) == 2 and set(found.resolvers) == {"front", "theirs"}
    assert set(found.resolvers["theirs"]) == set(map(ip_address, ("10.4.0.2", "10.4.0.3", "10.4.0.99")))
    assert resolv(found, "b")[0] == "nameserver 10.4.0.1" and block(found, "b") == ["10.4.0.3 b"]


def test_where_its_owner_has_no_address_an_external_network_is_asked_nothing():
    mute = {"net": {"driver_opts": {"inhibit_ipv4": True}}, "more": {}}
    found = names(on("a", "theirs"), around=lent(networks=mute))
    assert not found.services and block(found, "a") == ["10.4.0.2 a", "10.4.0.99 x.theirs x ex.theirs ex xa.theirs xa"]


def test_of_two_topologies_on_a_network_the_first_by_name_has_its_port_and_the_other_another(monkeypatch):
    monkeypatch.setattr(nameservice, "digest", lambda _site, _circle: "7")
    ports = {
        owner: set(names(on("a", "theirs"), around=lent(), owner=owner).resolvers["theirs"].values())
        for owner in ("shop", "shop3")
    }
    assert ports == {"shop": {20007, 20008}, "shop3": {20007, 20008}}
    own = {owner: names(on("a", "theirs"), around=lent(), owner=owner) for owner in ports}
    asked = {owner: found.resolvers["theirs"][at("theirs", 2)] for owner, found in own.items()}
    assert asked == {"shop": 20007, "shop3": 20008}


def test_ports_keep_clear_of_what_listens_everywhere_and_of_the_kernel_s_own():
    def port(**words):
        return names(on("a", "front"), around=replace(AROUND, **words)).resolvers["front"][at("front", 2)]

    usual = port()
    assert PORTS.first <= usual <= PORTS.last
    assert port(listeners=(Listener("udp", ip_address("::"), usual),)) not in (usual, None)
    own = Listener("udp", at("front", 1), usual, "dnsmasq (pid 7)", "shop-names-1")
    assert port(listeners=(own,)) == usual, "that is its own from the last run"
    assert port(listeners=(own._replace(service=""),)) != usual, "another process has it on the gateway"
    assert port(listeners=(Listener("udp", ip_address("192.0.2.1"), usual),)) == usual, (
        "on an address that is not in the way"
    )
    half = port(free_ports=Ports(20000, 24999))
    assert 25000 <= half <= PORTS.last
    assert PORTS.first <= port(free_ports=Ports(1024, 65535)) <= PORTS.last
    assert (
        len({names(on("a", "front"), owner=owner).resolvers["front"][at("front", 2)] for owner in ("shop", "x")}) == 2
    )


def test_ports_keep_clear_of_what_is_published():
    def port(*ports):
        other = State("other", allocation=Allocation(ports={("a", str(one)): one for one in ports}))
        return names(on("a", "front"), around=replace(AROUND, states={"other": other})).resolvers["front"][
            at("front", 2)
        ]

    usual = port()
    assert port(Ports(usual, usual + 9)) == usual + 10
    assert port(Ports(16384, 32768)) in range(61000, 65000)
    assert port(Ports(1, 65535)) == usual, (
        "where all are published, it does no harm: no packet for it comes from outside"
    )


def test_a_member_of_a_set_whose_port_is_taken_gets_the_next():
    many = [
        on(f"c{number}", "front", dns=(ip_address(f"192.0.{number // 250}.{number % 250 + 1}"),))
        for number in range(240)
    ]
    ports = names(*many).resolvers["front"].values()
    assert len(set(ports)) == 240


# -- resolv.conf ----------------------------------------------------------------------------------------------


def test_resolv_conf_by_network():
    found = names(
        on("a", "lan", "back", "front"), on("b", DEFAULT_BRIDGE, mode="bridge"), on("c", "lan", dns=(at("lan", 9),))
    )
    assert resolv(found, "a") == ["nameserver 10.1.0.1", "search example.org", "options ndots:0"]
    assert resolv(found, "b") == ["nameserver 192.0.2.53", "search example.org"]
    assert resolv(found, "c") == ["nameserver 10.5.0.9", "search example.org"]


def test_resolv_conf_with_what_the_container_says():
    found = names(
        on("a", "front", dns_search=("x", "y"), dns_opt=("timeout:3",)),
        on("b", "front", dns_search=(".",), dns_opt=("ndots:2", "rotate")),
    )
    assert resolv(found, "a")[1:] == ["search x y", "options ndots:0 timeout:3"]
    assert resolv(found, "b")[1:] == ["options ndots:2 rotate"]


@pytest.mark.parametrize(
    ("servers", "why"),
    [
        (
            ("127.0.0.1", "::1", "fe80::1"),
            "the host's name servers (127.0.0.1, ::1, fe80::1) cannot be reached from a container",
        ),
        ((), "the host has no name server"),
    ],
)
def test_a_container_that_can_reach_no_server_of_the_host_s_is_warned_of(servers, why):
    around = Surroundings(servers=tuple(map(ip_address, servers)))
    own = {"dns": (at("lan", 9),)}
    found = names(
        on("a", "lan"), on("b", DEFAULT_BRIDGE, mode="bridge"), on("c", "lan", **own), on("d", "front"), around=around
    )
    assert found.warnings == (f"containers a, b: {why}; set dns for them",)
    assert [line[0] for line in resolv(found, "a")] == ["#"] and why[4:] in resolv(found, "a")[0]
    assert names(on("c", "lan", **own), on("d", "front"), on("e", "vault"), around=around).warnings == ()


def test_a_host_without_resolv_conf_leaves_the_containers_their_own_names():
    gone = replace(AROUND, servers=(), no_resolver=True)
    for around, said in (
        (gone, "resolv.conf does not"),
        (replace(gone, resolver="/run/x/y"), "resolv.conf (a link to /run/x/y) does not"),
    ):
        found = names(on("a", "front"), around=around)
        assert f"resolv-file={around.resolver}" in lines(found, "conf") and said in found.warnings[0]
        for other in (on("a", "front", dns=(ip_address("192.0.2.1"),)), on("a", "vault")):
            assert names(other, around=around).warnings == ()
    assert "no-resolv" in lines(names(on("a", "front"), around=replace(gone, resolver=None)), "conf")


# -- nsswitch.conf --------------------------------------------------------------------------------------------


def nsswitch(line, *containers, foreign=()):
    around = replace(AROUND, nsswitch=("passwd: files systemd", *line.splitlines()))
    found = names(*(containers or [on("a", "front")]), around=around, foreign=foreign)
    return found, {one.key.netns: one.lines for one in found.texts if one.key.name == "nsswitch.conf"}


@pytest.mark.parametrize(
    ("line", "ours"),
    [
        ("hosts: files myhostname resolve [!UNAVAIL=return] dns", "hosts: files myhostname dns"),
        ("hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns  # Arch", "hosts: files myhostname dns"),
        ("hosts:files resolve", "hosts: files dns"),
        (
            "hosts: files mdns4_minimal [NOTFOUND=return] resolve dns [NOTFOUND=continue UNAVAIL=return]",
            "hosts: files dns [NOTFOUND=continue UNAVAIL=return]",
        ),
    ],
)
def test_a_lookup_order_that_ends_at_a_daemon_of_the_host_is_another_in_a_container(line, ours):
    _found, files = nsswitch(f"{line}\nnetworks: files")
    assert files == {"a": ("passwd: files systemd", ours, "networks: files")}


@pytest.mark.parametrize(
    "line",
    ["hosts: files dns", "hosts: files mdns4_minimal [NOTFOUND=return] dns", "hosts: dns resolve", "hosts: files", ""],
)
def test_where_the_host_s_lookup_order_does_no_harm_a_container_has_none(line):
    assert nsswitch(line)[1] == {}


def test_multicast_dns_is_in_the_way_of_names_below_local_alone():
    line = "hosts: files mdns4_minimal [NOTFOUND=return] dns"
    assert nsswitch(line, on("a", ("front", "nas.local")))[1]["a"][1] == "hosts: files dns"


def test_who_gets_a_lookup_order_of_ours():
    found, files = nsswitch(
        "hosts: resolve dns",
        on("a", "front"),
        on("b", DEFAULT_BRIDGE, mode="bridge"),
        on("c", mode="none"),
        on("d", "front", made=False, netns="docker:d"),
        on("e", "lan"),
        foreign=[TextKey("e", "nsswitch.conf")],
    )
    assert set(files) == {"a", "b"}
    assert found.warnings[-1].startswith("containers.e: /etc/netns/e/nsswitch.conf is not managed by docknet")


def test_who_has_no_resolv_conf_of_ours():
    found = names(
        on("host", mode="host", netns=None),
        on("none", mode="none"),
        on("real", "front", made=False, netns="docker:real"),
        on("pid", "front", made=False, netns="pid:42"),
    )
    assert found.texts == () and found.services == () and found.resolvers == {}
    assert block(found, "docker:real") == ["10.0.0.4 real", "10.0.0.5 pid.front pid"]
    assert block(found, "pid:42") is None, "a process's hosts file is mostly its host's"


# -- hosts files ----------------------------------------------------------------------------------------------


def test_hosts_in_docker_s_order():
    found = names(
        on("db", "back", hostname="data"),
        on(
            "web",
            "front",
            "back",
            hostname="one",
            extra_hosts=(("printer", ip_address("192.0.2.9")), ("gw", HOST_GATEWAY)),
            links=(("db", "database"),),
        ),
    )
    assert block(found, "web") == [
        "192.0.2.9 printer",
        "10.0.0.1 gw",
        "10.0.0.3 one",
        "10.1.0.3 one",
        "10.1.0.2 database data db",
    ]
    assert block(found, "db") == ["10.1.0.2 data"]


def test_links_of_the_default_bridge():
    found = names(
        on("a", DEFAULT_BRIDGE, mode="bridge"),
        on("b", DEFAULT_BRIDGE, mode="bridge", links=(("a", "a"), ("a", "first"))),
    )
    assert block(found, "b") == ["10.7.0.3 b", "10.7.0.2 a", "10.7.0.2 first a"] and found.services == ()


def test_a_link_needs_a_network_of_both():
    with pytest.raises(InvalidRequest, match=r'containers\.a: links: it shares no network with "b"'):
        names(on("a", "front", links=(("b", "x"),)), on("b", "back"))


@pytest.mark.parametrize(
    ("networks", "address"),
    [
        (("front", "back"), "10.0.0.1"),
        (("vault", "front"), "10.0.0.1"),
        (("vault",), "10.2.0.1"),
        (("lan", "front"), "10.0.0.1"),
        (("shimmed",), "10.6.0.200"),
        (("lan", "shimmed"), "10.6.0.200"),
    ],
)
def test_host_gateway_is_where_the_host_is_reached(networks, address):
    found = names(on("a", *networks, extra_hosts=(("gw", HOST_GATEWAY),)))
    assert block(found, "a")[0] == f"{address} gw"


def test_host_gateway_where_the_host_cannot_be_reached():
    with pytest.raises(InvalidRequest, match="none of its networks leads to its host"):
        names(on("a", "lan", extra_hosts=(("gw", HOST_GATEWAY),)))


def test_on_a_macvlan_names_are_in_the_hosts_file():
    found = names(on("a", ("lan", "www")), on("b", "lan"), on("c", "lan", "front"), on("d", "front"))
    assert block(found, "b") == ["10.5.0.3 b", "10.5.0.2 a.lan a www.lan www", "10.5.0.4 c.lan c"]
    assert block(found, "c") == ["10.5.0.4 c", "10.0.0.4 c"], "it has a name server"


def test_a_name_server_knows_the_names_of_a_macvlan_too_and_leaves_the_lan_its_own():
    found = names(on("a", "lan"), on("c", "lan", "front"))
    assert "10.5.0.2\ta.lan a" in lines(found, "hosts")
    assert lines(found, "servers") == [
        "server=//",
        "rev-server=10.0.0.0/24",
        "server=/a.lan/",
        "server=/*.a.lan/#",
        "server=/c.front/",
        "server=/*.c.front/#",
        "server=/c.lan/",
        "server=/*.c.lan/#",
    ]


def test_members_share_the_files_of_whose_namespace_they_are_in():
    found = names(on("web", "front", extra_hosts=(("x", ip_address("192.0.2.1")),)), on("probe", mode="container:web"))
    assert resolv(found, "web") is not None
    assert resolv(found, "probe") == resolv(found, "web")
    assert block(found, "probe") == block(found, "web") == ["192.0.2.1 x", "10.0.0.2 web"]


def test_without_a_network_a_container_knows_itself():
    assert block(names(on("a", mode="none", hostname="lonely")), "a") == ["127.0.0.1 lonely"]


def test_the_host_s_own_file_where_that_is_asked_for():
    some = (on("a", "front", "lan"), on("b", DEFAULT_BRIDGE, mode="bridge"))
    key = HostsKey(None, "/etc/hosts")
    assert block(names(*some), key) is None
    assert block(names(*some, host_names=True), key) == [
        "10.0.0.2 a a.front",
        "10.5.0.2 a a.lan",
        "10.7.0.3 b b.bridge",
    ]


# -- addresses from the LAN -----------------------------------------------------------------------------------


def test_the_dhcp_client_is_told_whether_its_route_is_the_default():
    with_route, without = (client("shop", "web", "lan", "eth0", "web", default_route=route) for route in (True, False))
    scripts = [{one.path: one.content for one in each.files} for each in (with_route, without)]
    assert set(scripts[0]) == {"deconfig", "bound", "renew", "nak", "leasefail"}
    assert "route replace default" in scripts[0]["bound"]
    assert scripts[0]["bound"] == scripts[0]["renew"]
    assert not any("route" in script for script in scripts[1].values())
    assert (with_route.name, with_route.netns, with_route.package) == ("shop-dhcp-web:lan", "web", "udhcpc")
