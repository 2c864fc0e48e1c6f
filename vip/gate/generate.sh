#!/bin/sh
# Compiles bpf/gate.c. The result is committed, so that nobody needs a compiler for it who does not change it.
for f in clang:/usr/bin/clang llvm:/usr/bin/llvm-strip libbpf-dev:/usr/include/bpf/bpf_helpers.h; do
	[ -e "${f#*:}" ] || missing="$missing ${f%%:*}"
done
if [ -n "$missing" ]; then
	echo "vip/gate: the committed object is kept; to compile bpf/gate.c anew: apt-get install$missing" >&2
	exit 0
fi
# The architecture's own headers; what is taken from them is the same on all.
exec go run github.com/cilium/ebpf/cmd/bpf2go -go-package gate -tags linux -target bpfel -output-stem object -no-global-types object bpf/gate.c -- \
	-O2 -Wall -Werror "-I/usr/include/$(uname -m)-linux-gnu"
