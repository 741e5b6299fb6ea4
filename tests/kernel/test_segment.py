# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Segments on the real kernel: what is written is what is read, drift is repaired, nobody else's is touched without need."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import Fixed, converge
from ansible_collections.netwright.docknet.plugins.module_utils._kernel import nft
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._model import filter as layout
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import Conflict
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Wanted
from ansible_collections.netwright.docknet.plugins.module_utils._model.rule import Ports
from ansible_collections.netwright.docknet.plugins.module_utils._model.segment import (
    ROUTED,
    UNPROTECTED,
    Opening,
    Segment,
)
from ansible_collections.netwright.docknet.tests.kernel.machine import sh
from ansible_collections.netwright.docknet.tests.kernel.publishing import dnat, snat, steps
from ansible_collections.netwright.docknet.tests.kernel.topologies import until

# Another nft to try besides the machine's, of another version.
PROGRAMS = [program for program in (shutil.which("nft"), os.environ.get("DOCKNET_NFT")) if program]
FOUR, SIX = ip_address("172.17.0.3"), ip_address("fd17::3")
FRONT = Segment(
    None,
    "docknet0",
    icc=False,
    modes={4: ROUTED, 6: UNPROTECTED},
    ports=frozenset({"veth1", "veth2"}),
    openings=frozenset(
        Opening(address, protocol, ports)
        for address in (FOUR, SIX)
        for protocol in ("tcp", "udp", "sctp")
        for ports in (Ports(80, 80), Ports(8000, 8010))
    ),
    trusted=frozenset({"wg0", "eth0.7"}),
    resolvers={FOUR: 5301, SIX: 5302},
    nameservers=frozenset({FOUR - 2, SIX - 2}),
)
BACK = Segment(
    None,
    "br-1.2",
    internal=True,
    modes={4: UNPROTECTED, 6: ROUTED},
    vni=4097,
    vteps=frozenset({ip_network("198.51.100.0/24"), ip_network("fd51::2")}),
    by="wg-1.2",
    listens=51820,
)
TABLE = "nftables table inet docknet"


@pytest.fixture(autouse=True)
def fixture_here(machine):
    sh("ip link set lo up")


def run(*values, present=True, owner="shop", check=False):
    wanted = [Wanted(value, f"segment {value.device}", owner, present) for value in values]
    with Host() as host:
        return converge(host, Fixed(wanted), check, [])[0]


def seen():
    return nft.read(None, bridge=True)


def ruleset():
    return sh("nft list ruleset")


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_shape_comes_back(program, tmp_path, monkeypatch):
    nft_here = tmp_path / "nft"
    nft_here.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
    nft_here.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for front in (FRONT, replace(FRONT, icc=True, modes={4: UNPROTECTED}, resolvers={FOUR: 7}), FRONT):
        run(front, BACK)
        assert seen().segments == {one.device: layout.whole(replace(one, owner="shop")) for one in (front, BACK)}
        assert (seen().damage, seen().foreign, seen().bridge or ()) == ((), (), ())
        assert (seen().bridge is None) == front.icc
        assert steps(run(front, BACK)) == []
    run(BACK, present=False)
    assert set(seen().segments) == {"docknet0"}
    run(FRONT, present=False)
    assert ruleset() == ""


def test_check_mode_writes_nothing():
    sh("iptables-nft -P FORWARD DROP")
    before = ruleset()
    planned = steps(run(FRONT, check=True))
    assert ruleset() == before
    assert planned == steps(run(FRONT))
    assert f"create {TABLE}" in planned and "create passage" in planned[-1]
    before = ruleset()
    run(FRONT, present=False, check=True)
    assert ruleset() == before


@pytest.mark.parametrize(
    "damage, repaired",
    [
        ("nft delete element inet docknet segments '{ docknet0 }'", ["create segment docknet0"]),
        ("nft delete element inet docknet apart '{ docknet0 . docknet0 }'", ["set segment docknet0"]),
        ("nft delete element inet docknet resolver_ip '{ 172.17.0.3 }'", ["set segment docknet0"]),
        ("nft flush set inet docknet nameserver_ip6", ["set segment docknet0"]),
        ("nft flush set inet docknet open_ip6", ["set segment docknet0"]),
        ("nft delete element bridge docknet apart_ports '{ veth1 }'", ["set segment docknet0"]),
        ("nft flush chain inet docknet forward", [f"set {TABLE}"]),
        ("nft flush chain bridge docknet forward", [f"set {TABLE}"]),
        ("nft delete table bridge docknet", [f"set {TABLE}", "set segment docknet0"]),
        ("nft delete table inet docknet", [f"create {TABLE}", "create segment docknet0"]),
        ("nft flush ruleset", [f"create {TABLE}", "create segment docknet0"]),
    ],
)
def test_damage_is_repaired_and_said(damage, repaired):
    run(FRONT)
    whole = sorted(ruleset().splitlines())
    sh(damage)
    assert steps(run(FRONT)) == repaired
    assert sorted(ruleset().splitlines()) == whole
    assert steps(run(FRONT)) == []


def test_another_owners_stays():
    run(FRONT, owner="other")
    before = ruleset()
    for present in (True, False):
        with pytest.raises(Conflict, match='belongs to owner "other"'):
            run(FRONT, present=present)
    run(BACK)
    run(BACK, present=False)
    assert ruleset() == before


def test_one_transaction_with_what_is_published(tmp_path, monkeypatch):
    """And what is published stays when segments go, and the other way round."""
    sh("ip link add docknet0 type bridge; ip link set docknet0 up; ip address add 172.17.0.1/16 dev docknet0")
    web = {"host_port": 8080, "to_ip": "172.17.0.3", "to_port": 80}
    out = {"source": "172.17.0.0/16", "except_out_interface": "docknet0"}
    dnat(web)
    snat(out)
    before = ruleset()
    run(FRONT)
    assert steps(dnat(web)) == steps(snat(out)) == []
    run(FRONT, present=False)
    assert ruleset() == before
    run(FRONT)
    dnat(web, state="absent")
    snat(out, state="absent")
    assert steps(run(FRONT)) == []
    run(FRONT, present=False)
    assert ruleset() == ""


def test_the_number_of_rules_does_not_grow():
    run(FRONT)
    few = ruleset().count(' comment "docknet ')
    run(*(Segment(None, f"br{number}", icc=False, ports=frozenset({f"v{number}"})) for number in range(300)))
    assert ruleset().count(' comment "docknet ') == few
    assert len(seen().segments) == 301


def test_a_thousand_containers():
    """The reading of all of them is cheap, and of a change only what differs is sent."""
    resolvers = {FOUR + number: 5301 for number in range(1000)} | {SIX + number: 5301 for number in range(1000)}
    many = replace(FRONT, resolvers=resolvers, ports=frozenset(f"veth{number}" for number in range(1000)))
    run(many)
    start = time.process_time()
    assert steps(run(many)) == []
    took = time.process_time() - start  # of this process: others may be busy meanwhile
    (step,) = run(replace(many, resolvers={**resolvers, FOUR: 5302})).operations
    assert len(step.value.remove) == 1 and len(step.value.add) == 1 + len(many.nameservers)
    assert took < 1.0, took


# -- other people's filters -----------------------------------------------------------------------------------

FIREWALL = """
nft -f - <<'.'
table inet careful {
    map verdicts { type ifname : verdict; elements = { "eth0" : drop }; }
    chain deep { iifname vmap @verdicts; }
    chain passing { type filter hook forward priority 10; jump deep; }
    chain harmless { type filter hook forward priority 20; ct state vmap { established : accept, new : continue }; }
    chain entering { type filter hook input priority 0; ct state vmap { established : accept, invalid : drop }; }
}
.
"""


def lists() -> list[str]:
    """What everybody says of his own rules."""
    said = "iptables-nft -S; ip6tables-nft -S; iptables-legacy -S; ip6tables-legacy -S; nft -s list table inet careful"
    return sh(f"({said}) 2>/dev/null").splitlines()


OURS = "-A {} -m mark --mark 0x200000/0x200000 -m comment --comment docknet -j ACCEPT"


def test_every_filter_is_opened_once_in_its_own_language():
    sh(FIREWALL + "for p in iptables ip6tables; do $p-nft -P FORWARD DROP; $p-nft -A INPUT -j REJECT; done")
    sh("iptables-legacy -N mine; iptables-legacy -A mine -j DROP; iptables-legacy -A FORWARD -j mine")
    before = lists()
    opened = [step for step in steps(run(FRONT)) if "passage" in step]
    assert len(opened) == 7
    after = lists()
    assert [line for line in after if line not in before and "-A" in line] == [
        OURS.format(chain) for chain in ("INPUT", "FORWARD", "INPUT", "FORWARD", "FORWARD")
    ]
    marked = 'meta mark & 0x00200000 != 0x00000000 accept comment "docknet"'
    assert sum(marked in line for line in after) == 2
    assert steps(run(FRONT, BACK)) == ["create segment br-1.2"]
    assert lists() == after
    run(FRONT, present=False)
    run(BACK, present=False)
    assert lists() == before


def test_a_rule_that_drops_before_ours_is_seen():
    sh("iptables-nft -P FORWARD DROP")
    run(FRONT)
    sh("iptables-nft -I FORWARD -j DROP")
    assert steps(run(FRONT)) == ["set passage through chain FORWARD in table ip filter of iptables-nft"]
    assert sh("iptables-nft -S FORWARD").splitlines()[1] == OURS.format("FORWARD")
    assert steps(run(FRONT)) == []
    sh("iptables-nft -D FORWARD 1")
    assert len(steps(run(FRONT))) == 1


def test_legacy_tables_are_not_made_by_looking():
    run(FRONT)
    assert sh("cat /proc/net/ip_tables_names 2>/dev/null || true") == ""


def test_what_cannot_be_opened_is_said():
    sh("nft 'table ip early { chain c { type filter hook forward priority -20; policy drop; }; }'")
    sh("nft 'table bridge walls { chain c { type filter hook forward priority 0; policy drop; }; }'")
    before = sh("nft list table ip early; nft list table bridge walls")
    warnings = run(FRONT).warnings
    assert [text.partition(" may drop")[0] for text in warnings] == [
        "chain c in table ip early",
        "chain c in table bridge walls",
    ]
    assert sh("nft list table ip early; nft list table bridge walls") == before


def test_chains_before_and_after_ours_name_the_bridges():
    """Behind the rules that are there, before one that drops all; as the bridges come and go."""
    sh(
        "iptables-legacy -P OUTPUT DROP; iptables-legacy -t raw -A PREROUTING -i eth0 -j ACCEPT; iptables-legacy -t raw -A PREROUTING -j DROP"
    )
    sh("nft 'table ip6 fw { chain out { type filter hook output priority 0; oifname lo accept; counter reject; }; }'")
    tables = "iptables-legacy -S; iptables-legacy -t raw -S; nft -s list table ip6 fw"
    before = sh(tables)
    run(FRONT, BACK)
    after = sh(tables).splitlines()
    assert [line for line in after if "docknet" in line] == [
        "-A OUTPUT -o br-1.2 -m comment --comment docknet -j ACCEPT",
        "-A OUTPUT -o docknet0 -m comment --comment docknet -j ACCEPT",
        "-A PREROUTING -i br-1.2 -m comment --comment docknet -j ACCEPT",
        "-A PREROUTING -i docknet0 -m comment --comment docknet -j ACCEPT",
        '\t\toifname { "br-1.2", "docknet0" } accept comment "docknet"',
    ]
    assert after.index("-A PREROUTING -i docknet0 -m comment --comment docknet -j ACCEPT") < after.index(
        "-A PREROUTING -j DROP"
    )
    assert "reject" in after[-3]
    assert steps(run(FRONT, BACK)) == []
    run(BACK, present=False)
    assert sum("br-1.2" in line for line in sh(tables).splitlines()) == 0
    run(FRONT, present=False)
    assert sh(tables) == before


def test_a_table_that_only_firewalld_can_write_to_is_named_before_anything_is_changed():
    """nftables' flag owner: the table is another process', and goes with it."""
    with subprocess.Popen(["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as firewalld:
        assert firewalld.stdin
        firewalld.stdin.write(
            "add table inet firewalld { flags owner; }\n"
            "add chain inet firewalld filter_FORWARD { type filter hook forward priority 10; policy drop; }\n"
        )
        firewalld.stdin.flush()
        assert until(lambda: "filter_FORWARD" in sh("nft list chains"))
        for check in (True, False):
            (warning,) = run(FRONT, check=check).warnings
            assert warning.startswith(
                "chain filter_FORWARD in table inet firewalld may drop what docknet0 sends and gets"
            )
            assert "--zone=trusted --add-interface=docknet0" in warning
        firewalld.stdin.write("add rule inet firewalld filter_FORWARD iifname docknet0 accept\n")
        firewalld.stdin.flush()
        assert until(lambda: "docknet0" in sh("nft list table inet firewalld"))
        assert run(FRONT).warnings == ()
        firewalld.stdin.close()
