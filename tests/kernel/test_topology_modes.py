# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several topologies on one host, and containers whose network is not a bridge of their own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.netwright.docknet.tests.kernel.machine import ip, portrait, sh
from ansible_collections.netwright.docknet.tests.kernel.topologies import (
    Flow,
    address,
    built,
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


@pytest.fixture(name="here")
def fixture_here():
    with host() as here:
        yield here


def gone(name):
    return topology({"name": name}, state="absent")


def names(words=""):
    return {link["ifname"] for link in ip(f"{words} link")}


# -- several topologies ---------------------------------------------------------------------------------------

SHOP = {
    "name": "shop",
    "networks": {"front": {}},
    "containers": {"web": {"networks": ["front"]}, "db": {"networks": ["front"]}},
}


@pytest.mark.usefixtures("here")
def test_a_container_s_name_that_another_topology_has_is_an_error_that_names_both():
    built(SHOP)
    before = everything()
    said = refused({"name": "farm", "containers": {"cow": {}, "web": {}}})
    assert "containers.web" in said and '"shop"' in said and '"farm"' in said
    assert everything() == before
    built({"name": "farm", "containers": {"cow": {}, "web": {"netns_name": "farm-web"}}})
    assert reaches("cow", "web") and reaches("db", "web") and misses("cow", "172.18.0.2")


def test_a_port_is_another_topology_s_only_where_their_addresses_meet(here):
    local = {"driver_opts": {"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"}}
    built({"name": "shop", "networks": {"default": local}, "containers": {"web": {"ports": ["8080:80"]}}})
    assert "is already taken by container web of topology shop" in refused(
        {"name": "farm", "containers": {"cow": {"ports": ["8080:80"]}}}
    )
    six = {"enable_ipv6": True, "enable_ipv4": False}
    built({"name": "farm", "containers": {"cow": {"ports": ["198.51.100.1:8080:80"]}}})
    built({"name": "barn", "networks": {"default": six}, "containers": {"hen": {"ports": ["8080:80"]}}})
    for name in ("web", "cow", "hen"):
        here.serve(name, 80)
    said = [here.ask(None, "127.0.0.1", 8080), here.ask("lan", "198.51.100.1", 8080), here.ask("lan", "fd51::1", 8080)]
    assert [one.partition(" ")[0] for one in said] == ["web:80", "cow:80", "hen:80"]


@pytest.mark.parametrize("by", ["its name", "its bridge"])
def test_another_topology_s_network_is_joined_and_left(here, by):
    shop = built(SHOP)
    device = shop["topology"]["networks"]["front"]["device"]
    front = {"front": {"external": True, **({"name": device} if by == "its bridge" else {})}}
    before = portrait()
    farm = built({"name": "farm", "networks": front, "containers": {"cow": {"networks": ["front"]}, "hen": {}}})
    cow, web = address(farm, "cow", "front"), address(shop, "web", "front")
    assert cow == "172.18.0.4" and reaches("cow", web) and reaches("web", cow) and reaches("cow", "web")
    assert reaches("cow", "198.51.100.2") and misses("hen", web)
    more = {**SHOP, "containers": {**SHOP["containers"], "new": {"networks": ["front"]}}}
    assert address(topology(more), "new", "front") == "172.18.0.5"
    topology(SHOP)
    with Flow(here, "db", (web, 81), "web", 81) as flow:
        left = steps(gone("farm"))
        assert {step for step in left if "segment" in step and device in step} == {f"set segment {device}"}, (
            "cow's questions go nowhere"
        )
        assert flow.goes_on(), flow.error
    assert portrait() == before and not topology(SHOP)["changed"]


@pytest.mark.usefixtures("here")
def test_an_external_network_that_nobody_has_is_an_error_that_tells_those_there_are():
    built(SHOP)
    farm = {"name": "farm", "networks": {"frnt": {"external": True}}, "containers": {"cow": {"networks": ["frnt"]}}}
    said = refused(farm)
    assert "networks.frnt" in said and "front (br-" in said


@pytest.mark.usefixtures("here")
def test_the_default_bridge_is_shared_and_goes_with_its_last_endpoint():
    before = portrait()
    sh("ip link add dumb type bridge; ip address add 172.17.5.1/24 dev dumb; ip link set dumb up")
    one = built({"name": "one", "containers": {"a": {"network_mode": "bridge"}, "b": {}}})
    subnet = one["topology"]["networks"]["bridge"]["subnets"]
    assert subnet == ["172.19.0.0/16"], "172.17.0.0/16 is taken, and 172.18.0.0/16 is the network's"
    sh("ip link del dumb")
    two = built({"name": "two", "containers": {"c": {"network_mode": "bridge"}, "d": {"network_mode": "bridge"}}})
    assert two["topology"]["networks"]["bridge"]["subnets"] == subnet
    assert reaches("c", address(one, "a", "bridge")) and not reaches("c", "a")
    assert sh("ip link show docknet0").count("docknet@docknet@docknet0") == 1
    built({"name": "one", "containers": {"b": {}}})
    assert "docknet0" in names() and reaches("c", address(two, "d", "bridge"))
    gone("two")
    assert "docknet0" not in names()
    assert not topology({"name": "one", "containers": {"b": {}}})["changed"]
    gone("one")
    assert portrait() == before


# -- modes ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
def test_none_has_loopback_alone_and_host_is_the_host():
    before = portrait()
    done = built({"name": "shop", "containers": {"bare": {"network_mode": "none"}, "all": {"network_mode": "host"}}})
    assert names("-n bare") == {"lo"} and reaches("bare", "127.0.0.1") and reaches("bare", "bare")
    assert not [step for step in steps(done) if "all" in step.split()], "the host's own namespace is nothing to make"
    assert done["topology"]["containers"]["all"]["netns"] is None
    gone("shop")
    assert portrait() == before


@pytest.mark.usefixtures("here")
def test_a_member_of_another_container_has_its_own_name_for_that_one_s_namespace():
    document = {
        "name": "shop",
        "containers": {"web": {"links": []}, "probe": {"network_mode": "container:web"}, "db": {}},
    }
    built(document)
    assert os.stat("/run/netns/probe").st_ino == os.stat("/run/netns/web").st_ino
    assert reaches("probe", "db") and hosts("probe") == hosts("web")
    sh("ip netns del web")
    again = topology(document)
    assert os.stat("/run/netns/probe").st_ino == os.stat("/run/netns/web").st_ino and again["changed"]
    assert reaches("probe", "db") and not topology(document)["changed"]
    del document["containers"]["probe"]
    built(document)
    assert sorted(os.listdir("/run/netns")) == ["db", "lan", "web"] and reaches("web", "db")


# -- the LAN itself -------------------------------------------------------------------------------------------


def lan(*containers, **options):
    network = {
        "driver": "macvlan",
        "ipam": {"config": [{"subnet": "198.51.100.0/24", "ip_range": "198.51.100.128/25"}]},
        "driver_opts": {"parent": "lan0", **options},
    }
    return {
        "name": "shop",
        "networks": {"lan": network},
        "containers": {name: {"networks": ["lan"]} for name in containers},
    }


def host_reaches(to):
    return subprocess.run(["ping", "-q", "-c1", "-W0.25", to], capture_output=True, check=False).returncode == 0


@pytest.mark.usefixtures("here")
def test_the_host_reaches_macvlan_containers_by_its_shim_alone():
    before = portrait()
    done = built(lan("till", "desk"))
    till = address(done, "till", "lan")
    assert reaches("till", "desk") and reaches("till", "198.51.100.2") and reaches("lan", till)
    assert not host_reaches(till) and not ip("-n till route show default")
    built(lan("till", "desk", host_shim="shim0"))
    assert host_reaches(till) and host_reaches(address(done, "desk", "lan"))
    built(lan("till", "desk", host_shim={"name": "shim0", "address": "198.51.100.9"}))
    assert host_reaches(till) and reaches("till", "198.51.100.9")
    built(lan("till"))
    assert not host_reaches(till) and reaches("lan", till) and "shim0" not in names()
    gone("shop")
    assert portrait() == before


def test_a_shim_gets_an_address_of_each_family_and_keeps_it(here):
    def document(*containers, said=None):
        found = lan(*containers, host_shim={"name": "shim0", **({"address": said} if said else {})})
        six = {"subnet": "fd51::/64", "ip_range": "fd51::80/124"}
        config = [{"subnet": "198.51.100.0/24", "ip_range": "198.51.100.128/30"}, six]
        found["networks"]["lan"].update(enable_ipv6=True, ipam={"config": config})
        return found

    def shim(answer):
        seen = {one["local"] for one in ip("address show shim0")[0]["addr_info"] if one["scope"] == "global"}
        assert seen == set(answer["topology"]["networks"]["lan"]["host_shim"])
        return seen

    before = portrait()
    done = built(document("till", "desk"))
    four, six = mine = "198.51.100.130", "fd51::82"
    assert shim(done) == set(mine), "the lowest that the containers leave"
    here.serve("till", 80)
    for version, own in ((4, four), (6, six)):
        to = address(done, "till", "lan", version)
        assert here.ask(None, to, 80) == f"till:80 sees {own}" and reaches("till", own)
    more = built(document("till", "desk", "safe"))
    assert shim(more) == set(mine) and address(more, "safe", "lan") == "198.51.100.131"
    Path("/var/lib/docknet/shop.json").unlink()
    assert shim(built(document("till", "desk", "safe"))) == set(mine)
    assert "network lan has no free address left in 198.51.100.128/30" in refused(
        document("till", "desk", "safe", "more")
    )
    assert shim(built(document("till", "desk", said="198.51.100.9"))) == {"198.51.100.9"}
    with_gateway = document("till")
    with_gateway["containers"]["till"]["extra_hosts"] = ["host:host-gateway"]
    found = shim(built(with_gateway))
    assert {line.split()[0] for line in hosts("till") if line.endswith("\thost")} == found
    gone("shop")
    assert portrait() == before


@pytest.mark.usefixtures("here")
def test_a_network_becomes_a_macvlan_and_a_bridge_again_with_recreate_alone():
    bridged = {"name": "shop", "networks": {"lan": {}}, "containers": {"till": {"networks": ["lan"]}}}
    first = built(bridged)
    for document in (lan("till"), bridged):
        before = everything()
        assert refused(document).endswith(
            "; set recreate: true (of role topology: docknet_recreate) to have it deleted and made again"
        )
        assert everything() == before
        done = built(document, recreate=True)
        assert not topology(document)["changed"]
        assert reaches("lan", address(done, "till", "lan")) == (document is not bridged)
        assert reaches("till", "198.51.100.2")
    assert address(done, "till", "lan") == address(first, "till", "lan"), "not one of the LAN's"


@pytest.mark.usefixtures("here")
def test_passthru_takes_the_parent_for_one_container():
    before = portrait()
    mac = ip("link show lan0")[0]["address"]
    assert "passthru" in refused(lan("till", "desk", macvlan_mode="passthru"))
    done = built(lan("till", macvlan_mode="passthru"))
    assert reaches("lan", address(done, "till", "lan"))
    assert ip("-n till link show eth0")[0]["address"] == mac
    gone("shop")
    assert portrait() == before and ip("link show lan0")[0]["address"] == mac


@pytest.mark.usefixtures("here")
def test_a_given_gateway_is_the_lan_s_and_what_is_published_there_is_a_warning():
    document = lan("till")
    document["networks"]["lan"]["ipam"]["config"][0]["gateway"] = "198.51.100.2"
    document["containers"]["till"]["ports"] = ["8080:80"]
    assert "nothing is published, since network lan is the LAN itself" in str(topology(document)["warnings"])
    (route,) = ip("-n till route show default")
    assert route["gateway"] == "198.51.100.2" and not [
        one for one in ip("address show lan0") if "198.51.100.2/" in str(one)
    ]


@pytest.mark.usefixtures("here")
def test_each_subnet_of_a_network_has_its_own_gateway():
    sh("ip -n lan address add 192.0.2.1/24 dev eth0; ip -n lan address add fd92::1/64 dev eth0 nodad")
    document = lan("till", "desk")
    four = [
        {"subnet": "198.51.100.0/24", "gateway": "198.51.100.2"},
        {"subnet": "192.0.2.0/24", "gateway": "192.0.2.1"},
    ]
    six = [{"subnet": "fd51::/64", "gateway": "fd51::2"}, {"subnet": "fd92::/64", "gateway": "fd92::1"}]
    document["networks"]["lan"].update(enable_ipv6=True, ipam={"config": four + six})
    document["containers"]["desk"] = {"networks": {"lan": {"ipv4_address": "192.0.2.9", "ipv6_address": "fd92::9"}}}
    done = built(document)
    assert done["topology"]["networks"]["lan"]["gateways"] == ["198.51.100.2", "fd51::2", "192.0.2.1", "fd92::1"]
    ways = {
        name: {ip(f"-n {name} {v} route show default")[0]["gateway"] for v in ("-4", "-6")} for name in ("till", "desk")
    }
    assert ways == {"till": {"198.51.100.2", "fd51::2"}, "desk": {"192.0.2.1", "fd92::1"}}
    assert reaches("till", "192.0.2.1") and reaches("desk", "198.51.100.2") and reaches("desk", "fd51::2")


@pytest.mark.usefixtures("here")
def test_where_the_host_has_no_address_on_the_bridge_nothing_is_published():
    front = {"ipam": {"config": [{"subnet": "172.20.0.0/24"}]}, "driver_opts": {"inhibit_ipv4": True}}
    web, db = {"networks": ["front"], "ports": ["80"]}, {"networks": ["front"]}
    done = built({"name": "shop", "networks": {"front": front}, "containers": {"web": web, "db": db}})
    assert "network front has no address on the host" in str(done["warnings"]) and ports(done, "web") == [None]
    assert not [one for link in ip("-4 address show") for one in link["addr_info"] if one["local"].startswith("172.20")]
    assert reaches("web", address(done, "db", "front")) and reaches("db", "web")


@pytest.fixture(name="leases")
def fixture_leases(here):
    """A DHCP server in the LAN; yields the file in which it says whom it gave an address."""
    command = "exec ip netns exec lan dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --no-ping --pid-file="
    command += " --dhcp-range=198.51.100.50,198.51.100.60,1h --dhcp-leasefile=/run/leases --log-facility=/run/lan.log"
    with subprocess.Popen(command, shell=True) as server:
        try:
            yield Path("/run/leases")
        finally:
            server.kill()


def test_addresses_come_from_the_lan_s_dhcp_server_and_go_back(leases):
    before = portrait()
    document = lan("till")
    document["networks"]["lan"]["ipam"] = {"driver": "dhcp"}
    document["containers"]["till"]["networks"] = {"lan": {"mac_address": "02:00:00:00:00:17"}}
    done = built(document)
    assert address(done, "till", "lan") is None
    assert until(lambda: ip("-n till -4 route show default"))
    (has,) = ip("-n till -4 address show dev eth0")[0]["addr_info"]
    assert has["local"].startswith("198.51.100.5") and reaches("lan", has["local"])
    assert leases.read_text().split()[1:4] == ["02:00:00:00:00:17", has["local"], "till"]
    assert not topology(document)["changed"]
    sh("ip netns del till")
    topology(document)
    # Without an address of that family `ip` may say nothing of the link at all.
    assert until(lambda: [one for link in ip("-n till -4 address show dev eth0") for one in link.get("addr_info", ())])
    assert ip("-n till -4 address show dev eth0")[0]["addr_info"][0]["local"] == has["local"]
    gone("shop")
    assert until(lambda: leases.read_text() == "") and portrait() == before
