# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents that mean something: Compose's forms of one thing mean the same, and what is silent is as a Compose user expects."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.netwright.docknet.plugins.module_utils._topology.document import read


def web(text):
    return read({"name": "shop", "containers": {"web": yaml.safe_load(text)}}).containers["web"]


def front(text):
    return read({"name": "shop", "networks": {"front": yaml.safe_load(text)}}).networks["front"]


SAME_CONTAINERS = [
    ("{}", "{networks: [default]}"),
    ("{}", "null"),
    ("{networks: [default]}", "{networks: {default: }}"),
    ("{networks: [default]}", "{networks: {default: {aliases: [], priority: 0, x-mine: 1}}}"),
    ("{hostname: mail.example.com}", "{hostname: mail.example.com.}"),
    ("{networks: {default: {aliases: [db.example.com]}}}", "{networks: {default: {aliases: [db.example.com.]}}}"),
    ("{dns: 9.9.9.9}", "{dns: [9.9.9.9]}"),
    ("{dns_search: a.example}", "{dns_search: [a.example]}"),
    ("{extra_hosts: ['a:10.0.0.1']}", "{extra_hosts: ['a=10.0.0.1']}"),
    ("{extra_hosts: ['a:10.0.0.1', 'a:::1']}", "{extra_hosts: {a: [10.0.0.1, '[::1]']}}"),
    ("{sysctls: {net.core.somaxconn: 1024}}", "{sysctls: [net.core.somaxconn=1024]}"),
    (
        "{mac_address: '02:42:00:00:00:01', networks: [default]}",
        "{networks: {default: {mac_address: 02-42-00-00-00-01}}}",
    ),
    ("{ports: ['8080:80']}", "{ports: [{target: 80, published: 8080}]}"),
    ("{ports: ['8080:80']}", "{ports: ['8080:80/TCP', '8080:80']}"),
    (
        "{ports: ['127.0.0.1:8080:80/udp']}",
        "{ports: [{target: 80, published: '8080', host_ip: 127.0.0.1, protocol: udp}]}",
    ),
    ("{ports: ['[fd00::1]:8080:80']}", "{ports: [{target: '80', published: 8080, host_ip: 'fd00::1'}]}"),
    ("{ports: ['[fd00::1]:8080:80', '[::]:81:81']}", "{ports: ['fd00::1:8080:80', ':::81:81']}"),
    ("{ports: ['[::]:8080:80']}", "{ports: [{target: 80, published: 8080, host_ip: '[::]'}]}"),
    ("{ports: ['[::]::80', '443:443']}", "{ports: ['::::80', ':443:443']}"),
    (
        "{ports: ['8080:80', '81']}",
        "{ports: [{target: 80, host_ip: '', published: 8080}, {target: 81, published: ''}]}",
    ),
    ("{ports: ['53:53/udp']}", "{ports: [{target: 53, published: 53, protocol: UDP}]}"),
    ("{ports: ['80', '81', '82']}", "{ports: ['80-82']}"),
    ("{ports: ['127.0.0.1::80']}", "{ports: [{target: 80, host_ip: 127.0.0.1}]}"),
    ("{ports: ['8000-8010:80']}", "{ports: [{target: 80, published: 8000-8010}]}"),
    ("{ports: ['3000']}", "{ports: [3000]}"),
    ("{ports: ['59']}", "{ports: [59]}"),
    # YAML 1.1 leaves pairs as text whose second number is 60 or more. No pair that gives these is a likely one.
    ("{ports: ['8080:80', '443:443']}", "{ports: [8080:80, 443:443]}"),
    (
        "{ports: ['80', '443', '8080', '5432', '6379', '1433', '1521']}",
        "{ports: [80, 443, 8080, 5432, 6379, 1433, 1521]}",
    ),
    ("{hostname: null, ports: null, networks: null}", "{expose: ['80', 3000-3005/udp]}"),
]


@pytest.mark.parametrize("one, other", SAME_CONTAINERS)
def test_forms_of_a_container(one, other):
    assert web(one) == web(other)


def test_names_have_underscores_and_capitals_as_in_docker():
    found = web("{hostname: my_host, networks: {default: {aliases: [db_master, x_y.example.com, WWW]}}}")
    assert (found.hostname, found.endpoints[0].aliases) == ("my_host", ("db_master", "x_y.example.com", "WWW"))


SAME_NETWORKS = [
    ("null", "{driver: bridge, enable_ipv4: true, enable_ipv6: false, internal: false, labels: {a: b}}"),
    (
        "{ipam: {config: [{subnet: 10.1.0.0/24}]}}",
        "{ipam: {driver: default, config: {subnet: 10.1.0.0/255.255.255.0}}}",
    ),
    ("{name: br7}", "{driver_opts: {com.docker.network.bridge.name: br7}}"),
    ("{driver_opts: {mtu: 1400}}", "{driver_opts: {com.docker.network.driver.mtu: '1400'}}"),
    ("{driver_opts: {icc: no}}", "{driver_opts: {com.docker.network.bridge.enable_icc: 'false'}}"),
    ("{driver_opts: {isolate: strict}}", "{}"),
    ("{enable_ipv6: true}", "{driver_opts: {com.docker.network.enable_ipv6: '1'}}"),
    ("{driver_opts: {outbound_addr4: 192.0.2.1}}", "{driver_opts: {com.docker.network.host_ipv4: 192.0.2.1}}"),
    (
        "{driver_opts: {gateway_mode: routed}}",
        "{driver_opts: {gateway_mode_ipv4: routed, com.docker.network.bridge.gateway_mode_ipv6: routed}}",
    ),
    ("{driver: macvlan, name: eth1}", "{driver: macvlan, driver_opts: {parent: eth1}}"),
    (
        "{driver: macvlan, driver_opts: {parent: e, mode: vepa}}",
        "{driver: macvlan, driver_opts: {parent: e, macvlan_mode: vepa}}",
    ),
    (
        "{driver: ipvlan, driver_opts: {parent: e, mode: l3}}",
        "{driver: ipvlan, name: e, driver_opts: {ipvlan_mode: l3}}",
    ),
    ("{ipam: {driver: none}}", "{ipam: {driver: 'null'}}"),
]


@pytest.mark.parametrize("one, other", SAME_NETWORKS)
def test_forms_of_a_network(one, other):
    assert front(one) == front(other)


def test_what_an_option_means():
    options = front(
        """{internal: true, driver_opts: {com.docker.network.bridge.enable_ip_masquerade: "false", icc: "false",
        com.docker.network.bridge.gateway_mode_ipv4: isolated, com.docker.network.bridge.host_binding_ipv4: 127.0.0.1,
        com.docker.network.bridge.inhibit_ipv4: "true", com.docker.network.container_iface_prefix: lan,
        com.docker.network.bridge.trusted_host_interfaces: "eth0:eth1", no_default_route: true, mtu: 1400}}"""
    ).options
    assert (options.masquerade, options.icc, options.inhibit_ipv4, options.default_route) == (False, False, True, False)
    assert options.modes == {4: "isolated", 6: "nat"}
    assert {version: str(address) for version, address in options.publish_on.items()} == {4: "127.0.0.1"}
    assert (options.prefix, options.trusted, options.mtu) == ("lan", ("eth0", "eth1"), 1400)


def test_what_docker_writes_of_its_own_bridge_may_be_written():
    """And a network's name in Compose is not its bridge's, where that is named too."""
    words = "{name: fresh-rss-net-of-mine, driver_opts: {%s.default_bridge: 'false', %s.name: freshrss}, ipam: {driver: host-local}}"
    found = front(words.replace("%s", "com.docker.network.bridge"))
    assert (found.device, found.compose_name, found.ipam) == ("freshrss", "fresh-rss-net-of-mine", "default")
    assert front("{name: br1}").device == "br1"
    assert front("{name: reverse-proxy-network, external: true}").compose_name == "reverse-proxy-network"


def test_macvlan():
    options = front(
        """{driver: macvlan, driver_opts: {parent: {node1: eth1, node2: eth2}, vlan: 50,
        host_shim: {name: shim0, address: 10.1.0.9}}}"""
    ).options
    assert (options.parents, options.vlan) == ({"node1": "eth1", "node2": "eth2"}, 50)
    assert (options.shim.name, str(options.shim.address)) == ("shim0", "10.1.0.9")


def test_ipvlan():
    network = front("{driver: ipvlan, driver_opts: {parent: eth1, vlan: 50, ipvlan_mode: l3s, ipvlan_flag: vepa}}")
    options = network.options
    assert (options.parents, options.vlan, options.mode, options.flag) == ({"": "eth1"}, 50, "l3s", "vepa")
    assert network.on_parent and network.routed and not network.own_macs and network.among == "vepa"


@pytest.mark.parametrize(
    "text, netns, made, mode",
    [
        ("{}", "web", True, "networks"),
        ("{netns_name: w7}", "w7", True, "networks"),
        ("{netns: 'docker:nginx'}", "docker:nginx", False, "networks"),
        ("{netns: /proc/42/ns/net, network_mode: bridge}", "/proc/42/ns/net", False, "bridge"),
        ("{network_mode: none}", "web", True, "none"),
        ("{network_mode: host}", None, False, "host"),
    ],
)
def test_whose_namespace(text, netns, made, mode):
    found = web(text)
    assert (found.netns, found.made, found.mode) == (netns, made, mode)
    assert [one.network for one in found.endpoints] == {"networks": ["default"], "bridge": ["bridge"]}.get(mode, [])


def test_the_network_default_is_there_where_it_is_used():
    assert list(read({"name": "shop", "containers": {"web": None}}).networks) == ["default"]
    assert not read({"name": "shop", "networks": {}, "containers": {"web": {"network_mode": "none"}}}).networks


def test_an_address_of_a_local_bridge_is_free_on_the_next_host():
    text = """
    name: shop
    networks: {front: {ipam: {config: [{subnet: 10.1.0.0/24}]}}}
    containers:
      web: {host: a, ports: ["8080:80"], networks: {front: {ipv4_address: 10.1.0.9}}}
      db: {host: b, ports: ["8080:80"], networks: {front: {ipv4_address: 10.1.0.9}}}
    """
    document = read(yaml.safe_load(text))
    assert [len(document.on(host)) for host in ("a", "b")] == [1, 1]


def test_one_warning_a_key_without_effect():
    text = """
    name: shop
    version: "3"
    x-mine: [1]
    networks: {front: {attachable: true, x-mine: 1}}
    containers:
      web: {image: nginx, restart: always, networks: [front]}
      db: {image: postgres, networks: [front]}
    """
    warnings = read(yaml.safe_load(text)).warnings
    assert [warning.split(":")[0] for warning in warnings if "image" in warning] == [
        "image is taken and has no effect (containers"
    ]
    assert any("web, db" in warning for warning in warnings)
    assert sorted(warning.split()[0] for warning in warnings) == ["attachable", "image", "restart", "version"]


def test_settings_of_an_endpoint():
    key = "com.docker.network.endpoint.sysctls"
    text = f"{{networks: {{default: {{driver_opts: {{{key}: 'net.ipv4.conf.IFNAME.log_martians=1'}}}}}}}}"
    assert web(text).endpoints[0].sysctls == {("net", "ipv4", "conf", "IFNAME", "log_martians"): "1"}


def test_interfaces_are_numbered_by_priority_then_by_the_document():
    raw = {"name": "shop", "networks": {"a": {}, "b": {}, "c": {}}, "containers": {"web": {"networks": {}}}}
    raw["containers"]["web"]["networks"] = {"a": {}, "b": {"priority": 10}, "c": None}
    assert [one.network for one in read(raw).containers["web"].endpoints] == ["b", "a", "c"]
