# shellcheck shell=sh

# The inside of a lab host. lab.py runs it as the first process of new network, mount, UTS and PID
# namespaces:  sh -eu host.sh NAME  with the lines of /etc/hosts on standard input, ended by "end".
#
# It answers with its process id as the machine sees it, and waits for a line before it stays: when
# lab.py dies on the way, it reads the end of its input instead, and the half-made host is gone with it.

# mount -n: mount(8) would else note things in the machine's /run/mount.

name=$1

# The machine's /proc is still mounted, so this is the machine's number for this process.
read -r pid _ </proc/self/stat
mount -n -t proc -o nosuid,nodev,noexec proc /proc
echo "$name" >/proc/sys/kernel/hostname
# The first network namespace hands its forwarding switch down; a new machine has it off.
echo 0 >/proc/sys/net/ipv4/ip_forward

# /etc: the machine's, under a layer in memory. resolv.conf is copied: it may point into the machine's /run, or be
# a container engine's mount over the file, which is no part of the lower layer.
mount -n -t tmpfs -o mode=0755 lab /var/lib/docknet
mkdir /var/lib/docknet/upper /var/lib/docknet/work
if [ -e /etc/resolv.conf ]; then cp -L /etc/resolv.conf /var/lib/docknet/upper/; fi
echo "$name" >/var/lib/docknet/upper/hostname
while read -r line && [ "$line" != end ]; do
    echo "$line"
done >/var/lib/docknet/upper/hosts
mount -n -t overlay -o lowerdir=/etc,upperdir=/var/lib/docknet/upper,workdir=/var/lib/docknet/work lab /etc
rm -rf /etc/netns
umount -n -l /var/lib/docknet

mount -n -t tmpfs -o mode=0755 lab /var/lib/docknet
mount -n -t tmpfs -o mode=0755 lab /run
# Daemons leave things there that are to go with the host.
mount -n -t tmpfs -o mode=1777 lab /var/tmp
mkdir -m 1777 /run/lock

# sysfs shows the devices of the network namespace it was mounted in; the control groups stay in sight.
mkdir /run/sys
mount -n -t sysfs -o nosuid,nodev,noexec sysfs /run/sys
if [ -d /run/sys/fs/cgroup ]; then mount -n --rbind /sys/fs/cgroup /run/sys/fs/cgroup; fi
mount -n --move /run/sys /sys
rmdir /run/sys

echo "ready $pid"
read -r _
# The first process of a PID namespace inherits its orphans: with CHLD ignored the kernel reaps them.
exec env --ignore-signal=CHLD sleep infinity </dev/null >/dev/null 2>&1
