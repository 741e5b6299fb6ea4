# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nftables table on the real kernel: what is written is what is read, drift is repaired, nobody else's is touched."""

from __future__ import annotations

import json
import os
import shutil
import time
from ipaddress import ip_address, ip_network

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._kernel import nft
from ansible_collections.netwright.docknet.plugins.module_utils._model import nft as layout
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import (
    Conflict,
    KernelRefused,
    Missing,
    Unsupported,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.rule import (
    MASQUERADE,
    Dnat,
    Element,
    Path,
    Ports,
    RuleChange,
    Snat,
    Table,
    TableChange,
)
from ansible_collections.netwright.docknet.tests.kernel.machine import sh
from ansible_collections.netwright.docknet.tests.kernel.publishing import dnat, snat, steps

WEB = {"host_port": 8080, "to_ip": "172.17.0.3", "to_port": 80}
OUT = {"source": "172.17.0.0/16", "except_out_interface": "docknet0"}
SWITCH = "/proc/sys/net/ipv4/conf/docknet0/route_localnet"
# Another nft to try besides the machine's, of another version.
PROGRAMS = [program for program in (shutil.which("nft"), os.environ.get("DOCKNET_NFT")) if program]


@pytest.fixture(name="here", autouse=True)
def fixture_here(machine):
    sh("""ip link set lo up; sysctl -qw net.ipv6.conf.default.accept_dad=0
        ip link add docknet0 type bridge; ip link set docknet0 up
        ip address add 172.17.0.1/16 dev docknet0; ip address add fd17::1/64 dev docknet0""")


def table() -> str:
    return sh("nft list table inet docknet")


def ruleset() -> str:
    return sh("nft list ruleset")


# -- what is written is what is read --------------------------------------------------------------------------


def rules() -> list[Dnat]:
    """Every shape that a rule's elements have."""
    four, six = Path("docknet0", ip_network("172.17.0.0/16")), Path("docknet0", ip_network("fd17::/64"))
    some = frozenset({ip_network("10.0.0.0/8"), ip_network("192.0.2.7"), ip_network("198.51.100.128/25")})
    found = []
    for number, protocol in enumerate(("tcp", "udp", "sctp")):
        for version, via, web, every, one, sources in (
            (4, four, ip_address("172.17.0.3"), ip_address("0.0.0.0"), ip_address("10.0.0.1"), some),
            (
                6,
                six,
                ip_address("fd17::3"),
                ip_address("::"),
                ip_address("fd00::ffff:1"),
                frozenset({ip_network("fd00::/8")}),
            ),
        ):
            free = frozenset({ip_network("0.0.0.0/0" if version == 4 else "::/0")})
            for host_ip, shift in ((every, 0), (one, 1000)):
                base = 20000 + 100 * number + shift
                shapes = [
                    (Ports(base, base), 80, free, True, True),
                    (Ports(base + 1, base + 9), base + 1, free, True, False),
                    (Ports(base + 10, base + 14), 90, sources, False, True),
                    (Ports(base + 20, base + 20), base + 20, frozenset(), False, False),
                ]
                found += [Dnat(None, protocol, host_ip, ports, web, *rest, "shop", via) for ports, *rest in shapes]
    return found


def sources() -> list[Snat]:
    four, six = ip_network("172.17.0.0/16"), ip_network("fd17::/64")
    return [
        Snat(None, ip_network("172.17.9.9"), None, None, MASQUERADE, "shop"),
        Snat(None, four, None, "eth0", ip_address("10.0.0.1"), "other"),
        Snat(None, four, "docknet0", None, MASQUERADE, "shop"),
        Snat(None, ip_network("0.0.0.0/0"), "a", "b", MASQUERADE, "shop"),
        Snat(None, six, "docknet0", "eth0", ip_address("fd00::1"), "shop"),
        Snat(None, ip_network("::/0"), None, None, MASQUERADE, "shop"),
    ]


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_shape_comes_back(program, tmp_path):
    instead(tmp_path, f'exec {program} "$@"')
    changes = [RuleChange(rule, None, (), tuple(layout.elements(rule))) for rule in rules()]
    changes += [RuleChange(snat_, None, chain=tuple(sources())) for snat_ in sources()]
    switch = Element(layout.LOCALNET, "docknet0", "", layout.TURNED_ON)
    shared = (*layout.hairpins(rules()), switch)
    nft.commit(Table(), [TableChange(None, repair=True, add=shared), *changes])
    seen = nft.read(None)
    assert set(seen.rules.values()) == {*rules(), *sources()}
    assert [line.snat for line in seen.lines if line.snat] == sources()
    assert set(seen.elements.values()) == {*shared, *(one for rule in rules() for one in layout.elements(rule))}
    assert (seen.damage, seen.foreign, seen.switches) == ((), (), {"docknet0": False})
    nft.commit(seen, [TableChange(None, repair=True)])
    assert nft.read(None).elements == seen.elements
    every = [RuleChange(rule, rule, tuple(layout.elements(rule))) for rule in rules()]
    nft.commit(nft.read(None), [TableChange(None, remove=shared), *every, RuleChange(sources()[0], None, chain=())])
    assert not nft.read(None).elements and not nft.read(None).rules


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_elements_value_changes_in_place(program, tmp_path):
    """Also one of an interval map, whose old and new element share ports."""
    instead(tmp_path, f'exec {program} "$@"')
    rule = {"host_port": "8000-8010", "to_ip": "172.17.0.3"}
    at = {**rule, "host_ip": "172.17.0.1"}
    for objects in ([rule], [at]):
        dnat(*objects)
        for change in (
            {"to_ip": "172.17.0.4"},
            {"to_port": "9000-9010"},
            {"local": False},
            {"allowed_sources": ["10.0.0.0/8"]},
        ):
            plan = dnat(*({**one, **change} for one in objects))
            assert "set dnat" in " ".join(steps(plan))
        dnat(*objects, state="absent")


# -- how much is written --------------------------------------------------------------------------------------


def test_one_transaction_and_nothing_else(tmp_path):
    """A thousand ports: one nft that writes, and as many that read as for one port: our table, and chains of others that may drop."""
    calls = counting(tmp_path)
    many = [
        {"host_port": 10000 + 2 * number, "to_ip": f"172.17.{number // 250}.{number % 250 + 2}"}
        for number in range(1000)
    ]
    begin = time.monotonic()
    dnat(*many)
    took = time.monotonic() - begin
    done = calls()
    assert done.count("-f -") == 1 and done.count("-j list table inet docknet") == 2 and len(done) <= 8, done
    assert took < 8  # 1.0 s on the machine this was written on; of that 0.05 s nft's
    begin = time.monotonic()
    assert not dnat(*many).operations
    done = calls()
    assert done.count("-j list table inet docknet") == 1 and "-f -" not in done and len(done) <= 4, done
    assert time.monotonic() - begin < 4
    assert len(sh("nft list map inet docknet tcp_ip").split("comment")) > 1000
    assert sh("nft list chain inet docknet publish").count("\n") < 40


def counting(tmp_path):
    """From now on nft says how it was called. Returns a function that gives the calls since it was last asked."""
    log = tmp_path / "calls"
    instead(tmp_path, f'echo "$@" >> {log}; exec {shutil.which("nft")} "$@"')

    def calls() -> list[str]:
        said = log.read_text().splitlines()
        log.write_text("")
        return said

    return calls


def instead(tmp_path, script: str) -> None:
    """This shell script is nft until the test ends."""
    wrapper = tmp_path / "nft"
    wrapper.write_text(f"#!/bin/sh\n{script}\n")
    wrapper.chmod(0o755)
    os.environ["PATH"] = f"{tmp_path}:{os.environ['PATH']}"


@pytest.fixture(autouse=True)
def fixture_path(monkeypatch):
    monkeypatch.setenv("PATH", os.environ["PATH"])


def test_check_mode_writes_nothing(tmp_path):
    calls = counting(tmp_path)
    plans = [dnat(WEB, check=True), snat(OUT, check=True)]
    done = calls()
    assert done.count("-j list table inet docknet") == 2 and not [one for one in done if "list" not in one], done
    assert not sh("nft list tables") and open(SWITCH).read() == "0\n"
    for plan, module, options in ((plans[0], dnat, WEB), (plans[1], snat, OUT)):
        assert steps(plan) == steps(module(options))
        module(options, state="absent")
    dnat(WEB)
    assert steps(dnat(WEB, check=True, state="absent")) == steps(dnat(WEB, state="absent"))


# -- it comes and goes ----------------------------------------------------------------------------------------


def test_the_table_goes_with_its_last_rule():
    dnat(WEB)
    snat(OUT)
    assert open(SWITCH).read() == "1\n"
    dnat(WEB, state="absent")
    assert open(SWITCH).read() == "0\n"
    assert "sources" in table()
    snat(OUT, state="absent")
    assert not sh("nft list tables")


def test_route_localnet_that_was_on_stays_on():
    sh("sysctl -qw net.ipv4.conf.docknet0.route_localnet=1")
    dnat(WEB)
    assert "docknet found it on" in table()
    dnat(WEB, state="absent")
    assert open(SWITCH).read() == "1\n"


def test_route_localnet_is_ours_on_a_link_of_ours():
    """The record of who turned it on went with a flush; the link's mark says that nobody else would have."""
    sh("ip link property add dev docknet0 altname docknet@shop@docknet0")
    dnat(WEB)
    sh("nft flush ruleset")
    dnat(WEB)
    dnat(WEB, state="absent")
    assert open(SWITCH).read() == "0\n"


def test_the_drop_is_there_before_route_localnet_and_until_after(monkeypatch):
    seen = []
    write = nft_sysctl().write
    monkeypatch.setattr(
        nft_sysctl(), "write", lambda sysctl: (seen.append("iifname @localnet ip daddr" in table()), write(sysctl))[1]
    )
    dnat(WEB)
    dnat(WEB, state="absent")
    assert seen == [True, True]


def nft_sysctl():
    from ansible_collections.netwright.docknet.plugins.module_utils._kernel import rule

    return rule.sysctl


@pytest.mark.parametrize(
    "options, on",
    [
        ({}, "1\n"),
        ({"host_ip": "127.0.0.1"}, "1\n"),
        ({"host_ip": "172.17.0.1"}, "0\n"),
        ({"local": False}, "0\n"),
        ({"to_ip": "fd17::3"}, "0\n"),
    ],
)
def test_route_localnet_only_where_127_0_0_1_is_to_lead_there(options, on):
    dnat({**WEB, **options})
    assert open(SWITCH).read() == on


def test_the_target_moves_to_another_interface():
    sh("ip link add other0 type bridge; ip link set other0 up; ip address add 172.18.0.1/16 dev other0")
    dnat(WEB)
    assert steps(dnat({**WEB, "to_ip": "172.18.0.3"})) == [
        "clear sysctl net.ipv4.conf.docknet0.route_localnet",
        "set nftables table inet docknet",
        "set dnat 0.0.0.0:8080/tcp",
        "set sysctl net.ipv4.conf.other0.route_localnet",
    ]
    sh("ip link del other0")
    with pytest.raises(Missing, match=r"no route of the host leads to to_ip 172\.18\.0\.3"):
        dnat({**WEB, "to_ip": "172.18.0.3"})
    dnat(WEB, state="absent")
    assert not sh("nft list tables")


def test_another_rules_interface_is_gone():
    """That is no matter of the rule that is asked for."""
    sh("ip link add other0 type bridge; ip link set other0 up; ip address add 172.18.0.1/16 dev other0")
    other = {**WEB, "host_port": 8081, "to_ip": "172.18.0.3"}
    dnat(WEB, other)
    sh("ip link del other0")
    assert not dnat(WEB).operations
    dnat({**WEB, "host_port": 8082})
    sh("ip link add other0 type bridge; ip link set other0 up; ip address add 172.18.0.1/16 dev other0")
    assert steps(dnat(WEB)) == ["set sysctl net.ipv4.conf.other0.route_localnet"]
    assert not dnat(WEB, other).operations


def test_an_interface_that_nft_cannot_name():
    sh("""ip link add 'a";b' type bridge; ip link set 'a";b' up; ip address add 172.18.0.1/16 dev 'a";b'""")
    with pytest.raises(Conflict, match="nft cannot name the interface"):
        dnat({**WEB, "to_ip": "172.18.0.3"})


def test_in_a_named_namespace():
    sh("""ip netns add router; ip -n router link add br0 type bridge; ip -n router link set br0 up
        ip -n router address add 172.17.0.1/16 dev br0""")
    dnat(WEB, netns="router")
    snat({**OUT, "except_out_interface": "br0"}, netns="router")
    assert not sh("nft list tables")
    assert sh("ip netns exec router cat /proc/sys/net/ipv4/conf/br0/route_localnet") == "1\n"
    assert not dnat(WEB, netns="router").operations
    dnat(WEB, netns="router", state="absent")
    snat({**OUT, "except_out_interface": "br0"}, netns="router", state="absent")
    assert not sh("ip netns exec router nft list tables")
    assert not dnat(WEB, netns="nowhere", state="absent").operations
    with pytest.raises(Missing, match='namespace "nowhere" does not exist'):
        dnat(WEB, netns="nowhere")


# -- drift ----------------------------------------------------------------------------------------------------

DRIFT = {
    "ruleset": "flush ruleset",
    "table": "flush table inet docknet",
    "map": "flush map inet docknet tcp_ip",
    "element": "delete element inet docknet tcp_ip { 8080 }",
    "one of a range": "delete element inet docknet tcp_ip { 9002 }",
    "guarded": "delete element inet docknet guarded_ip { 0.0.0.0/0 . tcp . 9000-9003 }",
    "allowed": "delete element inet docknet allowed_ip { 10.0.0.0/8 . 0.0.0.0/0 . tcp . 9000-9003 }",
    "one allowed too many": "add element inet docknet allowed_ip { 11.0.0.0/8 . 0.0.0.0/0 . tcp . 9000-9003 }",
    "not local": "delete element inet docknet not_local_ip { 0.0.0.0/0 . tcp . 9000-9003 }",
    "not local too many": "add element inet docknet not_local_ip { 0.0.0.0/0 . tcp . 8080 }",
    "hairpin": "flush set inet docknet hairpin_ip",
    "localnet": "flush set inet docknet localnet",
    "chain": "flush chain inet docknet guard",
    "order": "insert rule inet docknet sources ip saddr 172.17.0.0/16 ip daddr != 224.0.0.0/4 oifname != docknet0 "
    'masquerade comment "docknet@docknet"',
    "sources": "flush chain inet docknet sources",
    "unhooked": "flush chain inet docknet prerouting; delete chain inet docknet prerouting",
}


@pytest.mark.parametrize("how", DRIFT)
def test_drift_by_hand_is_seen_and_repaired(how):
    published = [
        WEB,
        {
            "host_port": "9000-9003",
            "to_ip": "172.17.0.3",
            "to_port": "80-83",
            "allowed_sources": ["10.0.0.0/8"],
            "local": False,
        },
    ]
    narrow = {"source": "172.17.9.0/24"}
    dnat(*published)
    snat(OUT, narrow)
    good, all_of_it = nft.read(None), normal(table())
    sh(f"nft '{DRIFT[how]}'")
    assert normal(ruleset()) != all_of_it
    planned = [steps(dnat(*published, check=True)), steps(dnat(*published))]
    planned += [steps(snat(OUT, narrow, check=True)), steps(snat(OUT, narrow))]
    assert planned[0] == planned[1] and planned[2] == planned[3] and planned[0] + planned[2]
    found = nft.read(None)
    assert (found.rules, found.damage, open(SWITCH).read()) == (good.rules, (), "1\n")
    if how not in ("ruleset", "localnet"):  # with these goes the record of who turned route_localnet on
        assert normal(table()) == all_of_it
    assert not dnat(*published).operations and not snat(OUT, narrow).operations


def normal(said: str) -> list[str]:
    """A listing without the order of elements, which is nobody's."""
    return sorted(said.replace("elements = { ", "").replace(" }", ",").replace(",", "\n").split("\n")) if said else []


def test_removal_does_not_repair():
    dnat(WEB)
    sh("nft flush chain inet docknet guard")
    assert not dnat({"host_port": 9999}, state="absent").operations


def test_left_over_permissions_do_not_come_back():
    """Somebody deletes a guarded port's element alone; who was allowed then is not allowed on the port published anew."""
    dnat({**WEB, "allowed_sources": ["10.0.0.0/8", "192.0.2.0/24"]})
    sh("nft delete element inet docknet tcp_ip { 8080 }")
    dnat({**WEB, "allowed_sources": ["192.0.2.0/24"]})
    assert "10.0.0.0/8" not in table()


# -- whose it is ----------------------------------------------------------------------------------------------

FOREIGN = {
    "empty": "table inet docknet {}",
    "a chain": "table inet docknet { chain input { type filter hook input priority 0; tcp dport 22 accept; }; }",
    "our names": "table inet docknet { set localnet { type ifname; }; chain publish { }; }",
}


@pytest.mark.parametrize("how", FOREIGN)
@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_table_of_that_name_that_is_not_ours(how, state):
    sh(f"nft '{FOREIGN[how]}'")
    before = ruleset()
    for module, options in ((dnat, WEB), (snat, OUT)):
        with pytest.raises(Conflict, match="nftables table inet docknet: it was not made by this collection"):
            module(options, state=state)
    assert ruleset() == before


def test_other_tables_are_the_same_to_the_byte():
    sh("""nft 'table inet filter { chain input { type filter hook input priority 0; tcp dport 22 counter accept; }; }
        table ip nat { map m { type inet_service : ipv4_addr . inet_service; elements = { 8080 : 10.0.0.1 . 80 }; }; }
        table ip docknet { chain c { }; }'""")
    before = ruleset()
    dnat(WEB)
    snat(OUT)
    assert ruleset().startswith(before)
    dnat(WEB, state="absent")
    snat(OUT, state="absent")
    assert ruleset() == before


def test_what_is_not_ours_in_our_table_stays_and_keeps_it():
    dnat(WEB)
    sh("nft 'add chain inet docknet theirs; add rule inet docknet output tcp dport 99 accept'")
    sh("nft 'add element inet docknet udp_ip { 53 : 10.0.0.1 . 53 }; flush chain inet docknet guard'")
    dnat(WEB)
    said = table()
    assert "tcp dport 99 accept" in said and "53 : 10.0.0.1 . 53" in said and "ip saddr 127.0.0.0/8 drop" in said
    plan = dnat(WEB, state="absent")
    assert "tcp dport 99 accept" in table() and "53 : 10.0.0.1 . 53" in table()
    assert not any(step.action == "delete" and isinstance(step.value, TableChange) for step in plan.operations)


def test_another_owners_rule():
    dnat(WEB, owner="shop")
    snat(OUT, owner="shop")
    before = ruleset()
    for state in ("present", "absent"):
        with pytest.raises(Conflict, match='belongs to owner "shop", not to "blog"'):
            dnat({**WEB, "to_ip": "172.17.0.4"}, owner="blog", state=state, adopt=True)
        with pytest.raises(Conflict, match='belongs to owner "shop", not to "blog"'):
            snat(OUT, owner="blog", state=state)
    assert ruleset() == before
    dnat({**WEB, "host_port": 8081}, owner="blog")
    dnat({"host_port": 8081}, owner="blog", state="absent")
    assert ruleset() == before


def test_an_element_of_nobody_is_adopted_when_asked():
    dnat({**WEB, "host_port": 9999})
    sh("nft add element inet docknet tcp_ip { 8080 : 172.17.0.9 . 80 }")
    before = ruleset()
    for state in ("present", "absent"):
        with pytest.raises(Conflict, match="adopt: true"):
            dnat(WEB, state=state)
    assert ruleset() == before
    assert steps(dnat(WEB, adopt=True)) == ["set dnat 0.0.0.0:8080/tcp"]
    assert "172.17.0.9" not in table() and not dnat(WEB).operations


def test_a_source_rule_of_nobody_is_adopted_when_asked():
    snat({"source": "10.0.0.0/8"})
    sh("nft add rule inet docknet sources ip saddr 172.17.0.0/16 oifname != docknet0 masquerade")
    with pytest.raises(Conflict, match="adopt: true"):
        snat(OUT)
    snat(OUT, adopt=True)
    assert table().count("172.17.0.0/16") == 1 and not snat(OUT).operations


@pytest.mark.parametrize(
    "one, other",
    [
        ({}, {"host_ip": "172.17.0.1"}),
        ({"host_ip": "172.17.0.1"}, {}),
        ({}, {"host_port": "8000-8100", "to_port": "8000-8100"}),
        ({"host_port": "8000-8090", "to_port": None}, {"host_port": "8080-8100", "to_port": None}),
        ({"host_ip": "127.0.0.1"}, {"host_port": "8080-8081", "to_port": "80-81"}),
    ],
)
def test_overlaps_are_refused(one, other):
    dnat({**WEB, **one}, owner="shop")
    before = ruleset()
    with pytest.raises(Conflict, match=r'dnat \S+ overlaps dnat \S+ of owner "shop", which goes to 172.17.0.3'):
        dnat({**WEB, **other}, owner="blog")
    assert ruleset() == before


def test_no_overlap():
    """Another protocol, another family, another address, the port beside."""
    dnat(WEB, {**WEB, "protocol": "udp"}, {**WEB, "to_ip": "fd17::3"}, {**WEB, "host_port": 8081})
    one = {**WEB, "host_port": 8082}
    dnat({**one, "host_ip": "172.17.0.1"}, {**one, "host_ip": "127.0.0.1"})


def test_a_place_that_is_freed_in_the_same_run():
    dnat(WEB)
    plan = dnat({**WEB, "state": "absent"}, {**WEB, "host_port": "8000-8100", "to_port": "8000-8100"})
    assert steps(plan) == ["delete dnat 0.0.0.0:8080/tcp", "create dnat 0.0.0.0:8000-8100/tcp"]


# -- the words of an error ------------------------------------------------------------------------------------


def test_nft_refuses_and_says_why(monkeypatch):
    """The sentence has the object, nft's words and the line; nothing was changed."""
    broken = layout.translations
    monkeypatch.setattr(layout, "translations", lambda rule: (one._replace(value="nonsense") for one in broken(rule)))
    with pytest.raises(
        KernelRefused,
        match=r"dnat 0\.0\.0\.0:8080/tcp: nft refused it.*in the line: add element inet docknet tcp_ip \{ 8080",
    ):
        dnat(WEB)
    assert not sh("nft list tables")


def test_nft_is_not_there(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *_words, **_more: None)
    with pytest.raises(Unsupported, match="the program nft is not on this host; install the package nftables"):
        snat(OUT)


def test_nft_does_not_end(monkeypatch, tmp_path):
    instead(tmp_path, "exec sleep 60")
    monkeypatch.setattr(nft, "TIMEOUT", 0.2)
    with pytest.raises(Unsupported, match="nft did not end within"):
        snat(OUT)


def test_a_host_address_that_is_not_there_yet_is_a_warning():
    plan = dnat({**WEB, "host_ip": "10.99.0.1"})
    assert any("no interface of the host has the address 10.99.0.1 yet" in text for text in plan.warnings)
    assert not dnat({**WEB, "host_ip": "172.17.0.1", "host_port": 1}).warnings


def test_no_way_to_the_target():
    rule = {**WEB, "to_ip": "192.0.2.9"}
    with pytest.raises(Missing, match=r"no route of the host leads to to_ip 192\.0\.2\.9; make the interface"):
        dnat(rule)
    plan = dnat(rule, check=True)
    assert steps(plan) == ["create nftables table inet docknet", "create dnat 0.0.0.0:8080/tcp"]
    assert "taken as made by an earlier task" in plan.warnings[0]
    assert not sh("nft list tables")


def test_json_of_this_nft_is_what_is_expected():
    """If this fails with a new nft, see _kernel/nftjson.py."""
    dnat(WEB)
    said = json.loads(sh("nft -j list map inet docknet tcp_ip"))["nftables"]
    found = next(one["map"] for one in said if "map" in one)
    assert found["elem"] == [
        [{"elem": {"val": 8080, "comment": "docknet@docknet via=docknet0/16"}}, {"concat": ["172.17.0.3", 80]}]
    ]
