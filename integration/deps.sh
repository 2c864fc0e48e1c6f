#!/bin/bash
# deps.sh PACKAGE... installs Debian packages that tests need, as root, and nothing that they bring along serves on this machine: not now, not
# after the next boot. It removes no package: where one is in the way, apt-get says so and nothing is installed.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d before=$(mktemp) ours=
trap 'rm -f "$before"; [ -z "$ours" ] || rm -f "$policy"' EXIT
if [ ! -e "$policy" ]; then
  ours=1
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
installed() { dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | awk '$1 == "ii" {print $2}' | sort; }
installed >"$before"
apt-get update -qq
apt-get install -y -qq --no-install-recommends --no-remove "$@" >/dev/null
command -v systemctl >/dev/null || exit 0
installed | comm -13 "$before" - | while read -r package; do
  { dpkg -L "$package" | sed -n 's#^.*/systemd/system/\([^/@]*\.service\)$#\1#p; s#^/etc/init\.d/\(.*\)$#\1.service#p' || true; } | while read -r unit; do
    systemctl disable --quiet "$unit" 2>/dev/null || true
  done
done
