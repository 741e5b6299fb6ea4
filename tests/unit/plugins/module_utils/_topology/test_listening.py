# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports by family: what one host port is for whom, and what is said of a port that no packet can reach."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import DocknetError
from ansible_collections.netwright.docknet.plugins.module_utils._model.rule import Ports
from ansible_collections.netwright.docknet.plugins.module_utils._model.state import Allocation, Surroundings
from ansible_collections.netwright.docknet.plugins.module_utils._topology.allocate import allocate
from ansible_collections.netwright.docknet.plugins.module_utils._topology.document import read
from ansible_collections.netwright.docknet.plugins.module_utils._topology.publication import publications, unserved
from ansible_collections.netwright.docknet.plugins.module_utils._topology.site import Site

AROUND = Surroundings(machine="a machine", free_ports=Ports(32768, 32779))


def site(networks, containers):
    document = read({"name": "shop", "networks": yaml.safe_load(networks), "containers": yaml.safe_load(containers)})
    return Site(document, None, allocate(document, None, AROUND, Allocation())[0], AROUND)


def published(networks, containers):
    """container -> the host's addresses and ports."""
    found = site(networks, containers)
    return {one.name: [f"{rule.host_ip} {rule.ports}" for rule in publications(found, one)] for one in found.containers}


def warned(networks, containers):
    found = site(networks, containers)
    return [warning for one in found.containers for warning in unserved(found, one)]


def test_one_port_for_ipv4_by_one_container_and_for_ipv6_by_another():
    networks = "{four: {}, six: {enable_ipv4: false, enable_ipv6: true}}"
    containers = "{a: {networks: [four], ports: ['80:80']}, b: {networks: [six], ports: ['80:80']}}"
    assert published(networks, containers) == {"a": ["0.0.0.0 80"], "b": [":: 80"]}


def test_networks_bound_to_two_addresses_of_the_host():
    """With IPv6 too: a network that is bound to an address publishes on that alone, as Docker has it."""
    networks = "{a: {driver_opts: {host_binding_ipv4: 192.0.2.1}}, b: {enable_ipv6: true, driver_opts: {host_binding_ipv4: 192.0.2.2}}}"
    containers = "{a: {networks: [a], ports: ['80:80']}, b: {networks: [b], ports: ['80:80']}}"
    assert published(networks, containers) == {"a": ["192.0.2.1 80"], "b": ["192.0.2.2 80"]}


@pytest.mark.parametrize(
    "other",
    (
        "{driver_opts: {gateway_mode: routed}}",
        "{driver_opts: {no_default_route: true}}",
        "{internal: true}",
        "{driver_opts: {inhibit_ipv4: true}}",
    ),
)
def test_a_port_that_is_not_on_the_host_is_in_nobodys_way(other):
    containers = "{a: {networks: [front], ports: ['80:80']}, b: {networks: [other], ports: ['80:80']}}"
    assert published(f"{{front: {{}}, other: {other}}}", containers) == {"a": ["0.0.0.0 80"], "b": []}


def test_the_default_bridge_has_no_ipv6():
    containers = "{a: {network_mode: bridge, ports: ['80:80']}, b: {networks: [six], ports: ['80:80']}}"
    found = published("{six: {enable_ipv4: false, enable_ipv6: true}}", containers)
    assert found == {"a": ["0.0.0.0 80"], "b": [":: 80"]}


@pytest.mark.parametrize("other", ("{enable_ipv6: true}", "{enable_ipv4: false, enable_ipv6: true}"))
def test_one_port_of_one_family_twice_is_refused(other):
    containers = "{a: {networks: [both], ports: ['80:80']}, b: {networks: [other], ports: ['80:80']}}"
    with pytest.raises(DocknetError, match=r"containers\.b\.ports: 80:80/tcp is published on this host by container a"):
        site(f"{{both: {{enable_ipv6: true}}, other: {other}}}", containers)


@pytest.mark.parametrize(
    "network, port, words, other",
    (
        ("{}", "[::]:8080:80", "[::]:8080:80/tcp is not published: the container has no way to elsewhere over IPv6", 4),
        ("{}", "[2001:db8::1]:81:80/udp", "[2001:db8::1]:81:80/udp is not published", 4),
        ("{enable_ipv4: false, enable_ipv6: true}", "127.0.0.1:81:80", "127.0.0.1:81:80/tcp is not published", 6),
    ),
)
def test_a_port_on_an_address_of_the_other_family_is_named(network, port, words, other):
    containers = f"{{web: {{networks: [front], ports: ['80:80', '{port}']}}}}"
    (warning,) = warned(f"{{front: {network}}}", containers)
    assert words in warning
    assert warning.endswith(f"enable_ipv{10 - other}: true for network front, or publish on an IPv{other} address")
    assert len(published(f"{{front: {network}}}", containers)["web"]) == 1


def test_ports_of_both_families_are_published_without_a_word():
    containers = "{web: {networks: [front], ports: ['0.0.0.0:80:80', '[::]:80:80', '81:81']}}"
    assert warned("{front: {enable_ipv6: true}}", containers) == []
    assert published("{front: {enable_ipv6: true}}", containers)["web"] == [
        "0.0.0.0 80",
        "0.0.0.0 81",
        ":: 80",
        ":: 81",
    ]
