# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host for whole topologies, another machine on its LAN, and the module topology as Ansible runs it there.

lan (198.51.100.2, fd51::2) -- lan0, 198.51.100.1, fd51::1: the host
"""

from __future__ import annotations

import contextlib
import copy
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.machine import machine, portrait, sh
from ansible_collections.netwright.docknet.tests.kernel.publishing import HOST4, HOST6, Site

SERVICES = Path("/run/docknet/service")
STATES = Path("/var/lib/docknet")
LAN = f"""
ip -batch - <<'.'
link set lo up
netns add lan
link add lan0 type veth peer name eth0 netns lan
link set lan0 addrgenmode none
link set lan0 up
address add {HOST4}/24 dev lan0
address add {HOST6}/64 dev lan0 nodad
.
ip -n lan -batch - <<'.'
link set lo up
link set eth0 addrgenmode none
link set eth0 up
address add 198.51.100.2/24 dev eth0
address add fd51::2/64 dev eth0 nodad
.
"""
FILES = {
    "/etc/hosts": "127.0.0.1\tlocalhost\n",
    "/etc/resolv.conf": "nameserver 198.51.100.2\n",
    "/etc/nsswitch.conf": "hosts: files dns\n",
}


@contextlib.contextmanager
def host(keep: Sequence[str] = ()) -> Iterator[Site]:
    """Be on such a host; what ran for topologies there is ended with it. `keep`: see machine.py."""
    with machine(keep):
        for path, text in FILES.items():
            Path(path).write_text(text)
        sh(LAN)
        here = Site()
        try:
            yield here
        finally:
            here.close()
            for record in SERVICES.glob("*/pid"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(record.read_text().split()[0]), signal.SIGKILL)


def module(document: dict[str, Any], **words: Any) -> dict[str, Any]:
    """The module's answer, whatever it is. The document is given as it would come over the wire."""
    return call("topology", topology=copy.deepcopy(document), **words)


def topology(document: dict[str, Any], **words: Any) -> dict[str, Any]:
    answer = module(document, **words)
    assert not answer.get("failed"), answer["msg"]
    return answer


def built(document: dict[str, Any], **words: Any) -> dict[str, Any]:
    """The answer, once check mode has foretold it and a second run has changed nothing."""
    foretold = topology(document, _ansible_check_mode=True, **words)
    done = topology(document, **words)
    assert foretold["actions"] == done["actions"]
    again = topology(document, **words)
    assert not again["changed"], again["actions"]
    assert again["topology"] == done["topology"]
    return done


def refused(document: dict[str, Any], **words: Any) -> str:
    """The sentences of a run that fails and does nothing."""
    answer = module(document, **words)
    assert answer.get("failed"), answer
    assert (answer["changed"], answer["actions"]) == (False, [])
    assert "Traceback" not in answer["msg"]
    return answer["msg"]


def steps(answer: dict[str, Any]) -> list[str]:
    return [f"{step['action']} {step['object']}" for step in answer["actions"]]


def endpoint(answer: dict[str, Any], container: str, network: str = "default") -> dict[str, Any]:
    return answer["topology"]["containers"][container]["networks"][network]


def address(answer: dict[str, Any], container: str, network: str = "default", version: int = 4) -> str:
    return endpoint(answer, container, network)[f"ipv{version}_address"]


def ports(answer: dict[str, Any], container: str) -> list[str]:
    return [one["published"] for one in answer["topology"]["containers"][container]["ports"]]


def reaches(where: str, to: str) -> bool:
    """By ping; `to` may be a name. One that was silent a moment ago may still count as such for the first."""
    return any(ping(where, to, 2.0) for _attempt in range(3))


def misses(where: str, to: str) -> bool:
    """Where an answer takes less than a millisecond, none in a quarter of a second is none."""
    return not ping(where, to, 0.25)


def ping(where: str, to: str, wait: float) -> bool:
    words = ["ip", "netns", "exec", where, "ping", "-n", "-q", "-c", "1", "-W", str(wait), to]
    return subprocess.run(words, capture_output=True, timeout=20, check=False).returncode == 0


def hosts(container: str) -> list[str]:
    return Path(f"/etc/netns/{container}/hosts").read_text().splitlines()


def everything() -> dict[str, Any]:
    """The host as iproute2 and nft tell it, and every file that a run may write but the lock, with its inode and times."""
    found = {
        **portrait(),
        "nft": sh("nft list ruleset"),
        "rules": sh("ip netns list | while read -r n _; do ip -n $n rule; done"),
    }
    for folder in ("/etc", "/var/lib", "/run/docknet", "/run/netns"):
        for path in sorted(set(Path(folder).rglob("*")) - {Path("/run/docknet/lock")}):
            state = path.lstat()
            found[str(path)] = (state.st_mode, state.st_ino, state.st_size, state.st_mtime_ns)
    return found


class Flow:
    """One TCP connection over which something goes all the time, to and fro, while the block lasts."""

    def __init__(self, here: Site, client: str | None, to: tuple[str, int], server: str, port: int) -> None:
        with here.inside(server):
            family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
            listener = socket.create_server(("", port), family=family)
        with listener, here.inside(client):
            self.near = socket.create_connection(to, timeout=2)
            self.far = listener.accept()[0]
        self.far.settimeout(5)
        self.near.settimeout(5)
        self.rounds = 0
        self.error: Exception | None = None
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._go)

    def __enter__(self) -> Flow:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ends.set()
        self._thread.join()
        self.near.close()
        self.far.close()

    def _go(self) -> None:
        block = bytes(8192)
        try:
            while not self._ends.is_set():
                for one, other in ((self.near, self.far), (self.far, self.near)):
                    one.sendall(block)
                    left = len(block)
                    while left:
                        got = len(other.recv(left))
                        assert got, "the connection was closed"
                        left -= got
                self.rounds += 1
                time.sleep(0.0005)
        except (OSError, AssertionError) as error:
            self.error = error

    def goes_on(self, patience: float = 2.0) -> bool:
        """Whether something still goes over it."""
        seen, end = self.rounds, time.monotonic() + patience
        while self.rounds < seen + 5 and self.error is None and time.monotonic() < end:
            time.sleep(0.002)
        return self.error is None and self.rounds >= seen + 5


def until(condition: Callable[[], Any], patience: float = 8.0) -> bool:
    """Whether it comes true in that time."""
    end = time.monotonic() + patience
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return bool(found)
