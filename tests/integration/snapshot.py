# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print all of a host's network as iproute2 and nft tell it, as JSON, without what changes by itself.

Two that are equal mean that nothing was touched: indexes, MAC addresses and the files' inodes are among it.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
from typing import Any

# Of bridges: times that run. Of links: what their state does a moment later.
VOLATILE = {"hello_timer", "tcn_timer", "topology_change_timer", "gc_timer", "hold_timer", "message_age_timer"}
VOLATILE |= {"forward_delay_timer", "operstate", "tentative", "state", "bridge_id", "root_id", "designated_bridge"}
VOLATILE |= {"designated_port", "no", "port_no", "id", "link_netnsid"}
VOLATILE |= {"tso_max_size", "tso_max_segs", "gso_max_size", "gso_max_segs"}  # a bridge's follow its ports
SETTINGS = (
    "cd /proc/sys/net; grep . ipv4/ip_forward ipv[46]/conf/*/forwarding ipv4/conf/*/rp_filter ipv6/conf/*/accept_ra"
)
FOLDERS = ("/run/netns", "/etc/netns", "/var/lib/docknet")


def ask(*command: str) -> Any:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return json.loads(done.stdout) if done.stdout.strip() else []


def calm(value: Any) -> Any:
    """The value without what is volatile, and without what the kernel makes of itself for IPv6."""
    if isinstance(value, dict):
        kept = {name: calm(one) for name, one in value.items() if name not in VOLATILE}
        if "flags" in kept:
            kept["flags"] = sorted(set(kept["flags"]) - {"LOWER_UP", "NO-CARRIER", "M-DOWN", "linkdown"})
        return kept
    if isinstance(value, list):
        return [calm(one) for one in value if not (isinstance(one, dict) and by_itself(one))]
    return value


def by_itself(value: dict[str, Any]) -> bool:
    return value.get("protocol") == "kernel" or (value.get("family") == "inet6" and value.get("scope") == "link")


def set_by_hand(entry: dict[str, Any]) -> bool:
    """Of a VXLAN's table, and of a bridge's what is not its own."""
    return "dst" in entry or entry["state"] == "static"


def snapshot() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in (None, *(one["name"] for one in ask("ip", "-j", "netns", "list"))):
        at = ["-n", name] if name else []
        inside = ["ip", "netns", "exec", name] if name else []
        place = name or "the host"
        found[place] = calm(ask("ip", *at, "-j", "-d", "address", "show"))
        found[f"{place}: routes"] = [calm(ask("ip", *at, family, "-j", "route", "show")) for family in ("-4", "-6")]
        found[f"{place}: neighbours"] = ask("ip", *at, "-j", "neigh", "show", "nud", "permanent")
        found[f"{place}: entries"] = [one for one in ask(*inside, "bridge", "-j", "fdb", "show") if set_by_hand(one)]
        found[f"{place}: rules"] = ask(*inside, "nft", "-j", "list", "ruleset")
        done = subprocess.run([*inside, "sh", "-c", SETTINGS], capture_output=True, text=True, timeout=30, check=True)
        found[f"{place}: settings"] = done.stdout.splitlines()
    for folder in FOLDERS:
        for path in sorted(pathlib.Path(folder).rglob("*")):
            status = os.lstat(path)
            found[str(path)] = [status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns]
    return found


if __name__ == "__main__":
    print(json.dumps(snapshot()))
