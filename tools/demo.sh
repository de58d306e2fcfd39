#!/usr/bin/env bash
# Shows what Transom is: installs what is missing, builds, and lets the kernel talk to a stack that lives in a process.
#
#   tools/demo.sh
#
# For Debian 12 and Ubuntu 24.04. Asks for sudo only when packages are missing; the network that it makes is private and goes away.
set -euo pipefail
cd "$(dirname "$0")/.."
transom=build/release/bin/transom

# Runs as the kernel's neighbour, in the private network.
if [ "${1:-}" = --inside ]; then
  work=$2
  step() { printf '\n\033[1m%s\033[0m\n' "$*"; }

  step "The kernel pings the host in the process:  ping -c 3 10.9.0.2"
  ping -c 3 -i 0.2 10.9.0.2
  step "... and over IPv6:  ping -c 3 fd09::2"
  ping -c 3 -i 0.2 fd09::2

  step "curl fetches a page from it:  curl http://10.9.0.2/"
  curl -sS http://10.9.0.2/

  step "What ss says of a connection while it downloads 1 GiB:  transom ss -ti"
  curl -sS --limit-rate 200M -o /dev/null -w '%{size_download} octets at %{speed_download} octets/s\n' http://10.9.0.2/large &
  sleep 1.5
  "$transom" ss -ti
  wait

  step "What the host counted:  transom nstat 'Tcp*'"
  "$transom" nstat 'Tcp*' | head -n 12

  step "The handshake and the end of the first page, from the capture"
  tshark -n -r "$work/demo.pcap" -Y 'tcp.stream == 0' -T fields -E separator=' ' -e frame.time_relative -e ip.src -e tcp.flags.str \
    -e tcp.seq -e tcp.ack -e tcp.len 2>/dev/null | awk '
    BEGIN { printf "%10s   %-16s %40s %16s\n", "seconds", "kernel 10.9.0.1", "", "transom 10.9.0.2" }
    { gsub(/[^A-Z]/, "", $3)
      names = ""
      n = split("S=SYN F=FIN R=RST P=PSH A=ACK", pairs, " ")
      for (i = 1; i <= n; i++) { split(pairs[i], pair, "="); if (index($3, pair[1])) names = names (names == "" ? "" : ",") pair[2] }
      label = names " seq=" $4 (names ~ /ACK/ ? " ack=" $5 : "") ($6 > 0 ? " len=" $6 : "")
      fill = 52 - length(label); line = ""
      for (i = 0; i < fill / 2; i++) line = line "-"
      if ($2 == "10.9.0.1") printf "%10.6f   |%s %s %s>|\n", $1, line, label, line
      else printf "%10.6f   |<%s %s %s|\n", $1, line, label, line }'
  exit 0
fi

tests/install_packages.sh build
if ! command -v tshark >/dev/null; then
  echo "installing: tshark"
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends tshark >/dev/null
fi
mkdir -p build
echo "building (the first time takes some minutes)"
{ cmake --preset release && cmake --build --preset release --target transom -j "$(nproc)"; } >build/demo.log 2>&1 || {
  tail -n 30 build/demo.log
  echo "the build failed; all of it is in build/demo.log" >&2
  exit 1
}
"$transom" doctor || exit $?

work=$(mktemp -d /tmp/transom-demo-XXXXXX)
mkdir "$work/www"
cat >"$work/www/index.html" <<'PAGE'
<h1>Hello from a TCP/IP stack that lives in a process</h1>
PAGE
truncate -s 1G "$work/www/large"

printf '\n\033[1mA private network with a Transom host and the kernel in it:  transom up --serve http=80:DIR --pcap FILE -- ...\033[0m\n'
"$transom" up --serve "http=80:$work/www" --pcap "$work/demo.pcap" --snap-length 200 -- "$0" --inside "$work"
rm -r "$work/www"
printf '\nThe capture is %s; look at it with: tshark -r %s | less\n' "$work/demo.pcap" "$work/demo.pcap"
