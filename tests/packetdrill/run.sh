#!/usr/bin/env bash
# Runs scripts against the stack with packetdrill_loader, through transom-packetdrill as a user would, with IPv4, IPv6
# and IPv4-mapped addresses: tests/packetdrill/run.sh BUILD_DIRECTORY [NAME...]
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(realpath "$1"); shift
[ $# -gt 0 ] || mapfile -t all < <(basename -s .pkt -a tests/packetdrill/scripts/*.pkt)
status=0
for name in "${@:-${all[@]}}"; do
  for version in ipv4 ipv6 ipv4-mapped-ipv6; do
    PACKETDRILL=$build/bin/packetdrill_loader timeout 60 "$build/bin/transom-packetdrill" --ip_version="$version" \
      ${VERBOSE:+--verbose} "tests/packetdrill/scripts/$name.pkt" || { status=1; echo "FAILED: $name with $version"; }
  done
done
exit $status
