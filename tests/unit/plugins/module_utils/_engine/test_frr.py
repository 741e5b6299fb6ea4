# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our part of FRRouting's configuration: found in any form, put in, changed, taken away, and nothing else touched."""

from __future__ import annotations

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.frr import (
    HEADER,
    commands,
    configuration,
    in_the_way,
    merged,
)
from hypothesis import given
from hypothesis import strategies as st

CLIENT = """\
router bgp 65000
 bgp router-id 192.0.2.13
 neighbor docknet-reflectors peer-group
 neighbor docknet-reflectors remote-as internal
 neighbor docknet-reflectors timers 3 9
 neighbor 192.0.2.11 peer-group docknet-reflectors
 address-family ipv4 unicast
  no neighbor docknet-reflectors activate
 exit-address-family
 address-family l2vpn evpn
  neighbor docknet-reflectors activate
  advertise-all-vni
 exit-address-family
exit
"""
REFLECTOR = """\
router bgp 65000
 bgp router-id 192.0.2.13
 neighbor docknet-clients peer-group
 neighbor docknet-clients remote-as internal
 neighbor docknet-clients password secret
 bgp listen limit 5000
 bgp listen range 192.0.2.0/24 peer-group docknet-clients
 address-family l2vpn evpn
  neighbor docknet-clients activate
  neighbor docknet-clients route-reflector-client
  advertise-all-vni
 exit-address-family
exit
"""
# What FRRouting 8.4 itself writes when it has been given the client's part.
SAVED = """\
frr version 8.4.4
frr defaults traditional
hostname node3
!
router bgp 65000
 bgp router-id 192.0.2.13
 neighbor docknet-reflectors peer-group
 neighbor docknet-reflectors remote-as internal
 neighbor docknet-reflectors timers 3 9
 neighbor 192.0.2.11 peer-group docknet-reflectors
 !
 address-family ipv4 unicast
  no neighbor docknet-reflectors activate
 exit-address-family
 !
 address-family l2vpn evpn
  neighbor docknet-reflectors activate
  advertise-all-vni
 exit-address-family
exit
!
line vty
!
end
"""
THEIRS = """\
router bgp 65000
 neighbor 192.0.2.77 remote-as 65077
 neighbor 192.0.2.77 description docknet-reflectors are elsewhere
 !
 address-family l2vpn evpn
  neighbor 192.0.2.77 activate
  advertise-all-vni
 exit-address-family
exit
"""
OTHERS = [
    "log syslog informational\n",
    "ip route 203.0.113.0/24 192.0.2.77\n",
    "interface eth0\n description router bgp 65000\nexit\n!\n",
    "route-map m permit 10\n set community 1:1\nexit\n",
    "router bgp 65000 vrf red\n neighbor 192.0.2.78 remote-as 65078\nexit\n!\n",
    "router ospf\n network 192.0.2.0/24 area 0\n",
    # By hand, as FRRouting takes it too: nothing is set in, and nothing says where it ends.
    "router bgp 65000\nneighbor 192.0.2.77 remote-as 65077\naddress-family l2vpn evpn\nneighbor 192.0.2.77 activate\nexit\n",
    THEIRS,
    "router bgp 65000\n bgp router-id 192.0.2.99\nexit\n",
    "line vty\n!\n",
]


def after(text: str, told: list[str]) -> str:
    """The running configuration once it has been told that, as FRRouting does it."""
    now: dict[str, list[tuple[str, str]]] = {
        name: [(each.family, each.words) for each in one.statements.values()] for name, one in merged(text).items()
    }
    name = family = ""
    for line in map(str.strip, told):
        if line.startswith("no router bgp "):
            del now[line[3:]]
        elif line.startswith("router bgp "):
            name, family = line, ""
        elif line.startswith("address-family "):
            family = line.partition(" ")[2]
        elif line == "exit-address-family":
            family = ""
        elif line.startswith("no neighbor docknet-") and line.endswith(" peer-group"):
            group = line.split()[2]
            about = (f"neighbor {group} ", f"no neighbor {group} ")
            now[name] = [
                (f, w) for f, w in now[name] if not w.startswith(about) and not w.endswith(f"peer-group {group}")
            ]
        elif line.startswith("no ") and (family, line[3:]) in now[name]:
            now[name].remove((family, line[3:]))
        elif line != "exit":
            now.setdefault(name, []).append((family, line))
    lines = []
    for name, statements in now.items():
        lines += [name]
        for family, words in statements:
            lines += [f" address-family {family}", f"  {words}", " exit-address-family"] if family else [f" {words}"]
        lines += ["exit"]
    return "\n".join(lines)


@pytest.mark.parametrize("text", [CLIENT, SAVED, THEIRS + CLIENT.replace(" bgp router-id 192.0.2.13\n", "")])
def test_what_says_it_already_is_left_as_it_is(text):
    assert commands(text, CLIENT) == []
    assert configuration(text, CLIENT) == text


def test_nothing_there_is_told_all():
    assert "\n".join(commands("log syslog\n", CLIENT)) + "\n" == CLIENT
    assert configuration("log syslog\n", CLIENT) == f"log syslog\n{HEADER}\n{CLIENT}"
    assert configuration("no newline", CLIENT) == f"no newline\n{HEADER}\n{CLIENT}"


def test_one_statement_is_told_alone():
    running = SAVED.replace("timers 3 9", "timers 60 180")
    assert commands(running, CLIENT) == [
        "router bgp 65000",
        " no neighbor docknet-reflectors timers 60 180",
        "exit",
        "router bgp 65000",
        " neighbor docknet-reflectors timers 3 9",
        "exit",
    ]


def test_an_address_of_its_own_that_changes_is_told_once():
    """Without a moment in which FRRouting chooses one itself: each time all sessions end."""
    running = SAVED.replace("192.0.2.13", "192.0.2.14")
    assert commands(running, CLIENT) == ["router bgp 65000", " bgp router-id 192.0.2.13", "exit"]


def test_a_group_goes_with_all_that_is_said_of_it():
    assert commands(REFLECTOR, CLIENT)[:6] == [
        "router bgp 65000",
        " no bgp listen range 192.0.2.0/24 peer-group docknet-clients",
        " no bgp listen limit 5000",
        " no neighbor docknet-clients peer-group",
        "exit",
        "router bgp 65000",
    ]


def test_an_instance_of_ours_goes_whole():
    assert commands(SAVED, "") == ["no router bgp 65000"]
    assert commands(SAVED, CLIENT.replace("65000", "65001"))[:2] == ["no router bgp 65000", "router bgp 65001"]


def test_of_an_instance_of_others_goes_what_is_ours():
    part = CLIENT.replace(" bgp router-id 192.0.2.13\n", "")
    both = after(THEIRS, commands(THEIRS, CLIENT))
    assert commands(both, CLIENT) == []
    assert sorted(after(both, commands(both, "")).split("\n")) == sorted(after(THEIRS, []).split("\n"))
    # They advertise no VXLANs themselves: then that goes too.
    mine = both.replace("neighbor 192.0.2.77 activate", "advertise-all-vni")
    assert " address-family l2vpn evpn\n  no advertise-all-vni" in "\n".join(commands(mine, ""))
    assert part in configuration(THEIRS, CLIENT) and "router-id" not in configuration(THEIRS, CLIENT)


def test_what_is_ours_goes_out_of_what_somebody_saved():
    """FRRouting's own `write memory` makes one instance of theirs and ours, and drops the comment."""
    merged_by_frr = """\
router bgp 65000
 neighbor docknet-reflectors peer-group
 neighbor docknet-reflectors remote-as internal
 neighbor 192.0.2.77 remote-as 65077
 neighbor 192.0.2.11 peer-group docknet-reflectors
 !
 address-family ipv4 unicast
  network 192.0.2.0/24
  no neighbor docknet-reflectors activate
 exit-address-family
 !
 address-family l2vpn evpn
  neighbor docknet-reflectors activate
  advertise-all-vni
 exit-address-family
exit
"""
    assert (
        configuration(merged_by_frr, "")
        == """\
router bgp 65000
 neighbor 192.0.2.77 remote-as 65077
 !
 address-family ipv4 unicast
  network 192.0.2.0/24
 exit-address-family
 !
exit
"""
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", ""),
        (SAVED, ""),
        (SAVED.replace("65000", "64512"), ""),  # ours
        (THEIRS, ""),
        (THEIRS.replace("65000", "64512"), "router bgp 64512"),
        ("router bgp 64512\nexit\n", "router bgp 64512"),
        ("router bgp 64512 vrf red\n neighbor 192.0.2.77 remote-as 65077\nexit\n", ""),
    ],
)
def test_there_is_one_number_of_bgp(text, name):
    assert in_the_way(text, CLIENT) == name
    assert in_the_way(text, "") == ""


@given(st.permutations(OTHERS).flatmap(lambda all_of: st.integers(0, len(all_of)).map(lambda count: all_of[:count])))
def test_put_in_changed_and_taken_away_all_else_is_as_it_was(others):
    text = "".join(others)
    client = configuration(text, CLIENT)
    assert client.startswith(text) and commands(client, CLIENT) == [] and configuration(client, CLIENT) == client
    reflector = configuration(client, REFLECTOR)
    assert reflector.startswith(text) and commands(reflector, REFLECTOR) == []
    assert configuration(reflector, "") == text


@given(st.sampled_from([CLIENT, REFLECTOR, ""]), st.sampled_from([CLIENT, REFLECTOR, ""]), st.booleans())
def test_what_is_told_makes_it_so(one, other, shared):
    running = after("\n".join([THEIRS if shared else "", one]), [])
    running = after(running, commands(running, one))
    running = after(running, commands(running, other))
    assert commands(running, other) == []
    assert ("docknet" in running.replace("docknet-reflectors are", "")) == bool(other)
    assert ("192.0.2.77 activate" in running) == shared
