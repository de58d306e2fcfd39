// Counters, named as Linux names them in /proc/net/snmp and /proc/net/netstat (RFC 4293, 4113 and 4022 MIBs),
// so that `transom nstat` reads like `nstat`. A Host has one set; every counter only grows.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace transom {

// One line per counter: the enumerator is k<Name>, the printed name is <Name>.
// clang-format off
#define TRANSOM_COUNTERS(X)                                                                              \
  X(IpInReceives) X(IpInHdrErrors) X(IpInAddrErrors) X(IpForwDatagrams) X(IpInUnknownProtos)             \
  X(IpInDiscards) X(IpInDelivers) X(IpOutRequests) X(IpOutDiscards) X(IpOutNoRoutes)                     \
  X(IpReasmTimeout) X(IpReasmReqds) X(IpReasmOKs) X(IpReasmFails) X(IpFragOKs) X(IpFragFails)            \
  X(IpFragCreates)                                                                                       \
  X(Ip6InReceives) X(Ip6InHdrErrors) X(Ip6InTooBigErrors) X(Ip6InNoRoutes) X(Ip6InAddrErrors)            \
  X(Ip6InUnknownProtos) X(Ip6InTruncatedPkts) X(Ip6InDiscards) X(Ip6InDelivers) X(Ip6OutForwDatagrams)   \
  X(Ip6OutRequests) X(Ip6OutDiscards) X(Ip6OutNoRoutes) X(Ip6ReasmTimeout) X(Ip6ReasmReqds)              \
  X(Ip6ReasmOKs) X(Ip6ReasmFails) X(Ip6FragOKs) X(Ip6FragFails) X(Ip6FragCreates)                        \
  X(IcmpInMsgs) X(IcmpInErrors) X(IcmpInCsumErrors) X(IcmpInDestUnreachs) X(IcmpInTimeExcds)             \
  X(IcmpInParmProbs) X(IcmpInSrcQuenchs) X(IcmpInRedirects) X(IcmpInEchos) X(IcmpInEchoReps)             \
  X(IcmpOutMsgs) X(IcmpOutErrors) X(IcmpOutRateLimitHost) X(IcmpOutDestUnreachs) X(IcmpOutTimeExcds)     \
  X(IcmpOutParmProbs) X(IcmpOutEchos) X(IcmpOutEchoReps)                                                 \
  X(Icmp6InMsgs) X(Icmp6InErrors) X(Icmp6InCsumErrors) X(Icmp6InDestUnreachs) X(Icmp6InPktTooBigs)       \
  X(Icmp6InTimeExcds) X(Icmp6InParmProblems) X(Icmp6InEchos) X(Icmp6InEchoReplies)                       \
  X(Icmp6InRouterAdvertisements) X(Icmp6InNeighborSolicits) X(Icmp6InNeighborAdvertisements)             \
  X(Icmp6InRedirects) X(Icmp6OutMsgs) X(Icmp6OutErrors) X(Icmp6OutRateLimitHost)                         \
  X(Icmp6OutDestUnreachs) X(Icmp6OutPktTooBigs) X(Icmp6OutTimeExcds) X(Icmp6OutParmProblems)             \
  X(Icmp6OutEchos) X(Icmp6OutEchoReplies) X(Icmp6OutNeighborSolicits) X(Icmp6OutNeighborAdvertisements)  \
  X(Icmp6OutRouterSolicits) X(Icmp6InGroupMembQueries) X(Icmp6InGroupMembResponses)                      \
  X(Icmp6InGroupMembReductions) X(Icmp6InMLDv2Reports) X(Icmp6OutGroupMembResponses)                     \
  X(Icmp6OutGroupMembReductions) X(Icmp6OutMLDv2Reports)                                                 \
  X(UdpInDatagrams) X(UdpNoPorts) X(UdpInErrors) X(UdpOutDatagrams) X(UdpRcvbufErrors)                   \
  X(UdpSndbufErrors) X(UdpInCsumErrors) X(UdpIgnoredMulti)                                               \
  X(Udp6InDatagrams) X(Udp6NoPorts) X(Udp6InErrors) X(Udp6OutDatagrams) X(Udp6RcvbufErrors)              \
  X(Udp6SndbufErrors) X(Udp6InCsumErrors) X(Udp6IgnoredMulti)                                            \
  X(TcpActiveOpens) X(TcpPassiveOpens) X(TcpAttemptFails) X(TcpEstabResets) X(TcpInSegs) X(TcpOutSegs)   \
  X(TcpRetransSegs) X(TcpInErrs) X(TcpOutRsts) X(TcpInCsumErrors)                                        \
  X(TcpExtSyncookiesSent) X(TcpExtSyncookiesRecv) X(TcpExtSyncookiesFailed) X(TcpExtOutOfWindowIcmps)    \
  X(TcpExtTW) X(TcpExtTWRecycled) X(TcpExtPAWSActive) X(TcpExtPAWSEstab) X(TcpExtDelayedACKs)            \
  X(TcpExtListenOverflows) X(TcpExtListenDrops) X(TcpExtTCPHPHits) X(TcpExtTCPPureAcks)                  \
  X(TcpExtTCPRenoRecovery) X(TcpExtTCPSackRecovery) X(TcpExtTCPSACKReneging) X(TcpExtTCPLostRetransmit)  \
  X(TcpExtTCPFastRetrans) X(TcpExtTCPSlowStartRetrans) X(TcpExtTCPTimeouts) X(TcpExtTCPSpuriousRTOs)     \
  X(TcpExtTCPLossProbes) X(TcpExtTCPDSACKOldSent) X(TcpExtTCPDSACKOfoSent) X(TcpExtTCPDSACKRecv)         \
  X(TcpExtTCPAbortOnData) X(TcpExtTCPAbortOnClose) X(TcpExtTCPAbortOnMemory) X(TcpExtTCPAbortOnTimeout)  \
  X(TcpExtTCPAbortOnLinger) X(TcpExtTCPAbortFailed) X(TcpExtTCPSackShifted) X(TcpExtTCPSACKDiscard)      \
  X(TcpExtTCPRcvCoalesce) X(TcpExtTCPOFOQueue) X(TcpExtTCPOFODrop) X(TcpExtTCPOFOMerge)                  \
  X(TcpExtTCPChallengeACK) X(TcpExtTCPSYNChallenge) X(TcpExtTCPFromZeroWindowAdv)                        \
  X(TcpExtTCPToZeroWindowAdv) X(TcpExtTCPWantZeroWindowAdv) X(TcpExtTCPSynRetrans) X(TcpExtTCPOrigDataSent)\
  X(TcpExtTCPACKSkippedSynRecv) X(TcpExtTCPACKSkippedPAWS) X(TcpExtTCPACKSkippedSeq)                     \
  X(TcpExtTCPACKSkippedFinWait2) X(TcpExtTCPACKSkippedTimeWait) X(TcpExtTCPACKSkippedChallenge)          \
  X(TcpExtTCPWinProbe) X(TcpExtTCPMTUPFail) X(TcpExtTCPMTUPSuccess) X(TcpExtTCPKeepAlive) X(TcpExtTCPDelivered) X(TcpExtTCPRcvQDrop)                  \
  X(TcpExtTCPTimeWaitOverflow) X(TcpExtTCPReqQFullDoCookies) X(TcpExtTCPReqQFullDrop)                    \
  X(TcpExtTCPFastOpenActive) X(TcpExtTCPFastOpenActiveFail) X(TcpExtTCPFastOpenPassive)                  \
  X(TcpExtTCPFastOpenPassiveFail) X(TcpExtTCPFastOpenListenOverflow) X(TcpExtTCPFastOpenCookieReqd)      \
  X(TcpExtTCPFastOpenBlackhole) X(TcpExtTCPFastOpenPassiveAltKey) X(TcpExtTCPMinTTLDrop)                 \
  X(IpExtInNoRoutes) X(IpExtInTruncatedPkts) X(IpExtInMcastPkts) X(IpExtOutMcastPkts) X(IpExtInBcastPkts)\
  X(IpExtOutBcastPkts) X(IpExtInOctets) X(IpExtOutOctets) X(IpExtInCsumErrors) X(IpExtReasmOverlaps)     \
  X(Ip6InOctets) X(Ip6OutOctets) X(Ip6InMcastPkts) X(Ip6OutMcastPkts)                                    \
  X(ArpInRequests) X(ArpInReplies) X(ArpOutRequests) X(ArpOutReplies) X(ArpConflicts) X(NdpConflicts)    \
  X(NeighUnresolvedDrops) X(NeighTableOverflows) X(LinkInFrames) X(LinkOutFrames) X(LinkInDiscards)      \
  X(LinkInUnknownTypes) X(LinkOutQueueDrops) X(BufferExhausted)
// clang-format on

enum class Counter : std::uint16_t {
#define TRANSOM_ENUMERATOR(name) k##name,
  TRANSOM_COUNTERS(TRANSOM_ENUMERATOR)
#undef TRANSOM_ENUMERATOR
      kCount
};

inline constexpr std::size_t kCounterCount = static_cast<std::size_t>(Counter::kCount);

std::string_view to_string(Counter counter);

class Counters {
 public:
  void add(Counter counter, std::uint64_t amount = 1) {
    values_[static_cast<std::size_t>(counter)] += amount;
  }
  std::uint64_t operator[](Counter counter) const { return values_[static_cast<std::size_t>(counter)]; }

 private:
  std::array<std::uint64_t, kCounterCount> values_{};
};

}  // namespace transom
