# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lab hosts: light hosts made of namespaces on this machine, joined by one network segment.

A lab host is a process that stays, in its own network, mount, UTS and PID namespaces: own links, addresses,
sysctls, firewall, hostname, ``/run`` (so own ``ip netns`` names), ``/var/lib/docknet`` and ``/var/tmp``, and an ``/etc``
whose changes stay inside. Programs, ``/tmp`` and homes are the machine's. One more such process, ``switch``, holds the
bridge that joins them, so nothing appears in the machine's own network namespace. ::

    python3 tests/lab/lab.py up --name demo --hosts node1,node2,node3 --outside
    python3 tests/lab/lab.py inventory --name demo > hosts.yml
    python3 tests/lab/lab.py exec demo node1 -- ip address
    python3 tests/lab/lab.py down --name demo

The processes of a host die with its first process (that is what a PID namespace is), and with the last process go
the namespaces, their links and mounts: ``down`` has nothing else to clean up.

State is one file a lab, ``/run/docknet-lab/NAME.json``, which the connection ``netwright.docknet.netns`` reads too::

    {"name": "demo", "switch": {"pid": 41, "start": 9000}, "hosts": {"node1": {"pid": 42, "start": 9001,
     "address4": "198.51.100.1", "address6": "fd00:d0c:1ab::1"}}}
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import ipaddress
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import time
import typing as t

RUN = pathlib.Path("/run/docknet-lab")
# A mount point that only exists for the lab hosts' own mounts; this mark says that we made it.
STATE_DIR = pathlib.Path("/var/lib/docknet")
MADE_STATE_DIR = RUN / "made-state-dir"

SEGMENT4 = ipaddress.ip_network("198.51.100.0/24")  # RFC 5737, TEST-NET-2
SEGMENT6 = ipaddress.ip_network("fd00:d0c:1ab::/64")  # RFC 4193
OUTSIDE = "outside"
OUTSIDE_NUMBER = 254
# What plays the internet: addresses of RFC 5737 and RFC 3849 behind the host `outside`.
INTERNET4 = "203.0.113.1"
INTERNET6 = "2001:db8::1"
SWITCH = "switch"

MAX_HOSTS = 200
NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
TIMEOUT = 30.0
LOCALHOST = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]


class LabError(Exception):
    """A sentence for the user."""


def start_time(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None when there is no such live process."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


@dataclasses.dataclass(frozen=True)
class Host:
    """One lab host: the first process of its namespaces, and its addresses on the segment."""

    name: str
    pid: int
    start: int  # tells this process from a later one of the same number
    address4: str
    address6: str

    @property
    def alive(self) -> bool:
        return start_time(self.pid) == self.start

    def command(self, argv: t.Sequence[str]) -> list[str]:
        """The command that runs `argv` inside, from the machine."""
        return ["nsenter", "--target", str(self.pid), "--all", "--", *argv]

    def run(
        self, argv: t.Sequence[str], *, check: bool = True, timeout: float = TIMEOUT, **options: t.Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside and return its result, output as text.

        Raises subprocess.CalledProcessError unless `check` is false, and subprocess.TimeoutExpired.
        Other options are those of subprocess.run.
        """
        options = {"text": True, "capture_output": True, **options}
        return subprocess.run(self.command(argv), check=check, timeout=timeout, **options)

    def popen(self, argv: t.Sequence[str], **options: t.Any) -> subprocess.Popen[str]:
        """Start a command inside; it ends with the lab at the latest."""
        return subprocess.Popen(self.command(argv), **{"text": True, **options})

    def kill(self) -> None:
        """End the host with every process in it."""
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
        deadline = time.monotonic() + TIMEOUT
        while self.alive:
            if time.monotonic() > deadline:
                raise LabError(f"lab host {self.name}: process {self.pid} does not end within {TIMEOUT:g} s")
            time.sleep(0.005)


class Lab:
    """A lab by name: made by `up`, or by entering the context, which takes it down in the end.

    `hosts` maps names to `Host`, with `outside` among them when the lab has one.
    """

    def __init__(self, name: str, hosts: t.Sequence[str] = ("node1", "node2"), *, outside: bool = False) -> None:
        check_names(name, hosts)
        self.name = name
        self.wanted = [*hosts, *([OUTSIDE] if outside else [])]
        self.hosts: dict[str, Host] = {}
        self.switch: Host | None = None

    @classmethod
    def load(cls, name: str) -> Lab:
        """The lab of that name as it was made. Raises LabError when there is none."""
        check_names(name, [])
        try:
            state = json.loads(state_file(name).read_text())
        except FileNotFoundError:
            known = ", ".join(names()) or "none"
            raise LabError(f"lab {name}: there is no such lab (there are: {known})") from None
        lab = cls(name, [host for host in state["hosts"] if host != OUTSIDE], outside=OUTSIDE in state["hosts"])
        lab.hosts = {host: Host(host, **values) for host, values in state["hosts"].items()}
        lab.switch = Host(SWITCH, address4="", address6="", **state["switch"])
        return lab

    def __enter__(self) -> Lab:
        return self.up()

    def __exit__(self, *_exception: object) -> None:
        self.down()

    @property
    def alive(self) -> bool:
        return self.switch is not None and all(host.alive for host in [self.switch, *self.hosts.values()])

    def up(self) -> Lab:
        """Make the lab, or find it as it is. Raises LabError when one of that name has other hosts."""
        with lock():
            if state_file(self.name).exists():
                found = Lab.load(self.name)
                if sorted(found.hosts) != sorted(self.wanted):
                    raise LabError(
                        f"lab {self.name}: it is up with other hosts ({', '.join(found.hosts)}); take it down first"
                    )
                if found.alive:
                    self.hosts, self.switch, self.wanted = found.hosts, found.switch, found.wanted
                    return self
                found.remove()
            self.make()
        return self

    def down(self) -> None:
        """Remove the lab with everything that runs in it; one that is not there is fine."""
        with lock():
            if state_file(self.name).exists():
                Lab.load(self.name).remove()
            self.hosts, self.switch = {}, None

    def reboot(self, name: str) -> Host:
        """As after a power failure: the host with all that is in it is gone, and a new, empty one is in its place on the segment.

        It has its address and its network card, so that the others do not notice but by its silence.
        """
        with lock():
            self.hosts[name].kill()
            # Its cable goes a moment after it, and the new one's has the same name.
            self.switch.run(["ip", "link", "delete", f"p{self.number(name)}"], check=False)
            self.bear([name])
        return self.hosts[name]

    def make(self) -> None:
        make_state_dir()
        self.bear([SWITCH, *self.wanted])

    def bear(self, names: t.Sequence[str]) -> None:
        """Make hosts of these names, and the switch where it is among them, and join them to the segment."""
        addresses = {name: address(name, self.number(name)) for name in self.wanted}
        etc_hosts = [*LOCALHOST, *(f"{each} {name}" for name, pair in addresses.items() for each in pair)]
        with contextlib.ExitStack() as stack:
            births = {name: stack.enter_context(birth(name, etc_hosts)) for name in names}
            pids = {name: ready(name, process) for name, process in births.items()}
            made = {
                name: Host(name, pid, start_time(pid) or 0, *addresses.get(name, ("", "")))
                for name, pid in pids.items()
            }
            self.switch = made.pop(SWITCH, self.switch)
            self.hosts.update(made)
            self.join(made.values(), anew=SWITCH in names)
            self.save()
            for process in births.values():
                process.stdin.write("stay\n")

    def number(self, name: str) -> int:
        return 1 + self.wanted.index(name)

    def join(self, hosts: t.Collection[Host], anew: bool) -> None:
        """The segment: a bridge in the switch, made where all begins anew, and in each of these hosts an eth0 on it."""
        bridge = "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
        batch = ["link set lo up", bridge, "link set br0 up"] if anew else []
        for host in hosts:
            # By the machine's /proc: the switch's own does not have the hosts' processes.
            end, mac = f"p{self.number(host.name)}", f"02:00:00:0d:0c:{self.number(host.name):02x}"
            batch += [
                f"link add {end} type veth peer name eth0 address {mac} netns /proc/{host.pid}/ns/net",
                f"link set {end} master br0 up",
            ]
        ip_batch(["nsenter", "--target", str(self.switch.pid), "--net", "--"], batch)
        for host in hosts:
            ip_batch(host.command([]), self.configuration(host))

    def configuration(self, host: Host) -> list[str]:
        batch = [
            "link set lo up",
            "link set eth0 up",
            f"address add {host.address4}/{SEGMENT4.prefixlen} dev eth0",
            f"address add {host.address6}/{SEGMENT6.prefixlen} dev eth0 nodad",
        ]
        if host.name == OUTSIDE:
            # No route back to what is behind the hosts: only masqueraded packets are answered.
            batch += [f"address add {INTERNET4}/32 dev lo", f"address add {INTERNET6}/128 dev lo nodad"]
        elif OUTSIDE in self.hosts:
            batch += [f"route add default via {gateway} dev eth0" for gateway in address(OUTSIDE, 0)]
        return batch

    def save(self) -> None:
        hosts = {
            name: {"pid": host.pid, "start": host.start, "address4": host.address4, "address6": host.address6}
            for name, host in self.hosts.items()
        }
        state = {"name": self.name, "switch": {"pid": self.switch.pid, "start": self.switch.start}, "hosts": hosts}
        new = state_file(self.name).with_suffix(".new")
        new.write_text(json.dumps(state))
        new.replace(state_file(self.name))

    def remove(self) -> None:
        for host in [*self.hosts.values(), self.switch]:
            host.kill()
        state_file(self.name).unlink()

    def inventory(self, python: str = sys.executable) -> str:
        """A static YAML inventory: group `nodes`, and beside it the host `outside` where there is one."""
        lines = [
            "all:",
            "  vars:",
            "    ansible_connection: netwright.docknet.netns",
            f"    ansible_python_interpreter: {json.dumps(python)}",
            "    ansible_pipelining: true",
        ]
        nodes = [host for host in self.hosts.values() if host.name != OUTSIDE]
        if OUTSIDE in self.hosts:
            lines += ["  hosts:", *self.entry(self.hosts[OUTSIDE], "    ")]
        lines += ["  children:", "    nodes:", "      hosts:"]
        lines += [line for host in nodes for line in self.entry(host, "        ")]
        return "\n".join(lines) + "\n"

    def entry(self, host: Host, indent: str) -> list[str]:
        return [
            f"{indent}{json.dumps(host.name)}:",
            f"{indent}  ansible_netns_host: {self.name}/{host.name}",
            f"{indent}  docknet_underlay: {host.address4}",
        ]


def check_names(lab: str, hosts: t.Iterable[str]) -> None:
    """Lab and host names are host names: they go into paths, hosts files and inventories."""
    seen: set[str] = set()
    for what, name in [("lab", lab), *(("host", host) for host in hosts)]:
        if not NAME.fullmatch(name):
            raise LabError(
                f"{what} name {name!r}: only a-z, 0-9 and inner hyphens, a letter first, 63 characters at most"
            )
        if what == "host" and name in {SWITCH, OUTSIDE}:
            raise LabError(f"host name {name!r} is the lab's own; choose another")
        if what == "host" and name in seen:
            raise LabError(f"host name {name!r} is given twice")
        seen |= {name} if what == "host" else set()
    if len(seen) > MAX_HOSTS:
        raise LabError(f"lab {lab}: {len(seen)} hosts, but a lab has {MAX_HOSTS} at most")


def address(name: str, number: int) -> tuple[str, str]:
    """The IPv4 and IPv6 address of the host of that number on the segment; `outside` has the last ones."""
    number = OUTSIDE_NUMBER if name == OUTSIDE else number
    return str(SEGMENT4[number]), str(SEGMENT6[number])


def birth(name: str, etc_hosts: list[str]) -> subprocess.Popen[str]:
    """Start a host's first process; several are born at once. See host.sh for what they say to each other."""
    # setsid --fork: the host outlives us, and its end is not ours to wait for. slave: what the machine unmounts
    # goes here too, instead of being kept alive by our copy of the mount.
    command = [
        "setsid",
        "--fork",
        "unshare",
        "--net",
        "--mount",
        "--uts",
        "--pid",
        "--fork",
        "--kill-child",
        "--propagation",
        "slave",
        "sh",
        "-eu",
        str(pathlib.Path(__file__).with_name("host.sh")),
        name,
    ]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
        cwd="/",
        umask=0o022,
    )
    process.stdin.write("\n".join([*etc_hosts, "end", ""]))
    return process


def ready(name: str, process: subprocess.Popen[str]) -> int:
    """Wait for a host's "ready PID". Raises LabError with what it said instead."""
    said = ""
    while not said.endswith("\n") or not said.splitlines()[-1].startswith("ready "):
        if not select.select([process.stdout], [], [], TIMEOUT)[0]:
            raise LabError(f"lab host {name}: it is not ready within {TIMEOUT:g} s: {said.strip()}")
        part = os.read(process.stdout.fileno(), 4096)
        if not part:
            raise LabError(f"lab host {name}: it cannot be made: {said.strip() or 'no reason given'}")
        said += part.decode(errors="replace")
    return int(said.split()[-1])


def ip_batch(command: list[str], batch: list[str]) -> None:
    done = subprocess.run(
        [*command, "ip", "-batch", "-"],
        input="\n".join(batch) + "\n",
        text=True,
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )
    if done.returncode:
        raise LabError(f"the segment cannot be made: {done.stderr.strip()}")


def state_file(name: str) -> pathlib.Path:
    return RUN / f"{name}.json"


def names() -> list[str]:
    """The names of the labs that are up."""
    return sorted(path.stem for path in RUN.glob("*.json"))


@contextlib.contextmanager
def lock() -> t.Iterator[None]:
    """One `up` or `down` at a time on this machine: they share the mount point in /var/lib."""
    if os.geteuid() != 0:
        raise LabError("lab hosts are made of namespaces, and that needs root")
    # The directory above is locked, so that RUN itself can go with the last lab.
    above = os.open(RUN.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(above, fcntl.LOCK_EX)
        RUN.mkdir(exist_ok=True)
        try:
            yield
        finally:
            tidy()
    finally:
        os.close(above)


def make_state_dir() -> None:
    if not STATE_DIR.exists():
        MADE_STATE_DIR.touch()
        STATE_DIR.mkdir(mode=0o755)


def tidy() -> None:
    """With the last lab goes the mount point, if we made it and nobody put anything there, and our directory."""
    if names():
        return
    if MADE_STATE_DIR.exists():
        with contextlib.suppress(OSError):
            STATE_DIR.rmdir()
        MADE_STATE_DIR.unlink()
    RUN.rmdir()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Lab hosts: light hosts made of namespaces on this machine.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="make a lab, or find it as it is")
    up.add_argument("--hosts", default="node1,node2", help="names, separated by commas (default: %(default)s)")
    up.add_argument(
        "--outside", action="store_true", help="add a host that plays the internet, and default routes to it"
    )
    down = commands.add_parser("down", help="remove a lab with everything in it")
    inventory = commands.add_parser("inventory", help="print a lab as a YAML inventory")
    inventory.add_argument("--python", default=sys.executable, help="interpreter for modules (default: %(default)s)")
    for command in (up, down, inventory):
        command.add_argument("--name", required=True, help="the lab's name")
    run = commands.add_parser("exec", help="run a command (default: a shell) in a lab host")
    run.add_argument("name", metavar="NAME")
    run.add_argument("host", metavar="HOST")
    run.add_argument("argv", metavar="CMD", nargs=argparse.REMAINDER)
    commands.add_parser("list", help="print the labs that are up, with their hosts")
    return parser.parse_args()


def execute(name: str, host: str, argv: list[str]) -> t.NoReturn:
    lab = Lab.load(name)
    if host not in lab.hosts:
        raise LabError(f"lab {name}: there is no host {host!r} (there are: {', '.join(lab.hosts)})")
    argv = argv[1:] if argv[:1] == ["--"] else argv
    command = lab.hosts[host].command(argv or [os.environ.get("SHELL", "/bin/sh")])
    os.execvp(command[0], command)


def main() -> None:
    args = arguments()
    if args.command == "up":
        Lab(args.name, args.hosts.split(","), outside=args.outside).up()
    elif args.command == "down":
        Lab(args.name, []).down()
    elif args.command == "inventory":
        sys.stdout.write(Lab.load(args.name).inventory(args.python))
    elif args.command == "exec":
        execute(args.name, args.host, args.argv)
    else:
        for name in names():
            print(f"{name}: {' '.join(Lab.load(name).hosts)}")


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        sys.exit(f"lab.py: {error}")
