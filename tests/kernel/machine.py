# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine of its own for a piece of a test: the calling process in a fresh network and mount namespace.

Two milliseconds, no process: what is tested can be called as a function, and one test can have a hundred machines.
What the piece starts runs there too, and what it leaves is gone with the namespaces.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 1 << 18
# What the collection writes to: own, empty ones.
OWN = ("/run", "/var/lib", "/etc")
# A packaged name server runs as nobody.
USERS = {
    "/etc/passwd": "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    "/etc/group": "root:x:0:\nnogroup:x:65534:\n",
}
# Up to a second after a link has its carrier the kernel gives it an address and a route of these: net/core/link_watch.c.
LINK_LOCAL = "fe80::/64"
_libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments):
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


@contextlib.contextmanager
def machine(keep: Sequence[str] = ()) -> Iterator[None]:
    """Be on a new machine until the block ends; then back. `keep`: folders in what is otherwise its own that stay this machine's."""
    with contextlib.ExitStack() as stack:
        homes = []
        for name in ("mnt", "net"):
            homes.append(os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC))
            stack.callback(os.close, homes[-1])
        folder = os.getcwd()
        call("unshare", CLONE_NEWNS | CLONE_NEWNET)
        try:
            call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
            for path in keep:
                sh(
                    f"mountpoint -q /mnt || mount -t tmpfs kept /mnt; mkdir -p /mnt{path}; mount --rbind {path} /mnt{path}"
                )
            for path in OWN:
                call("mount", b"machine", path.encode(), b"tmpfs", 0, b"mode=0755")
            for path in keep:
                sh(f"mkdir -p {path}; mount --rbind /mnt{path} {path}")
            for path, text in USERS.items():
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
            yield
        finally:
            call("setns", homes[0], CLONE_NEWNS)
            call("setns", homes[1], CLONE_NEWNET)
            os.chdir(folder)


def sh(script: str) -> str:
    """Run shell commands; an error ends the test. Returns what they printed."""
    done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def ip(words: str) -> Any:
    """What `ip -j -d` says: the second opinion."""
    said = sh(f"ip -j -d {words}")
    return json.loads(said) if said.strip() else []


def links(netns: str | None = None) -> dict[str, dict[str, Any]]:
    """Every link of a namespace as iproute2 sees it, by name."""
    return {link["ifname"]: link for link in ip(f"{f'-n {netns} ' if netns else ''}link show")}


def portrait() -> dict[str, Any]:
    """The machine's links with their addresses, the routes and the names, as iproute2 tells them, without what is chance."""
    found: dict[str, Any] = {"names": sorted(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else []}
    for place in ("", *(name["name"] for name in ip("netns list"))):
        at = f"-n {place} " if place else ""
        found[place] = sorted((essence(link) for link in ip(f"{at}address show")), key=lambda link: link["ifname"])
        routes = ip(f"{at}route show") + ip(f"{at}-6 route show")
        found[f"{place} routes"] = sorted(str(settled(route)) for route in routes if route["dst"] != LINK_LOCAL)
    return found


def settled(route: dict[str, Any]) -> dict[str, Any]:
    """A route without what its link's carrier says of it, which comes and goes a moment after what is on the link."""
    return {**route, "flags": sorted(set(route["flags"]) - {"linkdown", "dead"})}


def essence(link: dict[str, Any]) -> dict[str, Any]:
    """What of a link is said, or follows from it: no indexes, no random MAC address, no timers."""
    names = ("ifname", "flags", "mtu", "master", "group", "altnames", "promiscuity", "link")
    found = {name: link.get(name) for name in names}
    found["flags"] = sorted(set(found["flags"]) - {"LOWER_UP", "NO-CARRIER"})
    info = link.get("linkinfo", {})
    found["kind"] = info.get("info_kind")
    data = {**info.get("info_data", {}), **info.get("info_slave_data", {})}
    found["data"] = {
        name: data.get(name) for name in ("mode", "stp_state", "forward_delay", "ageing_time", "hairpin", "isolated")
    }
    mine = [one for one in link.get("addr_info", []) if one["scope"] == "global"]
    found["addresses"] = sorted(f"{one['local']}/{one['prefixlen']}" for one in mine)
    return found
