#!/usr/bin/env bash
# Installs what building and testing needs and this machine lacks (Debian 12, Ubuntu 24.04). Asks for sudo only when something is missing.
#
#   tests/install_packages.sh [build|all]     "build": only what the build needs; "all": also Go (450 MB) for the tests of a Go program, and
#                                             the other stacks that tests/bench measures
set -euo pipefail

build=(g++ cmake ninja-build ccache pkg-config libfmt-dev libpcap-dev zlib1g-dev libzstd-dev liburing-dev libxdp-dev libbpf-dev libc-ares-dev libcli11-dev nlohmann-json3-dev libtomlplusplus-dev libpugixml-dev)
run=(iproute2 iputils-ping curl tcpdump ethtool)
test=(libgtest-dev libgmock-dev valgrind clang-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev tshark nmap wrk netcat-openbsd traceroute
      dnsmasq-base nftables python3 binutils util-linux
      iperf3 ncat socat zstd busybox-static redis-server redis-tools nginx-light openssh-server openssh-client openssl git rsync bind9-dnsutils)
# CPython's own tests; the name has the version of the distribution's python3.
test+=("libpython$(. /etc/os-release; [ "$VERSION_ID" = 12 ] && echo 3.11 || echo 3.12)-testsuite")

wanted=("${build[@]}" "${run[@]}")
[ "${1:-}" = build ] || wanted+=("${test[@]}")
[ "${1:-}" = all ] && wanted+=(golang-go golang-gvisor-gvisor-dev liblwip-dev libbenchmark-dev)
missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
echo "installing: ${missing[*]}"
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q >/dev/null
# The servers among them are for the tests to start, not for this machine.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
fi
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
