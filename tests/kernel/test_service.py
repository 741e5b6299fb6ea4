# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that run for a network, as processes: started in their namespace, told, started again, stopped; and small files."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import time
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.order import REMOVAL, rank
from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import plan, question
from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import Fixed, converge, uninterrupted
from ansible_collections.netwright.docknet.plugins.module_utils._kernel import program
from ansible_collections.netwright.docknet.plugins.module_utils._kernel import service as kernel
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import (
    Conflict,
    KernelRefused,
    Unsupported,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Question, Wanted
from ansible_collections.netwright.docknet.plugins.module_utils._model.service import Service, ServiceFile
from ansible_collections.netwright.docknet.plugins.module_utils._model.text import TextFile, TextKey
from ansible_collections.netwright.docknet.plugins.module_utils._topology.dhcp import client
from ansible_collections.netwright.docknet.tests.direct import call as module
from ansible_collections.netwright.docknet.tests.kernel.machine import call, ip, machine, sh

ROOT = Path("/run/docknet/service")
FOLDER = ROOT / "names"
# It writes down each SIGHUP, with what its live file says then, and ends politely.
SCRIPT = """trap 'cat {dir}/live >>{dir}/heard' HUP
trap exit TERM
echo ready >>{dir}/heard
while :; do sleep 0.02; done
"""
HEARD = FOLDER / "heard"
SERVICE = Service(
    "names",
    netns="web",
    command=("sh", "{dir}/run"),
    files=(ServiceFile("run", SCRIPT), ServiceFile("live", "one\n", live=True)),
    package="dash",
)
FILE = TextFile(TextKey("web", "resolv.conf"), lines=("nameserver 10.0.0.1", "options ndots:0"))
MS_BIND = 0x1000


@pytest.fixture(name="here", autouse=True)
def fixture_here():
    """A machine with a container web; what runs at the end of a test is ended."""
    with machine():
        sh("ip netns add web")
        try:
            yield
        finally:
            for record in ROOT.glob("*/pid"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(record.read_text().split()[0]), signal.SIGKILL)


def wish(value, present=True, owner="shop", adopt=False):
    return Wanted(value, str(value), owner, present, adopt)


def run(*values, check=False, **words):
    """One run; returns its steps as (action, reason)."""
    with Host() as host:
        todo, _wanted, world = converge(host, Fixed([wish(value, **words) for value in values]), check, [])
    run.world = world
    return [(step.action, step.reason) for step in todo.operations]


def process():
    """Number and arguments of the service's process."""
    pid = int((FOLDER / "pid").read_text().split()[0])
    return pid, Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]


def alive(pid):
    """One that has ended and that nobody has reaped has no arguments any more."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except FileNotFoundError:
        return False


def until(condition, patience=2.0):
    end = time.monotonic() + patience
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def live(content):
    return replace(SERVICE, files=(SERVICE.files[0], ServiceFile("live", content, live=True)))


# -- services -------------------------------------------------------------------------------------------------


def test_it_is_started_in_its_namespace_and_is_nobody_s_child():
    assert run(SERVICE) == [("create", "missing")]
    pid, words = process()
    assert words == ["/usr/bin/sh", f"{FOLDER}/run"] or words == ["/bin/sh", f"{FOLDER}/run"]
    assert os.stat(f"/proc/{pid}/ns/net").st_ino == os.stat("/run/netns/web").st_ino
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    assert int(fields[1]) != os.getpid() and int(fields[3]) != os.getsid(0), "parent and session"
    assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null" == os.readlink(f"/proc/{pid}/fd/1")
    assert os.readlink(f"/proc/{pid}/fd/2") == f"{FOLDER}/log" and os.readlink(f"/proc/{pid}/cwd") == str(FOLDER)
    assert len(os.listdir(f"/proc/{pid}/fd")) <= 4, "no descriptor of ours but those"
    environment = Path(f"/proc/{pid}/environ").read_text()
    assert "HOME" not in environment and "PATH=" in environment


def test_it_gets_the_signals_that_wait_while_changes_are_made():
    with uninterrupted():
        assert run(SERVICE) == [("create", "missing")]
    pid, _words = process()
    status = Path(f"/proc/{pid}/status")
    # A shell blocks them all itself while it starts another program.
    until(lambda: "SigBlk:\t0000000000000000\n" in status.read_text())


def test_a_second_run_changes_nothing():
    run(SERVICE)
    pid, _words = process()
    assert run(SERVICE) == []
    assert process()[0] == pid


def test_a_live_file_that_changes_is_told_and_the_process_stays():
    run(SERVICE)
    pid, _words = process()
    until(lambda: HEARD.read_text() == "ready\n")
    assert run(live("two\n")) == [("set", "live changed")]
    until(lambda: HEARD.read_text() == "ready\ntwo\n")
    assert process()[0] == pid
    assert run(live("two\n")) == []


def test_a_live_file_changed_by_hand_is_put_back_and_told():
    run(SERVICE)
    until(HEARD.exists)
    (FOLDER / "live").write_text("three\n")
    assert run(SERVICE) == [("set", "live changed")]
    until(lambda: HEARD.read_text() == "ready\none\n")


def test_a_run_killed_between_writing_and_telling_is_made_good(monkeypatch):
    run(SERVICE)
    until(HEARD.exists)

    def die(_pid, _number):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(kernel.os, "kill", die)
        run(live("two\n"))
    assert (FOLDER / "live").read_text() == "two\n"
    assert run(live("two\n")) == [("set", "live changed")]
    until(lambda: HEARD.read_text() == "ready\ntwo\n")


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (replace(SERVICE, command=("sh", "{dir}/run", "more")), "started with other arguments"),
        (replace(SERVICE, netns=None), "in another namespace"),
        (replace(SERVICE, files=(ServiceFile("run", SCRIPT + "\n"), SERVICE.files[1])), "run changed"),
        (replace(SERVICE, files=(*SERVICE.files, ServiceFile("new", "x", live=True))), "new changed"),
        (replace(SERVICE, files=(SERVICE.files[0],)), "live changed"),
    ],
)
def test_whatever_else_changes_starts_it_again(other, reason):
    run(SERVICE)
    pid, _words = process()
    # That the program is asked for in another namespace is seen by its process too, which is not in that one.
    assert [(action, why.split(", ")[-1]) for action, why in run(other)] == [("set", reason)]
    assert process()[0] != pid and not alive(pid)
    assert run(other) == []
    assert {one.name for one in FOLDER.iterdir()} >= {one.path for one in other.files}
    if len(other.files) == 1:
        assert not (FOLDER / "live").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_one_that_was_ended_by_hand_is_started_by_the_next_run(number):
    run(SERVICE)
    until(HEARD.exists)
    pid, _words = process()
    os.kill(pid, number)
    until(lambda: not kernel._alive(kernel.Process(pid, (FOLDER / "pid").read_text().split()[1])))
    assert run(SERVICE, check=True) == [("set", "it does not run")]
    assert run(SERVICE) == [("set", "it does not run")]
    assert process()[0] != pid
    assert run(SERVICE) == []


def test_another_process_of_the_same_number_is_not_it():
    run(SERVICE)
    pid, _words = process()
    record = FOLDER / "pid"
    number, start = record.read_text().split()
    other = subprocess.Popen(["sleep", "60"])
    try:
        record.write_text(f"{other.pid} {start}\n")
        assert run(SERVICE, check=True) == [("set", "it does not run")]
        assert run(SERVICE, present=False) == [("delete", "to be absent")]
        assert other.poll() is None, "somebody else's process is left alone"
    finally:
        other.kill()
        other.wait()
        os.kill(pid, signal.SIGKILL)
    assert int(number) == pid


def test_its_namespace_made_anew_starts_it_there():
    run(SERVICE)
    pid, _words = process()
    sh("ip netns del web; ip netns add web")
    assert run(SERVICE) == [("set", "it does not run")]
    new, _words = process()
    assert new != pid and os.stat(f"/proc/{new}/ns/net").st_ino == os.stat("/run/netns/web").st_ino


def test_absent_leaves_nothing():
    run(SERVICE)
    pid, _words = process()
    assert run(SERVICE, present=False) == [("delete", "to be absent")]
    assert not alive(pid)
    assert os.listdir("/run/docknet") == []
    assert run(SERVICE, present=False) == []


def test_one_that_does_not_listen_is_ended_all_the_same(monkeypatch):
    monkeypatch.setattr(kernel, "POLITE", 0.1)
    deaf = replace(
        SERVICE, files=(ServiceFile("run", "trap '' TERM\necho ready >{dir}/heard\nwhile :; do sleep 0.02; done\n"),)
    )
    run(deaf)
    until(HEARD.exists)
    assert run(deaf, present=False) == [("delete", "to be absent")]
    assert not ROOT.exists()


def test_one_that_ends_at_once_is_an_error_with_its_last_words():
    broken = replace(SERVICE, files=(ServiceFile("run", "echo first >&2; echo no such address >&2; exit 3\n"),))
    with pytest.raises(KernelRefused) as error:
        run(broken)
    assert str(error.value) == (
        'service names in web: sh ended as soon as it was started: "no such address"; see /run/docknet/service/names/log, and run again'
    )
    assert run(SERVICE) == [("set", "it does not run, run and live changed")]


def test_one_that_rests_has_begun_and_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(kernel, "START", 30.0)
    monkeypatch.setattr(kernel, "SETTLE", 30.0)
    begin = time.monotonic()
    assert run(replace(SERVICE, command=("sleep", "1000"), files=())) == [("create", "missing")]
    assert time.monotonic() - begin < 20


def test_a_program_that_is_not_there_is_named_with_its_package_and_nothing_is_made():
    with pytest.raises(Unsupported) as error:
        run(replace(SERVICE, command=("dnsmascara",), package="dnsmascara-base"))
    assert (
        str(error.value)
        == "service names in web: the program dnsmascara is not on this host; install the package dnsmascara-base"
    )
    assert not ROOT.exists()


def test_another_owner_s_is_a_conflict_and_nobody_s_too_until_it_is_adopted():
    run(SERVICE, owner="other")
    pid, _words = process()
    for words in ({}, {"adopt": True}, {"present": False}):
        with pytest.raises(Conflict, match='belongs to owner "other"'):
            run(SERVICE, **words)
    (FOLDER / "spec").write_text("{")
    with pytest.raises(Conflict, match="did not make"):
        run(SERVICE)
    assert [action for action, _why in run(SERVICE, adopt=True)] == ["set"]
    assert process()[0] != pid and run(SERVICE) == []


def test_an_owner_s_are_found_without_being_named():
    run(SERVICE)
    run(replace(SERVICE, name="other", netns=None), owner="other")
    run(FILE)
    with Host() as host:
        world = host.observe(Question(owners={"shop"}, owned=True))
    assert list(world.services) == ["names"] and list(world.texts) == [FILE.key]
    assert world.services["names"] == replace(SERVICE, owner="shop")


def test_a_directory_without_a_specification_is_what_a_killed_run_left():
    FOLDER.mkdir(parents=True)
    (FOLDER / "live").write_text("torn")
    assert run(SERVICE) == [("create", "missing")]


def test_what_a_killed_run_left_of_an_owner_s_service_is_found_by_its_name():
    for name in ("shop-names", "mall-names"):
        (FOLDER.parent / name).mkdir(parents=True)
    (FOLDER.parent / "shop-names" / "conf").write_text("torn")
    with Host() as host:
        world = host.observe(Question(owners={"shop"}, owned=True))
        assert world.services == {"shop-names": Service("shop-names", "shop", running=False)}
        list(host.apply(plan([wish(world.services["shop-names"], False)], world).operations, rank, REMOVAL))
    assert os.listdir(FOLDER.parent) == ["mall-names"]


def interrupted(_started):
    raise KeyboardInterrupt


def test_a_run_killed_while_starting_leaves_no_second_process(monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(kernel, "_settled", interrupted)
        run(SERVICE)
    until((FOLDER / "pid").exists)
    pid, _words = process()
    assert run(SERVICE) == [] and process()[0] == pid


def test_what_the_planner_foresees_is_what_is_seen():
    for value in (SERVICE, live("two\n"), replace(SERVICE, netns=None), FILE, replace(FILE, lines=("search lan",))):
        for present in (True, False, True):
            wanted = [wish(value, present)]
            with Host() as host:
                foreseen = plan(wanted, host.observe(question(wanted)))
                list(host.apply(foreseen.operations, rank, REMOVAL))
                seen = host.observe(question(wanted))
            assert (seen.services, seen.texts) == (foreseen.world.services, foreseen.world.texts)


def test_whoever_may_not_read_run_docknet_is_no_obstacle():
    """A name server runs as nobody and reads its names again."""
    os.makedirs("/run/docknet", mode=0o700)
    umask = os.umask(0o077)
    try:
        run(SERVICE)
    finally:
        os.umask(umask)
    for place in (FOLDER, ROOT, ROOT.parent):
        assert stat.S_IMODE(place.stat().st_mode) == 0o755
    assert stat.S_IMODE((FOLDER / "live").stat().st_mode) == 0o644


@pytest.fixture(name="systemd")
def fixture_systemd(monkeypatch):
    """A host that systemd runs on: its two programs write down what they are asked, and start as systemd would."""
    os.makedirs("/run/systemd/system")
    folder = Path("/run/bin")
    folder.mkdir()
    (folder / "systemd-run").write_text(
        '#!/bin/sh\nfor word; do printf "%s\\0" "$word"; done >/run/asked\n'
        "for word; do case $word in --property=NetworkNamespacePath=*) place=${word#*Path=};; esac; done\n"
        'while [ "$1" != -- ]; do shift; done; shift\n'
        # What systemd.service(5) does with a word: two dollar signs are one.
        'first=$1 dash=$2 script=$(printf "%s" "$3" | sed "s/[$][$]/$/g"); shift 3\n'
        'nsenter --net="$place" "$first" "$dash" "$script" "$@" </dev/null >/dev/null 2>&1 &\n'
    )
    (folder / "systemctl").write_text('#!/bin/sh\necho "$@" >>/run/told\n')
    for one in folder.iterdir():
        one.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.usefixtures("systemd")
def test_where_systemd_runs_it_is_a_transient_unit_of_it():
    assert run(SERVICE) == [("create", "missing")]
    words = Path("/run/asked").read_text().split("\0")
    assert words[: words.index("--")] == [
        "--quiet",
        "--collect",
        "--no-ask-password",
        "--unit=docknet-names.service",
        "--description=service names in web",
        "--property=Type=exec",
        "--property=Restart=on-failure",
        "--property=RestartSec=1",
        f"--property=WorkingDirectory={FOLDER}",
        "--property=StandardOutput=null",
        f"--property=StandardError=append:{FOLDER}/log",
        "--property=NetworkNamespacePath=/run/netns/web",
    ]
    assert run(SERVICE) == []
    run(SERVICE, present=False)
    assert Path("/run/told").read_text().split("\n")[-2] == "stop docknet-names.service"
    assert not ROOT.exists()


def test_systemd_run_knows_all_the_options_it_is_given():
    """Asked in a place without systemd it must complain of that, and of no option."""
    words = kernel.unit(SERVICE, ["/bin/true"], str(FOLDER), f"{FOLDER}/log")
    answer = program.ask("x", "systemd-run", words, "", 10.0, "install it")
    assert answer.code and "bus" in answer.err.lower(), answer.err


# -- small files ----------------------------------------------------------------------------------------------


def test_a_file_is_made_with_its_directory_and_goes_with_it():
    assert run(FILE) == [("create", "missing")]
    path = Path(FILE.key.path)
    assert path.read_text() == (
        "# docknet@shop: this file is written anew whenever its topology changes\nnameserver 10.0.0.1\noptions ndots:0\n"
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o644 and os.listdir(path.parent) == ["resolv.conf"]
    assert run(FILE) == []
    assert run(FILE, present=False) == [("delete", "to be absent")]
    assert not os.path.exists("/etc/netns")
    assert run(FILE, present=False) == []


def test_a_file_is_written_under_whoever_has_it_bound():
    run(FILE)
    Path("/run/bound").touch()
    call("mount", FILE.key.path.encode(), b"/run/bound", None, MS_BIND, None)
    shorter = replace(FILE, lines=("nameserver 9.9.9.9",))
    assert run(shorter) == [("set", '"nameserver 9.9.9.9" in place of "nameserver 10.0.0.1"')]
    assert Path("/run/bound").read_text() == replace(shorter, owner="shop").content
    run(shorter, present=False)
    assert Path("/run/bound").read_text() == "", "it asks nobody that is gone"
    sh("umount /run/bound")


def test_a_file_of_somebody_else_is_left_alone_until_it_is_adopted():
    path = Path(FILE.key.path)
    path.parent.mkdir(parents=True)
    path.write_text("nameserver 1.1.1.1\n")
    for words in ({}, {"present": False}):
        with pytest.raises(Conflict, match="did not make"):
            run(FILE, **words)
    assert path.read_text() == "nameserver 1.1.1.1\n"
    assert run(FILE, adopt=True) == [("set", "adopted")]
    with pytest.raises(Conflict, match='belongs to owner "shop"'):
        run(FILE, owner="other", adopt=True)
    (path.parent / "hosts").touch()
    run(FILE, present=False)
    assert os.listdir(path.parent) == ["hosts"]


@pytest.mark.parametrize("trap", ["file", "directory"])
def test_a_symbolic_link_is_followed_nowhere(trap):
    Path("/run/elsewhere").mkdir()
    Path("/run/elsewhere/resolv.conf").write_text("theirs\n")
    if trap == "file":
        Path("/etc/netns/web").mkdir(parents=True)
        Path(FILE.key.path).symlink_to("/run/elsewhere/resolv.conf")
    else:
        Path("/etc/netns").mkdir()
        Path("/etc/netns/web").symlink_to("/run/elsewhere")
    for words in ({}, {"adopt": True}, {"present": False}):
        with pytest.raises(Conflict, match=r"symbolic link"):
            run(FILE, **words)
    assert Path("/run/elsewhere/resolv.conf").read_text() == "theirs\n"
    with Host() as host:
        assert host.observe(Question(owners={"shop"}, owned=True)).texts == {}


def test_a_file_that_cannot_be_written_whole_is_what_it_was(monkeypatch):
    run(FILE)
    before = Path(FILE.key.path).read_bytes()
    real, calls = os.pwrite, []

    def full(file, data, offset):
        calls.append(offset)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real(file, data[:20], offset) if len(calls) == 1 else real(file, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(KernelRefused, match="No space left"):
        run(replace(FILE, lines=("search a.rather.long.domain",) * 3))
    assert Path(FILE.key.path).read_bytes() == before


# -- addresses from the LAN -----------------------------------------------------------------------------------


@pytest.fixture(name="leases")
def fixture_leases():
    """A LAN at eth1 of the host, where dnsmasq leases addresses; yields the file in which it says which."""
    sh(
        "ip netns add lan; ip link add eth1 type veth peer name lan0 netns lan; ip link set eth1 up"
        "; ip -n lan link set lan0 up; ip -n lan address add 10.9.0.1/24 dev lan0"
    )
    server = subprocess.Popen(
        "exec ip netns exec lan dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --no-ping --pid-file="
        " --dhcp-range=10.9.0.50,10.9.0.60,1h --dhcp-option=option:router,10.9.0.1"
        " --dhcp-option=option:dns-server,10.9.0.1 --dhcp-leasefile=/run/leases --log-facility=/run/lan",
        shell=True,
    )
    try:
        yield Path("/run/leases")
    finally:
        server.kill()
        server.wait()


def addressed(netns):
    """The address and the next hop that the interface eth0 has got, once it has."""
    until(lambda: ip(f"-n {netns} -4 route show default"), 10.0)
    (route,) = ip(f"-n {netns} -4 route show default")
    (address,) = ip(f"-n {netns} -4 address show dev eth0")[0]["addr_info"]
    assert ip_address(address["local"]) >= ip_address("10.9.0.50") and address["prefixlen"] == 24
    assert (route["gateway"], route["dev"]) == ("10.9.0.1", "eth0")
    sh(f"ip netns exec {netns} ping -c 1 -W 2 10.9.0.1")


def test_an_interface_takes_its_address_from_the_lan_and_gives_it_back(leases):
    Path("/etc/resolv.conf").write_text("nameserver 192.0.2.1\n")
    sh("ip link add link eth1 name eth0 netns web type macvlan mode bridge; ip -n web link set eth0 up")
    asks = client("shop", "web", "lan", "eth0", "web")
    assert run(asks) == [("create", "missing")]
    addressed("web")
    assert leases.read_text().split()[3] == "web", "the LAN knows its name"
    assert run(asks) == []
    assert Path("/etc/resolv.conf").read_text() == "nameserver 192.0.2.1\n" and not os.path.exists("/etc/netns")
    assert sh("ip -4 -o address show; ip -4 route") == "", "nothing of it is on the host"
    assert run(asks, present=False) == [("delete", "to be absent")]
    until(lambda: leases.read_text() == "")
    assert sh("ip -n web -4 -o address show") == ""
    assert os.listdir("/run/docknet") == []


def test_a_topology_s_container_takes_its_address_from_the_lan_and_gives_it_back(leases):
    lan = {"driver": "macvlan", "ipam": {"driver": "dhcp"}, "driver_opts": {"parent": "eth1"}}
    document = {"name": "shop", "networks": {"lan": lan}, "containers": {"till": {"networks": ["lan"]}}}
    assert module("topology", topology=document).get("msg") is None
    addressed("till")
    again = module("topology", topology=document)
    assert (again.get("msg"), again["changed"], again["actions"]) == (None, False, [])
    assert module("topology", topology={"name": "shop"}, state="absent")["changed"]
    until(lambda: leases.read_text() == "")
    assert not ROOT.exists() and "till" not in os.listdir("/run/netns")
