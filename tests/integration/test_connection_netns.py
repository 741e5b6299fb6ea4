# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Ansible runs through the connection netns: into a lab host, a named namespace in it, and one of the controller.

The controller is a lab host itself, so that its named namespaces, files and labs are nobody else's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from ansible_collections.netwright.docknet.tests.lab import lab as tool
from ansible_collections.netwright.docknet.tests.lab.lab import Lab

ANSIBLE = [sys.executable, "-m", "ansible"]
SYSTEM_PYTHON = "/usr/bin/python3"  # one that an unprivileged user may run
AWKWARD = 'it\'s "one" $HOME `id` \\ * ; & | # ü\n\ttwo\n'
FAILED, UNREACHABLE = 2, 4  # what ansible-playbook ends with
# su needs a shell for a user who has none.
BECOME = {"become_method": "sudo"} if shutil.which("sudo") else {"become_method": "su", "become_flags": "-s /bin/sh"}

IN_NODE1 = {"ansible_netns_host": "demo/node1"}
HOSTS = {
    "node1": IN_NODE1,
    "node2": {"ansible_netns_host": "node2"},
    "web": {**IN_NODE1, "ansible_netns": "web"},
    "local": {"ansible_netns": "local"},
}
# Named namespaces with a hosts file of their own: `web` in node1, `local` on the controller.
MAKE_CONTAINER = "ip netns add {0}; mkdir -p /etc/netns/{0}; echo '10.0.0.1 only-in-{0}' > /etc/netns/{0}/hosts"


@pytest.fixture(name="controller", scope="module")
def fixture_controller():
    with Lab(f"netns{os.getpid()}", ["controller"]) as outer:
        controller = outer.hosts["controller"]
        lab = [sys.executable, tool.__file__]
        controller.run([*lab, "up", "--name", "demo", "--hosts", "node1,node2"])
        controller.run(["sh", "-c", MAKE_CONTAINER.format("local")])
        controller.run([*lab, "exec", "demo", "node1", "--", "sh", "-c", MAKE_CONTAINER.format("web")])
        yield controller


@pytest.fixture(name="play")
def fixture_play(controller, tmp_path):
    """Run tasks on inventory hosts: names of HOSTS, or names and variables. Returns the finished ansible-playbook."""

    def play(hosts, tasks, expect=0, **variables):
        if isinstance(hosts, str):
            hosts = {name: HOSTS[name] for name in hosts.split()}
        common = {
            "ansible_connection": "netwright.docknet.netns",
            "ansible_python_interpreter": sys.executable,
            "out": str(tmp_path),
        }
        # As variables of the hosts: they are to win over those of HOSTS.
        inventory = {"all": {"hosts": {name: {**common, **own, **variables} for name, own in hosts.items()}}}
        (tmp_path / "hosts.json").write_text(json.dumps(inventory))
        (tmp_path / "play.json").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
        command = [*ANSIBLE, "playbook", "-i", str(tmp_path / "hosts.json"), str(tmp_path / "play.json")]
        done = controller.run(
            command, check=False, timeout=120, env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORKS": "8"}
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    return play


def command(*argv, **keywords):
    return {"ansible.builtin.command": {"argv": list(argv)}, "register": "said", **keywords}


def shell(line, **keywords):
    return {"ansible.builtin.shell": line, "register": "said", **keywords}


def expect(*conditions):
    return {"ansible.builtin.assert": {"that": list(conditions)}}


# --- where one is


def test_lab_host(play):
    play("node1", [shell("uname -n; ls /sys/class/net"), expect("said.stdout_lines == ['node1', 'eth0', 'lo']")])


def test_lab_host_by_its_bare_name(play):
    play("node2", [command("uname", "-n"), expect("said.stdout == 'node2'")])


def test_lab_host_by_a_process(play, controller):
    state = json.loads(controller.run(["cat", "/run/docknet-lab/demo.json"]).stdout)
    pid = state["hosts"]["node2"]["pid"]
    play("node2", [command("uname", "-n"), expect("said.stdout == 'node2'")], ansible_netns_host=pid)


def test_named_namespace_with_its_own_etc(play):
    look = "ls /sys/class/net; cat /etc/hosts; ip netns identify; test -s /etc/passwd"
    play(
        "web local",
        [
            shell(look),
            expect("said.stdout_lines == ['lo', '10.0.0.1 only-in-' ~ inventory_hostname, inventory_hostname]"),
        ],
    )


def test_namespace_by_path(play):
    hosts = {
        "a": {**IN_NODE1, "ansible_netns": "/run/netns/web"},
        "b": {**IN_NODE1, "ansible_netns": "/var/run/netns/web"},
        "c": {"ansible_netns": "/run/netns/local"},
    }
    play(
        hosts,
        [
            shell("ls /sys/class/net; ip netns identify"),
            expect("said.stdout_lines == ['lo', ansible_netns | basename]"),
        ],
    )


def test_processes_are_those_of_the_lab_host(play):
    hosts = {"a": {**IN_NODE1, "ansible_netns": "pid:1"}, "b": {**IN_NODE1, "ansible_netns": "/proc/1/ns/net"}}
    play(hosts, [shell("ls /sys/class/net; uname -n"), expect("said.stdout_lines == ['eth0', 'lo', 'node1']")])


def test_facts_are_of_the_namespace(play):
    facts = {"ansible.builtin.setup": {"gather_subset": ["!all", "network"]}, "register": "seen"}
    play("web", [facts, expect("seen.ansible_facts.ansible_interfaces == ['lo']")])
    play("node1", [facts, expect("seen.ansible_facts.ansible_eth0.ipv4.address == '198.51.100.1'")])


def test_sysctls_are_of_the_namespace(play, controller):
    name = "/proc/sys/net/ipv4/ip_default_ttl"
    play("web", [shell(f"echo 99 > {name}"), command("cat", name), expect("said.stdout == '99'")])
    assert controller.run(["cat", name]).stdout == "64\n"


# --- commands


@pytest.mark.parametrize("pipelining", [True, False])
def test_words_arrive_as_they_are(play, pipelining):
    echo = {"argv": ["printf", "%s", AWKWARD, "", "-x"], "expand_argument_vars": False, "strip_empty_ends": False}
    play(
        "node1 web local",
        [{"ansible.builtin.command": echo, "register": "said"}, expect("said.stdout == words ~ '-x'")],
        ansible_pipelining=pipelining,
        words=AWKWARD,
    )


def test_exit_code_output_and_errors(play):
    task = shell("echo out; echo err >&2; exit 7", failed_when=False)
    play("web", [task, expect("said.rc == 7", "said.stdout == 'out'", "said.stderr == 'err'")])


def test_standard_input(play):
    task = {
        "ansible.builtin.command": {
            "cmd": "cat",
            "stdin": AWKWARD,
            "stdin_add_newline": False,
            "strip_empty_ends": False,
        }
    }
    play("node1", [{**task, "register": "said"}, expect("said.stdout == words")], words=AWKWARD)


def test_raw_and_script(play, tmp_path):
    (tmp_path / "script.sh").write_text("#!/bin/sh\nuname -n; echo $1\n")
    raw = {"ansible.builtin.raw": "uname -n; cat /etc/hosts", "register": "said"}
    play("web", [raw, expect("said.stdout_lines == ['node1', '10.0.0.1 only-in-web']")])
    script = {"ansible.builtin.script": {"cmd": f"{tmp_path}/script.sh word"}, "register": "said"}
    play("node2", [script, expect("said.stdout_lines == ['node2', 'word']")])


@pytest.mark.parametrize("pipelining", [True, False])
def test_become(play, pipelining):
    # Only the system's interpreter and /tmp are sure to be open to an unprivileged user.
    out = f"/tmp/netns{os.getpid()}"
    become = {"become": True, "become_user": "nobody", **BECOME}
    tasks = [
        {"ansible.builtin.file": {"path": out, "state": "directory", "owner": "nobody", "mode": "0755"}},
        shell("id -un; cat /etc/hosts", **become),
        expect("said.stdout_lines == ['nobody', '10.0.0.1 only-in-web']"),
        {"ansible.builtin.copy": {"content": "{{ words }}", "dest": f"{out}/file", "mode": "0600"}, **become},
        {"ansible.builtin.stat": {"path": f"{out}/file"}, "register": "seen"},
        expect("seen.stat.pw_name == 'nobody'", f"lookup('file', '{out}/file', rstrip=False) == words"),
        {"ansible.builtin.file": {"path": out, "state": "absent"}},
    ]
    play("web", tasks, ansible_python_interpreter=SYSTEM_PYTHON, ansible_pipelining=pipelining, words=AWKWARD)


def test_async(play):
    tasks = [
        shell("sleep 0.5; cat /etc/hosts", **{"async": 20, "poll": 1}),
        expect("said.stdout == '10.0.0.1 only-in-web'"),
    ]
    play("web", tasks)


def test_a_background_process_goes_on_after_the_task_and_ends_with_its_host(play, controller):
    play("web", [shell("setsid sleep 4711 >/dev/null 2>&1 </dev/null &")])
    seen = controller.run(["pgrep", "--full", "^sleep 4711"]).stdout
    assert len(seen.split()) == 1
    controller.run(["kill", seen.strip()])


# --- files

FOLDERS = [("node1", "/etc"), ("node1", "/run"), ("web", "/etc"), ("web", "/run"), ("web", "/tmp"), ("local", "/tmp")]


@pytest.mark.parametrize("pipelining", [True, False])
def test_files_there_and_back(play, tmp_path, pipelining):
    content = os.urandom(200_000)
    (tmp_path / "content").write_bytes(content)
    hosts = {f"{name}{folder.replace('/', '-')}": {**HOSTS[name], "folder": folder} for name, folder in FOLDERS}
    name = '{{ folder }}/{{ inventory_hostname }} it\'s "a" $name'
    (tmp_path / "words.j2").write_text("{{ inventory_hostname }}: {{ words }}")
    tasks = [
        {"ansible.builtin.copy": {"src": "{{ out }}/content", "dest": name, "mode": "0640"}, "register": "done"},
        expect("done is changed"),
        {"ansible.builtin.copy": {"src": "{{ out }}/content", "dest": name, "mode": "0640"}, "register": "done"},
        expect("done is not changed"),
        {"ansible.builtin.fetch": {"src": name, "dest": "{{ out }}/fetched-{{ inventory_hostname }}", "flat": True}},
        {"ansible.builtin.template": {"src": "{{ out }}/words.j2", "dest": name}},
        {"ansible.builtin.slurp": {"src": name}, "register": "read"},
        expect("read.content | b64decode == inventory_hostname ~ ': ' ~ words"),
        {"ansible.builtin.stat": {"path": name}, "register": "seen"},
        expect("seen.stat.mode == '0640'"),
        {"ansible.builtin.file": {"path": name, "state": "absent"}},
    ]
    play(hosts, tasks, ansible_pipelining=pipelining, words=AWKWARD.rstrip("\n"))
    for host in hosts:
        assert (tmp_path / f"fetched-{host}").read_bytes() == content


def test_files_are_those_seen_inside(play, tmp_path):
    """/etc/hosts of a named namespace is another file than the host's."""
    (tmp_path / "hosts").write_text("10.0.0.1 only-in-web\n10.0.0.2 added\n")
    copy = {"ansible.builtin.copy": {"src": "{{ out }}/hosts", "dest": "/etc/hosts", "unsafe_writes": True}}
    fetch = {"ansible.builtin.fetch": {"src": "/etc/hosts", "dest": "{{ out }}/seen", "flat": True}}
    play("web", [copy])
    play("node1", [fetch, command("grep", "-c", "added", "/etc/netns/web/hosts"), expect("said.stdout == '1'")])
    assert "added" not in (tmp_path / "seen").read_text()
    play("web", [fetch, shell("sed '/added/d' /etc/hosts > /run/h; cat /run/h > /etc/hosts")])
    assert (tmp_path / "seen").read_text() == (tmp_path / "hosts").read_text()


def test_a_transfer_that_fails_is_a_sentence(play, controller):
    full = "mkdir /run/full && mount -t tmpfs -o size=4k full /run/full"
    controller.run([sys.executable, tool.__file__, "exec", "demo", "node1", "--", "sh", "-c", full])
    done = play("web", [command("true")], expect=FAILED, ansible_remote_tmp="/run/full", ansible_pipelining=False)
    assert re.search(r"/run/full/\S+: the file cannot be transferred: dd: .*: No space left on device", done.stdout)


# --- what is refused


NO_NAMESPACE = [
    "a/b",
    "..",
    ".",
    "-x",
    "a b",
    "web\n",
    "wéb",
    "web;id",
    "pid:",
    "pid:1x",
    "lxc:web",
    "/run/../etc",
    "/run/a b",
    "x" * 256,
]
REFUSED = [
    ({**IN_NODE1, "ansible_netns": "wbe"}, 'namespace "wbe" does not exist in lab host demo/node1 (did you mean "web"?)'),
    ({"ansible_netns": "loca"}, 'namespace "loca" does not exist (did you mean "local"?)'),
    ({}, 'namespace "host2" does not exist'),
    ({**IN_NODE1, "ansible_netns": "/run/netns/nowhere"}, 'namespace "/run/netns/nowhere" does not exist in lab host demo/node1'),
    ({**IN_NODE1, "ansible_netns": "pid:999999"}, 'namespace "pid:999999" does not exist in lab host demo/node1'),
    ({**IN_NODE1, "ansible_netns": "/etc/passwd"}, 'namespace "/etc/passwd" cannot be entered in lab host demo/node1: nsenter: '),
    ({"ansible_netns_host": "demo/nod1"}, 'lab host "demo/nod1" does not exist (did you mean "demo/node1"?)'),
    ({"ansible_netns_host": "no\nde"}, 'lab host "no\\nde" does not exist'),
    ({"ansible_netns_host": "999999"}, "lab host 999999: there is no process 999999"),
    *(({"ansible_netns": name}, "cannot be a namespace: give a name")
      for name in NO_NAMESPACE),
]  # fmt: skip


def test_refused_with_a_sentence(play, controller):
    before = controller.run(["ls", "/run/netns"]).stdout
    hosts = {f"host{number}": variables for number, (variables, _sentence) in enumerate(REFUSED)}
    done = play(hosts, [command("true")], expect=UNREACHABLE)
    said = {
        host: json.loads(result)["msg"]
        for host, result in re.findall(r"^fatal: \[(.*)\]: UNREACHABLE! => (.*)", done.stdout, re.MULTILINE)
    }
    missing = {
        host: (sentence, said.get(host))
        for host, (_variables, sentence) in zip(hosts, REFUSED)
        if sentence not in said.get(host, "")
    }
    assert not missing
    assert "Traceback" not in done.stdout + done.stderr
    assert controller.run(["ls", "/run/netns"]).stdout == before


def json_text(text):
    return text.replace('\\"', '"').replace("\\\\", "\\")


def test_a_plain_file_in_run_netns_is_no_namespace(play):
    play("node1", [command("touch", "/run/netns/plain")])
    done = play("web", [command("true")], expect=UNREACHABLE, ansible_netns="plain")
    assert 'namespace "plain" cannot be entered in lab host demo/node1' in json_text(done.stdout)
    play("node1", [command("test", "-f", "/run/netns/plain"), command("rm", "/run/netns/plain")])


def test_a_namespace_that_never_answers_does_not_hang(play):
    play("node1", [command("mkfifo", "/run/fifo")])
    done = play("web", [command("true")], expect=UNREACHABLE, ansible_netns="/run/fifo", ansible_netns_timeout=1)
    assert "it gives no answer in time" in done.stdout


def test_a_host_name_in_two_labs_asks_which(play, controller):
    lab = [sys.executable, tool.__file__]
    controller.run([*lab, "up", "--name", "second", "--hosts", "node2"])
    try:
        done = play("node2", [command("true")], expect=UNREACHABLE)
        assert 'lab host "node2" is in several labs; say which: demo/node2, second/node2' in json_text(done.stdout)
        play("node2", [command("uname", "-n"), expect("said.stdout == 'node2'")], ansible_netns_host="second/node2")
    finally:
        controller.run([*lab, "down", "--name", "second"])


def test_a_lab_host_that_died(play, controller):
    lab = [sys.executable, tool.__file__]
    controller.run([*lab, "up", "--name", "second", "--hosts", "dead"])
    pid = json.loads(controller.run(["cat", "/run/docknet-lab/second.json"]).stdout)["hosts"]["dead"]["pid"]
    controller.run(["kill", "-KILL", str(pid)])
    done = play({"dead": {"ansible_netns_host": "second/dead"}}, [command("true")], expect=UNREACHABLE)
    assert "lab host second/dead is no longer running; take its lab down and up again" in done.stdout
    controller.run([*lab, "down", "--name", "second"])


def test_a_lab_host_that_dies_under_a_task_is_unreachable(play, controller):
    lab = [sys.executable, tool.__file__]
    controller.run([*lab, "up", "--name", "second", "--hosts", "dying"])
    pid = json.loads(controller.run(["cat", "/run/docknet-lab/second.json"]).stdout)["hosts"]["dying"]["pid"]
    wait_and_kill = f"until pgrep -xf 'sleep 4217'; do sleep 0.05; done; kill -KILL {pid}"
    with controller.popen(["sh", "-c", wait_and_kill], stdout=subprocess.DEVNULL):
        done = play({"dying": {"ansible_netns_host": "second/dying"}}, [shell("sleep 4217")], expect=UNREACHABLE)
    assert "lab host second/dying ended while a task ran in it" in done.stdout
    controller.run([*lab, "down", "--name", "second"])


def test_without_root(controller):
    # An ordinary user who may read what root has installed, so that Ansible itself starts.
    user = ["setpriv", "--reuid=65534", "--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]
    adhoc = [*ANSIBLE, "adhoc", "-i", "local,", "-c", "netwright.docknet.netns", "local", "-m", "command", "-a", "true"]
    done = controller.run([*user, *adhoc], check=False, timeout=60)
    assert done.returncode == UNREACHABLE
    assert "connection netns: entering a namespace needs root on the controller; run Ansible as root" in done.stdout


def test_an_interrupted_run_leaves_no_command_behind(controller):
    adhoc = [
        *ANSIBLE,
        "adhoc",
        "-i",
        "local,",
        "-c",
        "netwright.docknet.netns",
        "local",
        "-m",
        "raw",
        "-a",
        "sleep 4712",
    ]
    run = controller.popen(adhoc, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 30
    while controller.run(["pgrep", "--full", "^sleep 4712"], check=False).returncode:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(run.pid, signal.SIGINT)
    run.wait(timeout=30)
    while controller.run(["pgrep", "--full", "^sleep 4712"], check=False).returncode == 0:
        assert time.monotonic() < deadline
        time.sleep(0.1)
