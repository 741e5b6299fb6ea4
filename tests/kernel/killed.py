# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of the module topology that dies half-way."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

from ansible_collections.netwright.docknet.plugins.module_utils._kernel import namespaces, netlink, nft, program, sysctl
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.tests.direct import call

# All that changes the machine goes through these.
CALLS = (
    *((os, name) for name in ("write", "pwrite", "unlink", "rename", "replace", "mkdir", "rmdir", "ftruncate")),
    (namespaces, "_take_place"),
    (namespaces, "_call"),
    (netlink.Socket, "_send"),
    (sysctl, "write"),
    (nft, "_run"),
    (program, "start"),
)


def killed(count: int, document: dict[str, Any], **words: Any) -> bool:
    """Run in a process that is killed after so many calls that change something; whether there were so many."""
    child = os.fork()
    if not child:
        apply = Host.apply

        def counting(*given: Any) -> Iterator[Any]:
            left = [count]
            for place, name in CALLS:
                setattr(place, name, counted(getattr(place, name), left))
            yield from apply(*given)

        Host.apply = counting  # type: ignore[method-assign]
        try:
            call("topology", topology=document, **words)
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def counted(function: Any, left: list[int]) -> Any:
    def wrapper(*given: Any, **more: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*given, **more)

    return wrapper
