// Why a packet (or a part of one) was dropped. Each drop site names one of these; Context::drop counts it,
// adds to the SNMP counter that belongs to the site, and tells the observer.
#pragma once

#include <cstdint>
#include <string_view>

namespace transom {

// The printed name is the enumerator without its k, as in "TcpBadChecksum".
// clang-format off
#define TRANSOM_DROP_REASONS(X)                                                                            \
  /* link */                                                                                               \
  X(FrameTooShort) X(FrameTooLong) X(FrameUnknownType) X(FrameOwnSource) X(FrameGroupSource)               \
  X(FrameNotForUs) X(FrameNestedTag) X(FrameForeignTag) X(LinkQueueFull) X(InterfaceDown)                  \
  X(ArpMalformed) X(ArpInvalidSender) X(NeighbourQueueFull) X(NeighbourTableFull) X(NeighbourFailed)       \
  X(NeighbourRateLimited)                                                                                  \
  /* ip, both families unless named */                                                                     \
  X(IpTruncated) X(IpBadVersion) X(IpBadHeaderLength) X(IpBadTotalLength) X(IpBadChecksum) X(IpBadOptions) \
  X(IpSourceRouted) X(IpMartianSource) X(IpMartianDestination) X(IpNotForUs) X(IpOwnSource)                \
  X(IpUnicastInLinkBroadcast) X(IpUnknownProtocol) X(IpTtlExceeded) X(IpNoRoute) X(IpNeedsFragmentation)   \
  X(IpExtensionHeaderLimit) X(IpBadExtensionHeader) X(IpUnknownOption) X(IpRoutingHeader)                  \
  X(FragmentMalformed) X(FragmentOverlap) X(FragmentTooBig) X(FragmentLimit) X(FragmentTimeout)            \
  X(FragmentFirstTooShort) X(FragmentEcnMix) X(FragmentDuplicate)                                                               \
  X(IcmpTruncated) X(IcmpBadChecksum) X(IcmpUnknownType) X(IcmpBroadcastEcho) X(IcmpRateLimited)           \
  X(IcmpQuoteMalformed) X(IcmpQuoteUnmatched) X(IcmpIgnored) X(NdpMalformed) X(NdpBadHopLimit)             \
  X(NdpFragmented) X(NdpUnmatched) X(IgmpMalformed) X(IgmpBadChecksum) X(MldMalformed)                     \
  X(MembershipUntrusted)                                                                                   \
  X(BelowMinimumHops) X(Filtered)                                                                          \
  /* udp */                                                                                                \
  X(UdpTruncated) X(UdpBadLength) X(UdpBadChecksum) X(UdpZeroChecksum) X(UdpNoPort) X(UdpReceiveQueueFull) \
  X(UdpPortZero)                                                                                           \
  /* tcp */                                                                                                \
  X(TcpTruncated) X(TcpBadDataOffset) X(TcpBadChecksum) X(TcpBadOptions) X(TcpNotUnicast) X(TcpPortZero)   \
  X(TcpNoConnection) X(TcpSynFin) X(TcpListenNotSyn) X(TcpSynQueueFull) X(TcpAcceptQueueFull)              \
  X(TcpOutOfWindow) X(TcpPaws) X(TcpMissingTimestamp) X(TcpInvalidReset) X(TcpSynInWindow)                 \
  X(TcpMissingAck) X(TcpUnacceptableAck) X(TcpOldAck) X(TcpDuplicateData) X(TcpBeyondWindow)               \
  X(TcpReceiveQueueFull) X(TcpReassemblyFull) X(TcpAfterClose) X(TcpTimeWait) X(TcpBadCookie)              \
  X(NoBuffers)
// clang-format on

enum class DropReason : std::uint8_t {
#define TRANSOM_ENUMERATOR(name) k##name,
  TRANSOM_DROP_REASONS(TRANSOM_ENUMERATOR)
#undef TRANSOM_ENUMERATOR
      kCount
};

inline constexpr std::size_t kDropReasonCount = static_cast<std::size_t>(DropReason::kCount);

std::string_view to_string(DropReason reason);

}  // namespace transom
