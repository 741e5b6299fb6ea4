# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole topologies on the real kernel, through the module: built, unchanged, repaired, refused, removed."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import pytest
from ansible_collections.netwright.docknet.tests.kernel.machine import ip, portrait, sh
from ansible_collections.netwright.docknet.tests.kernel.topologies import (
    STATES,
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

SHOP = {
    "name": "shop",
    "networks": {"front": {"enable_ipv6": True}, "back": {"internal": True}},
    "containers": {
        "web": {"networks": ["front", "back"], "ports": ["8080:80", "127.0.0.1:8443:443"]},
        "db": {"networks": {"back": {"aliases": ["database"]}}, "sysctls": {"net.core.somaxconn": 77}},
        "probe": {"network_mode": "container:web"},
        "alone": {"network_mode": "none"},
        "old": {"network_mode": "bridge", "links": []},
        "plain": {
            "networks": {
                "default": {
                    "interface_name": "lan7",
                    "mac_address": "02:00:00:00:00:07",
                    "driver_opts": {"com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1"},
                }
            }
        },
    },
}
CLASSIC = {
    "name": "classic",
    "networks": {
        "net": {"ipam": {"config": [{"subnet": "172.16.0.0/16", "ip_range": "172.16.1.0/24", "gateway": "172.16.1.1"}]}}
    },
    "containers": {"one": {"networks": ["net"]}, "two": {"networks": ["net"]}},
}
FOUR = {
    "name": "four",
    "networks": {"front": {"enable_ipv6": True}},
    "containers": {name: {"networks": ["front"], "ports": ["80"]} for name in "abcd"},
}


@pytest.fixture(name="here")
def fixture_here():
    with host() as here:
        yield here


@pytest.fixture(name="shop", scope="module")
def fixture_shop():
    """The shop, up; gone at the end, with the processes that ran for it."""
    with host():
        before = portrait()
        yield built(SHOP)
        assert topology({"name": "shop"}, state="absent")["changed"]
        assert not topology({"name": "shop"}, state="absent")["changed"]
        assert portrait() == before
        assert not STATES.exists() and os.listdir("/run/docknet") == ["lock"] and not os.path.exists("/etc/netns")


# -- what is there --------------------------------------------------------------------------------------------


def test_containers_reach_each_other_and_no_more(shop):
    assert reaches("web", address(shop, "db", "back"))
    assert reaches("probe", address(shop, "db", "back"))
    assert misses("db", address(shop, "web", "front"))
    assert misses("plain", address(shop, "web", "front"))
    assert misses("old", address(shop, "plain"))
    assert reaches("web", shop["topology"]["networks"]["front"]["gateways"][0])
    assert [link["ifname"] for link in ip("-n alone link")] == ["lo"]
    assert ip("-n probe link") == ip("-n web link")


def test_they_reach_outside_but_for_those_on_internal_networks_only(shop):
    for where in ("web", "plain", "old"):
        assert reaches(where, "198.51.100.2")
    assert reaches("web", "fd51::2")
    assert misses("db", "198.51.100.2") and not ip("-n db route show default")


def test_they_know_each_other_by_name(shop):
    assert reaches("web", "database") and reaches("web", "db.back") and reaches("probe", "db")
    assert not reaches("db", "plain") and not reaches("plain", "web")
    assert not reaches("old", "web") and reaches("old", "old")


def sysctl(container, *names):
    return sh(f"ip netns exec {container} sysctl -n {' '.join(names)}").split()


def test_every_container_has_docker_s_settings(shop):
    for container in ("web", "db", "old", "plain"):
        assert sysctl(container, "net.ipv4.ip_unprivileged_port_start") == ["0"]
        assert sysctl(container, "net.ipv4.ping_group_range") == ["0", "2147483647"]
        (lo,) = (link for link in ip(f"-n {container} address show") if link["ifname"] == "lo")
        assert "UP" in lo["flags"] and lo["addr_info"][0]["local"] == "127.0.0.1"
    assert sysctl("web", "net.ipv6.conf.eth0.accept_ra", "net.ipv6.conf.eth0.accept_dad") == ["0", "0"]
    assert sysctl("db", "net.core.somaxconn") == ["77"]


def test_there_is_no_ipv6_on_networks_without_it(shop):
    assert sysctl("web", "net.ipv6.conf.eth0.disable_ipv6", "net.ipv6.conf.eth1.disable_ipv6") == ["0", "1"]
    devices = {name: one["device"] for name, one in shop["topology"]["networks"].items()}
    found = {link["ifname"]: link["addr_info"] for link in ip("-6 address show")}
    assert devices["front"] in found and not {devices["back"], devices["default"], "docknet0"} & found.keys()
    assert not [one for link in ip("-n web -6 address show") for one in link["addr_info"] if one.get("tentative")]


def test_an_interface_has_the_name_the_mac_and_the_settings_it_was_given(shop):
    (link,) = (one for one in ip("-n plain link") if one["ifname"] != "lo")
    assert (link["ifname"], link["address"]) == ("lan7", "02:00:00:00:00:07")
    assert sysctl("plain", "net.ipv4.conf.lan7.log_martians") == ["1"]


@pytest.mark.usefixtures("here")
def test_the_classic():
    before = portrait()
    wrong = copy.deepcopy(CLASSIC)
    wrong["networks"]["net"]["ipam"]["config"][0]["subnet"] = "172.16.1.0/16"
    assert "172.16.0.0/16" in refused(wrong)
    assert portrait() == before
    done = built(CLASSIC)
    assert [address(done, one, "net") for one in ("one", "two")] == ["172.16.1.0", "172.16.1.2"]
    assert reaches("one", "two") and reaches("two", "one") and reaches("one", "172.16.1.1")
    now = everything()
    assert "172.16.0.0/16" in refused(wrong)
    assert everything() == now
    topology({"name": "classic"}, state="absent")
    assert portrait() == before


# -- what stays -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
def test_addresses_and_ports_stay_whoever_comes_and_goes():
    first = built(FOUR)["topology"]["containers"]
    document = copy.deepcopy(FOUR)
    del document["containers"]["b"]
    document["containers"] = {"new": {"networks": ["front"], "ports": ["80"]}, **document["containers"]}
    then = built(document)["topology"]["containers"]
    assert {one: then[one] for one in "acd"} == {one: first[one] for one in "acd"}
    assert reaches("a", "new") and reaches("new", "d")


@pytest.mark.usefixtures("here")
def test_a_namespace_deleted_by_hand_comes_back_as_it_was():
    """Also where a process is still in it, which keeps it and its end of the pair alive."""
    first, before = built(FOUR), portrait()
    sh("ip netns exec b sleep 60 >/dev/null 2>&1 & sleep 0.05; echo $! >/run/sleeper; ip netns del b; ip netns del c")
    again = topology(FOUR)
    assert {step["object"] for step in again["actions"] if step["action"] == "create"} >= {"netns b", "netns c"}
    assert again["topology"] == first["topology"]
    assert portrait() == before and reaches("a", "c") and reaches("b", "d")
    sh("kill $(cat /run/sleeper)")
    assert (
        ip("-n c link show eth0")[0]["address"]
        == first["topology"]["containers"]["c"]["networks"]["front"]["mac_address"]
    )


@pytest.mark.usefixtures("here")
def test_a_lost_state_is_read_off_the_host_and_a_damaged_one_is_an_error():
    built(FOUR)
    document = copy.deepcopy(FOUR)
    del document["containers"]["a"]
    there = topology(document)
    (STATES / "four.json").unlink()
    lost = topology(document)
    assert steps(lost) == ["create state four"] and lost["topology"] == there["topology"]
    (STATES / "four.json").write_text('{"version": 1, "name"')
    before = everything()
    for words in ({}, {"state": "absent"}):
        said = refused(document, **words)
        assert said.startswith("topology four: /var/lib/docknet/four.json is damaged") and "remove the file" in said
    assert everything() == before
    (STATES / "four.json").unlink()
    assert topology(document)["topology"] == there["topology"]


BROKEN = """
ip -n b link del eth0
ip link set $PORT down
ip -n c address flush dev eth0 scope global
ip -n d route del default
ip -n d link set eth0 mtu 1300
ip link set $DEVICE down
sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.$DEVICE.rp_filter=0
ip netns exec c sysctl -qw net.ipv4.ping_group_range="1 0"
echo nameserver 192.0.2.1 >>/etc/netns/a/resolv.conf
sed -i 's/^172.*/192.0.2.9 b/' /etc/netns/b/hosts
kill $(cut -d' ' -f1 /run/docknet/service/*/pid)
nft flush ruleset
"""


@pytest.mark.usefixtures("here")
def test_whatever_is_broken_by_hand_is_made_good():
    done = built(FOUR)
    before, device = portrait(), done["topology"]["networks"]["front"]["device"]
    files = {path: path.read_text() for path in Path("/etc/netns").rglob("*") if path.is_file()}
    port = next(step.split()[-1] for step in steps(done) if step.startswith("create link veth"))
    sh(BROKEN.replace("$DEVICE", device).replace("$PORT", port))
    foretold = topology(FOUR, _ansible_check_mode=True)
    again = topology(FOUR)
    assert again["actions"] == foretold["actions"] and again["topology"] == done["topology"]
    assert not topology(FOUR)["changed"]
    assert portrait() == before and {path: path.read_text() for path in files} == files
    assert reaches("a", "b") and reaches("c", "d") and reaches("b", "198.51.100.2") and reaches("d", "fd51::2")


# -- check mode -----------------------------------------------------------------------------------------------


def changes():
    """A document, and one after the other what changes in it; all sorts of objects come, change and go."""
    document = {
        "name": "shop",
        "networks": {"front": {"ipam": {"config": [{"subnet": "172.20.0.0/16"}]}}, "back": {}},
        "containers": {
            "web": {"networks": {"front": {}}, "ports": ["8080:80"]},
            "db": {"networks": {"front": {}, "back": {}}},
        },
    }
    web, db, networks = *document["containers"].values(), document["networks"]

    def first():
        pass

    def endpoints():
        web["networks"] = {"front": {"ipv4_address": "172.20.0.9", "aliases": ["www"]}, "back": {"gw_priority": 1}}
        web.update(ports=["8081:80", "80/udp"], links=["db:data"], extra_hosts=["up:host-gateway"])
        db["sysctls"] = {"net.core.somaxconn": "99"}

    def options():
        networks["front"].update(enable_ipv6=True, driver_opts={"mtu": 1400, "enable_icc": False})
        networks["back"]["internal"] = True
        db["networks"]["front"] = {"mac_address": "02:00:00:00:00:09"}

    def others():
        networks["front"]["ipam"] = {"config": [{"subnet": "172.21.0.0/24"}]}
        web["networks"] = {"front": {}}
        document["containers"].update(old={"network_mode": "bridge"}, probe={"network_mode": "container:web"})
        networks["lan"] = {"driver": "macvlan", "driver_opts": {"parent": "lan0", "host_shim": "shim0"}}
        document["containers"]["till"] = {"networks": ["lan"]}

    def less():
        for name in ("db", "old", "probe", "till"):
            del document["containers"][name]
        del web["links"]

    for change in (first, endpoints, options, others, less):
        change()
        yield change.__name__, document


@pytest.mark.usefixtures("here")
def test_check_mode_writes_nothing_and_tells_what_a_run_does():
    before = portrait()
    for name, document in changes():
        untouched = everything()
        foretold = topology(document, _ansible_check_mode=True)
        assert everything() == untouched, name
        done = topology(document)
        assert foretold["actions"] == done["actions"] != [], name
        assert foretold["diff"] == done["diff"] and foretold["topology"] == done["topology"], name
        assert topology(document)["actions"] == [], name
    untouched = everything()
    foretold = topology({"name": "shop"}, state="absent", _ansible_check_mode=True)
    assert everything() == untouched
    assert topology({"name": "shop"}, state="absent")["actions"] == foretold["actions"] != []
    assert portrait() == before


# -- errors ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
def test_a_missing_name_server_is_told_before_anything_is_done():
    before = portrait()
    sh("mount --bind /dev/null $(readlink -f $(command -v dnsmasq))")
    try:
        said = refused(CLASSIC)
    finally:
        sh("umount $(readlink -f /usr/sbin/dnsmasq)")
    assert said == "topology classic: the program dnsmasq is not on this host; install the package dnsmasq-base"
    assert portrait() == before and not STATES.exists()


@pytest.mark.usefixtures("here")
def test_a_foreign_bridge_of_that_name_is_left_alone_until_it_is_adopted():
    document = copy.deepcopy(CLASSIC)
    document["networks"]["net"]["name"] = "br0"
    sh("ip link add br0 type bridge; ip link add other0 type bridge")
    before = everything()
    said = refused(document)
    assert "networks.net" in said and 'owner "classic" did not make' in said and "adopt: true" in said
    assert everything() == before
    topology(document, adopt=True)
    assert reaches("one", "two") and not topology(document)["changed"]
    topology({"name": "classic"}, state="absent")
    assert {"br0", "other0"} <= {link["ifname"] for link in ip("link")}


@pytest.mark.usefixtures("here")
def test_a_host_builds_its_own_part_and_says_which_hosts_there_are():
    document = copy.deepcopy(CLASSIC)
    for number, one in enumerate(document["containers"].values()):
        one["host"] = f"node{number + 1}"
    assert refused(document).endswith(
        "host is missing, and the document names hosts; say which of node1, node2 this is"
    )
    done = built(document, host="node2")
    assert list(done["topology"]["containers"]) == ["two"] and not os.path.exists("/run/netns/one")


@pytest.mark.usefixtures("here")
def test_what_is_left_on_a_host_that_the_document_names_no_longer_goes():
    before = everything()
    document = copy.deepcopy(CLASSIC)
    for one in document["containers"].values():
        one["host"] = "node1"
    built(document, host="node1")
    for one in document["containers"].values():
        one["host"] = "node2"
    gone = topology(document, host="node1")
    assert "host 'node1' is none of the document's (node2)" in str(gone["warnings"])
    assert everything() == before and not topology(document, host="node1")["changed"]


@pytest.mark.usefixtures("here")
def test_all_that_is_wrong_is_told_at_once_and_nothing_is_done():
    document = copy.deepcopy(CLASSIC)
    document["containers"]["one"]["networks"] = {"net": {"ipv4_address": "10.9.9.9"}}
    document["containers"]["two"] = {"network_mode": "none", "ports": ["80:80"], "imagine": 1}
    said = refused(document)
    for part in ("10.9.9.9", "containers.two.ports", "containers.two.imagine"):
        assert part in said
    assert not Path("/run/docknet").exists() and not Path("/run/netns/one").exists()


# -- the host's resolver --------------------------------------------------------------------------------------

PAIR = {"name": "pair", "containers": {"web": {}, "db": {}, "old": {"network_mode": "bridge"}}}


def looked_up(container, name):
    return sh(f"ip netns exec {container} dig +short +time=2 +tries=1 {name}").split()


@pytest.mark.parametrize("link", ["", "ln -s ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf"])
def test_names_of_containers_are_found_on_a_host_without_resolv_conf(here, link):
    sh(f"rm /etc/resolv.conf; {link or 'true'}")
    before = everything()
    done = built(PAIR)
    assert looked_up("web", "db") == [address(done, "db")] and looked_up("web", "example.net") == []
    assert "resolve only each other's names" in str(done["warnings"]) and "containers old: the host has no" in str(
        done["warnings"]
    )
    sh(
        "ip netns exec lan sh -c 'dnsmasq --conf-file=/dev/null --no-hosts --no-resolv --pid-file=/run/world.pid --address=/#/192.0.2.7'"
    )
    sh("echo nameserver 198.51.100.2 >/etc/resolv.conf")
    try:
        assert until(lambda: looked_up("web", "example.net") == ["192.0.2.7"]), "at once, without another run"
        built(PAIR)
        assert Path("/etc/resolv.conf").read_text() == "nameserver 198.51.100.2\n"
        assert looked_up("old", "example.net") == ["192.0.2.7"]
    finally:
        sh("kill $(cat /run/world.pid)")
    sh("rm $(readlink -f /etc/resolv.conf)")
    topology(PAIR)
    topology({"name": "pair"}, state="absent")
    assert not os.path.exists("/etc/resolv.conf") and not os.path.exists("/run/systemd")
    assert set(before) >= {one for one in everything() if one.startswith("/etc/")}


def test_a_lookup_order_that_ends_at_the_host_s_daemon_is_another_in_containers(here):
    text = "passwd: files\nhosts: files resolve [!UNAVAIL=return] dns\n"
    Path("/etc/nsswitch.conf").write_text(text)
    sh("mkdir -p /etc/netns/db; ln -s /etc/hosts /etc/netns/db/nsswitch.conf")
    done = built(PAIR)
    assert "/etc/netns/db/nsswitch.conf is not managed by docknet" in str(done["warnings"])
    for one in ("web", "old"):
        assert sh(f"ip netns exec {one} cat /etc/nsswitch.conf").splitlines()[1:] == [
            "passwd: files",
            "hosts: files dns",
        ]
    sh("rm /etc/netns/db/nsswitch.conf")
    assert steps(topology(PAIR)) == ["create file /etc/netns/db/nsswitch.conf"]
    Path("/etc/nsswitch.conf").write_text("hosts: files dns\n")
    assert set(steps(built(PAIR))) == {f"delete file /etc/netns/{one}/nsswitch.conf" for one in ("web", "db", "old")}
    Path("/etc/nsswitch.conf").write_text(text)
    built(PAIR)
    topology({"name": "pair"}, state="absent")
    assert not os.path.exists("/etc/netns")
