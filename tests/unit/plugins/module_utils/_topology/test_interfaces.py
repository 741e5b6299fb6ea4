# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of interfaces in a container: chosen, kept, free; and what is left in a container that leaves."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from ansible_collections.netwright.docknet.plugins.filter.host_end import host_end
from ansible_collections.netwright.docknet.plugins.module_utils._model.hosts import HostsBlock
from ansible_collections.netwright.docknet.plugins.module_utils._model.source import SourceRoute
from ansible_collections.netwright.docknet.plugins.module_utils._model.state import Allocation, Lease, State
from ansible_collections.netwright.docknet.plugins.module_utils._model.topology import (
    ContainerSpec,
    Document,
    EndpointSpec,
    NetworkSpec,
    Options,
)
from ansible_collections.netwright.docknet.plugins.module_utils._topology import names, normalise
from ansible_collections.netwright.docknet.plugins.module_utils._topology.sweep import detached

DOCUMENT = Document("shop", {"front": NetworkSpec("front"), "lan": NetworkSpec("lan", options=Options(prefix="net"))})


def interfaces(*endpoints, **words):
    """An endpoint is (network, its chosen name)."""
    specs = tuple(EndpointSpec(network, interface=name) for network, name in endpoints)
    return names.interfaces(ContainerSpec("web", endpoints=specs), DOCUMENT, **words)


@pytest.mark.parametrize(
    ("endpoints", "words", "expected"),
    [
        ([("a", None), ("b", None)], {}, {"a": "eth0", "b": "eth1"}),
        ([("a", None), ("lan", None), ("b", None)], {}, {"a": "eth0", "lan": "net0", "b": "eth1"}),
        ([("a", None), ("b", "eth0")], {}, {"a": "eth1", "b": "eth0"}),
        # The first network went: the second keeps its name. A new one does not get what is still there.
        ([("b", None)], {"kept": {"a": "eth0", "b": "eth1"}}, {"b": "eth1"}),
        ([("c", None), ("b", None)], {"kept": {"a": "eth0", "b": "eth1"}}, {"c": "eth2", "b": "eth1"}),
        ([("c", None), ("b", None)], {"kept": {"b": "eth1"}}, {"c": "eth0", "b": "eth1"}),
        # What is said goes before what was had.
        ([("a", None), ("b", "eth0")], {"kept": {"a": "eth0"}}, {"a": "eth1", "b": "eth0"}),
        # A real container's own.
        ([("a", None), ("b", None)], {"foreign": {"eth0", "lo"}}, {"a": "eth1", "b": "eth2"}),
    ],
)
def test_names_are_chosen_kept_or_the_lowest_free(endpoints, words, expected):
    assert interfaces(*endpoints, **words) == expected
    assert interfaces(*endpoints, **{**words, "kept": expected}) == expected, "and the same in the next run"


def test_what_is_left_in_a_container_that_leaves_is_looked_for_in_it_alone():
    leases = {("db", "a"): Lease(ip_address("10.0.0.2"), None), ("db", "b"): Lease(ip_address("10.0.1.2"), None)}
    saved = State("shop", allocation=Allocation(endpoints=leases), attached=("podman:db", "podman:web"))
    found = list(detached(saved, ("podman:web",)))
    assert {one.key.container for one in found if isinstance(one, HostsBlock)} == {"podman:db"}
    routes = [one for one in found if isinstance(one, SourceRoute)]
    assert {one.link.netns for one in routes} == {"podman:db"}
    assert {(str(one.address), one.table) for one in routes} == {
        (address, table) for address in ("10.0.0.2", "10.0.1.2") for table in (1000, 1001)
    }
    assert not list(detached(saved, ("podman:web", "podman:db")))


@pytest.mark.parametrize("name", ["web", "a.b_c-d+e", "fourteen-bytes"])
def test_the_host_s_end_of_a_pair_by_hand_is_called_like_the_container(name):
    assert host_end(name, "docknet", "docknet0") == f"v{name}"


@pytest.mark.parametrize("name", ["nextcloud-aio-database", "Web.Example.com_1", "exactly-fifteen", "m@il"])
def test_a_container_s_name_that_linux_does_not_take_is_fitted_as_a_topology_s_is(name):
    found = host_end(name, "docknet", "docknet0")
    assert found == names.host_end("docknet", name, "docknet0")
    assert normalise.link_name("", "", found) == found
    assert found not in {host_end(f"{name}2", "docknet", "docknet0"), host_end(name, "docknet", "docknet1")}
