# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words that make namespaces and links: what becomes which value, and that anything else is a sentence."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import InvalidRequest
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import LinkKey, Route
from ansible_collections.netwright.docknet.plugins.module_utils._model.owner import altname, group, name_in, owner_of
from ansible_collections.netwright.docknet.plugins.module_utils._topology import link, normalise, wish
from hypothesis import given
from hypothesis import strategies as st

WHAT = "veth_pair v0"
TEXT_TO_VALUE = {
    name: getattr(normalise, name)
    for name in (
        "link_name",
        "netns_name",
        "netns",
        "mac",
        "address",
        "interface",
        "network",
        "sysctl_path",
        "sysctl_value",
    )
}
anything = st.text(max_size=40) | st.from_regex(r"[0-9a-fA-F:./%-]{0,30}", fullmatch=True)
addresses = st.ip_addresses()


def with_prefix(address: object) -> st.SearchStrategy:
    most = 32 if address.version == 4 else 128
    return st.integers(1, most).map(lambda length: f"{address}/{length}")


VALID = {
    "link_name": st.from_regex(normalise.LINK_NAME, fullmatch=True).filter(
        lambda text: text not in (".", "..", "all", "default")
    ),
    "netns_name": st.from_regex(normalise.NETNS_NAME, fullmatch=True),
    "netns": st.from_regex(normalise.NETNS_NAME, fullmatch=True)
    | st.sampled_from(["pid:12", "docker:web", "/proc/1/ns/net"]),
    "mac": st.from_regex(r"[0-9a-fA-F][02468aceACE]([:-][0-9a-fA-F]{2}){4}[:-]01", fullmatch=True),
    "address": addresses.map(str),
    "network": addresses.flatmap(with_prefix).map(lambda text: str(ip_network(text, strict=False))),
    "sysctl_value": st.integers().map(str) | st.sampled_from(["4096  87380\t6291456", " cubic "]),
}


@pytest.mark.parametrize("name", TEXT_TO_VALUE)
@given(text=anything)
def test_any_text_becomes_a_value_or_a_sentence(name, text):
    try:
        TEXT_TO_VALUE[name](WHAT, "option", text)
    except InvalidRequest as error:
        assert str(error).startswith(f"{WHAT}: option ")
        assert str(error).isprintable(), "one line, whatever was in the text"


@pytest.mark.parametrize("name", VALID)
@given(data=st.data())
def test_a_normaliser_leaves_its_own_result_as_it_is(name, data):
    normalised = TEXT_TO_VALUE[name](WHAT, "option", data.draw(VALID[name]))
    assert TEXT_TO_VALUE[name](WHAT, "option", str(normalised)) == normalised


@given(address=st.ip_addresses(v=6), length=st.integers(1, 128))
def test_an_address_in_another_spelling_is_the_same(address, length):
    spellings = {f"{address.exploded}/{length}", f"{address.compressed.upper()}/{length}", f" {address}/{length} "}
    try:
        values = {normalise.interface(WHAT, "addresses", text) for text in spellings}
    except InvalidRequest:
        return
    assert values == {ip_interface(f"{address}/{length}")}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("mac", "02-42-AC-11-00-02", "02:42:ac:11:00:02"),
        ("interface", "172.17.0.2/255.255.0.0", ip_interface("172.17.0.2/16")),
        ("interface", "10.0.0.0/31", ip_interface("10.0.0.0/31")),
        ("interface", "192.0.2.1/32", ip_interface("192.0.2.1/32")),
        ("interface", "fe80::5/64", ip_interface("fe80::5/64")),
        ("netns", "/run/netns/web", "web"),
        ("netns", "/var/run/netns/web", "web"),
        ("netns", "pid:0042", "pid:42"),
        ("netns", "/proc/42/task/43/ns/net", "/proc/42/task/43/ns/net"),
        ("link_name", "abcdefghijklmno", "abcdefghijklmno"),
        ("link_name", "eth0.100", "eth0.100"),
        ("netns_name", "x" * 127, "x" * 127),
        ("sysctl_path", "net.ipv4.conf.eth0/5.rp_filter", ("net", "ipv4", "conf", "eth0.5", "rp_filter")),
        ("sysctl_value", True, "1"),
        ("sysctl_value", 0, "0"),
        ("sysctl_value", "4096  87380\t6291456", "4096 87380 6291456"),
    ],
)
def test_values(name, text, value):
    assert TEXT_TO_VALUE[name](WHAT, "option", text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(
            ("link_name", text)
            for text in ("", "a b", "a/b", "..", ".", "a\n", "a\0", "\u00e9", "x" * 16, "all", "default", "a:b", "a%d")
        ),
        *(("netns_name", text) for text in ("", "a b", "a/b", "..", ".a", "-a", "a\n", "\u00e9", "x" * 128, "a:b")),
        *(
            ("netns", text)
            for text in ("", "pid:", "pid:0", "pid:-1", "pid:\u0664", "docker:", "docker:-x", "docker:a b", "lxc:web")
        ),
        *(
            ("netns", text)
            for text in ("/etc/shadow", "/proc/../etc/ns/net", "/proc/1/ns/mnt", "/run/netns/../x", "/run/netns/")
        ),
        *(
            ("mac", text)
            for text in ("", "02:42", "01:00:00:00:00:01", "00:00:00:00:00:00", "02:42:ac:11:00:0g", "024211000002")
        ),
        *(
            ("interface", text)
            for text in ("172.17.0.2", "172.17.0.0/16", "172.17.255.255/16", "::/64", "224.0.0.1/4", "fe80::1%eth0/64")
        ),
        *(
            ("interface", text)
            for text in ("0.0.0.0/0", "ff02::1/64", "1.2.3/8", "010.0.0.1/8", "1.2.3.4/33", "1.2.3.4/-1")
        ),
        *(("network", text) for text in ("172.17.0.1/16", "x", "fd00::1/64", "1.2.3.4/40")),
        *(("address", text) for text in ("1.2.3.4/8", "fe80::1%1", "localhost", "")),
        *(
            ("sysctl_path", text)
            for text in (
                "kernel.panic",
                "net",
                "net.",
                "net..x",
                "net.ipv4.//.x",
                "net.ipv4.a b",
                "net/../x",
                "net.x\n",
            )
        ),
        *(("sysctl_value", text) for text in ("", " ", "\u00e9", "a\0b")),
    ],
)
def test_refused(name, text):
    with pytest.raises(InvalidRequest) as raised:
        TEXT_TO_VALUE[name](WHAT, "option", text)
    assert raised.value.what == WHAT


def addressing(size=None, **words):
    return link.addressing(WHAT, {"addresses": None, "gateway": None, "routes": None, **words}, size)


def test_what_is_left_out_is_not_managed_and_an_empty_list_is_none():
    assert addressing() == {"addresses": None, "gateways": None, "routes": None}
    empty = frozenset()
    assert addressing(addresses=[], gateway=[], routes=[]) == {"addresses": empty, "gateways": empty, "routes": empty}


def test_routes_get_the_metric_that_the_kernel_gives_them():
    found = addressing(
        addresses=["10.0.0.2/24", "fd00::2/64"],
        gateway=["10.0.0.1", "FD00:0::1"],
        routes=[
            {"to": "10.9.0.0/16"},
            {"to": "fd09::/32", "via": "fe80::1"},
            {"to": "10.8.0.0/16", "via": "10.0.0.9", "metric": 5},
        ],
    )
    assert found["gateways"] == {
        Route(ip_network("0.0.0.0/0"), ip_address("10.0.0.1"), 0),
        Route(ip_network("::/0"), ip_address("fd00::1"), 1024),
    }
    assert found["routes"] == {
        Route(ip_network("10.9.0.0/16"), None, 0),
        Route(ip_network("fd09::/32"), ip_address("fe80::1"), 1024),
        Route(ip_network("10.8.0.0/16"), ip_address("10.0.0.9"), 5),
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"addresses": ["10.0.0.2/24", "10.0.0.2/16"]}, "has one address twice"),
        ({"addresses": ["10.0.0.2/24"], "gateway": ["10.0.1.1"]}, "is not inside one of the addresses (10.0.0.2/24)"),
        ({"addresses": [], "gateway": ["10.0.1.1"]}, "is not inside one of the addresses (none)"),
        ({"addresses": ["10.0.0.2/24"], "routes": [{"to": "10.0.0.0/24"}]}, "is the subnet of an address"),
        ({"routes": [{"to": "::/0", "via": "fe80::1"}]}, "use gateway for it"),
        ({"routes": [{"to": "10.0.0.0/8", "metric": -1}]}, "is not from 0 to 4294967295"),
        (
            {"routes": [{"to": "10.0.0.0/8", "via": "1.1.1.1"}, {"to": "10.0.0.0/8", "via": "1.1.1.2"}]},
            "two different next hops",
        ),
    ],
)
def test_addressing_that_contradicts_itself(words, said):
    with pytest.raises(InvalidRequest, match="veth_pair v0: ") as raised:
        addressing(**words)
    assert said in str(raised.value)


def test_settings_of_one_link():
    assert normalise.sysctls(
        WHAT, {"net.ipv4.conf.IFNAME.rp_filter": 2, "net.ipv4.conf.br/0.forwarding": None}, "br.0"
    ) == {("net", "ipv4", "conf", "br.0", "rp_filter"): "2"}
    with pytest.raises(InvalidRequest, match="is not a setting of this link"):
        normalise.sysctls(WHAT, {"net.ipv4.conf.all.rp_filter": 2}, "br.0")
    with pytest.raises(InvalidRequest, match="is given twice with different values"):
        normalise.sysctls(WHAT, {"net.ipv4.conf.IFNAME.rp_filter": 2, "net.ipv4.conf.br/0.rp_filter": 1}, "br.0")


@given(name=st.text())
def test_a_label_is_one_line_whatever_the_name(name):
    assert wish.label("netns", name, name).isprintable()


def test_marks_of_the_longest_names_fit():
    """ALTIFNAMSIZ is 128, with its end."""
    owner, name = "x" * 32, "y" * 15
    text = altname(owner, name)
    assert len(text) < 128
    assert owner_of((text,)) == owner
    assert name_in(text) == name


@given(first=st.from_regex(normalise.OWNER, fullmatch=True), name=st.from_regex(normalise.LINK_NAME, fullmatch=True))
def test_a_mark_says_whose_it_is(first, name):
    assert owner_of(("somebody's", altname(first, name))) == first
    assert group(first) > 0xFFFF, "not one that a person would choose"


@pytest.mark.parametrize("text", ["", "docknet", "docknet@", "docknet@shop", "xdocknet@shop@v0", "docknet_shop_v0"])
def test_another_name_is_no_mark(text):
    assert owner_of((text,)) is None


def test_owners_and_names_that_contain_one_another_have_other_marks():
    assert len({group(owner) for owner in ("mario", "mario2", "mari")}) == 3
    assert owner_of((altname("mario", "2"),)) != owner_of((altname("mario2", "2"),))
    assert len({link.derived_mac("shop", LinkKey(None, name)) for name in ("br", "br0", "br00")}) == 3
