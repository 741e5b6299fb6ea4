# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets on lab hosts: sent while a test does something else, counted, and watched as they pass."""

from __future__ import annotations

import contextlib
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, NamedTuple

from ansible_collections.netwright.docknet.tests.lab.lab import Host

PATIENCE = 120.0  # seconds, on a machine that has other things to do
# Prints what passes an interface, a frame a line, until its input ends; and then what was already there.
SNIFF = """
import select, socket, sys
listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
listener.bind((sys.argv[1], 0))
print("ready", flush=True)
while True:
    ready = select.select([listener, sys.stdin], [], [])[0]
    if listener in ready:
        print(listener.recv(65535).hex(), flush=True)
    elif sys.stdin in ready:
        break
"""
VXLAN = 4789


class Inner(NamedTuple):
    """What a VXLAN carries: its number, and of the frame in it the type and who it is to."""

    vni: int
    kind: str
    to: str


def wait(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> float:
    """Wait for it, and return how long that took, in seconds. Errors: AssertionError."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() < start + seconds, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)
    return time.monotonic() - start


@contextlib.contextmanager
def running(
    host: Host, command: Sequence[str], ending: str = "TERM", stdout: int | IO[str] = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    """A command on a host until the block ends, or its input is closed; then what it said is there to be read."""
    # nsenter hands on no signals: so one is sent from inside.
    words = ["sh", "-c", '"$@" & read -r _; kill -$0 $!; wait $!', ending, *command]
    pipes = {"stdin": subprocess.PIPE, "stdout": stdout, "stderr": subprocess.DEVNULL}
    with host.popen(words, **pipes) as process:
        try:
            yield process
        finally:
            process.stdin.close()


class Reply(NamedTuple):
    """An answered echo request: when by time.time(), which, and how many hops its packet had left."""

    when: float
    number: int
    ttl: int


class Flow:
    """A ping every 10 ms. What it came to is known when it has ended."""

    def __init__(self) -> None:
        self.sent = self.lost = 0
        self.replies: list[Reply] = []

    def __repr__(self) -> str:
        return f"{self.lost} of {self.sent} lost"

    @property
    def unhurt(self) -> bool:
        """One may be on its way at the end."""
        return self.sent > 100 and self.lost <= 1

    def read(self, said: str) -> None:
        found = re.search(r"(\d+) packets transmitted, (\d+) received", said)
        assert found, said
        self.sent, self.lost = int(found[1]), int(found[1]) - int(found[2])
        line = r"^\[([\d.]+)\] \d+ bytes .*seq=(\d+) ttl=(\d+)"
        self.replies = [Reply(float(one[1]), int(one[2]), int(one[3])) for one in re.finditer(line, said, re.M)]


@contextlib.contextmanager
def flow(host: Host, container: str, to: str) -> Iterator[Flow]:
    """Ping from a container while the block runs."""
    command = ["ip", "netns", "exec", container, "ping", "-n", "-D", "-i0.01", to]
    found = Flow()
    # Into a file: it is more than a pipe holds.
    with tempfile.TemporaryFile("w+") as said:
        with running(host, command, "INT", stdout=said):
            yield found
            time.sleep(0.5)  # the last one is on its way
        said.seek(0)
        found.read(said.read())


@contextlib.contextmanager
def sniffed(host: Host, device: str = "eth0") -> Iterator[list[bytes]]:
    """The frames that pass an interface meanwhile: the list is complete in the end."""
    frames: list[bytes] = []
    with host.popen([sys.executable, "-c", SNIFF, device], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert select.select([process.stdout], [], [], PATIENCE)[0]
        assert process.stdout.readline() == "ready\n"
        try:
            yield frames
        finally:
            process.stdin.close()
            frames += [bytes.fromhex(line) for line in process.stdout.read().splitlines()]


def carried(frames: Sequence[bytes]) -> list[Inner]:
    """What VXLANs over IPv4 carry of these."""
    found = []
    for frame in frames:
        if frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[36:38] == VXLAN.to_bytes(2, "big"):
            inner = frame[50:]
            found.append(Inner(int.from_bytes(frame[46:49], "big"), inner[12:14].hex(), inner[:6].hex(":")))
    return found
