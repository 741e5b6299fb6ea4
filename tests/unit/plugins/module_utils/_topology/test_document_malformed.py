# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents that mean nothing, a file each: exactly the errors that its first lines expect, by path and sentence. And junk of any kind."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import InvalidRequest, Several
from ansible_collections.netwright.docknet.plugins.module_utils._topology.document import read
from hypothesis import given, settings
from hypothesis import strategies as st

CASES = sorted((Path(__file__).resolve().parents[3] / "cases" / "malformed").glob("*.yml"))
EXPECT = "# expect: "


def refusals(raw):
    try:
        read(raw)
    except Several as error:
        assert len(error.errors) > 1
        return error.errors
    except InvalidRequest as error:
        return [error]
    return []


def test_there_are_enough():
    assert len(CASES) >= 100


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_malformed(path):
    text = path.read_text()
    expected = [line[len(EXPECT) :] for line in text.splitlines() if line.startswith(EXPECT)]
    assert expected and text.startswith(EXPECT)
    found = refusals(yaml.safe_load(text))
    assert [error.what for error in found] == [line.split(": ", 1)[0] for line in expected]
    for line, error in zip(expected, found):
        assert line.split(": ", 1)[1] in str(error)


KEYS = st.sampled_from(
    """name networks containers host_names driver ipam config subnet ip_range gateway aux_addresses driver_opts parent mtu
    external internal enable_ipv6 host hostname netns netns_name network_mode ports target published host_ip protocol
    allowed_sources expose links extra_hosts dns dns_search dns_opt sysctls labels mac_address aliases ipv4_address
    interface_name gw_priority com.docker.network.endpoint.sysctls host_shim mode macvlan_mode vlan x-mine default
    front web db net.ipv4.ip_forward""".split()
)
WORDS = st.sampled_from(
    """front web db default bridge macvlan none host dhcp container:web container:db docker:web 10.1.0.0/24 10.1.0.1
    10.1.0.9 fd00::/64 fd00::1%eth0 fe80::%1/64 ::1 80 8080:80 [::]:80:80 22:22 1-2:3-4 0 host-gateway db:x a=b a:b true 1.2.3.4/0.0.0.255
    net.ipv4.conf.IFNAME.x=1 02:42:00:00:00:01 passthru""".split()
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    WORDS,
    st.text(max_size=6),
    st.binary(max_size=3),
    st.dates(),
)
JUNK = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(KEYS, KEYS, LEAVES), inner, max_size=4)
    ),
    max_leaves=12,
)
NETWORK_KEYS = ("driver", "name", "external", "ipam", "enable_ipv4", "enable_ipv6", "internal", "labels", "driver_opts")
POOL_KEYS = ("subnet", "ip_range", "gateway", "aux_addresses")
CONTAINER_KEYS = (
    *("host", "hostname", "netns", "netns_name", "networks", "network_mode", "mac_address", "ports", "expose", "links"),
    *("extra_hosts", "dns", "dns_search", "dns_opt", "sysctls", "labels"),
)


def some(keys, values):
    return st.dictionaries(st.sampled_from(keys), values, max_size=5)


NAMES = st.sampled_from(("front", "web", "db", "default"))
POOLS = st.builds(lambda pools: {"config": pools}, st.lists(some(POOL_KEYS, WORDS), max_size=2))
SHAPED = st.fixed_dictionaries(
    {"name": st.just("shop")},
    optional={
        "networks": st.dictionaries(NAMES, st.one_of(JUNK, some(NETWORK_KEYS, st.one_of(JUNK, POOLS))), max_size=3),
        "containers": st.dictionaries(
            NAMES, some(CONTAINER_KEYS, st.one_of(JUNK, st.lists(WORDS, max_size=3))), max_size=3
        ),
    },
)


@settings(max_examples=80, deadline=None)
@given(st.one_of(JUNK, SHAPED))
def test_junk_is_refused_in_words(raw):
    for error in refusals(raw):
        assert error.what and error.why
        assert isinstance(error, InvalidRequest)
        assert "\n" not in str(error)


@pytest.mark.parametrize("place", ("name", "networks", "containers", "host_names"))
def test_a_number_too_long_to_be_printed_is_refused_as_any_other(place):
    (error, *_others) = refusals({"name": "shop", place: 10**5000})
    assert error.what == place


def test_so_it_is_within():
    raw = {
        "name": "shop",
        "networks": {"front": {"driver_opts": {"mtu": 10**5000, 10**5000: 1}}},
        "containers": {
            "web": {"ports": [10**5000, {"target": 10**5000}], "expose": [10**5000], "sysctls": {"net.x": -(10**5000)}}
        },
    }
    assert [error.what for error in refusals(raw)] == [
        "networks.front.driver_opts.mtu",
        "networks.front.driver_opts.a very long number",
        "containers.web.expose[0]",
        "containers.web.ports[0]",
        "containers.web.ports[1]",
    ]
