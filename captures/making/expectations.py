"""What must be in the capture of each case, however often it is made again: lines that become [[expect]] and [[order]] of its case.toml.

    2 c:S                   two packets of the client with exactly these flags
    >=1 s:~R                at least one of the server with R among its flags (also <=N)
    order c:S s:S. c:~P     in this order, others may lie between
    problem one-sided       check-capture says so
    event tcp_loss,reason.find=RACK    the stack decides so when it is put in the place of an end
    1 icmp,type=3,code=3    of another protocol; after a comma fields of a record, with suffixes (length.gt=100, ecn=ce)
"""

EXPECT = {
    "tcp-handshake-ipv4": "event tcp_state,to=ESTABLISHED\norder c:S,mss=1460,sack_permitted=true s:S.,scale.ge=0 c:. c:P. s:P. s:~F c:~F s:.\n0 tcp,flags.find=R",
    "tcp-handshake-ipv6": "order icmp6,type=135 icmp6,type=136 c:S,mss=1440 s:S. c:. c:P. s:P.\n0 tcp,flags.find=R",
    "tcp-handshake-server": "order c:S s:S. c:. c:P. s:P. s:~F c:~F s:.",
    "tcp-handshake-plain": "order c:S,mss=1460 s:S. c:.\n0 tcp,tsval.ge=0\n0 tcp,scale.ge=0\n0 tcp,sack_permitted=true",
    "tcp-handshake-small-mss": "1 c:S,mss=536\n>=5 s:~.,length=524\n0 s:~.,length.gt=524",
    "tcp-handshake-syn-lost": "2 c:S\norder c:S c:S,time.gt=0.9 s:S.",
    "tcp-handshake-syn-ack-lost": ">=2 s:S.\norder c:S s:S. s:S. c:.",
    "tcp-handshake-ack-lost": "order c:S s:S. c:P.,length=8 s:.,ack=9",
    "tcp-simultaneous-open": "order c:S s:S c:S. s:S. c:P.",
    "tcp-syn-cookies": "order c:S s:S. c:. c:P. s:P.",
    "tcp-fast-open": "event tcp_negotiated,fast_open=true\n1 c:S,fast_open=0\n1 s:S.,fast_open=8\n1 c:S,fast_open=8,length=8\norder c:S,length=8 s:S.,ack=9",
    "tcp-fast-open-server": "1 c:S,fast_open=8,length=8\norder c:S,length=8 s:S.,ack=9",
    "tcp-fast-open-stale-cookie": "order c:S,length=8 s:S.,ack=1,fast_open=8 c:P.,length=8 s:.,ack=9",
    "tcp-refused-ipv4": "order c:S s:R.,seq=0,ack=1",
    "tcp-refused-ipv6": "order c:S s:R.,seq=0,ack=1",
    "tcp-unanswered": "4 c:S\n0 tcp,from=server",
    "tcp-listen-queue-full": "3 c:S\n2 s:S.",
    "tcp-syn-options-unknown": "order c:S s:S. c:. s:P.",
    "tcp-close-active": "event tcp_state,to=TIME-WAIT\norder c:~P c:~F s:. s:~F c:.",
    "tcp-close-passive": "order s:~P s:~F c:. c:~F s:.",
    "tcp-close-simultaneous": "order c:~F s:~F,ack=2 c:.,ack=3 s:.,ack=3",
    "tcp-half-close": "order c:~F s:P.,length=700 c:. s:~P c:. s:~F c:.",
    "tcp-half-close-server": "order s:~F c:~.,length.gt=1000 c:~F s:.",
    "tcp-close-unread-data": "order s:P. c:~R\n0 c:~F",
    "tcp-close-linger-zero": "order c:P. s:. c:~R\n0 c:~F",
    "tcp-reset-received": "order c:P. s:~R\n0 s:~F",
    "tcp-reset-data-after-close": "order s:~F c:P. s:R",
    "tcp-half-open": "order c:P. s:. c:P. s:R",
    "tcp-half-open-new-syn": "order c:S s:S. c:P. c:S s:. c:R c:S s:S. c:.",
    "tcp-close-fin-lost": "2 c:~F\norder c:~F c:~F s:~F",
    "tcp-close-last-ack-lost": "2 s:~F\norder s:~F c:. s:~F c:.",
    "tcp-time-wait-reuse": "2 c:S\n2 s:S.\n>=2 s:~F",
    "tcp-fin-with-data": ">=1 c:~F,length=24",
    "tcp-fin-wait-2-timeout": "order c:~F s:P.,length=4 c:R",
    "tcp-many-connections": "12 c:S\n12 s:S.\n0 tcp,flags.find=R",
    "tcp-loss-fast-retransmit": "event tcp_send,reason=Retransmission\n>=3 s:.,ack=1153\n0 tcp,sack.ge=1\n2 c:~.,seq=1153,length.ge=288",
    "tcp-loss-sack": ">=1 s:.,sack=3\n2 c:~.,seq=577,length.ge=288",
    "tcp-loss-rack": "event tcp_loss,octets.gt=0\n>=1 s:.,sack=1\n2 c:~.,seq=1153,length.ge=288",
    "tcp-loss-no-sack-several": "0 tcp,sack.ge=1\n2 c:~.,seq=865,length.ge=288",
    "tcp-loss-tail": "event tcp_send,reason=TailLossProbe\n2 c:~.,seq=2017\n1 s:.,sack=1",
    "tcp-loss-rto": "3 c:~.,seq=577,length=288",
    "tcp-loss-rto-back-off": "event tcp_timer,reason.ne=Pacing\n6 c:~.,seq=1,length=288",
    "tcp-loss-of-retransmission": ">=3 c:~.,seq=1153,length.ge=288",
    "tcp-loss-of-acks": "order c:S c:~F s:~F\n0 tcp,sack.ge=1",
    "tcp-loss-random": ">=5 tcp,sack.ge=1\norder c:~F s:.",
    "tcp-loss-ipv6": "2 c:~.,seq=577,length.ge=288\n>=1 s:.,sack=1",
    "tcp-loss-reno": "2 c:~.,seq=1441,length.ge=288",
    "tcp-loss-bbr": "2 c:~.,seq=1441,length.ge=288",
    "tcp-receiver-sack": ">=1 s:.,sack=3",
    "tcp-receiver-no-sack": "0 tcp,sack.ge=1\n>=3 s:.,ack=577",
    "tcp-duplicates": ">=2 s:.,sack=1",
    "tcp-receiver-duplicates": ">=2 s:.,sack=1\n2 c:~.,seq=577,length=288",
    "tcp-spurious-rto": ">=1 s:.,sack.ge=1\n>=2 c:~.,seq=1729",
    "tcp-reordering": "1 c:~.,seq=865,length=288",
    "tcp-spurious-fast-retransmit": "2 c:~.,seq=865,length=288",
    "tcp-receiver-reordering": ">=1 s:.,sack=1",
    "tcp-old-segment": "2 c:~.,seq=289,length=288\n>=1 s:.,sack=1",
    "tcp-checksum-wrong": "1 tcp,checksum=bad\n2 c:~.,seq=865,length.ge=288",
    "tcp-resegmented": "1 c:~P,seq=101,length=400",
    "tcp-ecn": "event tcp_negotiated,ecn=true\n1 c:SEW\n1 s:S.E\n>=2 s:~E,length=0\n>=1 c:~W,length.gt=0\n>=1 c:~.,ecn=ect0",
    "tcp-ecn-receiver": "2 c:~.,ecn=ce\n>=2 s:~E,length=0\n>=1 c:~W,length.gt=0",
    "tcp-ecn-refused": "1 c:SEW\n1 s:S.\n0 ecn=ect0",
    "tcp-window-shrunk-on-the-way": "2 s:.,window=1",
    "tcp-zero-window": ">=1 s:.,window=0\norder s:.,window=0 c:.,length=0 s:.,window.gt=0",
    "tcp-zero-window-receiver": ">=1 s:.,window=0\norder s:.,window=0 s:.,window.gt=0",
    "tcp-window-update-lost": "order s:.,window=0 c:. s:.,window.gt=0",
    "tcp-small-reads": ">=1 s:.,window=0",
    "tcp-delayed-ack": "6 c:P.,length=4",
    "tcp-nagle": "1 c:P.,length=8\n1 c:P.,length=72",
    "tcp-nodelay": "10 c:P.,length=8",
    "tcp-cork": "1 c:~P,length=80",
    "tcp-interactive": "5 c:P.,length=1\n5 s:P.,length=1",
    "tcp-keep-alive": "2 c:.,seq=5,length=0\n>=3 s:.,ack=6",
    "tcp-keep-alive-receiver": "2 c:.,seq=5,length=0\n>=3 s:.,ack=6",
    "tcp-keep-alive-dead-peer": "3 c:.,seq=5,length=0\n1 c:~R",
    "tcp-user-timeout": ">=3 c:P.,seq=1,length=5",
    "tcp-urgent": "1 c:~U,urgent=1\n1 s:~U,urgent=1",
    "tcp-urgent-receiver": "2 c:~U",
    "tcp-window-scale": "order c:S,scale.ge=1 s:S.,scale.ge=1 s:~F",
    "tcp-window-scale-server": ">=40 s:~.,length.gt=1000",
    "tcp-window-scale-zero": "1 s:S.,scale=0",
    "tcp-sequence-wrap": ">=1 s:.,sack.ge=1\n2 c:~.,seq=865,length.ge=288",
    "tcp-sequence-wrap-receiver": ">=1 s:.,sack=2\n1 c:~.,seq=865,length.ge=288",
    "tcp-timestamp-wrap": ">=1 c:~.,tsval.gt=4294967000\n>=1 c:~.,tsval.lt=1000\n>=1 s:~.,tsecr.lt=1000",
    "tcp-ack-per-segment": "10 c:~.,length=1448",
    "tcp-idle-restart": "60 c:~.,length=288",
    "tcp-pmtud-ipv4": ">=1 icmp,type=3,code=4\n>=10 c:~.,length.ge=600,length.lt=700",
    "tcp-pmtud-ipv6": ">=1 icmp6,type=2\n>=4 c:~.,length=1208",
    "tcp-pmtud-black-hole": "0 protocol=icmp\n>=5 c:~.,length=512",
    "tcp-ipv6-destination-options": "order c:S s:S. c:. s:P.",
    "udp-request-response-ipv4": "order udp,from=client,length=8 udp,from=server,length=6",
    "udp-request-response-ipv6": "order udp,from=client,length=8 udp,from=server,length=6",
    "udp-without-checksum": "1 udp,from=client,length=11",
    "udp-empty": "2 udp,length=0",
    "udp-unreachable-ipv4": "order udp icmp,type=3,code=3",
    "udp-unreachable-ipv6": "order udp icmp6,type=1,code=4",
    "udp-broadcast": "1 udp,destination=192.0.2.255",
    "udp-fragments-ipv4": "6 udp,fragment=true",
    "udp-fragments-ipv6": "6 udp,fragment=true",
    "udp-fragments-out-of-order": "4 udp,fragment=true,from=client\n1 udp,from=server",
    "udp-fragment-lost": "2 udp,fragment=true\n1 icmp,type=11,code=1",
    "udp-pmtud-ipv4": "order udp,df=true icmp,type=3,code=4 udp,fragment=true",
    "dns": ">=3 udp,dport=53\n>=3 udp,sport=53\n1 c:S",
    "icmp-echo-ipv4": "3 icmp,type=8\n3 icmp,type=0",
    "icmp-echo-ipv6": "3 icmp6,type=128\n3 icmp6,type=129",
    "icmp-echo-fragments": ">=6 icmp,fragment=true\n>=6 icmp6,fragment=true",
    "icmp-time-exceeded": ">=1 icmp,type=11,code=0\n>=1 icmp6,type=3,code=0\n>=1 icmp,type=3,code=3\n>=1 icmp6,type=1,code=4",
    "icmp-network-unreachable": ">=1 icmp,type=3,code=0\n>=1 icmp6,type=1,code=0\n>=1 icmp,type=3,code=1",
    "icmp-redirect": ">=1 icmp,type=5",
    "ipv6-extension-headers": "3 udp,from=client,length=8\n3 udp,from=server,length=6",
    "ipv6-unknown-header": "1 icmp6,type=4,code=1\n1 icmp6,type=4,code=2",
    "arp-request-reply": ">=4 arp,operation=1\n1 arp,operation=2",
    "arp-probe-and-announcement": "3 arp,operation=1\n1 arp,operation=2",
    "ndp-solicitation": ">=4 icmp6,type=135\n>=1 icmp6,type=136",
    "ndp-duplicate-address": "order icmp6,type=135,source=:: icmp6,type=136",
    "ndp-autoconfiguration": ">=1 icmp6,type=133\n>=1 icmp6,type=134\n>=1 icmp6,type=135,source=::",
    "igmp-mld": ">=3 protocol=igmp\n>=2 icmp6,type=143",
    "multicast-udp": "1 udp,destination=233.252.0.1\n1 udp,destination=233.252.0.2\n1 udp,from=server",
    "curl-http": "order c:S s:S. c:P. s:P. c:~F",
    "curl-http-server": "order c:S s:S. c:P. s:P.",
    "curl-keep-alive": "1 c:S\n3 c:P.",
    "python-http": "order c:S s:S. c:P. s:~P",
    "nc": "order c:S s:S.\n>=1 c:~P,length=16\n>=1 s:~P,length=16",
    "ssh": "1 c:S\n>=5 c:P.\n>=5 s:P.",
    "iperf3": "2 c:S",
    "cooked-any": "order c:S s:S. c:.\n1 icmp6,type=128\n1 icmp6,type=129",
    "cooked-v1": "order c:S s:S. c:.\n1 icmp6,type=128\n1 icmp6,type=129",
    "transom-http": "order c:S s:S. c:P. s:~P",
    "transom-http-loss": "order c:S s:S. c:P.",
    "transom-http-ipv6": "order c:S s:S. c:P. s:~P",
    "attack-blind-reset": "4 c:R\n1 s:.,ack=6,length=0,seq=8\norder c:R c:~F s:~F",
    "attack-blind-syn": "4 c:S\norder c:S s:S. c:S s:. c:S s:. c:S s:. s:~F",
    "attack-blind-data": "2 c:P.,length=4\norder c:P.,length=4 c:~P,length=8 s:~F",
    "attack-reset-exact": "1 c:R",
    "attack-icmp-hard-error": "4 icmp,type=3\norder icmp,type=3 c:~P s:~F",
    "attack-icmp-small-mtu": "1 icmp,type=3,code=4\n>=2 s:~.,length=1448",
    "attack-ack-storm": "1 c:P.,length=15\n<=20 s:.,length=0",
    "attack-syn-flood": "40 flags=S\n40 flags=S.",
    "attack-land": "1 flags=S\n0 flags.find=R\n0 flags=S.",
    "attack-scans": "1 flags=S.\n>=5 flags.find=R,source=192.0.2.2",
    "attack-bad-options": ">=5 flags=S.",
    "attack-data-offset": "0 source=192.0.2.2",
    "attack-bad-headers": "1 icmp,type=0",
    "attack-fragments": "0 flags=S.\n>=1 icmp,type=11,code=1",
    "attack-fragments-ipv6": "1 icmp6,type=129\n>=1 icmp6,type=4",
    "attack-ipv6-headers": "0 icmp6,type=129\n>=1 icmp6,type=4",
    "attack-smurf": "0 source=192.0.2.2",
    "attack-arp-poison": ">=4 arp",
    "attack-ndp-poison": ">=3 icmp6,type=136\n1 icmp6,type=137",
    "attack-sack-panic": "8 sack=3\n>=10 source=192.0.2.2,length=48",
    "attack-ack-division": ">=10 source=192.0.2.2,length=1000",
    "attack-optimistic-ack": "2 source=192.0.2.2,length=300\n<=5 source=192.0.2.2,flags=.",
    "attack-window-zero-forever": ">=2 source=192.0.2.2,flags=.,length=0\n0 source=192.0.2.2,length.gt=0",
    "attack-urgent-pointer": "3 flags=P.U\n0 flags.find=R,source=192.0.2.2",
    "attack-old-timestamps": "order flags=P.,length=3 source=192.0.2.2,flags=. flags=P. source=192.0.2.2,flags=. flags=P. source=192.0.2.2,flags=.",
    "attack-udp-echo-loop": "1 icmp,type=3,code=3,destination=192.0.2.66\n<=2 icmp",
    "attack-slow-reader": ">=1 source=192.0.2.2,length=10\n0 source=192.0.2.2,length.gt=10",
    "capture-one-sided": "problem one-sided\n0 tcp,from=client\n>=4 tcp",
    "capture-without-handshake": "problem no-handshake\n0 tcp,flags.find=S\n>=4 tcp",
    "capture-cut": "problem cut\n>=4 cut=true,checksum=unknown",
    "capture-truncated-file": "errors 1\n>=4 tcp",
    "capture-mirrored-twice": "problem duplicates\n2 flags=S\n2 flags=S.",
    "capture-clock-steps-back": "problem clock-steps\n>=1 time.lt=-1",
    "capture-packet-lost": "1 c:S\n<=5 s:~.,length.gt=0",
    "capture-nat-seen-twice": "problem nat\n1 flags=S,source=192.0.2.1\n1 flags=S,source=203.0.113.5",
    "capture-two-link-types": "problem link-types\n2 flags=S\n0 tcp,checksum=bad",
    "capture-raw-ip": "order c:S s:S. c:.",
    "capture-null-loop": "order c:S s:S. c:.",
    "capture-comments": "3 comment.find=a\n1 comment.find=client",
    "capture-nanoseconds": "order c:S s:S. c:.",
    "capture-vlan": "order c:S s:S. c:.",
    "capture-offload": "problem super-packets\n>=1 tcp,length.gt=20000\n>=1 tcp,cut=true",
}

# Who breaks rules of the RFCs in these, on purpose; in all others nobody may.
ATTACKER, ATTACKER6, SPOOFED = "192.0.2.66", "2001:db8:1::66", "192.0.2.1"
CULPRITS = {
    "attack-ack-storm": [SPOOFED], "attack-blind-data": [SPOOFED], "attack-bad-headers": [ATTACKER, "255.255.255.255", "127.0.0.1", "224.0.0.1", "0.0.0.0"], "attack-bad-options": [ATTACKER],
    "attack-data-offset": [ATTACKER], "attack-fragments": [ATTACKER], "attack-fragments-ipv6": [ATTACKER6], "attack-old-timestamps": [ATTACKER],
    "attack-sack-panic": [ATTACKER], "attack-udp-echo-loop": [ATTACKER],
}

PROTOCOLS = ("tcp", "udp", "icmp", "icmp6", "arp")


def value(text):
    return text if text.lstrip("-").replace(".", "", 1).isdigit() and not text.startswith(".") and text != "" else text if text in ("true", "false") else f'"{text}"'


def where(spec):
    """`c:S,mss=300` as an inline table."""
    head, *fields = spec.split(",")
    pairs = []
    if ":" in head and head[0] in "cs" and head[1] == ":":
        pairs += [("from", "client" if head[0] == "c" else "server")]
        flags = head[2:]
        pairs += [("flags.find", flags[1:])] if flags.startswith("~") else [("flags", flags)]
    elif head in PROTOCOLS:
        pairs += [("protocol", head)]
    else:
        fields.insert(0, head)
    pairs += [tuple(field.split("=", 1)) for field in fields]
    shown = [(f'"{key}"' if "." in key else key, f'"{text}"' if key.startswith(("flags", "source", "destination")) else value(text)) for key, text in pairs]
    return "{ " + ", ".join(f"{key} = {text}" for key, text in shown) + " }"


def toml(name):
    """The expectations of a case as TOML."""
    parts = []
    if name in CULPRITS:
        parts.append("[judge]\nviolations_by = [" + ", ".join(f'"{address}"' for address in CULPRITS[name]) + "]")
    for line in EXPECT.get(name, "").splitlines():
        first, *rest = line.split()
        if first == "order":
            steps = ",\n  ".join(where(spec) for spec in rest)
            parts.append(f'[[order]]\nof = "packets"\nsteps = [\n  {steps},\n]')
        elif first == "problem":
            parts.append(f'[[expect]]\nof = "problems"\nwhere = {{ flaw = "{rest[0]}" }}')
        elif first == "event":
            parts.append(f'[[expect]]\nof = "events"\nwhere = {where("event=" + rest[0])}')
        elif first == "errors":
            parts.append(f'[[expect]]\nof = "errors"\ncount = {rest[0]}')
        else:
            key = '"count.ge"' if first.startswith(">=") else '"count.le"' if first.startswith("<=") else "count"
            parts.append(f'[[expect]]\nof = "packets"\nwhere = {where(rest[0])}\n{key} = {first.lstrip("<>=")}')
    return "\n\n".join(parts)
