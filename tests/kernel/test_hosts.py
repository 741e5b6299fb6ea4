# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts files on the real kernel: found, written in place under whoever has them mounted, and nobody's line lost."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.order import REMOVAL, rank
from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import plan, question
from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import Fixed, converge, validate
from ansible_collections.netwright.docknet.plugins.module_utils._kernel import hosts as kernel
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.lock import locked
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import (
    Conflict,
    DocknetError,
    KernelRefused,
    Missing,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.hosts import HEADER, put
from ansible_collections.netwright.docknet.plugins.module_utils._topology.hosts import desired
from ansible_collections.netwright.docknet.tests.kernel.machine import call, machine, sh
from ansible_collections.netwright.docknet.tests.lab.packets import wait
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FILE = Path("/etc/netns/client/hosts")
FOREIGN = b"127.0.0.1\tlocalhost\r\n# caf\xe9 \xff\n10.0.0.9  printer"
LINK = {"to": "web", "names": ["web", "www"], "interface": "eth0"}
MS_BIND = 0x1000


@pytest.fixture(name="here", autouse=True)
def fixture_here(monkeypatch):
    """A machine with a container client, and a container web that has 172.17.0.3."""
    with machine():
        sh("echo hosts: files > /etc/nsswitch.conf; echo 127.0.0.1 localhost > /etc/hosts")
        sh("for name in client web; do ip netns add $name; done; ip -n web link add eth0 type bridge")
        give("172.17.0.3/16")
        yield


def give(*addresses):
    """The addresses of web from now on."""
    sh("ip -n web address flush dev eth0; " + "; ".join(f"ip -n web address add {one} dev eth0" for one in addresses))


def wish(*links, **words):
    links = [{**LINK, **link} for link in links or [{}]] if words.get("state") != "absent" else None
    common = {"container": None if "path" in words else "client", "path": None, "owner": "shop", "state": "present"}
    return validate([{**common, "links": links, "adopt": False, "recreate": False, **words}], desired)


def link(*links, check=False, **words):
    """What the module does with these words; returns the actions."""
    done = []
    with Host() as host:
        todo, _wanted, _world = converge(host, Fixed(wish(*links, **words)), check, done)
    assert check or done == list(todo.operations)
    return [operation.action for operation in todo.operations]


def unlink(**words):
    return link(state="absent", **words)


def tree():
    """Every file below /etc, and what would change if it was written."""
    found = {}
    for folder, _folders, names in os.walk("/etc"):
        for path in [folder, *(os.path.join(folder, name) for name in names)]:
            status = os.lstat(path)
            found[path] = (status.st_mode, status.st_ino, status.st_mtime_ns, status.st_size)
    return found


@contextlib.contextmanager
def running(*prefix):
    """A process of a container that answers each line on its input with its hosts file, in hexadecimal."""
    script = "import sys\nfor line in sys.stdin: print(open('/etc/hosts', 'rb').read().hex(), flush=True)"
    command = [*prefix, sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def ask():
            process.stdin.write("?\n")
            process.stdin.flush()
            return bytes.fromhex(process.stdout.readline())

        process.ask = ask
        ask()
        yield process
        process.stdin.close()


# --- a named namespace


def test_a_file_comes_and_goes_with_its_block():
    before = tree()
    old = os.umask(0o077)
    try:
        assert link() == ["create"]
    finally:
        os.umask(old)
    assert FILE.read_bytes() == HEADER + b"# BEGIN docknet@shop\n172.17.0.3\tweb www\n# END docknet@shop\n"
    modes = [os.stat(path).st_mode & 0o7777 for path in ("/etc/netns", "/etc/netns/client", FILE)]
    assert modes == [0o755, 0o755, 0o644]
    assert os.listdir(FILE.parent) == ["hosts"]
    for name, address in (("www", "172.17.0.3"), ("ip6-allrouters", "ff02::2")):
        assert sh(f"ip netns exec client getent hosts {name}").split()[0] == address
    assert link() == []
    assert unlink() == ["delete"]
    assert tree().keys() == before.keys()
    assert unlink() == []


def test_whoever_runs_sees_every_change():
    link()
    inode = FILE.stat().st_ino
    with running("ip", "netns", "exec", "client") as process:
        assert b"\n172.17.0.3\tweb www\n" in process.ask()
        give("172.17.0.200/16", "fd17::3/64")
        assert link() == ["set"]
        assert b"\n172.17.0.200\tweb www\nfd17::3\tweb www\n" in process.ask()
        assert FILE.stat().st_ino == inode
        unlink()
        assert process.ask() == HEADER
    assert not FILE.exists()


def test_a_file_of_somebody_else_is_as_it_was():
    FILE.parent.mkdir(parents=True)
    FILE.write_bytes(FOREIGN)
    os.chmod(FILE, 0o600)
    status = os.stat(FILE)
    for address in ("172.17.0.200/16", "172.17.0.4/16"):
        link()
        give(address)
    link({}, {"to": "192.0.2.1", "names": ["db"]}, owner="other")
    assert FILE.read_bytes().startswith(FOREIGN + b"\n")
    unlink()
    unlink(owner="other")
    assert FILE.read_bytes() == FOREIGN
    assert (FILE.stat().st_ino, FILE.stat().st_mode) == (status.st_ino, status.st_mode)


def test_the_block_of_a_container_that_is_gone():
    link()
    sh("ip netns del client")
    with pytest.raises(Missing, match='namespace "client" does not exist'):
        link()
    assert unlink() == ["delete"]
    assert not os.path.exists("/etc/netns")


def test_a_directory_with_something_else_in_it_stays():
    FILE.parent.mkdir(parents=True)
    (FILE.parent / "resolv.conf").write_text("nameserver 192.0.2.53\n")
    link()
    unlink()
    assert os.listdir(FILE.parent) == ["resolv.conf"]


def test_what_a_killed_run_left_is_no_obstacle():
    FILE.parent.mkdir(parents=True)
    (FILE.parent / ".hosts.docknet").write_text("torn")
    link()
    assert os.listdir(FILE.parent) == ["hosts"]
    FILE.write_bytes(HEADER)  # killed between the emptying and the removal of the file
    (FILE.parent / ".hosts.docknet").touch()  # another one, as soon as the file had its own name
    assert unlink() == ["delete"]
    assert not os.path.exists("/etc/netns")


def test_check_mode_writes_nothing():
    before = tree()
    assert link(check=True) == ["create"]
    assert tree() == before
    link()
    give("172.17.0.4/16")
    before = tree()
    assert link(check=True) == ["set"]
    assert link(check=True, state="absent") == ["delete"]
    assert tree() == before


@pytest.mark.parametrize(
    ("make", "sort"),
    [
        ("ln -s /etc/hosts {0}", "a symbolic link"),
        ("ln -s /nowhere {0}", "a symbolic link"),
        ("mkdir {0}", "a directory"),
        ("mkfifo {0}", "a FIFO"),
    ],
)
@pytest.mark.parametrize("words", [{"container": "client"}, {"path": str(FILE)}], ids=["container", "path"])
def test_what_is_no_plain_file(make, sort, words):
    FILE.parent.mkdir(parents=True)
    sh(make.format(FILE))
    before = tree()
    for state in ("present", "absent"):
        with pytest.raises(Conflict, match=f"/etc/netns/client/hosts is {sort}, not a plain file"):
            link(state=state, **words)
    assert tree() == before


def test_a_directory_that_is_none():
    FILE.parent.parent.mkdir(parents=True)
    FILE.parent.write_text("")
    with pytest.raises(Conflict, match="/etc/netns/client is a file, not a directory"):
        link()


def test_damage_is_left_alone():
    link()
    FILE.write_bytes(FILE.read_bytes().replace(b"# END docknet@shop\n", b""))
    before = tree()
    for state in ("present", "absent"):
        with pytest.raises(Conflict, match=r"\(line 8\) are not one BEGIN followed by its END"):
            link(state=state)
    assert tree() == before


# --- a path


def test_a_path_through_a_linked_directory_is_one_file_with_the_container():
    sh("mkdir -p /etc/netns/client; ln -s /etc/netns /etc/link")
    link()
    assert unlink(path="/etc/link/client/hosts") == ["delete"]


def test_a_path_without_a_directory():
    with pytest.raises(Missing, match='directory "/etc/lab" does not exist'):
        link(path="/etc/lab/hosts")
    assert link(check=True, path="/etc/lab/hosts") == ["create"]
    assert unlink(path="/etc/lab/hosts") == []
    os.mkdir("/etc/lab")
    link(path="/etc/lab/hosts")
    unlink(path="/etc/lab/hosts")
    assert os.listdir("/etc/lab") == []


def test_the_hosts_own_file_by_its_path():
    link(path="/etc/hosts")
    assert sh("getent hosts web").split()[0] == "172.17.0.3"
    unlink(path="/etc/hosts")
    assert Path("/etc/hosts").read_bytes() == b"127.0.0.1 localhost\n"


def test_a_file_that_is_mounted_from_elsewhere():
    sh("mkdir /etc/engine /etc/container; echo x > /etc/engine/hosts; touch /etc/container/hosts")
    call("mount", b"/etc/engine/hosts", b"/etc/container/hosts", None, MS_BIND, None)
    link(path="/etc/engine/hosts")
    assert b"172.17.0.3\tweb www\n" in Path("/etc/container/hosts").read_bytes()
    unlink(path="/etc/container/hosts")
    assert Path("/etc/engine/hosts").read_bytes() == b"x\n"


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/etc/nsswitch.conf/hosts", "is a file, not a directory"),
        ("/etc/" + "x" * 300, "File name too long"),
        ("/etc/loop/hosts", "is a symbolic link, not a directory"),
    ],
)
def test_a_path_that_leads_nowhere(path, sentence):
    os.symlink("/etc/loop", "/etc/loop")
    with pytest.raises(DocknetError, match=sentence):
        link(path=path)


# --- a process, and containers of engines


ROOT = "mkdir -p /run/root/etc; for name in bin lib lib64 usr proc; do mkdir /run/root/$name; mount --rbind /$name /run/root/$name; done"


def test_a_process_with_a_root_of_its_own():
    sh(ROOT + "; echo '127.0.0.1 localhost' > /run/root/etc/hosts")
    # Not in pytest's interpreter: it may be at a path that the other root does not have.
    with subprocess.Popen(["unshare", "--net", "chroot", "/run/root", "/bin/cat"], stdin=subprocess.PIPE) as process:
        wait(lambda: os.readlink(f"/proc/{process.pid}/root") == "/run/root", "the process is there")
        for container in (f"pid:{process.pid}", f"/proc/{process.pid}/ns/net"):
            assert link(container=container) == ["create"]
            assert b"\n172.17.0.3\tweb www\n" in Path("/run/root/etc/hosts").read_bytes()
            assert unlink(container=container) == ["delete"]
        # A link in the container must not lead out of it.
        sh("mv /run/root/etc /run/root/real; ln -s /etc /run/root/etc")
        with pytest.raises(Conflict, match="/root/etc is a symbolic link, not a directory"):
            link(container=container)
        process.stdin.close()
    assert unlink(container=container) == []
    with pytest.raises(Missing, match=r'namespace "/proc/\d+/ns/net" does not exist'):
        link(container=container)
    assert Path("/etc/hosts").read_bytes() == b"127.0.0.1 localhost\n"


@pytest.mark.parametrize("there", [True, False], ids=["", "without the file"])
def test_a_process_that_sees_the_hosts_own_file(there):
    if not there:
        os.unlink("/etc/hosts")
    with subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE) as process:
        own = os.stat("/proc/self/ns/net").st_ino
        wait(lambda: os.stat(f"/proc/{process.pid}/ns/net").st_ino != own, "the process is there")
        with pytest.raises(Conflict, match=r"^hosts file of pid:\d+: it is the host's own /etc/hosts; "):
            link(container=f"pid:{process.pid}")
        assert unlink(container=f"pid:{process.pid}") == [], "nothing of ours is ever there"
        process.stdin.close()
    assert os.path.exists("/etc/hosts") == there


def test_a_process_of_a_named_namespace():
    """What ip netns exec mounted for it is the namespace's file."""
    link()
    with running("ip", "netns", "exec", "client") as process:
        assert link(container=f"pid:{process.pid}", owner="other") == ["create"]
        assert b"# BEGIN docknet@other" in FILE.read_bytes()


def test_a_file_of_the_host_that_a_user_mounts_over_his_hosts_file():
    """In a user namespace of one's own that takes no right to read it (user_namespaces(7))."""
    secret = Path("/run/secret")
    secret.write_bytes(b"root:secret\n")
    secret.chmod(0o600)
    alone = "mount --bind /run/secret /etc/hosts && exec cat"
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    with subprocess.Popen([*user, "unshare", "-Urnm", "sh", "-c", alone], stdin=subprocess.PIPE) as process:
        wait(lambda: "/etc/hosts" in Path(f"/proc/{process.pid}/mountinfo").read_text(), "it is mounted")
        for undo in (link, unlink):
            with pytest.raises(
                Conflict, match="belongs to user 0 of the host, who does not exist in the container's user namespace"
            ):
                undo(container=f"pid:{process.pid}")
        process.stdin.close()
    assert secret.read_bytes() == b"root:secret\n"


def test_a_hosts_file_without_end():
    FILE.parent.mkdir(parents=True)
    with FILE.open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(DocknetError, match="it cannot be read: it is larger than 16 MiB"):
        link()


def test_the_hosts_own_file_by_another_name():
    FILE.parent.mkdir(parents=True)
    os.link("/etc/hosts", FILE)
    with pytest.raises(Conflict, match="hosts file of client: it is the host's own"):
        link()


ENGINE = """#!/bin/sh
[ "$1 $2 $3" = "container inspect --format" ] && [ "$5 $6" = "-- db" ] || { echo "no such container" >&2; exit 1; }
case $4 in *Pid*) cat /run/pid;; *HostsPath*) cat /run/path;; esac
"""


@pytest.fixture(name="engine")
def fixture_engine(monkeypatch):
    """A container db of podman's, as far as it is asked about."""
    os.mkdir("/run/bin")
    Path("/run/bin/podman").write_text(ENGINE)
    os.chmod("/run/bin/podman", 0o755)
    monkeypatch.setenv("PATH", "/run/bin:" + os.environ["PATH"])
    with subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE) as process:
        own = os.stat("/proc/self/ns/net").st_ino
        wait(lambda: os.stat(f"/proc/{process.pid}/ns/net").st_ino != own, "the process is there")
        Path("/run/pid").write_text(str(process.pid))
        Path("/run/path").write_text("/run/userdata/hosts\n")
        sh("mkdir /run/userdata; echo 127.0.0.1 localhost > /run/userdata/hosts")
        yield
        process.stdin.close()


def test_an_engines_container(engine):
    assert link(container="podman:db") == ["create"]
    assert b"\n172.17.0.3\tweb www\n" in Path("/run/userdata/hosts").read_bytes()
    assert unlink(container="podman:db") == ["delete"]
    assert Path("/run/userdata/hosts").read_bytes() == b"127.0.0.1 localhost\n"


def test_an_engine_makes_its_own_files(engine):
    for change in (lambda: os.unlink("/run/userdata/hosts"), lambda: Path("/run/path").write_text("\n")):
        change()
        assert unlink(container="podman:db") == []
        with pytest.raises(
            Missing, match=r"^container_hosts_link podman:db: the container has no hosts file of its own"
        ):
            link(container="podman:db")


def test_a_container_that_is_not_there(engine):
    assert unlink(container="podman:gone") == []
    with pytest.raises(Missing, match=r"^container_hosts_link podman:gone: .* know it and says: no such container"):
        link(container="podman:gone")
    assert link(container="podman:gone", check=True) == ["create"]
    Path("/run/pid").write_text("0")
    with pytest.raises(Missing, match="it does not run"):
        link(container="podman:db")


# --- in place, whatever happens


BELOW = b"".join(b"10.1.0.%d\tbelow%d\n" % (number, number) for number in range(9)) + b"127.0.0.1\tlocalhost"
SHORT = [{"to": "192.0.2.1", "names": ["a"]}]
LONG = [{"to": "192.0.2.1", "names": [f"{'n' * 30}{number}" for number in range(9)]}]
MIDDLE = put(b"10.0.0.1\tabove\n", "shop", ["192.0.2.1\ta"]) + BELOW


def whole(content):
    return {line for line in content.split(b"\n") if line}


THEIRS = [b"10.0.0.1 a", b"#", b"", b"127.0.0.1 localhost", b"\xff\0", b"x" * 40]
foreign = st.lists(st.sampled_from(THEIRS), max_size=6)
blocks = st.lists(st.sampled_from(["192.0.2.1\ta", "192.0.2.2\t" + "b" * 60]), max_size=4)


def watched(call, moments):
    """The call, after which the file is looked at."""

    def step(*arguments):
        result = call(*arguments)
        moments.append(Path("/run/hosts").read_bytes())
        return result

    return step


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(foreign, foreign, blocks, blocks, st.booleans())
def test_at_every_moment_each_line_of_others_is_whole(above, below, first, second, ended):
    above, below = b"".join(line + b"\n" for line in above), b"\n".join(below) + b"\n" * ended
    before, after = put(above, "shop", first) + below, put(above, "shop", second) + below
    moments = []
    with pytest.MonkeyPatch.context() as patch, open("/run/hosts", "w+b", buffering=0) as file:
        file.write(before)
        patch.setattr(os, "pwrite", watched(os.pwrite, moments))
        patch.setattr(os, "ftruncate", watched(os.ftruncate, moments))
        kernel.replace(file.fileno(), before, after, below)
    assert all(whole(above) | whole(below) <= whole(moment) for moment in moments)
    assert moments[-1] == after


@pytest.mark.parametrize("links", [LONG, []], ids=["longer", "gone"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_run_that_is_killed_loses_no_line(monkeypatch, links, share):
    """Killed in each of its writes, with nothing, a half or all of it done."""
    path = Path("/etc/lab.hosts")
    others = whole(b"10.0.0.1\tabove\n" + BELOW)
    for number in range(9):
        path.write_bytes(MIDDLE)
        child = os.fork()
        if not child:
            monkeypatch.setattr(os, "pwrite", deadly(number, share))
            with contextlib.suppress(BaseException):
                link(*links, path=str(path)) if links else unlink(path=str(path))
            os._exit(0)
        killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert others <= whole(path.read_bytes()), number
        if not killed:
            break
    assert number == 2  # the copy, and the change: none other is needed


def deadly(number, share):
    """A pwrite that is the end of the process at its call of that number."""
    pwrite, calls = os.pwrite, itertools.count()

    def write(file, data, offset):
        if next(calls) < number:
            return pwrite(file, data, offset)
        pwrite(file, data[: int(len(data) * share)], offset)
        os._exit(9)

    return write


def test_a_full_disk_leaves_what_was_there():
    sh("mkdir /run/small; mount -t tmpfs -o size=8k small /run/small")
    path = Path("/run/small/hosts")
    for content in (b"127.0.0.1 localhost\n", MIDDLE):
        path.write_bytes((b"\n" + content).rjust(8100, b"#"))
        before = path.read_bytes()
        with pytest.raises(KernelRefused, match=r"is full; free space on it$") as caught:
            link(*LONG, path=str(path))
        assert caught.value.code == errno.ENOSPC
        assert path.read_bytes() == before
    path.unlink()
    Path("/run/small/fill").write_bytes(b"#" * 8192)
    with pytest.raises(KernelRefused, match="is full"):
        link(path=str(path))
    assert os.listdir("/run/small") == ["fill"]


def test_what_somebody_adds_in_the_meantime_stays():
    link()
    with Host() as host:
        wanted = wish(*SHORT)
        todo = plan(wanted, host.observe(question(wanted)))
        with open(FILE, "ab") as file:
            file.write(b"10.0.0.7\tlate\n")
        list(host.apply(todo.operations, rank, REMOVAL))
    assert FILE.read_bytes() == HEADER + b"# BEGIN docknet@shop\n192.0.2.1\ta\n# END docknet@shop\n10.0.0.7\tlate\n"


READER = """
import select, socket, sys
rounds = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    socket.getaddrinfo("localhost", 80, socket.AF_INET)
    rounds += 1
    if rounds == 1:
        print("ready", flush=True)
print(rounds)
"""


def test_a_reader_always_finds_localhost():
    """Its line stands below the block, and moves with each of 200 changes."""
    path = Path("/etc/hosts")
    path.write_bytes(MIDDLE + b"\n")
    command = [sys.executable, "-c", READER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout.readline() == "ready\n"
        for number in range(200):
            link({"to": "192.0.2.1", "names": [f"n{each}" for each in range(number * 7 % 40 + 1)]}, path=str(path))
        rounds, _errors = reader.communicate("stop\n", timeout=30)
    assert reader.returncode == 0
    assert int(rounds) > 200
    unlink(path=str(path))
    assert path.read_bytes() == b"10.0.0.1\tabove\n" + BELOW + b"\n"


def test_many_writers():
    FILE.parent.mkdir(parents=True)
    FILE.write_bytes(FOREIGN)
    children = []
    for number in range(8):
        child = os.fork()
        if not child:
            status = 1
            with contextlib.suppress(BaseException):
                for turn in range(10):
                    with locked(60):
                        link({"to": f"192.0.2.{turn}", "names": [f"n{number}"]}, owner=f"o{number}")
                with locked(60):
                    unlink(owner=f"o{number}")
                status = 0
            os._exit(status)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 8
    assert FILE.read_bytes() == FOREIGN
