# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text from outside that would become a line of another program's file."""

from __future__ import annotations

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import DocknetError, InvalidRequest
from ansible_collections.netwright.docknet.plugins.module_utils._model.words import (
    ZoneError,
    read_address,
    read_interface,
    read_network,
    text_of,
)
from ansible_collections.netwright.docknet.plugins.module_utils._topology import normalise
from ansible_collections.netwright.docknet.plugins.module_utils._topology.document import read
from hypothesis import given
from hypothesis import strategies as st

# What Python's ipaddress accepts as a zone: everything but another % and a slash.
ZONES = ["%x", "%1", "%a\nserver=192.0.2.66\n#", "%\r", "%a\0b"]
READERS = {read_address: "fe80::1{}", read_interface: "fe80::1{}/64", read_network: "fd99::{}/64"}
BORDERS = {normalise.address: "fe80::1{}", normalise.interface: "fe80::1{}/64", normalise.network: "fd99::{}/64"}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(("reader", "text"), READERS.items())
def test_a_zone_is_read_nowhere(reader, text, zone):
    with pytest.raises(ZoneError):
        reader(text.format(zone))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(("border", "text"), BORDERS.items())
def test_a_zone_in_an_option_is_an_error_of_one_line(border, text, zone):
    with pytest.raises(InvalidRequest, match="has a zone; leave out the % and what follows") as error:
        border("it", "option", text.format(zone))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("character", "\n\r\0\x1b\x7f")
def test_a_line_for_another_program_cannot_become_two(character):
    with pytest.raises(InvalidRequest, match=r"^the file: .* holds a control character; remove it$"):
        text_of("the file", ["first", f"a{character}b"])
    assert text_of("the file", ["first", "a\tb"]) == "first\na\tb\n"


TEXT = st.text(st.sampled_from("ab1:./%-_\n\r\t\0 #=,|{}\"'"), min_size=1, max_size=12)
# Where a document has words that end up in a file of another program.
PLACES = {
    "name": lambda text: {"name": text},
    "network": lambda text: {"networks": {text: {}}, "containers": {"a": {"networks": [text]}}},
    "subnet": lambda text: network({"ipam": {"config": [{"subnet": f"fd99::{text}/64"}]}, "enable_ipv6": True}),
    "gateway": lambda text: network(
        {"ipam": {"config": [{"subnet": "fd99::/64", "gateway": text}]}, "enable_ipv6": True}
    ),
    "range": lambda text: network(
        {"ipam": {"config": [{"subnet": "fd99::/64", "ip_range": text}]}, "enable_ipv6": True}
    ),
    "container": lambda text: {"containers": {text: {}}},
    "hostname": lambda text: container({"hostname": text}),
    "alias": lambda text: container({"networks": {"n": {"aliases": [text]}}}),
    "address": lambda text: container({"networks": {"n": {"ipv6_address": f"fd99::1{text}"}}}),
    "interface": lambda text: container({"networks": {"n": {"interface_name": text}}}),
    "link": lambda text: container({"links": [f"b:{text}"]}),
    "extra host": lambda text: container({"extra_hosts": [f"{text}:192.0.2.1"]}),
    "extra host's address": lambda text: container({"extra_hosts": {"x": text}}),
    "dns": lambda text: container({"dns": [text]}),
    "dns_search": lambda text: container({"dns_search": [text]}),
    "dns_opt": lambda text: container({"dns_opt": [text]}),
    "port": lambda text: container({"ports": [f"{text}:80"]}),
    "allowed sources": lambda text: container(
        {"ports": [{"target": 80, "published": "8080", "allowed_sources": [text]}]}
    ),
    "netns": lambda text: container({"netns": text}),
}


def network(words):
    return {"networks": {"n": words}, "containers": {"a": {"networks": ["n"]}}}


def container(words):
    return {"networks": {"n": {}}, "containers": {"a": {"networks": ["n"], **words}, "b": {"networks": ["n"]}}}


@pytest.mark.parametrize("place", PLACES)
@given(text=TEXT)
def test_no_control_character_and_no_zone_passes_a_document(place, text):
    try:
        document = read({"name": "shop", **PLACES[place](text)})
    except DocknetError:
        return
    values = repr({**vars(document), "warnings": ()})
    assert not any(code in values for code in ("\\n", "\\r", "\\x00", "\\t")), values
    assert "%" not in values, values
