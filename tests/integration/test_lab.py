# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lab hosts are machines of their own, and nothing of them is left behind."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time

import pytest
import yaml
from ansible_collections.netwright.docknet.tests.lab import lab as tool
from ansible_collections.netwright.docknet.tests.lab.lab import Lab, LabError

NAME = f"test{os.getpid()}"
PROGRAM = [sys.executable, tool.__file__]


@pytest.fixture(name="lab", scope="module")
def fixture_lab():
    with Lab(NAME, ["node1", "node2", "node3"], outside=True) as lab:
        yield lab


@pytest.fixture(name="node1", scope="module")
def fixture_node1(lab):
    return lab.hosts["node1"]


@pytest.fixture(name="machine")
def fixture_machine():
    """A machine to look at before and after, that nobody else changes meanwhile: a lab host. Labs can be made in it."""
    with Lab(f"{NAME}-machine", ["machine"]) as lab:
        machine = lab.hosts["machine"]
        machine.run(["mount", "-t", "tmpfs", "lab", "/var/lib"])
        end = time.monotonic() + tool.TIMEOUT
        while "tentative" in machine.run(["ip", "-j", "address"]).stdout and time.monotonic() < end:
            time.sleep(0.05)
        yield machine


def lab_command(*words):
    return subprocess.run([*PROGRAM, *words], capture_output=True, text=True, timeout=30, check=False)


def processes_in(namespaces):
    """The processes of this machine in any of the network namespaces, given as inode numbers."""
    found = set()
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (process / "ns" / "net").stat().st_ino in namespaces:
                found.add(int(process.name))
        except OSError:
            continue  # it ended while we looked
    return found


def network_of(host):
    return os.stat(f"/proc/{host.pid}/ns/net").st_ino


# --- the segment


@pytest.mark.parametrize("address", ["address4", "address6"])
def test_every_host_reaches_every_other(lab, address):
    for host in lab.hosts.values():
        for other in lab.hosts.values():
            host.run(["ping", "-c1", "-W2", getattr(other, address)])


def test_segment_carries_1500_bytes_and_no_more(node1, lab):
    other = lab.hosts["node2"].address4
    node1.run(["ping", "-c1", "-W2", "-M", "do", "-s", "1472", other])
    assert node1.run(["ping", "-c1", "-W2", "-M", "do", "-s", "1473", other], check=False).returncode != 0


def test_hosts_know_each_other_by_name(node1):
    assert node1.run(["getent", "ahostsv4", "node2"]).stdout.split()[0] == "198.51.100.2"


@pytest.mark.parametrize("internet", [tool.INTERNET4, tool.INTERNET6])
def test_outside_plays_the_internet(node1, internet):
    node1.run(["ping", "-c1", "-W2", internet])


def test_outside_answers_only_addresses_of_the_segment(node1):
    node1.run(["ip", "address", "add", "172.17.0.1/32", "dev", "lo"])
    done = node1.run(["ping", "-c1", "-W1", "-I", "172.17.0.1", tool.INTERNET4], check=False)
    node1.run(["ip", "address", "del", "172.17.0.1/32", "dev", "lo"])
    assert done.returncode == 1


# --- a machine of its own


def test_hostname_is_the_hosts_own(lab):
    for name, host in lab.hosts.items():
        assert host.run(["uname", "-n"]).stdout.strip() == name
    assert os.uname().nodename not in lab.hosts


@pytest.mark.parametrize("folder", ["/etc", "/etc/netns/web", "/run", "/run/docknet", "/var/lib/docknet", "/var/tmp"])
def test_a_file_made_inside_is_seen_nowhere_else(lab, node1, folder):
    path = pathlib.Path(folder, NAME)
    node1.run(["sh", "-c", f"mkdir -p {folder} && echo mine > {path}"])
    assert not path.exists()
    assert lab.hosts["node2"].run(["test", "-e", str(path)], check=False).returncode == 1


def test_a_file_of_the_machine_changed_inside_stays_outside(node1):
    before = pathlib.Path("/etc/passwd").read_bytes()
    node1.run(["sh", "-c", "echo 'lab:x:999:999::/:/bin/false' >> /etc/passwd"])
    assert pathlib.Path("/etc/passwd").read_bytes() == before
    assert "lab:x:999" in node1.run(["cat", "/etc/passwd"]).stdout


def test_the_machines_named_namespaces_and_their_files_are_not_seen(node1):
    assert (
        node1.run(["sh", "-c", "ls -A /run /etc/netns 2>/dev/null | grep -c docknet-lab"], check=False).stdout == "0\n"
    )


def test_sysctls_are_the_hosts_own(lab, node1):
    name = "/proc/sys/net/ipv4/ip_forward"
    machine = pathlib.Path(name).read_text()
    assert node1.run(["cat", name]).stdout == "0\n"
    node1.run(["sh", "-c", f"echo 1 > {name}"])
    assert pathlib.Path(name).read_text() == machine
    assert lab.hosts["node2"].run(["cat", name]).stdout == "0\n"
    node1.run(["sh", "-c", f"echo 0 > {name}"])


def test_named_namespaces_are_the_hosts_own(lab, node1):
    node1.run(["ip", "netns", "add", NAME])
    assert NAME in node1.run(["ip", "netns", "list"]).stdout
    assert node1.run(["ip", "netns", "exec", NAME, "ls", "/sys/class/net"]).stdout == "lo\n"
    assert not pathlib.Path("/run/netns", NAME).exists()
    assert NAME not in lab.hosts["node2"].run(["ip", "netns", "list"]).stdout
    node1.run(["ip", "netns", "del", NAME])
    assert NAME not in node1.run(["ip", "netns", "list"]).stdout


def test_sysfs_shows_the_hosts_links_and_the_control_groups(node1):
    assert node1.run(["ls", "/sys/class/net"]).stdout.split() == ["eth0", "lo"]
    assert bool(os.listdir("/sys/fs/cgroup")) == bool(node1.run(["ls", "/sys/fs/cgroup"]).stdout)


def test_only_the_hosts_processes_are_seen(node1):
    seen = node1.run(["ps", "-eo", "args="]).stdout.splitlines()
    assert seen == ["sleep infinity", "ps -eo args="]


def test_orphans_are_reaped(node1):
    node1.run(["sh", "-c", "(sleep 0.01 &)"])
    time.sleep(0.2)
    assert "defunct" not in node1.run(["ps", "-ef"]).stdout


def test_what_is_installed_on_the_machine_is_installed_in_the_host(node1):
    if not os.path.exists("/var/lib/dpkg/status"):
        pytest.skip("no dpkg on this machine")
    assert node1.run(["dpkg-query", "--status", "util-linux"]).stdout.startswith("Package: util-linux\n")


# --- coming and going


def state_of(machine):
    """Everything of a machine that a lab could touch."""
    command = (
        "ip -j link; ip -j address; ip -j route; cat /proc/self/mountinfo; uname -n; cat /proc/sys/net/ipv4/ip_forward"
    )
    files = "ls -lAR --time-style=full-iso /run /var/lib; cat /etc/hosts /etc/hostname; ls -A /etc"
    processes = "ps -eo pid,args --no-headers | grep -v -e ps -e grep -e sh"
    return [machine.run(["sh", "-c", words]).stdout for words in (command, files, processes)]


def test_nothing_is_left_behind(machine):
    before = state_of(machine)
    machine.run([*PROGRAM, "up", "--name", "inner", "--hosts", "a,b", "--outside"])
    assert state_of(machine) != before
    machine.run([*PROGRAM, "exec", "inner", "a", "--", "ping", "-c1", "-W2", "b"])
    machine.run(
        [
            *PROGRAM,
            "exec",
            "inner",
            "a",
            "--",
            "sh",
            "-c",
            "ip netns add web; ip netns exec web setsid sleep 1000 >/dev/null 2>&1 &",
        ]
    )
    machine.run([*PROGRAM, "down", "--name", "inner"])
    assert normal(state_of(machine)) == normal(before)


def normal(state):
    """Without the times of the folders in which something was made and removed again."""
    return [[line for line in text.splitlines() if not line.endswith((" .", " lib", " run"))] for text in state]


def test_links_and_mounts_of_the_machine_stay_as_they_are_while_a_lab_is_up(machine):
    look = [
        "sh",
        "-c",
        "ip -j link; ip -j address; ip -j route; cat /proc/self/mountinfo; ls -A /run | grep -v docknet-lab",
    ]
    before = machine.run(look).stdout
    machine.run([*PROGRAM, "up", "--name", "inner", "--hosts", "a,b", "--outside"])
    assert machine.run(look).stdout == before


def test_state_that_is_not_ours_stays(machine):
    machine.run(["mkdir", "/var/lib/docknet"])
    machine.run([*PROGRAM, "up", "--name", "inner"])
    machine.run([*PROGRAM, "down", "--name", "inner"])
    machine.run(["test", "-d", "/var/lib/docknet"])
    machine.run(["rmdir", "/var/lib/docknet"])
    machine.run([*PROGRAM, "up", "--name", "inner"])
    machine.run(["touch", "/var/lib/docknet/kept"])
    machine.run([*PROGRAM, "down", "--name", "inner"])
    machine.run(["test", "-e", "/var/lib/docknet/kept"])


def test_processes_end_with_the_lab():
    with Lab(f"{NAME}-b", ["node1"]) as lab:
        node1 = lab.hosts["node1"]
        node1.run(["ip", "netns", "add", "web"])
        namespaces = {network_of(node1), network_of(lab.switch)}
        plain = node1.popen(["sleep", "1000"])
        # The hard one: nobody's child, of its own session, deaf to signals, in another namespace.
        node1.run(
            [
                "sh",
                "-c",
                "ip netns exec web setsid env --ignore-signal=TERM,HUP,INT sleep 1000 >/dev/null 2>&1 </dev/null &",
            ]
        )
        inside = "for p in /proc/[0-9]*; do readlink $p/ns/net; done | sort -u"
        namespaces |= {int(line[5:-1]) for line in node1.run(["sh", "-c", inside]).stdout.split()}
        assert len(namespaces) == 3
        inhabitants = processes_in(namespaces)
        assert len(inhabitants) >= 4
    assert plain.wait(timeout=5) != 0
    # Not whoever is in namespaces of these numbers: a new one takes the number of one that is gone.
    # The parent of a host's first process ends when that one has ended: a moment later.
    deadline = time.monotonic() + 10
    while left := inhabitants & processes_in(namespaces):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def test_two_labs_of_the_same_hosts(lab):
    with Lab(f"{NAME}-b", ["node1", "node2"]) as other:
        for each in (lab, other):
            each.hosts["node1"].run(["ping", "-c1", "-W2", "node2"])
        assert network_of(lab.hosts["node1"]) != network_of(other.hosts["node1"])
        assert {NAME, f"{NAME}-b"} <= set(tool.names())
        # Not joined: the other lab has no node3 to answer.
        assert (
            other.hosts["node1"].run(["ping", "-c1", "-W1", lab.hosts["node3"].address4], check=False).returncode == 1
        )
    lab.hosts["node1"].run(["ping", "-c1", "-W2", "node2"])


def test_up_again_finds_what_is_there(lab):
    again = Lab(NAME, ["node1", "node2", "node3"], outside=True).up()
    assert again.hosts == lab.hosts


def test_up_with_other_hosts_is_refused(lab):
    with pytest.raises(
        LabError, match=f"lab {NAME}: it is up with other hosts .node1, node2, node3, outside.; take it down first"
    ):
        Lab(NAME, ["node1"]).up()
    assert lab.alive


def test_up_after_a_host_died_makes_the_lab_anew():
    name = f"{NAME}-b"
    with Lab(name, ["node1", "node2"]) as lab:
        dead = lab.hosts["node1"]
        dead.kill()
        assert not lab.alive
        lab.up()
        assert lab.alive and lab.hosts["node1"].pid != dead.pid
        lab.hosts["node1"].run(["ping", "-c1", "-W2", "node2"])


@pytest.mark.parametrize("death", ["before", "by it"])
def test_a_host_that_is_rebooted_is_empty_and_where_it_was(death):
    with Lab(f"{NAME}-boot", ["one", "two", "three"]) as lab:
        old, other = lab.hosts["two"], lab.hosts["three"]
        other.run(["ping", "-c1", "-W5", old.address4])
        old.run(["ip", "netns", "add", "web"])
        old.run(["touch", "/etc/left", "/var/lib/docknet/left"])
        if death == "before":
            old.kill()
        new = lab.reboot("two")
        assert not old.alive and new.alive and new == lab.hosts["two"] == Lab.load(lab.name).hosts["two"]
        assert new.run(["sh", "-c", "ls /run/netns /etc/left /var/lib/docknet 2>/dev/null || true"]).stdout == (
            "/var/lib/docknet:\n"
        )
        # Nobody has to ask anew where it is: its card is the old one.
        assert other.run(["ping", "-c1", "-W5", new.address4], check=False).returncode == 0
        new.run(["ping", "-c1", "-W5", lab.hosts["one"].address6])


def test_down_again_is_fine():
    Lab(f"{NAME}-b", []).down()


def test_up_that_is_killed_half_way_leaves_no_host():
    name = f"{NAME}-half"
    script = "import os, sys; from ansible_collections.netwright.docknet.tests.lab.lab import Lab\n"
    script += "Lab.save = lambda self: os._exit(9)\nLab(sys.argv[1], [sys.argv[1]]).up()"
    done = subprocess.run([sys.executable, "-c", script, name], timeout=30, check=False)
    assert done.returncode == 9
    deadline = time.monotonic() + 10
    while (
        subprocess.run(["pgrep", "--full", f"host.sh {name}"], stdout=subprocess.DEVNULL, check=False).returncode == 0
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert name not in tool.names()
    Lab(name, []).down()


@pytest.mark.parametrize("name", ["", "a/b", "..", "a b", "a\n", "-a", "a-", "Ä", "4", "x" * 64, "switch", "outside"])
def test_names_that_are_no_host_names_are_refused(name):
    with pytest.raises(LabError, match="host name"):
        Lab(NAME, [name])


def test_a_name_given_twice_is_refused():
    with pytest.raises(LabError, match="'a' is given twice"):
        Lab(NAME, ["a", "a"])


# --- the command


def test_commands_from_up_to_down():
    name = f"{NAME}-c"
    # Were the hosts to hold our end of the output, this would not return.
    assert lab_command("up", "--name", name, "--hosts", "node1,node2").returncode == 0
    try:
        assert f"{name}: node1 node2\n" in lab_command("list").stdout
        assert lab_command("exec", name, "node1", "--", "uname", "-n").stdout == "node1\n"
        assert lab_command("exec", name, "node1", "--", "sh", "-c", "exit 7").returncode == 7
        wrong = lab_command("exec", name, "node9", "--", "true")
        assert wrong.stderr == f"lab.py: lab {name}: there is no host 'node9' (there are: node1, node2)\n"
    finally:
        assert lab_command("down", "--name", name).returncode == 0
    assert "there is no such lab" in lab_command("inventory", "--name", name).stderr


def test_inventory(lab):
    done = lab_command("inventory", "--name", NAME, "--python", "/usr/bin/python3")
    inventory = yaml.safe_load(done.stdout)
    assert inventory == yaml.safe_load(lab.inventory("/usr/bin/python3"))
    assert inventory["all"]["vars"]["ansible_python_interpreter"] == "/usr/bin/python3"
    groups = inventory["all"]["children"]
    assert list(groups["nodes"]["hosts"]) == ["node1", "node2", "node3"]
    assert groups["nodes"]["hosts"]["node2"] == {
        "ansible_netns_host": f"{NAME}/node2",
        "docknet_underlay": "198.51.100.2",
    }
    assert list(groups) == ["nodes"] and list(inventory["all"]["hosts"]) == ["outside"]


def test_state_file(lab):
    state = json.loads(tool.state_file(NAME).read_text())
    assert state["hosts"]["node1"]["pid"] == lab.hosts["node1"].pid
