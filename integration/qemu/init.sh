#!/bin/busybox sh
# First process of the guest. Its console is the first serial port; the program's output goes to the second one, and its status to the third.
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TMPDIR=/tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mount -t bpf bpf /sys/fs/bpf
while read -r m; do
	insmod "$m" 2>/dev/null || echo "qemu: module $m cannot be loaded"
done </modules
ip link set lo up
stty -F /dev/ttyS1 -opost 115200
sh /program.sh </dev/null >/dev/ttyS1 2>&1
echo $? >/dev/ttyS2
poweroff -f
