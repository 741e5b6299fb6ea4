# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two topologies on one network: what each knows of the other, what keeps their containers apart, what neither takes away."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.netwright.docknet.tests.kernel.machine import ip, portrait, sh
from ansible_collections.netwright.docknet.tests.kernel.topologies import (
    Flow,
    address,
    built,
    everything,
    host,
    misses,
    reaches,
    refused,
    steps,
    topology,
    until,
)

FAMILIES = (4, 6)
POOLS = {"config": [{"subnet": "172.30.0.0/24"}, {"subnet": "fd00:30::/64"}]}


@pytest.fixture(name="here")
def fixture_here():
    with host() as here:
        yield here


def shop(*more, **options):
    """The owner of the network, in both families."""
    front = {"enable_ipv6": True, "ipam": POOLS, **({"driver_opts": options} if options else {})}
    web = {"hostname": "server1", "networks": {"front": {"aliases": ["www"]}}}
    containers = {"web": web, **{name: {"networks": ["front"]} for name in more}}
    return {"name": "shop", "networks": {"front": front}, "containers": containers}


def farm(*names, **more):
    """The guests; they call the network by another name."""
    device = ip("link show type bridge")[0]["ifname"]
    containers = {name: {"networks": {"street": {"aliases": [f"the-{name}"]}}} for name in names}
    return {
        "name": "farm",
        "networks": {"street": {"external": True, "name": device}},
        "containers": {**containers, **more},
    }


def gone(name):
    return topology({"name": name}, state="absent")


def dig(container, name, sort="A"):
    """What the container's own name server answers, by both ways to ask it."""
    servers = [
        line.split()[1]
        for line in Path(f"/etc/netns/{container}/resolv.conf").read_text().splitlines()
        if line.startswith("nameserver")
    ]
    assert len(servers) == 2, "the gateways of both families"
    said = {
        sh(f"ip netns exec {container} dig @{server} +time=2 +tries=1 +short {name} {sort}").strip()
        for server in servers
    }
    assert len(said) == 1, said
    return said.pop()


def learns(container, name, sort="A"):
    """The answer, once its server has read what it was told of a moment ago."""
    until(lambda: dig(container, name, sort))
    return dig(container, name, sort)


@pytest.mark.usefixtures("here")
def test_guests_and_owners_know_each_other_by_name():
    owners = built(shop())
    guests = built(farm("cow"))
    for version, sort in zip(FAMILIES, ("A", "AAAA")):
        cow, web = address(guests, "cow", "street", version), address(owners, "web", "front", version)
        for name in ("web", "server1", "www", "web.street"):
            assert dig("cow", name, sort) == web
        for name in ("cow", "the-cow", "cow.front"):
            assert learns("web", name, sort) == cow
        assert dig("web", f"-x {cow}", "") == "cow.front." and dig("cow", f"-x {web}", "") == "web.street."
    assert reaches("web", "the-cow") and reaches("cow", "www")
    assert not topology(shop())["changed"] and not topology(farm("cow"))["changed"]


@pytest.mark.usefixtures("here")
def test_names_on_a_common_network_follow_whoever_changes():
    built(shop())
    before = everything()
    built(farm("cow"))
    assert [step for step in steps(built(farm("cow", "hen"))) if "shop" in step] == [
        "set service shop-names-" + names_of("shop")
    ]
    assert learns("web", "hen") and dig("cow", "hen")
    built(shop("db"))
    assert learns("cow", "db") and dig("web", "db")
    built(farm("hen"))
    assert until(lambda: not dig("web", "cow")) and dig("web", "hen") and dig("hen", "web")
    built(shop())
    assert until(lambda: not dig("hen", "db"))
    gone("farm")
    assert until(lambda: not dig("web", "hen")) and dig("web", "www")
    assert not topology(shop())["changed"]
    after = everything()
    assert {key for key in before if isinstance(before[key], str | list) and before[key] != after[key]} == set()


def names_of(owner):
    (service,) = Path("/run/docknet/service").glob(f"{owner}-names-*")
    return service.name.rpartition("-")[2]


@pytest.mark.usefixtures("here")
def test_who_is_not_on_the_common_network_knows_nobody_there():
    built(shop())
    document = farm("cow", hen={"networks": ["own"]})
    document["networks"]["own"] = {"enable_ipv6": True}
    built(document)
    owners = shop("safe")
    owners["networks"]["vault"] = {"enable_ipv6": True, "internal": True}
    owners["containers"]["safe"] = {"networks": ["vault"]}
    built(owners)
    assert learns("web", "cow") and dig("cow", "web")
    for asking, name in (("hen", "web"), ("hen", "cow"), ("safe", "web"), ("safe", "cow")):
        assert not dig(asking, name)


def bridge_calls(on):
    for name in ("iptables", "ip6tables"):
        sh(f"f=/proc/sys/net/bridge/bridge-nf-call-{name}; test ! -e $f || echo {int(on)} > $f")


@pytest.mark.parametrize("calls", [True, False], ids=["bridge-calls", "no-bridge-calls"])
@pytest.mark.usefixtures("here")
def test_guests_of_a_network_without_icc_are_kept_apart_too(calls):
    bridge_calls(calls)
    owners = built(shop("db", enable_icc="false"))
    guests = built(farm("cow", "hen"))
    for version in FAMILIES:
        web, cow = address(owners, "web", "front", version), address(guests, "cow", "street", version)
        gateway = {4: "172.30.0.1", 6: "fd00:30::1"}[version]
        assert misses("db", web) and misses("cow", web) and misses("web", cow) and misses("hen", cow)
        assert reaches("cow", gateway) and reaches("cow", {4: "198.51.100.2", 6: "fd51::2"}[version])
    assert dig("cow", "web") == address(owners, "web", "front")
    built(shop("db"))
    for version in FAMILIES:
        assert reaches("cow", address(owners, "web", "front", version)) and reaches("hen", "cow")


@pytest.mark.usefixtures("here")
def test_guests_take_the_network_as_its_owner_has_it():
    """MTU, where it leads, and what it opens."""
    document = shop(**{"com.docker.network.driver.mtu": "1400"})
    document["networks"]["front"]["internal"] = True
    built(document)
    built(farm("cow"))
    assert ip("-n cow link show eth0")[0]["mtu"] == 1400
    assert not ip("-n cow route show default") and not ip("-n cow -6 route show default")
    assert reaches("cow", "web") and misses("cow", "198.51.100.2")


def test_a_network_with_guests_is_neither_removed_nor_made_again(here):
    built(shop("db"))
    guests = built(farm("cow"))
    before = everything()
    kept = "networks.front: it cannot be removed while containers of other topologies are on it: cow (topology farm)"
    with Flow(here, "db", (address(guests, "cow", "street"), 81), "cow", 81) as flow:
        said = refused({"name": "shop"}, state="absent")
        assert said == f"{kept}; take them off it first, or remove their topologies"
        assert kept in refused({"name": "shop", "containers": {"web": {}}})
        assert kept in refused({**shop(), "networks": {"front": {"name": "br-other"}}})
        assert kept in refused(
            {**shop(), "networks": {"front": {"driver": "macvlan", "driver_opts": {"parent": "lan0"}}}}, recreate=True
        )
        moved = {"front": {"enable_ipv6": True, "ipam": {"config": [{"subnet": "172.31.0.0/24"}]}}}
        assert "its subnet cannot change while" in refused({**shop(), "networks": moved})
        assert flow.goes_on(), flow.error
    assert everything() == before
    built({"name": "farm", "containers": {"cow": {}}})
    gone("shop")
    assert reaches("cow", "198.51.100.2")
    gone("farm")


@pytest.mark.usefixtures("here")
def test_nothing_is_left_of_owners_and_guests():
    before = portrait(), sh("nft list ruleset")
    built(shop())
    built(farm("cow"))
    gone("farm")
    gone("shop")
    assert (portrait(), sh("nft list ruleset")) == before
    assert not list(Path("/run/docknet/service").glob("*"))


@pytest.mark.usefixtures("here")
def test_a_saved_document_that_is_no_longer_valid_stops_guests_but_not_owners():
    built(shop())
    guests = farm("cow")
    built(guests)
    state = {name: Path(f"/var/lib/docknet/{name}.json") for name in ("shop", "farm")}
    for path in state.values():
        path.write_text(path.read_text().replace('"aliases"', '"nicknames"'))
    said = refused(guests)
    assert said.startswith(
        "networks.street: the topology that makes it is saved on this host with a document that is no"
    )
    assert "topology farm: it is saved on this host with a document" in str(topology(shop("db"))["warnings"])
    topology(guests)
    assert learns("web", "cow") and dig("cow", "db")
    assert not topology(shop("db"))["changed"]


@pytest.mark.usefixtures("here")
def test_a_name_server_s_own_port_answers_no_container_and_no_machine():
    """By its port it would tell names to whoever can send to the gateway."""
    document = shop()
    document["networks"]["default"] = {"enable_ipv6": True}
    document["containers"]["other"] = {}
    built(document)
    sh("ip -n lan route add 172.30.0.0/24 via 198.51.100.1; ip -n lan route add fd00:30::/64 via fd51::1")
    confs = [path.read_text() for path in Path("/run/docknet/service").glob("shop-names-*/conf")]
    (conf,) = (text for text in confs if "listen-address=172.30.0.1\n" in text)
    port = next(int(line.partition("=")[2]) for line in conf.splitlines() if line.startswith("port="))

    def answered():
        questions = {
            (where, gateway): f"{where} dig @{gateway} -p {port} +time=1 +tries=1 +short web || true"
            for gateway in ("172.30.0.1", "fd00:30::1")
            for where in ("web", "other", "lan")
        }
        return {one for one, words in questions.items() if sh(f"ip netns exec {words}") == "172.30.0.2\n"}

    assert answered() == set() and dig("web", "web") == "172.30.0.2"
    assert sh(f"dig @172.30.0.1 -p {port} +time=2 +tries=1 +short web") == "172.30.0.2\n", "the host may"
    sh("nft flush chain inet docknet input")
    assert len(answered()) == 6, "nothing else is in the way"
    topology(document)
    assert answered() == set()
