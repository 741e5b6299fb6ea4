# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Elements as nft tells them in JSON, which each of its versions does in its own way."""

from __future__ import annotations

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.nftjson import elements_of
from ansible_collections.netwright.docknet.plugins.module_utils._model.rule import Element

RAW = {"payload": {"base": "th", "offset": 96, "len": 24}}
# What nft 1.0.6 and 1.1.3 say of what is in one set.
KINDS = {
    "1.0.6": (["ifname", "integer"], "integer"),
    "1.1.3": ({"typeof": {"concat": [{"meta": {"key": "iifname"}}, RAW]}}, {"typeof": RAW}),
}


@pytest.mark.parametrize("version", KINDS)
def test_what_is_like_a_field_of_a_packet(version):
    both, number = KINDS[version]
    entry = {"elem": {"val": {"concat": ["wg-1.2", 4097]}, "comment": "docknet@shop on br0"}}
    found = [*elements_of({"name": "encrypted_by", "type": both, "elem": [entry]})]
    assert found == [Element("encrypted_by", "wg-1.2 . 4097", "", "docknet@shop on br0")]
    assert [*elements_of({"name": "vnis", "type": number, "elem": [4097]})] == [Element("vnis", "4097")]
