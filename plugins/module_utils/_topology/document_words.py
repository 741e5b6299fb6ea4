# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Compose's words that a container has no use for here, and those that stand in the wrong place."""

from __future__ import annotations

RUNS = "networks are made here, and no processes are run"


IDLE = dict.fromkeys(
    """annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs cpu_count cpu_percent
    cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset credential_spec depends_on deploy develop
    device_cgroup_rules devices entrypoint env_file environment gpus group_add healthcheck image init ipc isolation
    label_file logging mem_limit mem_reservation mem_swappiness memswap_limit models oom_kill_disable oom_score_adj pid
    pids_limit platform post_start pre_stop privileged profiles provider pull_policy read_only restart runtime scale
    secrets security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt tmpfs tty ulimits use_api_socket
    user userns_mode uts volumes volumes_from working_dir""".split(),
    RUNS,
)

OF_NETWORK = "say it of one of its networks: networks: {NETWORK: {%s: ...}}"
STRANGE = {
    **{
        key: OF_NETWORK % key
        for key in (
            "aliases",
            "ipv4_address",
            "ipv6_address",
            "interface_name",
            "gw_priority",
            "priority",
            "driver_opts",
            "link_local_ips",
        )
    },
    "container_name": "its key in containers is its name; hostname and netns_name choose others",
    "domainname": "write the whole name in hostname",
    "external_links": "write the other container into this document, or its address into extra_hosts",
    "extends": "nothing is read from other files; use anchors (& and *) and << of YAML",
    "network": "write networks: [NETWORK]",
    "net": "write network_mode",
    "publish": "write ports",
    "ip": "write networks: {NETWORK: {ipv4_address: ...}}",
}

TOP_IDLE = {
    "version": "there is one version of the document",
    **dict.fromkeys(("volumes", "configs", "secrets", "models"), RUNS),
}
TOP_STRANGE = {
    "services": "they are called containers here",
    "include": "nothing is read from other files; merge documents with Ansible's combine filter",
}
