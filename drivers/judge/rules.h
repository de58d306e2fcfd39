// All rules that a Judge knows. docs/judge.md has them as a table; a test holds the two together.
#pragma once

#include <span>

#include "drivers/judge/finding.h"

namespace transom::drivers::judge {

namespace rule {

inline constexpr Verdict kMust = Verdict::kViolation;
inline constexpr Verdict kShould = Verdict::kLegal;

// --- IP
inline constexpr Rule kIpChecksum{"rfc791-3.1-header-checksum", "RFC 791 §3.1",
                                  "IPv4 header checksum is wrong", kMust};
inline constexpr Rule kTtlZero{"rfc1122-3.2.1.7-ttl-zero", "RFC 1122 §3.2.1.7",
                               "a packet with TTL or hop limit 0", kMust};
inline constexpr Rule kSourceAddress{"rfc1122-3.2.1.3-source-address", "RFC 1122 §3.2.1.3",
                                     "a source address that no host has", kMust};
inline constexpr Rule kSameEndpoints{"rfc9293-3.9.2.3-same-endpoints", "RFC 9293 §3.9.2.3",
                                     "source and destination are one endpoint (LAND)", kShould};
inline constexpr Rule kIpLength{"rfc791-3.1-length", "RFC 791 §3.1",
                                "the length of the packet exceeds what was sent", kMust};
inline constexpr Rule kFragmentOverlap{"rfc5722-4-fragment-overlap", "RFC 5722 §4", "fragments overlap",
                                       kMust};
inline constexpr Rule kFragmentBeyondEnd{"rfc791-3.2-fragment-beyond-end", "RFC 791 §3.2",
                                         "a fragment ends beyond 65535 octets or the last fragment", kMust};
inline constexpr Rule kFragmentLength{"rfc8200-4.5-fragment-length", "RFC 8200 §4.5",
                                      "a fragment that is not the last is no multiple of 8 octets", kMust};
inline constexpr Rule kFragmentDf{"rfc791-3.1-fragment-with-df", "RFC 791 §3.1",
                                  "a fragment says that it must not be fragmented", kShould};

// --- ICMP
inline constexpr Rule kIcmpChecksum{"rfc792-checksum", "RFC 792", "ICMP checksum is wrong", kMust};
inline constexpr Rule kIcmpAboutError{"rfc1122-3.2.2-error-about-error", "RFC 1122 §3.2.2",
                                      "an ICMP error about an ICMP error", kMust};
inline constexpr Rule kIcmpAboutGroup{"rfc1122-3.2.2-error-about-group", "RFC 1122 §3.2.2",
                                      "an ICMP error about a packet to a group or from no host", kMust};
inline constexpr Rule kIcmpAboutFragment{"rfc1122-3.2.2-error-about-fragment", "RFC 1122 §3.2.2",
                                         "an ICMP error about a fragment that is not the first", kMust};
inline constexpr Rule kIcmpQuote{"rfc792-quote", "RFC 792",
                                 "an ICMP error quotes less than the header and 8 octets", kMust};
inline constexpr Rule kIcmpMtu{"rfc8201-4-mtu-too-small", "RFC 8201 §4",
                               "a path MTU below the smallest that a link may have", kShould};
inline constexpr Rule kIcmpQuotedSequence{"rfc5927-4-quoted-sequence", "RFC 5927 §4",
                                          "an ICMP error quotes a segment that is not in flight", kShould};
inline constexpr Rule kEchoReply{"rfc1122-3.2.2.6-echo-data", "RFC 1122 §3.2.2.6",
                                 "an echo reply does not return what was asked", kMust};

// --- UDP
inline constexpr Rule kUdpChecksum{"rfc768-checksum", "RFC 768", "UDP checksum is wrong", kMust};
inline constexpr Rule kUdpLength{"rfc768-length", "RFC 768", "the UDP length does not fit the packet", kMust};
inline constexpr Rule kUdpNoChecksum{"rfc8200-8.1-no-udp-checksum", "RFC 8200 §8.1, RFC 6935",
                                     "UDP over IPv6 without a checksum", kShould};

// --- TCP: the header
inline constexpr Rule kChecksum{"rfc9293-3.1-checksum", "RFC 9293 §3.1", "TCP checksum is wrong", kMust};
inline constexpr Rule kBadChecksumAccepted{"rfc9293-3.1-bad-checksum-accepted", "RFC 9293 §3.1",
                                           "acknowledges what came with a wrong checksum only", kMust};
inline constexpr Rule kMalformed{"rfc9293-3.1-malformed", "RFC 9293 §3.1",
                                 "the data offset or an option's length is impossible", kMust};
inline constexpr Rule kReservedBits{"rfc9293-3.1-reserved-bits", "RFC 9293 §3.1", "reserved bits are set",
                                    kMust};
inline constexpr Rule kFlags{"rfc9293-3.1-flags", "RFC 9293 §3.1", "flags that make no sense together",
                             kShould};
inline constexpr Rule kAckFlagMissing{"rfc9293-3.1-ack-flag-missing", "RFC 9293 §3.1",
                                      "no ACK flag once the connection is established", kMust};
inline constexpr Rule kAckFieldWithoutFlag{"rfc9293-3.1-ack-field-without-flag", "RFC 9293 §3.1",
                                           "an acknowledgment number without ACK flag", kShould};
inline constexpr Rule kUrgent{"rfc9293-3.8.5-urgent-pointer", "RFC 9293 §3.8.5",
                              "an urgent pointer without URG flag, or of 0", kShould};
inline constexpr Rule kUrgentBackwards{"rfc9293-3.8.5-urgent-pointer-back", "RFC 9293 §3.8.5",
                                       "the urgent pointer goes back", kShould};

// --- TCP: options
inline constexpr Rule kMssOutsideSyn{"rfc9293-3.2-mss-outside-syn", "RFC 9293 §3.2",
                                     "a maximum segment size outside of a SYN", kMust};
inline constexpr Rule kScaleOutsideSyn{"rfc7323-2.2-scale-outside-syn", "RFC 7323 §2.2",
                                       "a window scale outside of a SYN", kMust};
inline constexpr Rule kSackPermittedOutsideSyn{"rfc2018-2-permitted-outside-syn", "RFC 2018 §2",
                                               "SACK-permitted outside of a SYN", kMust};
inline constexpr Rule kScaleUnoffered{"rfc7323-2.2-scale-unoffered", "RFC 7323 §2.2",
                                      "the SYN-ACK scales windows, the SYN did not offer it", kMust};
inline constexpr Rule kScaleTooLarge{"rfc7323-2.3-scale-above-14", "RFC 7323 §2.3", "a window scale above 14",
                                     kMust};
inline constexpr Rule kTimestampsUnoffered{"rfc7323-3.2-timestamps-unoffered", "RFC 7323 §3.2",
                                           "the SYN-ACK has timestamps, the SYN did not offer them", kMust};
inline constexpr Rule kTimestampsMissing{"rfc7323-3.2-timestamps-missing", "RFC 7323 §3.2",
                                         "no timestamps, though they were agreed on", kMust};
inline constexpr Rule kTimestampsNotAgreed{"rfc7323-3.2-timestamps-not-agreed", "RFC 7323 §3.2",
                                           "timestamps, though they were not agreed on", kMust};
inline constexpr Rule kSackNotPermitted{"rfc2018-2-sack-not-permitted", "RFC 2018 §2",
                                        "SACK blocks for a peer that did not permit them", kMust};
inline constexpr Rule kMssExceeded{"rfc9293-3.7.1-mss-exceeded", "RFC 9293 §3.7.1, RFC 6691",
                                   "a segment is larger than the peer takes", kMust};

// --- TCP: timestamps
inline constexpr Rule kTimestampBackwards{"rfc7323-5.4-timestamp-back", "RFC 7323 §5.4",
                                          "the timestamp clock goes back", kMust};
inline constexpr Rule kEchoUnseen{"rfc7323-4.3-echo-unsent", "RFC 7323 §4.3",
                                  "echoes a timestamp later than all that the peer sent", kMust};
inline constexpr Rule kEchoBackwards{"rfc7323-4.3-echo-back", "RFC 7323 §4.3",
                                     "the echoed timestamp goes back", kMust};
inline constexpr Rule kEchoInSyn{"rfc7323-3.2-echo-without-ack", "RFC 7323 §3.2",
                                 "a timestamp is echoed without ACK flag", kShould};

// --- TCP: opening
inline constexpr Rule kSynAckNumber{"rfc9293-3.10.7.3-syn-ack-number", "RFC 9293 §3.10.7.3",
                                    "the SYN-ACK acknowledges another SYN", kMust};
inline constexpr Rule kResetOfSyn{"rfc9293-3.10.7.1-reset-of-syn", "RFC 9293 §3.10.7.1",
                                  "a SYN is refused by a reset that does not acknowledge it", kMust};
inline constexpr Rule kResetOfReset{"rfc9293-3.10.7.1-reset-of-reset", "RFC 9293 §3.10.7.1",
                                    "a reset is answered by a reset", kMust};
inline constexpr Rule kDataBeforeHandshake{"rfc9293-3.4-data-before-handshake", "RFC 9293 §3.4, RFC 7413",
                                           "data before the peer's SYN has come", kMust};
inline constexpr Rule kIsnChanges{"rfc9293-3.8.1-isn-changes", "RFC 9293 §3.8.1",
                                  "a SYN is repeated with another sequence number", kShould};
inline constexpr Rule kIsnRepeats{"rfc6528-3-isn-repeats", "RFC 6528 §3",
                                  "several connections begin with one sequence number", kShould};
inline constexpr Rule kSynInConnection{"rfc5961-4-syn-in-connection", "RFC 5961 §4",
                                       "a SYN within a connection", kShould};
inline constexpr Rule kSynAccepted{"rfc5961-4-syn-accepted", "RFC 5961 §4",
                                   "a SYN within a connection ends it", kMust};

// --- TCP: acknowledgments
inline constexpr Rule kAckBeyondSent{"rfc9293-3.10.7.4-ack-beyond-sent", "RFC 9293 §3.10.7.4",
                                     "acknowledges what was never sent", kMust};
inline constexpr Rule kAckBeyondReceived{"rfc9293-3.4-ack-beyond-received", "RFC 9293 §3.4",
                                         "acknowledges what cannot have come", kMust};
inline constexpr Rule kAckBackwards{"rfc9293-3.4-ack-back", "RFC 9293 §3.4", "takes an acknowledgment back",
                                    kMust};
inline constexpr Rule kAckLate{"rfc9293-3.8.6.3-ack-late", "RFC 9293 §3.8.6.3",
                               "an acknowledgment is delayed by more than 0.5 s", kMust};
inline constexpr Rule kAckRare{"rfc9293-3.8.6.3-ack-rare", "RFC 9293 §3.8.6.3",
                               "less than every second full segment is acknowledged", kShould};

// --- TCP: selective acknowledgments
inline constexpr Rule kSackInverted{"rfc2018-3-block-inverted", "RFC 2018 §3",
                                    "a SACK block ends before it begins", kMust};
inline constexpr Rule kSackBelowAck{"rfc2018-4-block-below-ack", "RFC 2018 §4, RFC 2883 §4",
                                    "a SACK block is not beyond the acknowledgment, and no D-SACK", kMust};
inline constexpr Rule kSackOverlap{"rfc2018-3-blocks-overlap", "RFC 2018 §3", "SACK blocks overlap", kMust};
inline constexpr Rule kSackBeyondSent{"rfc2018-3-block-beyond-sent", "RFC 2018 §3",
                                      "a SACK block reports what was never sent", kMust};
inline constexpr Rule kSackBeyondReceived{"rfc2018-3-block-beyond-received", "RFC 2018 §3",
                                          "a SACK block reports what cannot have come", kMust};
inline constexpr Rule kDuplicateApart{"rfc2883-4-block-around-duplicate", "RFC 2883 §4",
                                      "the block around a D-SACK block is not the second", kShould};
inline constexpr Rule kReneging{"rfc2018-8-reneging", "RFC 2018 §8",
                                "what was reported is not reported any more", kShould};

// --- TCP: windows
inline constexpr Rule kBeyondWindow{"rfc9293-3.8.6-beyond-window", "RFC 9293 §3.8.6",
                                    "data beyond the window", kMust};
inline constexpr Rule kWindowShrunk{"rfc9293-3.8.6-window-shrunk", "RFC 9293 §3.8.6",
                                    "the right edge of the window moves back", kShould};
inline constexpr Rule kSillyWindow{"rfc9293-3.8.6.2.2-silly-window", "RFC 9293 §3.8.6.2.2",
                                   "a closed window opens by less than a segment", kShould};
inline constexpr Rule kProbeBackOff{"rfc9293-3.8.6.1-probe-back-off", "RFC 9293 §3.8.6.1",
                                    "probes of a closed window do not become rarer", kShould};
inline constexpr Rule kTinygrams{"rfc9293-3.7.4-tinygrams", "RFC 9293 §3.7.4",
                                 "many tiny segments while others are in flight", kShould};

// --- TCP: text
inline constexpr Rule kTextDiffers{"rfc9293-3.8.1-retransmission-differs", "RFC 9293 §3.8.1",
                                   "a retransmission has other octets", kMust};
inline constexpr Rule kDataAfterFin{"rfc9293-3.6-data-after-fin", "RFC 9293 §3.6", "data behind the FIN",
                                    kMust};
inline constexpr Rule kFinMoves{"rfc9293-3.6-fin-moves", "RFC 9293 §3.6", "the FIN moves", kMust};
inline constexpr Rule kKeepAliveEarly{"rfc9293-3.8.4-keep-alive-early", "RFC 9293 §3.8.4",
                                      "keep-alive probes within two hours", kShould};

// --- TCP: resets and the end
inline constexpr Rule kResetNotExact{"rfc5961-3.2-reset-not-exact", "RFC 5961 §3.2",
                                     "a reset that cannot be at the expected sequence number", kShould};
inline constexpr Rule kResetAccepted{"rfc5961-3.2-reset-accepted", "RFC 5961 §3.2",
                                     "a reset that is not exact ends the connection", kMust};
inline constexpr Rule kChallengeMissing{"rfc5961-3.2-challenge-missing",
                                        "RFC 5961 §3.2, §4.2, RFC 9293 §3.10.7.4",
                                        "what asks for a challenge ACK again and again draws none", kMust};
inline constexpr Rule kAliveAfterReset{"rfc9293-3.5.2-alive-after-reset", "RFC 9293 §3.5.2",
                                       "goes on after its own reset: perhaps it was injected", kShould};
inline constexpr Rule kTimeWaitCutShort{"rfc9293-3.6.1-time-wait-cut-short", "RFC 9293 §3.6.1, RFC 6191",
                                        "an old SYN opens a connection that is in TIME-WAIT", kMust};
inline constexpr Rule kTimeWaitForgotten{"rfc9293-3.6.1-time-wait-forgotten", "RFC 9293 §3.6.1, §3.10.7.4",
                                         "resets the peer while it has to be in TIME-WAIT", kMust};

// --- TCP: retransmission and congestion
inline constexpr Rule kNoBackOff{"rfc6298-5.5-no-back-off", "RFC 6298 §5.5",
                                 "retransmissions do not back off", kMust};
inline constexpr Rule kBackOffForgotten{"rfc6298-3-back-off-forgotten", "RFC 6298 §3, §5 (Karn)",
                                        "the timeout is short again before a round trip was measured", kMust};
inline constexpr Rule kEarlyRetransmission{"rfc6298-2-before-round-trip", "RFC 6298 §2",
                                           "retransmits before an answer can have come", kShould};
inline constexpr Rule kInitialWindow{"rfc6928-2-initial-window", "RFC 6928 §2",
                                     "the first flight is larger than ten segments", kShould};
inline constexpr Rule kSlowStart{"rfc5681-3.1-slow-start", "RFC 5681 §3.1",
                                 "the congestion window grows faster than octets are acknowledged", kShould};
inline constexpr Rule kLossWindow{"rfc5681-3.1-loss-window", "RFC 5681 §3.1",
                                  "more than the loss window is sent after a timeout", kMust};
inline constexpr Rule kWindowKept{"rfc5681-3.2-window-kept", "RFC 5681 §3.2",
                                  "as much is in flight after a loss as before it", kShould};

inline constexpr Rule kGrowthAfterLoss{"rfc5681-3.1-growth-after-loss", "RFC 5681 §3.1",
                                       "after a loss the window grows faster than octets are acknowledged",
                                       kShould};

// --- TCP: ECN
inline constexpr Rule kEcnNotAgreed{"rfc3168-6.1.1-ect-not-agreed", "RFC 3168 §6.1.1",
                                    "ECT, though ECN was not agreed on", kMust};
inline constexpr Rule kEcnUnoffered{"rfc3168-6.1.1-ecn-unoffered", "RFC 3168 §6.1.1",
                                    "the SYN-ACK agrees to ECN, the SYN did not offer it", kMust};
inline constexpr Rule kEctOnControl{"rfc3168-6.1.4-ect-on-control", "RFC 3168 §6.1.1, §6.1.4, RFC 8311 §4.3",
                                    "ECT on a SYN, a reset or a pure acknowledgment", kShould};
inline constexpr Rule kEctOnRetransmission{"rfc3168-6.1.5-ect-on-retransmission",
                                           "RFC 3168 §6.1.5, RFC 8311 §4.3", "ECT on a retransmission",
                                           kShould};
inline constexpr Rule kCeNotEchoed{"rfc3168-6.1.3-ce-not-echoed", "RFC 3168 §6.1.3",
                                   "a mark of congestion is not echoed", kMust};
inline constexpr Rule kEceIgnored{"rfc3168-6.1.2-ece-ignored", "RFC 3168 §6.1.2",
                                  "an echo of congestion is not answered by CWR", kMust};

inline constexpr Rule kAceHandshake{"rfc9768-3.1.1-handshake-mark", "RFC 9768 §3.1.1, §3.2.2.1",
                                    "the handshake does not say how the peer's packet was marked", kMust};
inline constexpr Rule kAceCount{"rfc9768-3.2.2-mark-count", "RFC 9768 §3.2.2",
                                "counts other marks of congestion than have come", kMust};
inline constexpr Rule kAceOctets{"rfc9768-3.2.3-octet-count", "RFC 9768 §3.2.3",
                                 "the option counts other octets of a mark than have come", kMust};

}  // namespace rule

// In the order of this file.
std::span<const Rule* const> all_rules();
// nullptr for an unknown one.
const Rule* find_rule(std::string_view id);

}  // namespace transom::drivers::judge
