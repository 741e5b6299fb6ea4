# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Veth pairs as rtnetlink has them (drivers/net/veth.c): the peer is a whole link inside the kind's data."""

from __future__ import annotations

from collections.abc import Mapping

from .._model.link import Birth, Kind, LinkKey
from .._model.veth import Veth
from .netlink import nested, u32
from .rtnetlink import IFLA_NET_NS_FD, birth_attributes, link_header, text_name

MODEL = Veth
VETH_INFO_PEER = 1


def encode(birth: Birth, places: Mapping[object, int]) -> bytes:
    """The data of the creating message: the other end, made where it belongs, with what is known of it.

    Its up is not among it: the kernel answers ENOTCONN, since the pair is not joined yet.
    """
    peer = birth.peer
    if peer is None:
        raise ValueError(f"{birth}: a veth is made with its peer")
    inner = link_header() + text_name(peer.key.name) + birth_attributes(peer)
    if peer.key.netns != birth.link.key.netns:
        inner += u32(IFLA_NET_NS_FD, places[peer.key.netns])
    return nested(VETH_INFO_PEER, inner)


def change(_values: Mapping[str, object]) -> list[bytes]:
    return []


def decode(_data: Mapping[int, bytes], below: LinkKey) -> Kind:
    return Veth(peer=below)
