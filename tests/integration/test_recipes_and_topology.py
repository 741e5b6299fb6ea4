# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same networks by the recipe roles on one host and as a topology on another: the kernel has the same.

What a topology has that no recipe makes is listed here, each with its reason, and must be there; all else is equal.
"""

from __future__ import annotations

import difflib
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from ansible_collections.netwright.docknet.tests.integration.snapshot import calm
from ansible_collections.netwright.docknet.tests.lab.lab import Host, Lab

# Owner and topology have one name, so that the marks are compared too.
OWNER = "shop"
HOST = "node1"
CONTAINERS = ("web", "db", "mail", "log", "cam")

TOPOLOGY = {
    "name": OWNER,
    "networks": {
        "front": {"name": "br-front", "ipam": {"config": [{"subnet": "172.20.0.0/16"}]}},
        "both": {
            "name": "br-both",
            "enable_ipv6": True,
            "ipam": {"config": [{"subnet": "172.21.0.0/16"}, {"subnet": "fd00:21::/64"}]},
            "driver_opts": {"mtu": 1400},
        },
        "lan": {
            "driver": "macvlan",
            "ipam": {"config": [{"subnet": "198.51.100.0/24", "gateway": "198.51.100.254"}]},
            "driver_opts": {"parent": "eth0", "host_shim": {"name": "shim0", "address": "198.51.100.130"}},
        },
    },
    "containers": {
        "web": {
            "networks": {"front": {"ipv4_address": "172.20.0.2", "driver_opts": {"host_interface_name": "vweb"}}},
            "ports": ["8080:80", "127.0.0.1:8443:443", "7000-7003:7000-7003/udp"],
            "links": ["db:database"],
        },
        "db": {
            "networks": {"front": {"ipv4_address": "172.20.0.3", "driver_opts": {"host_interface_name": "vdb"}}},
            "ports": [{"target": 5432, "published": "5432", "allowed_sources": ["198.51.100.0/25"]}],
        },
        "mail": {
            "networks": {
                "both": {
                    "ipv4_address": "172.21.0.2",
                    "ipv6_address": "fd00:21::2",
                    "driver_opts": {"host_interface_name": "vmail"},
                }
            },
            "ports": ["25:25"],
            "sysctls": {"net.core.somaxconn": 512},
        },
        "log": {
            "networks": {
                "both": {
                    "ipv4_address": "172.21.0.3",
                    "ipv6_address": "fd00:21::3",
                    "mac_address": "02:00:00:00:00:03",
                    "driver_opts": {"host_interface_name": "vlog"},
                }
            },
            "sysctls": {"net.core.somaxconn": 512},
        },
        "cam": {"networks": {"lan": {"ipv4_address": "198.51.100.50"}}},
    },
}


def role(which: str, /, **words: Any) -> dict[str, Any]:
    said = {f"{which}_{word}": value for word, value in words.items()}
    return {
        "ansible.builtin.include_role": {"name": f"netwright.docknet.{which}"},
        "vars": {f"{which}_owner": OWNER, **said} if which != "host" else said,
    }


def own_name(container: str, address: str, *others: dict[str, Any]) -> dict[str, Any]:
    """A topology's containers find themselves in their hosts files."""
    return {"container": container, "links": [{"to": address, "names": [container]}, *others]}


RECIPES = [
    role("host", ipv6_forwarding=True),
    role(
        "bridge_network",
        name="br-front",
        subnets=["172.20.0.0/16"],
        addresses=["172.20.0.1/16"],
        containers=[
            {"name": "web", "addresses": ["172.20.0.2/16"]},
            {"name": "db", "addresses": ["172.20.0.3/16"]},
        ],
    ),
    role(
        "bridge_network",
        name="br-both",
        subnets=["172.21.0.0/16", "fd00:21::/64"],
        addresses=["172.21.0.1/16", "fd00:21::1/64"],
        mtu=1400,
        sysctls={"net.core.somaxconn": 512},
        containers=[
            {"name": "mail", "addresses": ["172.21.0.2/16", "fd00:21::2/64"]},
            {"name": "log", "addresses": ["172.21.0.3/16", "fd00:21::3/64"], "mac": "02:00:00:00:00:03"},
        ],
    ),
    role(
        "macvlan_network",
        parent="eth0",
        gateway=["198.51.100.254"],
        host_shim={"name": "shim0", "addresses": ["198.51.100.130/32"]},
        containers=[{"name": "cam", "addresses": ["198.51.100.50/24"]}],
    ),
    role(
        "published_ports",
        rules=[
            {"host_port": "8080", "to_ip": "172.20.0.2", "to_port": "80"},
            {"host_ip": "127.0.0.1", "host_port": "8443", "to_ip": "172.20.0.2", "to_port": "443"},
            {"protocol": "udp", "host_port": "7000-7003", "to_ip": "172.20.0.2"},
            {"host_port": "5432", "to_ip": "172.20.0.3", "allowed_sources": ["198.51.100.0/25"]},
            {"host_port": "25", "to_ip": "172.21.0.2"},
            {"host_port": "25", "to_ip": "fd00:21::2"},
        ],
    ),
    role(
        "linked_containers",
        hosts=[
            own_name("web", "172.20.0.2", {"to": "db", "names": ["database", "db"]}),
            own_name("db", "172.20.0.3"),
            own_name("mail", "172.21.0.2", {"to": "fd00:21::2", "names": ["mail"]}),
            own_name("log", "172.21.0.3", {"to": "fd00:21::3", "names": ["log"]}),
            own_name("cam", "198.51.100.50"),
        ],
    ),
]

# -- what a topology has, and no recipe makes -------------------------------------------------------------------

# Elements of these sets and maps. The table itself is the same, with every chain and rule.
ELEMENTS = {
    "segments": "a network is kept apart from the others",
    "within": "and its containers are not from each other",
    "resolver_ip": "a container's question to its gateway goes to a name server",
    "nameserver_ip": "which listens at a port that nobody else may ask",
    "resolver_ip6": "the same where a network has IPv6",
    "nameserver_ip6": "the same where a network has IPv6",
}
# A recipe says a container's settings before its eth0 is there, so they are also the defaults of what is to come.
DEFAULTS = (
    "net.ipv4.conf.default.rp_filter",
    "net.ipv6.conf.default.accept_dad",
    "net.ipv6.conf.default.accept_ra",
    "net.ipv6.conf.default.disable_ipv6",
)
FILES = {"resolv.conf": "names are the name server's to know"}

# -- what is chance ---------------------------------------------------------------------------------------------

INDEXES = ("ifindex", "link_index", "link_netnsid")
# Links of the host whose MAC address the kernel draws.
DRAWN = ("eth0", "shim0", "vweb", "vdb", "vmail", "vlog")
# The keys are drawn when first used; connections are counted.
COUNTED = ("net.ipv4.tcp_fastopen_key", "net.netfilter.nf_conntrack_count")


@pytest.fixture(name="made", scope="module")
def fixture_made(tmp_path_factory):
    """Both hosts, alone on a segment of their own each, so that they have the same addresses."""
    with Lab(f"recipes{os.getpid()}", [HOST]) as recipes, Lab(f"whole{os.getpid()}", [HOST]) as whole:
        folder = tmp_path_factory.mktemp("play")
        labs = {"recipes": recipes, "topology": whole}
        common = {"ansible_connection": "netwright.docknet.netns", "ansible_python_interpreter": sys.executable}
        hosts = {name: {**common, "ansible_netns_host": f"{lab.name}/{HOST}"} for name, lab in labs.items()}
        (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
        as_topology = {"ansible.builtin.include_role": {"name": "netwright.docknet.topology"}}
        plays = [
            {"hosts": "recipes", "gather_facts": False, "tasks": RECIPES},
            {
                "hosts": "topology",
                "gather_facts": False,
                "tasks": [as_topology],
                "vars": {"docknet_topology": TOPOLOGY},
            },
        ]
        (folder / "play.json").write_text(json.dumps(plays))
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.json", "play.json"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280, check=False)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr
        yield recipes.hosts[HOST], whole.hosts[HOST]


def ask(host: Host, *command: str) -> Any:
    said = host.run(command).stdout
    return json.loads(said) if said.strip() else []


def lines(value: Any) -> list[str]:
    return json.dumps(value, indent=1, sort_keys=True).splitlines()


def same(recipes: Any, topology: Any) -> None:
    differences = difflib.unified_diff(lines(recipes), lines(topology), "recipes", "topology", lineterm="", n=4)
    left = "\n".join(differences)
    assert not left, left


def network(host: Host) -> dict[str, Any]:
    """Links, addresses, routes and policy rules, of the host and in every container."""
    found: dict[str, Any] = {}
    for place in ("", *CONTAINERS):
        at = ["ip", *(["-n", place] if place else []), "-j"]
        found[f"{place} links"] = {one["ifname"]: one for one in calm(ask(host, *at, "-d", "address"))}
        for name, link in found[f"{place} links"].items():
            for word in (*INDEXES, *(["address"] if not place and name in DRAWN else [])):
                link.pop(word, None)
        for family in ("-4", "-6"):
            routes = calm(ask(host, *at, family, "route", "show", "table", "all"))
            found[f"{place} routes {family}"] = sorted(routes, key=str)
            found[f"{place} rules {family}"] = ask(host, *at, family, "rule")
    return found


def sysctls(host: Host, container: str | None) -> dict[str, str]:
    inside = ["ip", "netns", "exec", container] if container else []
    said = host.run([*inside, "sysctl", "--all", "--pattern", r"^net\."]).stdout.splitlines()
    pairs = (line.partition(" = ") for line in said)
    return {name: value for name, _separator, value in pairs if name not in COUNTED}


def ruleset(host: Host) -> dict[str, Any]:
    """The chains with their rules in order, and the maps and sets, whose elements have none."""
    found: dict[str, Any] = {}
    for entry in ask(host, "nft", "-j", "list", "ruleset")["nftables"]:
        for kind, one in entry.items():
            one.pop("handle", None)
            if kind == "rule":
                found[f"chain {one['chain']}"]["rules"].append(one)
            elif kind != "metainfo":
                name = f"{kind} {one['name']}" if kind in ("table", "chain") else one["name"]
                assert name not in found, f"{name} is in two tables, and not told apart here"
                elements = sorted(one.pop("elem", []), key=lambda each: json.dumps(each, sort_keys=True))
                found[name] = {"kind": kind, **one, "rules": [], "elements": elements}
    return found


def files(host: Host) -> dict[str, str]:
    names = host.run(["find", "/etc/netns", "-type", "f"]).stdout.split()
    return {name: host.run(["cat", name]).stdout for name in names}


def test_links_addresses_routes_and_rules_are_the_same(made):
    same(*map(network, made))


@pytest.mark.parametrize("place", [None, *CONTAINERS])
def test_settings_of_the_kernel_are_the_same(made, place):
    recipes, topology = (sysctls(host, place) for host in made)
    for name in DEFAULTS if place else ():
        mine = name.replace(".default.", ".eth0.")
        assert recipes.pop(name) == topology[mine] == recipes[mine]
        del topology[name]
    same(recipes, topology)


def test_translations_are_the_same(made):
    recipes, topology = map(ruleset, made)
    for name in ELEMENTS:
        assert not recipes[name]["elements"]
        assert topology[name].pop("elements"), f"{name} need not be an exception"
        del recipes[name]["elements"]
    assert recipes["tcp_ip"]["elements"] and recipes["tcp_ip6"]["elements"]
    assert len(recipes["chain sources"]["rules"]) == 3
    same(recipes, topology)


def test_hosts_files_are_the_same(made):
    recipes, topology = map(files, made)
    for name in [name for name in topology if name.rpartition("/")[2] in FILES]:
        del topology[name]
    assert len(recipes) == len(CONTAINERS)
    same(recipes, topology)
