# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Named namespaces: what may lie in their place, who may make them at once, and what is left when somebody is in one."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import time

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._kernel import namespaces
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import Conflict, KernelRefused
from ansible_collections.netwright.docknet.plugins.module_utils._model.owner import altname, group
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.machine import ip, links, sh

pytestmark = pytest.mark.usefixtures("machine")

NETNS = pathlib.Path("/run/netns")
VICTIM = pathlib.Path("/run/victim")


@pytest.fixture(name="folder", autouse=True)
def fixture_folder(machine):
    NETNS.mkdir()
    VICTIM.write_text("root:secret\n")
    VICTIM.chmod(0o600)


def state(path):
    """A file to the byte, without following it."""
    status = os.lstat(path)
    plain = stat.S_ISREG(status.st_mode) and status.st_size
    content = os.readlink(path) if path.is_symlink() else path.read_bytes() if plain else b""
    return path.name, status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns, content


def everything():
    return state(VICTIM), sorted(map(state, NETNS.iterdir())), links()


# Table row T11: what lies at /run/netns/web, and what is said of it. None: it is taken over.
IN_PLACE = {
    "nothing": ("true", None),
    "empty file of a killed run": (": >web; chmod 0 web", None),
    "file with content": ("echo data >web", "is a file, not a network namespace"),
    "directory": ("mkdir web", "is a directory, not a network namespace"),
    "FIFO": ("mkfifo web", "is a file, not a network namespace"),
    "link to a file": ("ln -s /run/victim web", "is a symbolic link"),
    "link to an empty file": (": >/run/empty; ln -s /run/empty web", "is a symbolic link"),
    "link to nothing": ("ln -s /run/nothing web", "is a symbolic link"),
    "link to a namespace": ("ip netns add other; ln -s other web", "is a symbolic link"),
    "link to the host's namespace": ("ln -s /proc/self/ns/net web", "is a symbolic link"),
    "link to itself": ("ln -s web web", "is a symbolic link"),
    "the host's own namespace": (": >web; mount --bind /proc/self/ns/net web", "is the host's own network namespace"),
    "a namespace of another kind": (": >web; mount --bind /proc/self/ns/uts web", "is a file, not a network namespace"),
}


@pytest.mark.parametrize("case", IN_PLACE)
@pytest.mark.parametrize("module", ["netns", "netns absent", "veth_pair"])
def test_what_lies_in_a_names_place(case, module):
    script, said = IN_PLACE[case]
    sh(f"cd /run/netns; {script}")
    before = everything()
    if module == "veth_pair":
        result = call("veth_pair", a={"name": "v0"}, b={"name": "eth0", "netns": "web"})
        said = said or "does not exist"
    else:
        result = call("netns", name="web", state="absent" if "absent" in module else "present")
    if said:
        assert result.get("failed") and said in result["msg"] and "web" in result["msg"], result
        assert everything() == before
    else:
        assert not result.get("failed"), result
        assert result["changed"] == (module == "netns" or case.startswith("empty"))
        assert bool(ip("netns list")) == (module == "netns")


def test_a_new_one_is_the_owners_and_its_loopback_is_up():
    result = call("netns", name="web", owner="shop", sysctls={"net.ipv4.ip_unprivileged_port_start": 0})
    assert result["changed"], result
    loopback = links("web")["lo"]
    assert "UP" in loopback["flags"]
    assert loopback["altnames"] == [altname("shop", "lo")]
    assert int(loopback["group"]) == group("shop")
    assert sh("ip netns exec web sysctl -n net.ipv4.ip_unprivileged_port_start").strip() == "0"
    assert not call("netns", name="web", owner="shop")["changed"]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("ip -n web link set lo down", "its loopback is down"),
        ("ip -n web link property del dev lo altname docknet@docknet@lo", "its mark is gone"),
    ],
)
def test_a_damaged_one_is_put_right(damage, reason):
    call("netns", name="web")
    whole = links("web")["lo"]
    sh(damage)
    result = call("netns", name="web")
    assert [(action["action"], action["reason"]) for action in result["actions"]] == [("set", reason)]
    again = links("web")["lo"]
    assert {**again, "operstate": ""} == {**whole, "operstate": ""}


def test_one_that_iproute2_made_is_adopted_when_asked():
    sh("ip netns add web")
    result = call("netns", name="web")
    assert result["failed"] and 'a namespace is there that owner "docknet" did not make' in result["msg"]
    assert call("netns", name="web", adopt=True)["changed"]
    assert not call("netns", name="web")["changed"]
    result = call("netns", name="web", owner="shop", adopt=True)
    assert result["failed"] and 'belongs to owner "docknet", not to "shop"' in result["msg"]


def test_removal_while_a_process_is_inside():
    """Table row T30. The name goes, and what of ours led out of it; the process keeps the rest."""
    call("netns", name="web")
    call("veth_pair", a={"name": "v0"}, b={"name": "eth0", "netns": "web"})
    with subprocess.Popen(["ip", "netns", "exec", "web", "sleep", "60"]) as inside:
        try:
            time.sleep(0.1)
            assert call("netns", name="web", state="absent")["changed"]
            assert "v0" not in links()
            assert not (NETNS / "web").exists()
            assert call("netns", name="web")["changed"]
            assert sh(f"nsenter --net=/proc/{inside.pid}/ns/net ip -o link").count("\n") == 1
        finally:
            inside.kill()


def test_the_hosts_own_namespace_is_refused_by_whatever_name():
    for ref in (f"pid:{os.getpid()}", f"/proc/{os.getpid()}/ns/net", "/proc/self/ns/net"):
        result = call("linux_bridge", name="br0", netns=ref)
        assert result["failed"] and "is the host's own network namespace" in result["msg"], result
    assert "br0" not in links()


def test_a_namespace_by_process_number_and_by_path():
    call("netns", name="web")
    with subprocess.Popen(["ip", "netns", "exec", "web", "sleep", "60"]) as inside:
        try:
            time.sleep(0.1)
            assert call("linux_bridge", name="br0", netns=f"pid:{inside.pid}")["changed"]
            assert not call("linux_bridge", name="br0", netns=f"/proc/{inside.pid}/ns/net")["changed"]
            assert "br0" in links("web")
        finally:
            inside.kill()
    result = call("linux_bridge", name="br0", netns=f"pid:{inside.pid}")
    assert result["failed"] and "does not exist" in result["msg"]
    assert not call("linux_bridge", name="br0", netns=f"pid:{inside.pid}", state="absent")["changed"]


def test_mounts_that_piled_up_go_with_the_name():
    call("netns", name="web")
    sh("mount --bind /run/netns/web /run/netns/web; mount --bind /run/netns/web /run/netns/web")
    result = call("netns", name="web", state="absent")
    assert result["changed"], result
    assert "/run/netns/web" not in sh("cat /proc/self/mountinfo")
    assert not (NETNS / "web").exists()


def test_its_own_files_go_only_when_empty():
    """What a killed run left unfinished is nothing."""
    for content in ("", ".hosts.docknet", "hosts"):
        call("netns", name="web")
        os.makedirs("/etc/netns/web")
        if content:
            pathlib.Path("/etc/netns/web", content).touch()
        call("netns", name="web", state="absent")
        assert os.path.exists("/etc/netns/web") == (content == "hosts")


def test_something_that_takes_the_name_meanwhile_is_not_mounted_over():
    sh("ip netns add web")
    with namespaces.shared_directory(), pytest.raises(KernelRefused, match="something has taken"):
        namespaces.create("web", [])
    assert sh("cat /proc/self/mountinfo").count("/run/netns/web ") == 1
    assert os.stat("/proc/self/ns/net").st_ino == os.stat("/proc/thread-self/ns/net").st_ino


def test_looking_makes_nothing():
    with Host() as host:
        assert host.find("ghost") is None
        with pytest.raises(Conflict):
            (NETNS / "file").write_text("x")
            host.find("file")
    assert [path.name for path in NETNS.iterdir()] == ["file"]


def at_once(count, work):
    """Run `work(number)` in so many processes, which all begin at the same moment; their results."""
    ready, go = os.pipe()
    children = []
    for number in range(count):
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(go)
            os.read(ready, 1)
            with contextlib.suppress(BaseException):
                os.write(write, json.dumps(work(number)).encode())
            os._exit(0)
        os.close(write)
        children.append((pid, read))
    os.close(ready)
    os.close(go)
    results = []
    for pid, read in children:
        with open(read, "rb") as file:
            results.append(json.loads(file.read() or b"null"))
        os.waitpid(pid, 0)
    return results


def test_ten_that_want_the_same_make_it_once():
    mounts = sh("cat /proc/self/mountinfo").count(" /run/netns ")
    for _round in range(5):
        results = at_once(10, lambda _number: call("netns", name="web"))
        assert [result.get("failed") for result in results] == [None] * 10, results
        assert sorted(result["changed"] for result in results) == [False] * 9 + [True]
        call("netns", name="web", state="absent")
    assert sh("cat /proc/self/mountinfo").count(" /run/netns ") == mounts + 1


def test_ten_that_want_others_make_them_all_beside_iproute2():
    def work(number):
        if number % 2:
            return subprocess.run(["ip", "netns", "add", f"n{number}"], check=True) and {"changed": True}
        return call("netns", name=f"n{number}")

    results = at_once(10, work)
    assert [result["changed"] for result in results] == [True] * 10
    assert len(ip("netns list")) == 10


def test_making_and_removing_at_once_ends_in_one_of_the_two():
    """Table row T7."""
    for _round in range(5):
        results = at_once(10, lambda number: call("netns", name="web", state=("present", "absent")[number % 2]))
        assert not any(result.get("failed") for result in results), results
        assert [path.name for path in NETNS.iterdir()] in ([], ["web"])
        call("netns", name="web", state="absent")
        assert list(NETNS.iterdir()) == []


def test_a_lock_that_is_held_is_waited_for_and_then_named():
    holding = "mkdir -p /run/docknet; exec flock /run/docknet/lock sh -c 'echo; exec sleep 60'"
    with subprocess.Popen(["sh", "-c", holding], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout.readline() == b"\n"
            result = call("netns", name="web", lock_timeout=0.1)
            assert result["failed"] and result["failure"]["kind"] == "locked"
            assert "another run has held it for more than 0.1 s" in result["msg"]
            assert call("netns", name="web", _ansible_check_mode=True)["changed"], "check mode waits for nobody"
        finally:
            holder.send_signal(signal.SIGTERM)
            subprocess.run(["pkill", "--parent", str(holder.pid)], check=False)
    assert not list(NETNS.iterdir())


@pytest.mark.parametrize(
    "script",
    ["mkdir -p /run/docknet/lock", "mkdir /run/docknet; ln -s /run/victim /run/docknet/lock", ": >/run/docknet"],
)
def test_something_in_the_locks_place_is_a_sentence(script):
    sh(script)
    before = state(VICTIM)
    result = call("netns", name="web")
    assert result["failed"] and re.search(
        "^/run/docknet/lock: (it cannot be opened|/run/docknet is a file, not a directory)", result["msg"]
    ), result
    assert state(VICTIM) == before


def test_no_place_for_names_is_a_sentence():
    NETNS.rmdir()
    NETNS.touch()
    result = call("netns", name="web")
    assert result["failed"] and "/run/netns" in result["msg"], result


HOSTS = pathlib.Path("/etc/netns/web/hosts")


def name_it(owner="docknet"):
    call("netns", name="web", owner=owner)
    links_of = [{"to": "10.0.0.9", "names": ["db"]}]
    result = call("container_hosts_link", container="web", owner=owner, links=links_of)
    assert not result.get("failed"), result


@pytest.mark.parametrize("by_hand", [False, True])
def test_the_owners_block_in_its_hosts_file_goes_with_it(by_hand):
    """Also where the namespace is gone already, as after a reboot."""
    name_it()
    if by_hand:
        sh("ip netns del web")
        assert HOSTS.exists()
    check = call("netns", name="web", state="absent", _ansible_check_mode=True)
    result = call("netns", name="web", state="absent")
    assert check["actions"] == result["actions"]
    assert result["actions"][0] == {
        "action": "delete",
        "object": "hosts block docknet in web",
        "reason": "its namespace goes",
    }
    assert not HOSTS.parent.exists()
    assert not call("netns", name="web", state="absent")["changed"]


def test_what_others_wrote_into_its_hosts_file_stays():
    name_it()
    HOSTS.write_text("192.0.2.1 mine\n" + HOSTS.read_text())
    assert call("netns", name="web", state="absent")["changed"]
    assert "192.0.2.1 mine" in HOSTS.read_text() and "db" not in HOSTS.read_text()
    assert not call("netns", name="web", state="absent")["changed"]


@pytest.mark.parametrize("sort", ["link to the host's", "link to a file", "link to nothing", "FIFO", "directory"])
def test_what_is_no_plain_hosts_file_neither_hinders_nor_is_touched(sort):
    name_it()
    block = HOSTS.read_text()
    HOSTS.unlink()
    pathlib.Path("/etc/hosts").write_text(block)
    if sort == "FIFO":
        os.mkfifo(HOSTS)
    elif sort == "directory":
        HOSTS.mkdir()
    else:
        there = {"link to the host's": "/etc/hosts", "link to a file": "/etc/other", "link to nothing": "/etc/nothing"}
        pathlib.Path("/etc/other").write_text(block)
        HOSTS.symlink_to(there[sort])
    before = os.lstat(HOSTS)
    result = call("netns", name="web", state="absent")
    assert [action["object"] for action in result["actions"]] == ["netns web"], result
    assert os.lstat(HOSTS) == before
    assert pathlib.Path("/etc/hosts").read_text() == block


def test_damaged_marks_in_its_hosts_file_stay_with_a_warning():
    name_it()
    HOSTS.write_text(HOSTS.read_text().replace("# END docknet@docknet\n", ""))
    before = HOSTS.read_bytes()
    result = call("netns", name="web", state="absent")
    assert [action["object"] for action in result["actions"]] == ["netns web"], result
    assert "damaged" in str(result["warnings"])
    assert HOSTS.read_bytes() == before
