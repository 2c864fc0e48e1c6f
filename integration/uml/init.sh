#!/bin/sh
# First process of the guest. $QUORATE_UML is the directory that the host has prepared.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
D=$QUORATE_UML
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmpfs /run
mkdir -p /run/shm
mount -t tmpfs tmpfs /dev/shm 2>/dev/null
for m in $(cat "$D/modules"); do
	modprobe -d "$D" "$m" || echo "uml: module $m cannot be loaded" >&2
done
ip link set lo up 2>/dev/null
# The program's output has a console of its own, without line feeds turned into carriage return and line feed.
stty -F /dev/tty1 -opost
sh "$D/program" </dev/null >/dev/tty1 2>&1
echo $? >"$D/status"
sync
# Any of these ends the guest; the host kills what is left.
poweroff -f 2>/dev/null
echo o >/proc/sysrq-trigger
