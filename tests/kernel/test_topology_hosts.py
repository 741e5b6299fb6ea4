# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host of several, by the module: its underlay address, who has what its overlay needs, and whose saved state it has."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from collections.abc import Iterator

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine import run
from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import Fixed, converge
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import NotConverged
from ansible_collections.netwright.docknet.plugins.module_utils._model.vxlan import Forward
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.engine import wish
from ansible_collections.netwright.docknet.tests.kernel.machine import sh
from ansible_collections.netwright.docknet.tests.kernel.test_vxlan import ENDS, MACS, bridge, table, vxlan
from ansible_collections.netwright.docknet.tests.kernel.topologies import STATES, built, host, refused, topology

# Of the host itself (lan0), and of a machine on its LAN.
PEERS = {"node1": "198.51.100.1", "node2": "198.51.100.2"}


@pytest.fixture(autouse=True)
def fixture_host() -> Iterator[None]:
    with host():
        yield


def document(**options):
    return {
        "name": "shop",
        "networks": {"net": {"driver": "overlay", **({"driver_opts": options} if options else {})}},
        "containers": {"a1": {"host": "node1", "networks": ["net"]}, "b1": {"host": "node2", "networks": ["net"]}},
    }


def gathered(raw, name="node1", peers=None, **words):
    answer = call("topology_info", topology=raw, host=name, peers=peers, **words)
    assert not answer.get("failed"), answer["msg"]
    return answer["gathered"]


def obstacles(raw, **words):
    return [": ".join(each[:2]) for each in gathered(raw, **words)["obstacles"]]


# -- its address on the underlay ------------------------------------------------------------------------------


def test_a_host_tells_the_address_of_its_default_route_and_then_the_one_it_has_had():
    sh("ip address add 198.51.100.9/24 dev lan0; ip route add default via 198.51.100.2 src 198.51.100.9")
    assert gathered(document())["underlay"]["address"] == "198.51.100.9"
    assert gathered(document(), peers=PEERS)["underlay"]["address"] == "198.51.100.1"
    built(document(), host="node1", peers=PEERS)
    assert gathered(document())["underlay"]["address"] == "198.51.100.1", "what others know"
    sh("ip address del 198.51.100.1/24 dev lan0; ip address replace 198.51.100.9/24 dev lan0")
    sh("ip route replace default via 198.51.100.2 src 198.51.100.9")
    assert gathered(document())["underlay"]["address"] == "198.51.100.9", "it is gone"


def test_behind_nat_the_address_that_it_is_reached_at_is_none_of_its_own():
    public = {**PEERS, "node1": "203.0.113.5"}
    assert "none of its interfaces has it; set docknet_underlay" in refused(document(), host="node1", peers=public)
    (said,) = obstacles(document(), peers=public)
    assert said.startswith("topology shop: 203.0.113.5 is said to be the address of host node1")


def test_where_the_others_are_is_kept_when_a_run_does_not_know():
    built(document(), host="node1", peers=PEERS)
    assert not topology(document(), host="node1")["changed"]
    assert json.loads((STATES / "shop.json").read_text())["peers"] == PEERS


def test_the_same_address_or_another_family_is_refused_by_the_module_too():
    same = {**PEERS, "node2": PEERS["node1"]}
    assert "hosts node1 and node2 have one underlay address" in refused(document(), host="node1", peers=same)
    other = {**PEERS, "node2": "fd51::2"}
    for words in ({}, {"_ansible_check_mode": True}):
        assert "of two families" in refused(document(), host="node1", peers=other, **words)


def test_a_route_that_carries_less_than_its_card():
    sh("ip route replace 198.51.100.0/24 dev lan0 src 198.51.100.1 mtu 1420")
    assert built(document(), host="node1", peers=PEERS)["topology"]["networks"]["net"]["mtu"] == 1370
    assert gathered(document())["underlay"]["mtu"] == 1420, "also when the addresses are the saved ones"


# -- what somebody else has -----------------------------------------------------------------------------------


def test_a_program_that_has_the_port_of_vxlans_is_named():
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as other:
        other.bind(("127.0.0.1", 4789))
        for words in ({}, {"_ansible_check_mode": True}):
            said = refused(document(), host="node1", peers=PEERS, **words)
            assert "its packets need UDP port 4789 of the host, which is used by" in said and "(pid " in said
        assert obstacles(document(), peers=PEERS)
        assert not obstacles(document(mode="host-gw"), peers=PEERS)
    built(document(), host="node1", peers=PEERS)
    assert not obstacles(document(), peers=PEERS), "the kernel's own socket"


def test_an_interface_that_carries_all_segments_is_named():
    sh("ip link add ovs0 type vxlan external dstport 4789; ip link set ovs0 up")
    assert 'used by interface "ovs0"' in refused(document(), host="node1", peers=PEERS)


def test_a_vni_that_was_moved_to_another_namespace_is_seen():
    sh("ip netns add sandbox; ip link add moved type vxlan id 777 dstport 4789 local 198.51.100.1")
    sh("ip link set moved netns sandbox")
    said = refused(document(vni=777), host="node1", peers=PEERS)
    assert 'vni 777 is interface moved in namespace "sandbox"' in said
    assert gathered(document(), peers=PEERS)["vnis"] == {"777": 'moved in namespace "sandbox"'}


# -- which host it is -----------------------------------------------------------------------------------------


def test_a_machine_with_two_names_does_not_remove_what_it_built():
    built(document(), host="node1", peers=PEERS)
    for name in ("node2", "alias"):
        said = refused(document(), host=name, peers=PEERS)
        assert f"host {name} of the inventory is the machine on which the containers of host node1 run" in said
    moved = {**document(), "containers": {"b1": {"host": "renamed", "networks": ["net"]}}}
    assert topology(moved, host="renamed")["changed"], "but a machine may get another name"


def test_a_state_that_came_with_a_copied_machine_does_not_count():
    built(document(), host="node1", peers=PEERS)
    copied = (STATES / "shop.json").read_text()
    topology({"name": "shop"}, state="absent")
    STATES.mkdir(exist_ok=True)
    (STATES / "shop.json").write_text(copied)
    assert gathered(document(), "node2")["built"] is False
    peers = {"node1": PEERS["node2"], "node2": PEERS["node1"]}
    built(document(), host="node2", peers=peers)
    assert json.loads((STATES / "shop.json").read_text())["host"] == "node2"


LAN = {
    "name": "lan",
    "networks": {"net": {"driver": "macvlan", "driver_opts": {"parent": "lan0"}, "ipam": {"driver": "none"}}},
    "containers": {"web": {"networks": ["net"]}},
}


def test_clones_have_other_mac_addresses_by_their_cards_and_keep_them():
    found = set()
    for card in ("02:00:00:00:00:01", "02:00:00:00:00:02"):
        sh(f"ip link set lan0 address {card}")
        found.add(built(LAN)["topology"]["containers"]["web"]["networks"]["net"]["mac_address"])
        topology({"name": "lan"}, state="absent")
    assert len(found) == 2
    kept = built(LAN)["topology"]["containers"]["web"]["networks"]["net"]["mac_address"]
    sh("ip link set lan0 address 02:00:00:00:00:03")
    assert built(LAN)["topology"]["containers"]["web"]["networks"]["net"]["mac_address"] == kept


# -- what another process does meanwhile ----------------------------------------------------------------------


class Disturbed(Host):
    """A host on which something else, like a routing daemon, takes back an entry when it has been added."""

    times = 1

    def apply(self, operations, *words):
        yield from super().apply(operations, *words)
        if self.times:
            self.times -= 1
            subprocess.run(["bridge", "fdb", "del", MACS[1], "dev", "vx0", "dst", str(ENDS[0]), "self"], check=True)


def wanted():
    return Fixed([wish(bridge()), wish(vxlan(master="br0", forwards=frozenset({Forward(MACS[1], ENDS[0])})))])


def test_what_another_process_takes_back_is_planned_again(monkeypatch):
    monkeypatch.setattr(run, "PATIENCE", (0.0, 0.01))
    sh("ip address add 192.0.2.1/24 dev lo")
    with Disturbed() as there:
        todo = converge(there, wanted(), False, [])[0]
    assert [str(one.value) for one in todo.operations].count(f"forward {MACS[1]} at {ENDS[0]} on vx0") == 2
    assert (MACS[1], str(ENDS[0]), "static") in table()
    with Disturbed() as there:
        there.times = 9
        sh(f"bridge fdb del {MACS[1]} dev vx0 dst {ENDS[0]} self")
        with pytest.raises(NotConverged):
            converge(there, wanted(), False, [])
    assert there.times == 9 - run.ROUNDS
