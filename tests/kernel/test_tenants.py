# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who stands on a parent is seen wherever he is. Of ipvlan only what is said before anything is made: tests/vm has the rest."""

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import LinkKey
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Question
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.machine import links, sh

pytestmark = pytest.mark.usefixtures("machine")
LAN = LinkKey(None, "lan0")
CHILD = {"name": "eth0", "netns": "web", "parent": "lan0", "addresses": ["192.0.2.9/24"]}


@pytest.fixture(name="lan", autouse=True)
def fixture_lan(machine):
    sh("""
    ip netns add web; ip netns add db; ip link add lan0 type veth peer name lan1
    ip link add link lan0 name cam netns db type macvlan mode bridge
    ip link add link lan1 name other netns db type macvlan mode bridge
    """)


def tenants(*namespaces):
    with Host() as host:
        asked = Question(namespaces={None, *namespaces}, links={None, *namespaces}, owners={"shop"})
        asked.tenants = {(LAN, "macvlan"), (LAN, "ipvlan")}
        return host.observe(asked).tenants


def test_tenants_when_out_of_sight_then_they_are_named_and_those_of_other_parents_are_not():
    [found] = tenants()[LAN]
    assert (found.key, found.data.KIND, found.data.parent, found.owner) == (LinkKey("db", "cam"), "macvlan", LAN, None)
    assert not tenants("db"), "in sight they are among the links"


def test_tenants_when_their_namespace_has_no_name_then_a_process_in_it_tells_which_it_is():
    words = ["ip", "netns", "exec", "db", "sh", "-c", "echo; exec sleep 60"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"\n"
            sh("ip netns del db")
            [found] = tenants()[LAN]
            assert found.key == LinkKey(f"the namespace of process {process.pid}", "cam")
        finally:
            process.kill()


def test_child_when_it_has_its_parent_s_name_then_it_is_born_with_another_one():
    """Kernels before 6.13 look for the name where the parent is."""
    words = {"name": "lan0", "netns": "web", "parent": "lan0", "addresses": ["192.0.2.9/24"]}
    done = call("macvlan_net", **words)
    assert done["changed"] and not call("macvlan_net", **words)["changed"], done
    assert set(links("web")) == {"lo", "lan0"} and links("web")["lan0"]["linkinfo"]["info_kind"] == "macvlan"


def test_child_when_its_brother_of_the_same_name_is_born_in_the_same_run_then_it_is_too():
    words = {"config": [{"name": "twin", "netns": netns, "parent": "lan0"} for netns in (None, "web", "db")]}
    done = call("macvlan_net", **words)
    assert done["changed"] and not call("macvlan_net", **words)["changed"], done
    assert "twin" in links() and "twin" in links("web") and "twin" in links("db")


@pytest.mark.parametrize("check", [True, False])
def test_ipvlan_when_a_macvlan_stands_on_its_parent_then_it_is_refused_before_any_change(check):
    before = links(), links("web")
    answer = call("ipvlan_net", **CHILD, _ansible_check_mode=check)
    assert answer["failed"] and answer["failure"]["kind"] == "conflict"
    assert 'its parent "lan0" has the macvlan "cam in db" on it, that we did not make' in answer["msg"]
    assert (links(), links("web")) == before
