#!/usr/bin/env bash
# The knobs of the shared object and the stand-in for sysctl, as users meet them: tests/packetdrill/knobs.sh BUILD_DIRECTORY
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PACKETDRILL=$build/bin/packetdrill_loader
fail() { echo "FAILED: $1"; cat "$work/out"; exit 1; }
run() { timeout 60 "$build/bin/transom-packetdrill" "$@" >"$work/out" 2>&1; }

# A word that is none is an error that names those that are; so is a value that is none.
! run --knobs='timestmaps=off' tests/packetdrill/scripts/connect.pkt || fail 'a misspelt word passes'
grep -q "'timestmaps' is none of: local .*timestamps" "$work/out" || fail 'the words are not named'
! run --knobs='ecn=9' tests/packetdrill/scripts/connect.pkt || fail 'a value out of range passes'
grep -q 'ecn=9: takes 0 to 5' "$work/out" || fail 'the range is not named'
run --knobs=help tests/packetdrill/scripts/connect.pkt && grep -q 'net.ipv4.tcp_sack' "$work/out" || fail 'help'

# A knob and the sysctl of the same meaning.
cat >"$work/bare.pkt" <<'SCRIPT'
0.000 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0...1 connect(3, ..., ...) = -1 ETIMEDOUT (Connection timed out)
+0 > S 0:0(0) <mss 1460,nop,nop,sackOK>
1.5 close(3) = 0
SCRIPT
run --knobs='timestamps=off,window_scaling=off syn_retries=1' "$work/bare.pkt" && fail 'one retry takes 3 s, not 1'
sed -i 's/+0...1 connect/+0...3 connect/; s/^1.5/+1 > S 0:0(0) <mss 1460,nop,nop,sackOK>\n3.5/' "$work/bare.pkt"
run --knobs='timestamps=off,window_scaling=off syn_retries=1' "$work/bare.pkt" || fail 'words'
run --knobs='net.ipv4.tcp_timestamps=0 net.ipv4.tcp_window_scaling=0 net.ipv4.tcp_syn_retries=1' "$work/bare.pkt" || fail 'names of sysctl'

# A sysctl that means nothing here says so and does no harm.
{ echo '`sysctl -q net.ipv4.tcp_no_such_thing=1`'; cat "$work/bare.pkt"; } >"$work/unknown.pkt"
run --knobs='timestamps=off,window_scaling=off syn_retries=1' "$work/unknown.pkt" || fail 'an unknown sysctl'
grep -q 'tcp_no_such_thing is no knob' "$work/out" || fail 'an unknown sysctl is not named'

# The whole works without being preloaded, but for code blocks.
bare() {
  timeout 60 "$PACKETDRILL" --so_filename="$(find "$build" -name libtransom_packetdrill.so)" --ip_version=ipv4 \
    --so_flags='local=192.168.0.1/16' --local_ip=192.168.0.1 --remote_ip=192.0.2.1 "$1" >"$work/out" 2>&1
}
bare tests/packetdrill/scripts/close_active.pkt || fail 'not preloaded'
! bare tests/packetdrill/scripts/tcp_info.pkt || fail 'TCP_INFO without interposing'
grep -q "can't find getsockopt" "$work/out" || fail 'TCP_INFO without interposing fails for another reason'

# Of two runs each packet is the same.
run --verbose tests/packetdrill/scripts/fast_retransmit.pkt || fail 'a run'
cp "$work/out" "$work/first"
run --verbose tests/packetdrill/scripts/fast_retransmit.pkt || fail 'a second run'
cmp "$work/first" "$work/out" || fail 'two runs differ'
