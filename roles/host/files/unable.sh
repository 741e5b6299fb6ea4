# shellcheck shell=sh
# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Prints, each on a line, what this kernel cannot do: of the types of links given, and address translation.
# To be run in a network namespace of its own. Trying makes the kernel load the modules that it has as files.

PATH=$PATH:/usr/sbin:/sbin

ip link add parent type veth
for type in "$@"; do
    # The type is one word or several, as in "vlan id 2".
    # shellcheck disable=SC2086
    if ip link add link parent name try type $type; then ip link del try; else echo "links of type ${type%% *}"; fi
done
echo 'add table inet try { chain c { type nat hook postrouting priority 100; masquerade; }; }' | nft -f - ||
    echo "address translation with nftables"
