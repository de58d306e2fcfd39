#include "drivers/judge/rules.h"

#include <algorithm>
#include <array>

namespace transom::drivers::judge {

namespace {

constexpr std::array kAll{
    &rule::kIpChecksum,
    &rule::kTtlZero,
    &rule::kSourceAddress,
    &rule::kSameEndpoints,
    &rule::kIpLength,
    &rule::kFragmentOverlap,
    &rule::kFragmentBeyondEnd,
    &rule::kFragmentLength,
    &rule::kFragmentDf,
    &rule::kIcmpChecksum,
    &rule::kIcmpAboutError,
    &rule::kIcmpAboutGroup,
    &rule::kIcmpAboutFragment,
    &rule::kIcmpQuote,
    &rule::kIcmpMtu,
    &rule::kIcmpQuotedSequence,
    &rule::kEchoReply,
    &rule::kUdpChecksum,
    &rule::kUdpLength,
    &rule::kUdpNoChecksum,
    &rule::kChecksum,
    &rule::kBadChecksumAccepted,
    &rule::kMalformed,
    &rule::kReservedBits,
    &rule::kFlags,
    &rule::kAckFlagMissing,
    &rule::kAckFieldWithoutFlag,
    &rule::kUrgent,
    &rule::kUrgentBackwards,
    &rule::kMssOutsideSyn,
    &rule::kScaleOutsideSyn,
    &rule::kSackPermittedOutsideSyn,
    &rule::kScaleUnoffered,
    &rule::kScaleTooLarge,
    &rule::kTimestampsUnoffered,
    &rule::kTimestampsMissing,
    &rule::kTimestampsNotAgreed,
    &rule::kSackNotPermitted,
    &rule::kMssExceeded,
    &rule::kTimestampBackwards,
    &rule::kEchoUnseen,
    &rule::kEchoBackwards,
    &rule::kEchoInSyn,
    &rule::kSynAckNumber,
    &rule::kResetOfSyn,
    &rule::kResetOfReset,
    &rule::kDataBeforeHandshake,
    &rule::kIsnChanges,
    &rule::kIsnRepeats,
    &rule::kSynInConnection,
    &rule::kSynAccepted,
    &rule::kAckBeyondSent,
    &rule::kAckBeyondReceived,
    &rule::kAckBackwards,
    &rule::kAckLate,
    &rule::kAckRare,
    &rule::kSackInverted,
    &rule::kSackBelowAck,
    &rule::kSackOverlap,
    &rule::kSackBeyondSent,
    &rule::kSackBeyondReceived,
    &rule::kDuplicateApart,
    &rule::kReneging,
    &rule::kBeyondWindow,
    &rule::kWindowShrunk,
    &rule::kSillyWindow,
    &rule::kProbeBackOff,
    &rule::kTinygrams,
    &rule::kTextDiffers,
    &rule::kDataAfterFin,
    &rule::kFinMoves,
    &rule::kKeepAliveEarly,
    &rule::kResetNotExact,
    &rule::kResetAccepted,
    &rule::kChallengeMissing,
    &rule::kAliveAfterReset,
    &rule::kTimeWaitCutShort,
    &rule::kTimeWaitForgotten,
    &rule::kNoBackOff,
    &rule::kBackOffForgotten,
    &rule::kEarlyRetransmission,
    &rule::kInitialWindow,
    &rule::kSlowStart,
    &rule::kLossWindow,
    &rule::kWindowKept,
    &rule::kGrowthAfterLoss,
    &rule::kEcnNotAgreed,
    &rule::kEcnUnoffered,
    &rule::kEctOnControl,
    &rule::kEctOnRetransmission,
    &rule::kCeNotEchoed,
    &rule::kEceIgnored,
    &rule::kAceHandshake,
    &rule::kAceCount,
    &rule::kAceOctets,
};

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kLegal:
      return "legal";
    case Verdict::kUnknown:
      return "unknown";
    case Verdict::kViolation:
      return "violation";
  }
  return "?";
}

std::span<const Rule* const> all_rules() { return kAll; }

const Rule* find_rule(std::string_view id) {
  const auto found = std::ranges::find(kAll, id, [](const Rule* rule) { return rule->id; });
  return found == kAll.end() ? nullptr : *found;
}

}  // namespace transom::drivers::judge
