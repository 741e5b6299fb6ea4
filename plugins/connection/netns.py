# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: netns
short_description: Run tasks inside a container's network namespace
version_added: 0.1.0
author:
  - The netwright.docknet authors (@netwright)
description:
  - Runs tasks on the controller, inside a network namespace. So a container becomes an inventory host.
  - A named namespace is entered as C(ip netns exec) does it. The files of C(/etc/netns/NAME) take the place of those in C(/etc),
    and C(/sys) shows the namespace's links. All other files are those of the machine.
  - With O(netns_host) a lab host is entered first, a light machine made of namespaces, as C(make demo) makes them.
    It has its own files, host name and processes, and the namespace is then one of the lab host's.
requirements:
  - On the controller C(nsenter) and C(unshare) (util-linux), C(ip) (iproute2) and C(timeout) and C(dd) (coreutils).
notes:
  - Needs root on the controller. Become therefore never asks for a password, and a password is not passed on.
  - A namespace that does not exist is an error. It is never created.
  - Names are looked up as the machine's C(/etc/nsswitch.conf) says. Where that asks a daemon of the machine before DNS, as C(resolve) does,
    module M(netwright.docknet.topology) gives its containers a C(nsswitch.conf) in C(/etc/netns/NAME).
  - The remote user is ignored, tasks run as root unless they use become.
options:
  netns:
    description:
      - The network namespace, one of C(web) (a named one), C(/proc/4242/ns/net) (a path), C(pid:4242) (that of a process),
        C(docker:web) or C(podman:web) (that of the engine's container).
      - Numbers and paths are those of the lab host where O(netns_host) is given.
      - When omitted, the namespace that is named as the inventory host is, or with O(netns_host) the lab host's own.
    type: str
    vars:
      - name: ansible_netns
  netns_host:
    description:
      - The lab host that is entered first, as C(LAB/HOST), or C(HOST) where only one lab has a host of that name.
      - The number of a process also does. All the namespaces of that process are entered.
      - When omitted, the namespace is one of the controller's.
    type: str
    vars:
      - name: ansible_netns_host
  remote_addr:
    description: The inventory host's name, which names the namespace when neither O(netns) nor O(netns_host) is given.
    type: str
    default: inventory_hostname
    vars:
      - name: inventory_hostname
  timeout:
    description:
      - Seconds that looking for the namespace, and each transfer of a file, may take.
      - Commands are not bounded by it. That is what the task's keyword C(timeout) does.
    type: int
    default: 120
    vars:
      - name: ansible_netns_timeout
extends_documentation_fragment:
  - ansible.builtin.connection_pipelining
"""

EXAMPLES = r"""
# An inventory. "web" is a named namespace of the controller, "node1" a lab host, "db" a named namespace in it.
all:
  vars:
    ansible_connection: netwright.docknet.netns
  hosts:
    web:
    node1:
      ansible_netns_host: demo/node1
    db:
      ansible_netns_host: demo/node1
      ansible_netns: db
"""

import contextlib
import difflib
import glob
import json
import os
import re
import shlex
import time
import typing as t
from subprocess import PIPE, Popen

from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.plugins.connection import ConnectionBase
from ansible.utils.display import Display

display = Display()

LABS = "/run/docknet-lab"
NETNS_RUN_DIR = "/run/netns"
ENGINES = ("docker", "podman")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}", re.ASCII)
PATH = re.compile(r"/[!-~]+", re.ASCII)
# What `ip netns exec` does beside entering: a sysfs that shows the links of the namespace. The old one goes first, as
# the kernel refuses the same one twice in a place.
WITH_OWN_SYS = shlex.split(
    "unshare --mount --propagation=slave -- sh -c 'umount -n -l /sys; mount -n -t sysfs sysfs /sys && exec \"$@\"' sh"
)
TIMED_OUT = 124  # timeout(1)
DYING = 1.0  # seconds


class Connection(ConnectionBase):
    """Tasks run in a network namespace of this machine, or of a lab host on it."""

    transport = "netwright.docknet.netns"
    has_pipelining = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._inside: list[str] = []  # the command that runs the command after it inside
        self._bound: list[str] = []  # and the one that bounds its time
        self._host: tuple[str, int, int | None] = "", 0, None  # its name, its first process, and when that started

    def _connect(self) -> Connection:
        """Find the host and the namespace, and enter them once. Raises AnsibleConnectionFailure with a sentence."""
        if self._connected:
            return self
        if os.geteuid() != 0:
            raise AnsibleConnectionFailure(
                "connection netns: entering a namespace needs root on the controller; run Ansible as root"
            )
        host, pid = find_host(self.get_option("netns_host"))
        start = start_time(pid)
        bound = ["timeout", "--kill-after=5", str(self.get_option("timeout"))]
        into_host = ["nsenter", f"--target={pid}", "--all", "--"] if host else []
        netns = self.get_option("netns") or ("" if host else self.get_option("remote_addr"))
        into_netns, path = self._find_netns(netns, [*into_host, *bound]) if netns else ([], "")

        code, _out, said = self._run([*into_host, *bound, *into_netns, "true"])
        if code:
            seen_from = f"/proc/{pid}/root" if host else ""
            raise AnsibleConnectionFailure(why_not(netns, path, seen_from, host, code, said))
        self._inside, self._bound, self._host = [*into_host, *into_netns], bound, (host, pid, start)
        self._connected = True
        return self

    def _find_netns(self, netns: str, ask: list[str]) -> tuple[list[str], str]:
        """The command that enters the namespace, and the namespace's path. `ask` runs a command where the namespace is."""
        kind, colon, name = netns.partition(":")
        if netns.startswith("/"):
            checked(netns, PATH, netns)
            path = netns
        elif not colon:
            checked(netns, NAME, netns)
            return ["ip", "netns", "exec", netns], f"{NETNS_RUN_DIR}/{netns}"
        elif kind == "pid":
            checked(name, re.compile("[1-9][0-9]{0,9}", re.ASCII), netns)
            path = f"/proc/{name}/ns/net"
        elif kind in ENGINES:
            checked(name, NAME, netns)
            path = f"/proc/{self._engine_pid(kind, name, ask)}/ns/net"
        else:
            raise refused(netns)
        return ["nsenter", f"--net={path}", "--", *WITH_OWN_SYS], path

    def _engine_pid(self, engine: str, container: str, ask: list[str]) -> int:
        """The first process of a container engine's container."""
        code, out, said = self._run([*ask, engine, "inspect", "--type=container", "--format={{.State.Pid}}", container])
        if code:
            raise AnsibleConnectionFailure(f'namespace "{engine}:{container}" is not found: {reason(said)}')
        if not int(out):
            raise AnsibleConnectionFailure(
                f'namespace "{engine}:{container}" does not exist: the container is not running'
            )
        return int(out)

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a shell command inside. Returns its exit code, output and errors."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        code, out, said = self._run([*self._inside, "/bin/sh", "-c", cmd], in_data)
        if code < 0 and self._host_ended():
            raise AnsibleConnectionFailure(f"lab host {self._host[0]} ended while a task ran in it")
        return code, out, said

    def _host_ended(self) -> bool:
        """Whether the host is no longer there. Its first process ends a moment after all others in it."""
        name, pid, start = self._host
        deadline = time.monotonic() + DYING
        while name and start_time(pid) == start:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return bool(name)

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file of the controller to a path as it is seen inside. Raises AnsibleError."""
        super().put_file(in_path, out_path)
        try:
            with open(to_bytes(in_path), "rb") as file:
                self._copy(["dd", f"of={out_path}", "bs=64k", "status=none"], stdin=file)
        except FileNotFoundError:
            raise AnsibleFileNotFound(f"there is no file {in_path} to copy") from None

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file from a path as it is seen inside to a file of the controller. Raises AnsibleError."""
        super().fetch_file(in_path, out_path)
        with open(to_bytes(out_path), "wb") as file:
            self._copy(["dd", f"if={in_path}", "bs=64k", "status=none"], stdout=file)

    def close(self) -> None:
        self._connected = False

    def reset(self) -> None:
        """Look for the namespace again before the next command."""
        self.close()

    def _copy(self, command: list[str], **streams: t.Any) -> None:
        # Through the namespace's own view: a path in its /etc or /run is another file outside.
        code, _out, said = self._run([*self._inside, *self._bound, *command], **streams)
        if code == TIMED_OUT:
            raise AnsibleError(f"{command[1][3:]}: the transfer takes longer than {self._bound[-1]} s")
        if code:
            raise AnsibleError(f"{command[1][3:]}: the file cannot be transferred: {reason(said)}")

    def _run(self, command: list[str], in_data: bytes | None = None, **streams: t.Any) -> tuple[int, bytes, bytes]:
        """Run a command on the controller, without a shell. Returns its exit code, output and errors."""
        display.vvv(f"EXEC {shlex.join(command)}", host=self.get_option("remote_addr"))
        # root's PATH from su may lack them, and ip, nft and the like live there.
        path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
        streams = {"stdin": PIPE, "stdout": PIPE, **streams}
        try:
            process = Popen(command, stderr=PIPE, env={**os.environ, "PATH": path}, **streams)
        except FileNotFoundError:
            raise AnsibleConnectionFailure(
                f"connection netns: there is no program {command[0]} on the controller"
            ) from None
        try:
            out, said = process.communicate(in_data)
        except BaseException:
            process.kill()
            raise
        return process.returncode, out, said


def find_host(text: str | None) -> tuple[str, int]:
    """The name and the first process of a lab host given as LAB/HOST, HOST or a process number; "" and 0 for none.

    Raises AnsibleConnectionFailure.
    """
    if not text:
        return "", 0
    number = text.removeprefix("pid:")
    if re.fullmatch("[1-9][0-9]{0,9}", number, re.ASCII):
        if start_time(int(number)) is None:
            raise AnsibleConnectionFailure(f"lab host {text}: there is no process {number}")
        return f"of process {number}", int(number)
    hosts = lab_hosts()
    found = [name for name in hosts if text in (name, name.partition("/")[2])]
    if not found:
        known = [*hosts, *(name.partition("/")[2] for name in hosts)]
        raise AnsibleConnectionFailure(f'lab host "{shown(text)}" does not exist{did_you_mean(text, known)}')
    if len(found) > 1:
        raise AnsibleConnectionFailure(f'lab host "{text}" is in several labs; say which: {", ".join(found)}')
    pid, start = hosts[found[0]]
    if start_time(pid) != start:
        raise AnsibleConnectionFailure(f"lab host {found[0]} is no longer running; take its lab down and up again")
    return found[0], pid


def lab_hosts() -> dict[str, tuple[int, int]]:
    """The lab hosts of this machine: LAB/HOST to the first process and its start, from the files of tests/lab/lab.py."""
    hosts = {}
    for path in sorted(glob.glob(f"{LABS}/*.json")):
        with (
            contextlib.suppress(FileNotFoundError),
            open(path, encoding="utf-8") as file,
        ):  # it was taken down meanwhile
            lab = json.load(file)
            hosts.update({f"{lab['name']}/{name}": (host["pid"], host["start"]) for name, host in lab["hosts"].items()})
    return hosts


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when it has ended. Numbers are reused, starts are not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def why_not(netns: str, path: str, root: str, host: str, code: int, said: bytes) -> str:
    """The sentence for a namespace that was not entered. `root` is where its files are seen from outside."""
    where = f" in lab host {host}" if host else ""
    if not netns:
        return f"lab host {host} cannot be entered: {reason(said)}"
    if code == TIMED_OUT:
        return f'namespace "{netns}" cannot be entered{where}: it gives no answer in time'
    if os.path.lexists(root + path):
        return f'namespace "{netns}" cannot be entered{where}: {reason(said)}'
    names = os.listdir(root + NETNS_RUN_DIR) if os.path.isdir(root + NETNS_RUN_DIR) else []
    return f'namespace "{netns}" does not exist{where}{did_you_mean(netns, names)}'


def did_you_mean(word: str, known: t.Iterable[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f' (did you mean "{close[0]}"?)' if close else ""


def checked(text: str, pattern: re.Pattern[str], netns: str) -> None:
    """Refuse what is not of the pattern, or goes up on its way."""
    if not pattern.fullmatch(text) or ".." in text.split("/"):
        raise refused(netns)


def refused(netns: str) -> AnsibleConnectionFailure:
    return AnsibleConnectionFailure(
        f'"{shown(netns)}" cannot be a namespace: give a name (letters, digits, "_", "." and "-"), '
        "an absolute path without blanks, pid:NUMBER, docker:NAME or podman:NAME"
    )


def shown(text: str) -> str:
    """Text of the user's on one line."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def reason(said: bytes) -> str:
    """What a program said on its way out, on one line."""
    return "; ".join(line.strip() for line in to_text(said).splitlines() if line.strip()) or "no reason given"
