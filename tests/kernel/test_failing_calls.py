# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""System calls that fail, at whatever call of a run: the answer is a sentence, and what was done is completed or removed by the next run.

The calls are made to fail where Python makes them, one call of a run at a time; all others are the kernel's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._kernel import namespaces
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.netlink import NetlinkError
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.refusals import refusal
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.topologies import everything, host, module, topology

SHOP = {
    "name": "shop",
    "networks": {"front": {}},
    "containers": {
        "web": {"networks": ["front"], "ports": ["8080:80"]},
        "db": {"networks": ["front"], "links": ["web"], "sysctls": {"net.ipv4.ip_forward": 1}},
    },
}
REAL = socket.socket


class Trap:
    """Counts the calls of one name, and lets the one with this number fail."""

    def __init__(self, name: str, code: int, number: int) -> None:
        self.name, self.code, self.number = name, code, number
        self.count = 0

    def passed(self, name: str) -> None:
        if name == self.name:
            self.count += 1
            if self.count == self.number:
                raise OSError(self.code, os.strerror(self.code))


def trapped(trap: Trap) -> type[socket.socket]:
    """A socket whose calls go by the trap."""

    class Trapped(REAL):
        def __init__(self, *arguments, **words):
            trap.passed("socket")
            super().__init__(*arguments, **words)

        def send(self, *arguments):
            trap.passed("send")
            return super().send(*arguments)

        def recv_into(self, *arguments):
            trap.passed("recv")
            return super().recv_into(*arguments)

        def setsockopt(self, *arguments):
            trap.passed("setsockopt")
            return super().setsockopt(*arguments)

        def bind(self, *arguments):
            trap.passed("bind")
            return super().bind(*arguments)

    return Trapped


@contextlib.contextmanager
def failing(name: str, code: int, number: int) -> Iterator[Trap]:
    trap = Trap(name, code, number)
    real_call, real_open = namespaces._call, os.open

    def entered(which, *arguments):
        trap.passed(which)
        return real_call(which, *arguments)

    def opened(*arguments, **words):
        trap.passed("open")
        return real_open(*arguments, **words)

    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        # A run that cannot return ends, and with it its process; this one is the test's.
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        stack.callback(os.close, home)
        stack.callback(real_call, "setns", home, namespaces.CLONE_NEWNET)
        patch.setattr(socket, "socket", trapped(trap))
        patch.setattr(namespaces, "_call", entered)
        patch.setattr(os, "open", opened)
        yield trap


def counted(name: str, **words) -> int:
    """How many such calls a run has."""
    with host():
        if words:
            topology(SHOP)
        with failing(name, 0, 0) as trap:
            topology(SHOP, **words)
    return trap.count


CALLS = [
    ("socket", errno.EMFILE),
    ("send", errno.ENOBUFS),
    ("send", errno.EPERM),
    ("recv", errno.ENETDOWN),
    ("setsockopt", errno.EPERM),
    ("setns", errno.EPERM),
    ("unshare", errno.ENOSPC),
    ("mount", errno.EPERM),
    ("open", errno.EMFILE),
]


@pytest.mark.parametrize(("name", "code"), CALLS, ids=lambda one: errno.errorcode.get(one, one))
def test_a_call_that_fails_ends_in_a_sentence_and_the_next_run_completes_it(name, code):
    count = counted(name)
    assert count
    for number in sorted({1, count // 2 + 1, count}):
        with host():
            before = everything()
            with failing(name, code, number) as trap:
                answer = module(SHOP)
            assert trap.count >= number
            if answer.get("failed"):
                assert answer["failure"]["kind"] in ("refused", "unsupported", "missing", "conflict", "not_converged")
                assert "Traceback" not in answer["msg"] and answer["msg"].count(": ") >= 1
            topology(SHOP)
            assert not topology(SHOP)["changed"]
            topology({"name": "shop"}, state="absent")
            assert differing(before, everything()) == set()


@pytest.mark.parametrize("name", ["socket", "send", "recv", "setns"])
def test_a_removal_goes_on_after_a_call_that_fails(name):
    """What is left over is removed by the next run."""
    count = counted(name, state="absent")
    for number in sorted({1, count // 2 + 1, count}):
        with host():
            before = everything()
            topology(SHOP)
            with failing(name, errno.EPERM, number):
                answer = module({"name": "shop"}, state="absent")
            assert "Traceback" not in answer.get("msg", "")
            topology({"name": "shop"}, state="absent")
            assert differing(before, everything()) == set()


def test_nothing_is_done_in_another_namespace_by_a_run_that_cannot_return():
    """Each return of a removal, of which some are within what else goes on after an error."""
    count = counted("setns", state="absent")
    for number in range(2, count + 1, 2):
        with host():
            topology(SHOP)
            with failing("setns", errno.EPERM, number) as trap:
                answer = module({"name": "shop"}, state="absent")
            assert answer["failed"] and "cannot return to its network namespace" in answer["msg"]
            assert trap.count == number


def differing(before: dict, after: dict) -> set[str]:
    """What is not as it was, but for directories that stay empty, and times."""
    stays = ("/run/docknet", "/run/netns", "/etc/netns", "/var/lib/docknet")
    return {
        name
        for name in before.keys() | after.keys()
        if not name.startswith(stays) and not name.startswith("/") and before.get(name) != after.get(name)
    }


@pytest.mark.parametrize("module_name", ["netns_info", "topology_info", "path_info"])
def test_modules_that_only_read_end_in_a_sentence_too(module_name):
    words = {"path_info": {"config": [{"to": "198.51.100.2", "protocol": "icmp"}]}}.get(module_name, {})
    for name in ("socket", "open", "send"):
        with host():
            topology(SHOP)
            with failing(name, errno.EMFILE, 1):
                answer = call(module_name, **words)
            assert "Traceback" not in answer.get("msg", "")


def test_a_sentence_says_what_failed_why_and_what_to_do():
    error = OSError(errno.EROFS, os.strerror(errno.EROFS), "/run/docknet")
    said = refusal("host", "the step create bridge br0 failed", error)
    assert (said.code, said.kind) == (errno.EROFS, "refused")
    assert str(said) == (
        "host: the step create bridge br0 failed: Read-only file system: /run/docknet; mount the file system writable"
    )
    assert NetlinkError not in type(said).__mro__


def test_a_file_in_the_place_of_the_directory_of_names_is_said():
    with host():
        os.system("ip netns del lan; umount /run/netns 2>/dev/null; rm -rf /run/netns; touch /run/netns")
        answer = call("netns_info")
        assert answer["failed"] and "/run/netns: it is not a directory" in answer["msg"]
