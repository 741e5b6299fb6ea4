# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection's sentences, and what it takes for a namespace and for a lab host."""

from __future__ import annotations

import os
import subprocess

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.netwright.docknet.plugins.connection import netns


@pytest.mark.parametrize("name", ["web", "web.1", "_x", "WEB-2", "4242", "a" * 255])
def test_names(name):
    netns.checked(name, netns.NAME, name)


@pytest.mark.parametrize("path", ["/proc/4242/ns/net", "/run/netns/web", "/x..y"])
def test_paths(path):
    netns.checked(path, netns.PATH, path)


@pytest.mark.parametrize("name", ["", ".", "..", ".x", "-x", "a/b", "a b", "a\n", "é", "a" * 256])
def test_no_names(name):
    with pytest.raises(AnsibleConnectionFailure, match="cannot be a namespace: give a name"):
        netns.checked(name, netns.NAME, name)


@pytest.mark.parametrize("path", ["/", "/a b", "/a\n", "/run/..", "/run/../etc", "/é"])
def test_no_paths(path):
    with pytest.raises(AnsibleConnectionFailure, match="cannot be a namespace: give a name"):
        netns.checked(path, netns.PATH, path)


def test_a_sentence_is_one_line():
    assert "\n" not in str(netns.refused("a\nb"))
    assert netns.reason(b"first\n   second\n\n") == "first; second"
    assert netns.reason(b" \n") == "no reason given"


def test_suggestion():
    assert netns.did_you_mean("wbe", ["db", "web"]) == ' (did you mean "web"?)'
    assert netns.did_you_mean("wbe", ["db"]) == ""


@pytest.mark.parametrize("form", ["{}", "pid:{}"])
def test_host_by_process(form):
    text = form.format(os.getpid())
    assert netns.find_host(text) == (f"of process {os.getpid()}", os.getpid())


def test_host_by_a_process_that_ended():
    ended = subprocess.Popen(["true"])
    ended.wait()
    with pytest.raises(AnsibleConnectionFailure, match=f"lab host {ended.pid}: there is no process {ended.pid}"):
        netns.find_host(str(ended.pid))


@pytest.mark.parametrize("text", [None, ""])
def test_no_host(text):
    assert netns.find_host(text) == ("", 0)


def test_a_zombie_has_ended():
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    assert netns.start_time(zombie.pid) is None
    zombie.wait()
