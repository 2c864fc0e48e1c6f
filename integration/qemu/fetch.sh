#!/bin/sh
# fetch.sh DIRECTORY: downloads Debian's cloud kernel and busybox, and unpacks them there, unless they are there already. Nothing is installed: no package of a kernel
# touches the host's boot loader.
set -eu
dir=$1
[ ! -e "$dir/bin/busybox" ] || exit 0
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || { echo "fetch.sh: apt-get and dpkg-deb are missing: this is not Debian" >&2; exit 1; }
image=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image-/ { print $2; exit }')
if [ -z "$image" ]; then
	[ "$(id -u)" != 0 ] || apt-get update -qq
	image=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-/ { print $2; exit }')
fi
[ -n "$image" ] || { echo "fetch.sh: apt-get knows no linux-image-cloud-amd64: run apt-get update as root" >&2; exit 1; }
mkdir -p "$(dirname "$dir")"
work=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
download() { (cd "$work" && apt-get download -qq "$image" busybox-static 2>"$work/log"); }
download || { [ "$(id -u)" = 0 ] && apt-get update -qq && download; } || { cat "$work/log" >&2; exit 1; } # what apt knows may be old
for deb in "$work"/*.deb; do dpkg-deb -x "$deb" "$work/root"; done
root=$work/root
[ -e "$root/lib/modules" ] || { mkdir -p "$root/lib" && ln -s ../usr/lib/modules "$root/lib/modules"; }
[ -e "$root/bin/busybox" ] || { mkdir -p "$root/bin" && ln -s ../usr/bin/busybox "$root/bin/busybox"; }
PATH=$PATH:/usr/sbin:/sbin depmod -b "$root" "$(ls "$root/lib/modules")"
rm -rf "$dir"
mv "$root" "$dir"
echo "fetched $image into $dir"
