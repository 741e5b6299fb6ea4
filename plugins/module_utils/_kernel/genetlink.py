# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Generic netlink: families of requests that have names, and get their numbers when they are loaded (linux/genetlink.h)."""

from __future__ import annotations

import errno
import struct
from typing import Optional

from .netlink import Message, NetlinkError, Socket, attributes, text

NETLINK_GENERIC = 16
GENL_ID_CTRL, CTRL_CMD_GETFAMILY = 16, 3
CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 1, 2
HEADER = struct.Struct("=BBH")


def family(socket: Socket, name: str) -> Optional[int]:
    """Its number; the kernel loads the module that has it. None where there is no such module."""
    try:
        answer = socket.get(request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, text(CTRL_ATTR_FAMILY_NAME, name)))
    except NetlinkError as error:
        if error.refusal.code != errno.ENOENT:
            raise
        return None
    return int(struct.unpack_from("=H", attributes(answer, HEADER.size)[CTRL_ATTR_FAMILY_ID])[0])


def request(number: int, command: int, body: bytes) -> Message:
    return Message(number, 0, HEADER.pack(command, 1, 0) + body)
