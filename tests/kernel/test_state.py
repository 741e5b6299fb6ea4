# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saved specifications on a real file system: whole, root's alone, gone without a trace."""

from __future__ import annotations

import os
import stat
import threading
import time
from ipaddress import ip_address

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._kernel import state as files
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import Conflict, DocknetError
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Operation, Question
from ansible_collections.netwright.docknet.plugins.module_utils._model.state import Allocation, Lease, State
from ansible_collections.netwright.docknet.plugins.module_utils._model.statefile import DamagedState, encode
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.machine import sh

WHERE = "/var/lib/docknet"
FILE = f"{WHERE}/shop.json"
SHOP = State("shop", "one", {"name": "shop"}, Allocation(endpoints={("web", "front"): Lease(ip_address("172.18.0.2"))}))

pytestmark = pytest.mark.usefixtures("machine")


def do(action, state):
    with Host() as host:
        return [error for _operation, error in files.change(host, [Operation(action, state, "", "topology shop")])]


def seen(**words):
    with Host() as host:
        return host.observe(Question(**words)).states


def test_written_read_and_removed():
    assert seen(states=True) == {}
    mask = os.umask(0o777)
    try:
        assert do("create", SHOP) == [None]
    finally:
        os.umask(mask)
    status = os.stat(FILE)
    assert stat.S_IMODE(status.st_mode) == 0o600 and status.st_uid == 0
    assert stat.S_IMODE(os.stat(WHERE).st_mode) == 0o755
    assert seen(states=True) == seen(survey=True) == {"shop": SHOP} and seen() == {}
    assert do("create", State("other.one")) == [None]
    assert sorted(seen(states=True)) == ["other.one", "shop"]
    assert do("delete", SHOP) == do("delete", SHOP) == [None]
    assert os.listdir(WHERE) == ["other.one.json"]
    assert do("delete", State("other.one")) == [None]
    assert not os.path.exists(WHERE)


def test_what_is_no_state_of_ours_is_not_looked_at():
    os.makedirs(WHERE)
    for name in (".shop.json.docknet", "shop.json~", "notes", "a b.json"):
        with open(f"{WHERE}/{name}", "w", encoding="ascii") as file:
            file.write("torn")
    assert seen(states=True) == {}
    assert do("set", SHOP) == [None]
    assert seen(states=True) == {"shop": SHOP}
    assert do("delete", SHOP) == [None]
    assert sorted(os.listdir(WHERE)) == ["a b.json", "notes", "shop.json~"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", encode(SHOP).encode()[:100]])
def test_a_damaged_one_is_an_error(content):
    os.makedirs(WHERE)
    with open(FILE, "wb") as file:
        file.write(content)
    with pytest.raises(DamagedState, match="remove the file"):
        seen(states=True)
    assert do("set", SHOP) == [None] and seen(states=True) == {"shop": SHOP}


def test_a_link_to_another_file_is_not_followed():
    os.makedirs(WHERE)
    with open("/var/lib/precious", "w", encoding="ascii") as file:
        file.write(encode(SHOP))
    os.symlink("/var/lib/precious", FILE)
    os.symlink("/var/lib/precious", f"{WHERE}/.shop.json.docknet")
    with pytest.raises(Conflict, match="is a symbolic link"):
        seen(states=True)
    assert do("set", State("shop")) == [None]
    with open("/var/lib/precious", encoding="ascii") as file:
        assert file.read() == encode(SHOP)
    assert seen(states=True) == {"shop": State("shop")}


def test_whoever_reads_while_it_is_written_sees_one_or_the_other():
    states = [State("shop", document={"x": letter * 200_000}) for letter in "ab"]
    whole = {encode(state) for state in states}
    do("create", states[0])
    end, found = threading.Event(), set()
    others = set(os.listdir("/proc/self/task"))

    def read():
        while not end.is_set():
            with open(FILE, encoding="ascii") as file:
                found.add(file.read())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        do("set", states[number % 2])
    end.set()
    reader.join()
    # A joined thread ends a moment later, and this machine not before.
    while set(os.listdir("/proc/self/task")) - others:
        time.sleep(0.001)
    assert found == whole


def test_a_full_disk_leaves_the_old_one():
    do("create", SHOP)
    sh(f"mount -t tmpfs -o size=16k small {WHERE}")
    do("create", SHOP)
    (error,) = do("set", State("shop", document={"x": "y" * 100_000}))
    assert isinstance(error, DocknetError) and "cannot be written: No space left on device" in str(error)
    assert os.listdir(WHERE) == ["shop.json"] and seen(states=True) == {"shop": SHOP}
    # A mounted directory cannot be removed, and is left.
    assert do("delete", SHOP) == [None] and os.listdir(WHERE) == []


def test_a_lost_file_is_made_again_from_what_is_seen():
    everybody = {name: {"networks": ["front", "back"], "ports": ["80"]} for name in ("first", "web", "db")}
    networks = {
        "front": {"enable_ipv6": True},
        "back": {"driver_opts": {"gateway_mode_ipv4": "isolated"}, "internal": True},
    }
    whole = {"name": "shop", "networks": networks, "containers": everybody}
    left = {**whole, "containers": {name: everybody[name] for name in ("web", "db")}}
    sh("ip link set lo up")
    try:
        assert not call("topology", topology=whole).get("failed")
        kept = call("topology", topology=left)
        with open(FILE, encoding="ascii") as file:
            saved = file.read()
        os.unlink(FILE)
        again = call("topology", topology=left)
        assert [(one["action"], one["object"]) for one in again["actions"]] == [("create", "state shop")], again
        assert again["topology"] == kept["topology"]
        with open(FILE, encoding="ascii") as file:
            assert file.read() == saved
        assert '"ipv4": "172.18.0.2"' not in saved
    finally:
        assert not call("topology", topology={"name": "shop"}, state="absent").get("failed")
    assert not os.path.exists(WHERE)
