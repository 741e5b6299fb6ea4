# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of container_hosts_link: nothing but names gets into a hosts file."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import InvalidRequest
from ansible_collections.netwright.docknet.plugins.module_utils._model.hosts import HostsBlock, HostsKey, HostsLink
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import LinkKey
from ansible_collections.netwright.docknet.plugins.module_utils._topology.hosts import desired, host_name
from hypothesis import given
from hypothesis import strategies as st


def ask(*links, **given):
    """The arguments as Ansible hands them over."""
    links = [{"to": None, "interface": "eth0", "names": ["web"], **link} for link in links]
    common = {"container": "client", "path": None, "links": links, "state": "present", "owner": "shop"}
    return {**common, "adopt": False, "recreate": False, **given}


def links_of(*links):
    (wanted,) = desired(ask(*links))
    return wanted.value.links


def test_a_block():
    (wanted,) = desired(ask({"to": "web", "names": ["web", "www", "web"]}))
    assert wanted.value == HostsBlock(HostsKey("client"), "shop", (HostsLink(LinkKey("web", "eth0"), ("web", "www")),))
    assert (wanted.what, wanted.owner, wanted.present) == ("container_hosts_link client", "shop", True)


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        (None, LinkKey(None, "eth0")),
        ("web", LinkKey("web", "eth0")),
        ("/run/netns/web", LinkKey("web", "eth0")),
        ("pid:42", LinkKey("pid:42", "eth0")),
        ("docker:web", LinkKey("docker:web", "eth0")),
        ("db1.2", LinkKey("db1.2", "eth0")),
        ("192.0.2.1", ip_address("192.0.2.1")),
        (" FD00:0::1", ip_address("fd00::1")),
        ("::ffff:192.0.2.1", ip_address("::ffff:192.0.2.1")),
    ],
)
def test_targets(to, expected):
    assert links_of({"to": to})[0].to == expected


@pytest.mark.parametrize(
    "to",
    [
        "192.0.2.300",
        "192.0.2",
        "192.0.2.1/24",
        "fd00::1/64",
        "fd00::g1",
        "fe80::1%eth0",
        "dcoker:web",
        "a/b",
        "",
        "web\n",
    ],
)
def test_bad_targets(to):
    with pytest.raises(InvalidRequest, match=r"^container_hosts_link client: links\[0\].to "):
        links_of({"to": to})


def test_a_bad_interface():
    with pytest.raises(InvalidRequest, match=r"links\[1\].interface 'eth0/x' is no name for an interface"):
        links_of({"to": "a", "names": ["a"]}, {"to": "web", "interface": "eth0/x"})


@pytest.mark.parametrize(
    "name",
    [
        "web",
        "WEB",
        "a",
        "a.b",
        "my_db",
        "_dmarc.example.com",
        "web-1.example.com",
        "3com",
        "1.example",
        "x" * 63,
        ".".join(["y" * 62] * 4),
    ],
)
def test_names(name):
    assert host_name("what", "names", name) == name


BAD_NAMES = [
    "",
    ".",
    "web.",
    ".web",
    "a..b",
    "-web",
    "web-",
    "web db",
    "web\n1.2.3.4 bank",
    "web\t",
    "web#",
    "wéb",
    "x" * 64,
]
BAD_NAMES += [".".join(["y" * 63] * 4), "*.web", "web:80", "[::1]", "web\r", "web\0", " web"]
NUMBERS = ["1.2.3.4", "10", "127.1", "web.1", "0x7f", "0x7f.0X1"]
OF_ITSELF = ["localhost", "LOCALHOST", "ip6-localhost", "ip6-loopback"]


@pytest.mark.parametrize("name", BAD_NAMES + NUMBERS + OF_ITSELF)
def test_bad_names(name):
    with pytest.raises(InvalidRequest, match=r"^container_hosts_link client: links\[0\].names\[1\] "):
        links_of({"to": "web", "names": ["good", name]})


@given(st.text(max_size=20))
def test_no_name_is_more_than_a_name(name):
    try:
        host_name("what", "names", name)
    except InvalidRequest:
        return
    assert name.isascii() and name.split() == [name] and not set(name) & set("#:\0")


def test_a_link_without_a_name():
    with pytest.raises(InvalidRequest, match=r"links\[0\].names '\[\]' gives no name"):
        links_of({"to": "web", "names": []})


@pytest.mark.parametrize(
    "other",
    [{"to": "web2"}, {"to": "web", "interface": "eth1"}, {"to": "192.0.2.1"}, {"to": "web2", "names": ["db", "WEB"]}],
)
def test_one_name_for_two_targets(other):
    with pytest.raises(InvalidRequest, match=r"links\[1\].names '(web|WEB)' is given to eth0 in web already"):
        links_of({"to": "web"}, other)


def test_one_name_for_an_address_of_each_family():
    assert len(links_of({"to": "192.0.2.1"}, {"to": "fd00::1"})) == 2
    with pytest.raises(InvalidRequest, match=r"is given to 192\.0\.2\.1 already"):
        links_of({"to": "192.0.2.1"}, {"to": "192.0.2.2"})


def test_the_same_link_twice_is_one():
    assert len(links_of({"to": "web"}, {"to": "web"})) == 1


def test_absent_needs_the_identity_alone():
    (wanted,) = desired(ask(state="absent", links=None))
    assert wanted.value == HostsBlock(HostsKey("client"), "shop") and not wanted.present


def test_present_needs_links_but_they_may_be_none():
    with pytest.raises(InvalidRequest, match=r"^container_hosts_link client: links are missing; "):
        desired(ask(links=None))
    assert desired(ask())[0].value.links == ()


def test_a_path():
    (wanted,) = desired(ask(container=None, path="/srv/lab/hosts"))
    assert wanted.value.key == HostsKey(None, "/srv/lab/hosts")


@pytest.mark.parametrize(
    "path", ["hosts", "", "/", "/etc/../etc/hosts", "//etc/hosts", "/etc/hosts/", "/etc/./hosts", "/etc/ho\nsts"]
)
def test_bad_paths(path):
    with pytest.raises(InvalidRequest, match=r"path .* is no absolute path"):
        desired(ask(container=None, path=path))


def test_container_and_path():
    with pytest.raises(InvalidRequest, match="is given beside container"):
        desired(ask(path="/etc/hosts"))


@pytest.mark.parametrize("container", ["../etc", "a/b", "", "web\n", "docker:-x", "docker:"])
def test_bad_containers(container):
    with pytest.raises(InvalidRequest, match="container "):
        desired(ask(container=container))
