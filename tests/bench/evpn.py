# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one overlay costs by EVPN, measured: one FRRouting is told of many containers, and another one learns them.

Two lab hosts. On the first a bridge has an entry and a neighbour for each container, as if they were all there; what
counts is when the last of them is in the second one's kernel, and how much memory the daemons of both take. Beside it,
what the kernel takes to be given the same entries by `bridge -batch`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "lab"))
from lab import Host, Lab

BRIDGE = """
ip link add br100 address {mac} type bridge; ip link set br100 up
ip link add vx100 mtu 1450 master br100 type vxlan id 100 local {own} dstport 4789 nolearning
bridge link set dev vx100 learning off neigh_suppress on; ip link set vx100 up
ip link add p0 master br100 type veth peer name p1; ip link set p0 up; ip link set p1 up
sysctl -qw net.ipv4.neigh.default.gc_thresh3=1000000 2>/dev/null || true
"""
FRR = """frr defaults traditional
router bgp 65000
 bgp router-id {own}
 no bgp default ipv4-unicast
 neighbor {other} remote-as 65000
 neighbor {other} timers connect 1
 address-family l2vpn evpn
  neighbor {other} activate
  advertise-all-vni
 exit-address-family
"""
START = "sed -i s/^bgpd=no/bgpd=yes/ /etc/frr/daemons; /usr/lib/frr/frrinit.sh start"
DEADLINE = 600


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--counts", default="100,1000,10000")
    options = parser.parse_args()
    print(("{:>12} " * 5).format("containers", "bridge -batch", "learned after", "bgpd", "zebra"))
    for count in map(int, options.counts.split(",")):
        with Lab(f"bench{os.getpid()}", ["node1", "node2"]) as lab:
            print(("{:>12} " * 5).format(count, *measure(*lab.hosts.values(), count)), flush=True)


def measure(one: Host, other: Host, count: int) -> list[str]:
    for number, (host, peer) in enumerate(((one, other), (other, one)), start=1):
        host.run(["sh", "-ec", BRIDGE.format(mac=f"02:00:00:00:00:0{number}", own=host.address4)])
        host.run(
            ["sh", "-ec", f"cat > /etc/frr/frr.conf; {START}"], input=FRR.format(own=host.address4, other=peer.address4)
        )
    wait(lambda: "Established" in other.run(["vtysh", "-c", "show bgp neighbors json"]).stdout)
    macs = [f"02:42:0a:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}" for number in range(1, count + 1)]
    start = time.monotonic()
    one.run(
        ["bridge", "-batch", "-"],
        input="".join(f"fdb add {mac} dev p0 master static\n" for mac in macs),
        timeout=DEADLINE,
    )
    given = time.monotonic() - start
    wait(lambda: learned(other) >= count)
    took = time.monotonic() - start
    return [f"{given:.2f} s", f"{took:.2f} s", *(memory(other, name) for name in ("bgpd", "zebra"))]


def learned(host: Host) -> int:
    entries = json.loads(host.run(["bridge", "-j", "fdb", "show", "dev", "vx100"], timeout=DEADLINE).stdout)
    return sum(1 for one in entries if "extern_learn" in one["flags"] and "dst" in one)


def memory(host: Host, daemon: str) -> str:
    """What it has in memory."""
    script = f"grep VmRSS /proc/$(cat /run/frr/{daemon}.pid)/status"
    return f"{int(host.run(['sh', '-c', script]).stdout.split()[1]) / 1e3:.0f} MB"


def wait(condition) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {DEADLINE} s")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
