# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel settings that change others: the table of them against the kernel, and runs that set both."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.inheritance import TABLE, handed_on
from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.machine import sh

ROOT = Path("/proc/sys/net")
pytestmark = pytest.mark.usefixtures("machine")


def path_of(file: Path) -> tuple[str, ...]:
    return ("net", *file.relative_to(ROOT).parts)


def everything() -> dict[tuple[str, ...], str]:
    files = [
        ROOT / "ipv4/ip_forward",
        *(file for family in ("ipv4", "ipv6") for file in (ROOT / family / "conf").glob("*/*")),
    ]
    return {path_of(file): file.read_text().strip() for file in files if file.name != "stable_secret"}


def another(file: Path) -> str | None:
    """The setting with another value than it had."""
    old = file.read_text().strip()
    for value in ("1", "0", "2"):
        if value != old:
            try:
                file.write_text(value)
            except OSError:
                continue
            if file.read_text().strip() == value:
                return value
    return None


def test_which_settings_change_others_is_what_this_kernel_does():
    """`bare` has no address and has been told nothing; `told` has an address."""
    sh("ip link add bare type dummy 2>/dev/null || ip link add bare type bridge; ip link add told type bridge")
    sh("ip link set lo up; ip address add 192.0.2.1/24 dev told")
    seen, after = set(), everything()
    wide = [ROOT / "ipv4/ip_forward"]
    wide += [
        file
        for family in ("ipv4", "ipv6")
        for at in ("all", "default")
        for file in sorted((ROOT / family / "conf" / at).iterdir())
    ]
    for file in wide:
        if file.name == "stable_secret":
            continue
        before, path = after, path_of(file)
        value = another(file)
        after = everything()
        changed = {other: text for other, text in after.items() if text != before[other] and other != path}
        foretold = dict(handed_on(path, value, before, frozenset(("lo", "told")))) if value else {}
        # What is there already does not change.
        foretold = {other: text for other, text in foretold.items() if text != before[other]}
        assert changed.keys() == foretold.keys(), path
        assert all(text in (None, changed[other]) for other, text in foretold.items()), path
        if changed:
            seen.add((path[1], path[-1]))
    there = {one for one in TABLE if (ROOT / one[0] / "conf/all" / one[1]).exists()}
    assert there <= seen


def namespace(**sysctls: str) -> dict:
    words = {name.replace("__", "."): value for name, value in sysctls.items()}
    answer = call("netns", name="web", sysctls=words)
    assert not answer.get("failed"), answer
    return answer


def value(name: str) -> str:
    return sh(f"ip netns exec web cat /proc/sys/{name.replace('.', '/')}").strip()


@pytest.mark.parametrize("new", ["1", "0"])
def test_a_setting_of_all_interfaces_beside_one_of_an_interface(new):
    """In either order in the task; each run leaves both as asked, and the next has nothing to do."""
    old = str(1 - int(new))
    names = "net.ipv6.conf.all.disable_ipv6", "net.ipv6.conf.eth0.disable_ipv6"
    sh("ip netns add web; ip -n web link add eth0 type bridge")
    sh("ip -n web link set lo up; ip link property add dev lo altname x 2>/dev/null || true")
    for words in ({names[0]: new, names[1]: old}, {names[1]: new, names[0]: old}):
        for expected in (True, False):
            answer = call("netns", name="web", adopt=True, sysctls=words)
            assert not answer.get("failed"), answer
            assert answer["changed"] is expected, answer["actions"]
        assert {name: value(name) for name in names} == words


def test_forwarding_has_two_names_and_turns_redirects():
    assert namespace(net__ipv4__ip_forward="1", net__ipv4__conf__all__accept_redirects="1")["changed"]
    again = namespace(net__ipv4__conf__all__accept_redirects="1", net__ipv4__conf__all__forwarding="1")
    assert not again["changed"], again["actions"]
    assert (value("net.ipv4.conf.lo.forwarding"), value("net.ipv4.conf.all.accept_redirects")) == ("1", "1")


def test_one_setting_under_two_names_has_one_value():
    answer = call("netns", name="web", sysctls={"net.ipv4.ip_forward": 1, "net.ipv4.conf.all.forwarding": 0})
    assert answer["failed"]
    assert "net.ipv4.ip_forward and net.ipv4.conf.all.forwarding are one setting" in answer["msg"]


def test_what_interfaces_follow_of_default():
    """Of IPv4, where they have neither been told nor have an address: asked for beside it, both come to be."""
    sh("ip netns add web; ip -n web link add eth0 type bridge; ip -n web link set lo up")
    words = {"net.ipv4.conf.eth0.log_martians": 0, "net.ipv4.conf.default.log_martians": 1}
    call("netns", name="web", adopt=True, sysctls=words)
    assert (value("net.ipv4.conf.eth0.log_martians"), value("net.ipv4.conf.default.log_martians")) == ("0", "1")
    assert not call("netns", name="web", adopt=True, sysctls=words)["changed"]
