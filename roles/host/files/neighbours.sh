# shellcheck shell=sh
# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# For a kernel that is to know $1 neighbours in each family: all limits as they have to be, in the words of sysctl.conf(5); nothing
# where none is lower. Up to the first limit none is forgotten, over the second they are soon, over the third none comes (arp(7)).

cd /proc/sys/net || exit
lines='' low=''
for family in ipv4 ipv6; do
    for limit in "1 $(($1 / 8))" "2 $(($1 / 2))" "3 $1"; do
        name=$family/neigh/default/gc_thresh${limit% *}
        [ -e "$name" ] || continue
        # Not by read, which takes a byte at a time: the kernel gives a setting at once or not at all.
        value=$(cat "$name")
        if [ "$value" -lt "${limit#* }" ]; then
            value=${limit#* } low=yes
        fi
        lines="${lines}net/$name = $value
"
    done
done
[ -z "$low" ] || printf %s "$lines"
