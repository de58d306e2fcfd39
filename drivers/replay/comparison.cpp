#include "drivers/replay/comparison.h"

#include <algorithm>
#include <array>

#include "drivers/capture/icmp_error.h"
#include "drivers/capture/position_ranges.h"
#include "drivers/replay/alignment.h"

namespace transom::drivers::replay {

namespace {

constexpr Difference kAckPolicy{"acknowledgment-policy", Likeness::kLegal, "RFC 9293 §3.8.6.3, RFC 5681 §4.2",
                                "pure acknowledgments at other places: they may be delayed and combined"};
constexpr Difference kWindow{"window", Likeness::kLegal, "RFC 9293 §3.8.6",
                             "another window: the receiver chooses it"};
constexpr Difference kPush{"push", Likeness::kLegal, "RFC 9293 §3.9.1.2",
                           "PSH at another place: it is a hint of the sender"};
constexpr Difference kOptions{"options", Likeness::kLegal, "RFC 9293 §3.2, RFC 7323 §2.2, RFC 2018 §2",
                              "other options: each end chooses what it offers"};
constexpr Difference kSack{"sack-blocks", Likeness::kLegal, "RFC 2018 §4",
                           "another number of SACK blocks: there may be as many as fit"};
constexpr Difference kEcn{"ecn-flags", Likeness::kLegal, "RFC 3168 §6.1", "other ECN flags"};
constexpr Difference kSegmentation{"segmentation", Likeness::kLegal, "RFC 9293 §3.8.6.2, §3.7.1",
                                   "the same octets, cut otherwise"};
constexpr Difference kRetransmission{"retransmission", Likeness::kLegal, "RFC 6298 §5, RFC 8985, RFC 6675",
                                     "sent again at other times: timers and loss detection may differ"};
constexpr Difference kLater{"acknowledged-later", Likeness::kLegal, "RFC 9293 §3.8.6.3",
                            "the segment acknowledges more or less, as it was sent later or earlier"};
constexpr Difference kMoreResets{"number-of-resets", Likeness::kLegal, "RFC 9293 §3.10.7.1",
                                 "another number of resets: each stray segment draws one"};
constexpr Difference kLateReset{"reset-at-the-end", Likeness::kLegal, "RFC 9293 §3.6.1, RFC 2525 §2.17",
                                "a reset once all was said: the application had gone without reading on"};
constexpr Difference kClosed{"end-of-stream", Likeness::kLegal, "RFC 9293 §3.6",
                             "the application closed; the recording ends without that"};
constexpr Difference kIcmpError{"icmp-error", Likeness::kLegal, "RFC 1122 §3.2.2, RFC 1812 §4.3.2.8",
                                "ICMP errors may be limited"};
constexpr Difference kNeighbour{"neighbour-discovery", Likeness::kLegal, "RFC 4861 §7.2, RFC 3810",
                                "neighbours and groups are asked for at other times"};
constexpr Difference kFragments{"fragments", Likeness::kLegal, "RFC 791 §3.2, RFC 8200 §4.5",
                                "fragments that are cut elsewhere or numbered otherwise"};
constexpr Difference kIdentification{"identification", Likeness::kLegal, "RFC 6864 §4.1",
                                     "another IP identification"};
constexpr Difference kNoReset{"reset-missing", Likeness::kUnknown, "RFC 9293 §3.10.7",
                              "the recorded end reset the connection, this one did not"};
constexpr Difference kNotYet{"not-sent-yet", Likeness::kUnknown, "RFC 5681 §3.1",
                             "not sent when the capture ended: perhaps the congestion window was smaller"};
constexpr Difference kUnexpected{"other-packet", Likeness::kUnknown, "",
                                 "a packet that the recorded end did not send"};
constexpr Difference kNoAnswer{"no-answer", Likeness::kUnknown, "", "a packet that was not sent now"};
constexpr Difference kNotSent{"never-sent", Likeness::kViolation, "RFC 9293 §3.8",
                              "octets were never sent: the connection had ended"};
constexpr Difference kUnwritten{"unwritten", Likeness::kViolation, "RFC 9293 §3.4",
                                "octets that the application never wrote"};
constexpr Difference kOctets{"other-octets", Likeness::kViolation, "RFC 9293 §3.4",
                             "other octets at the same place"};
constexpr Difference kReset{"reset", Likeness::kViolation, "RFC 9293 §3.10.7",
                            "the connection was reset, the recorded end did not do that"};
constexpr Difference kNoSyn{"syn-missing", Likeness::kViolation, "RFC 9293 §3.5", "no SYN was sent"};
constexpr Difference kSyn{"syn", Likeness::kViolation, "RFC 9293 §3.5",
                          "a SYN that the recorded end did not send"};
constexpr Difference kEcho{"echo-reply", Likeness::kViolation, "RFC 1122 §3.2.2.6",
                           "an echo request was not answered"};
constexpr Difference kDatagram{"datagram", Likeness::kViolation, "RFC 768",
                               "a datagram was not sent as it was recorded"};

constexpr std::array<const Difference*, 28> kAll{
    &kAckPolicy,      &kWindow,  &kPush,       &kOptions,    &kSack,      &kEcn,       &kSegmentation,
    &kRetransmission, &kLater,   &kMoreResets, &kLateReset,  &kIcmpError, &kNeighbour, &kFragments,
    &kClosed,         &kNoReset, &kNotYet,     &kUnexpected, &kNoAnswer,  &kNotSent,   &kUnwritten,
    &kOctets,         &kReset,   &kNoSyn,      &kSyn,        &kEcho,      &kDatagram,  &kIdentification};

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash ^= value + 0x9e3779b97f4a7c15ULL + (hash << 6) + (hash >> 2);
  return hash * 0xff51afd7ed558ccdULL;
}

std::uint64_t weak_key(const PacketRecord& record) {
  std::uint64_t key = mix(static_cast<std::uint64_t>(record.protocol), record.length);
  if (record.protocol != IpProtocol::kTcp) return mix(mix(key, record.kind), record.digest);
  key = mix(key, static_cast<std::uint64_t>(record.sequence));
  return mix(key, (record.flags.syn ? 1U : 0U) | (record.flags.fin ? 2U : 0U) | (record.flags.rst ? 4U : 0U) |
                      (record.flags.ack ? 8U : 0U));
}

std::uint64_t strong_key(const PacketRecord& record) {
  const std::uint64_t key = weak_key(record);
  return record.protocol == IpProtocol::kTcp && record.flags.ack && !record.flags.rst
             ? mix(key, static_cast<std::uint64_t>(record.acknowledgment))
             : key;
}

// What one side sent of the sequence space, in all.
class Coverage {
 public:
  explicit Coverage(std::span<const PacketRecord> records) : sent_(records.size() + 1) {
    for (const PacketRecord& record : records) {
      has_fragment_ = has_fragment_ || record.is_fragment;
      if (record.protocol != IpProtocol::kTcp) continue;
      has_reset_ = has_reset_ || record.flags.rst;
      has_syn_ = has_syn_ || record.flags.syn;
      has_fin_ = has_fin_ || record.flags.fin;
      if (!record.flags.rst) sent_.add(record.sequence, record.end());
    }
  }
  // What carries nothing is always contained.
  bool contains(const PacketRecord& record) const { return sent_.contains(record.sequence, record.end()); }
  bool has_reset() const { return has_reset_; }
  bool has_syn() const { return has_syn_; }
  bool has_fin() const { return has_fin_; }
  bool has_fragment() const { return has_fragment_; }

 private:
  PositionRanges sent_;
  bool has_reset_ = false;
  bool has_syn_ = false;
  bool has_fin_ = false;
  bool has_fragment_ = false;
};

class Comparer {
 public:
  Comparer(std::span<const PacketRecord> recorded, std::span<const PacketRecord> actual,
           const ComparisonContext& context)
      : recorded_(recorded),
        actual_(actual),
        context_(context),
        recorded_coverage_(recorded),
        actual_coverage_(actual) {
    if (context_.compares_identifications) count_on();
  }

  Comparison run() {
    std::size_t i = 0, j = 0;
    for (const auto& [a, b] : align(keys(recorded_, strong_key), keys(actual_, strong_key))) {
      gap(i, a, j, b);
      pair(a, b);
      i = a + 1;
      j = b + 1;
    }
    gap(i, recorded_.size(), j, actual_.size());
    return std::move(result_);
  }

 private:
  template <typename Key>
  static std::vector<std::uint64_t> keys(std::span<const PacketRecord> records, Key key) {
    std::vector<std::uint64_t> keys(records.size());
    std::ranges::transform(records, keys.begin(), key);
    return keys;
  }

  // What lies between two pairs: perhaps the same but for the acknowledgment.
  void gap(std::size_t i, std::size_t i_end, std::size_t j, std::size_t j_end) {
    if (i == i_end && j == j_end) return;
    const auto recorded = recorded_.subspan(i, i_end - i);
    const auto actual = actual_.subspan(j, j_end - j);
    std::size_t x = 0, y = 0;
    const auto alone = [&](std::size_t a, std::size_t b) {
      for (; x < a; ++x) missing(recorded[x]);
      for (; y < b; ++y) extra(actual[y]);
    };
    for (const auto& [a, b] : align(keys(recorded, weak_key), keys(actual, weak_key))) {
      if (recorded[a].is_pure_ack()) continue;
      alone(a, b);
      pair(i + x++, j + y++);
    }
    alone(recorded.size(), actual.size());
  }

  void add(Rung rung) {
    if (rung.differences.empty()) ++result_.same;
    for (const Difference* difference : rung.differences) ++result_.counts[difference];
    result_.rungs.push_back(std::move(rung));
  }

  void pair(std::size_t i, std::size_t j) {
    const PacketRecord &a = recorded_[i], &b = actual_[j];
    Rung rung{a, b, {}};
    const auto note = [&](bool differs, const Difference& difference) {
      if (differs) rung.differences.push_back(&difference);
    };
    note(has_other_identification(a, j), kIdentification);
    if (a.protocol == IpProtocol::kTcp) {
      note(a.flags.ack && b.flags.ack && !a.flags.rst && a.acknowledgment != b.acknowledgment, kLater);
      note(!a.flags.rst && a.window != b.window, kWindow);
      note(a.flags.psh != b.flags.psh, kPush);
      note(a.flags.ece != b.flags.ece || a.flags.cwr != b.flags.cwr, kEcn);
      note(a.sack_blocks != b.sack_blocks, kSack);
      note(a.maximum_segment_size != b.maximum_segment_size || a.window_scale != b.window_scale ||
               a.sack_permitted != b.sack_permitted || (a.has_timestamps != b.has_timestamps && !a.flags.rst),
           kOptions);
      note(context_.compares_octets && a.digest != b.digest && a.is_whole && b.is_whole, kOctets);
    }
    add(std::move(rung));
  }

  // Where other packets were sent, a counter stands elsewhere: ours counts on from where the recorded one
  // began. Behind a super-segment it may have left some out.
  void count_on() {
    constexpr std::uint16_t kMostLeftOut = 4;
    const auto has_number = [](const PacketRecord& record) { return record.identification.value_or(0) != 0; };
    const auto first = std::ranges::find_if(recorded_, has_number);
    auto next = static_cast<std::uint16_t>(first != recorded_.end() ? *first->identification : 0);
    for (const PacketRecord& record : actual_) {
      const auto number = static_cast<std::uint16_t>(record.identification.value_or(0));
      const auto ahead = static_cast<std::uint16_t>(number - next);
      counts_on_.push_back(record.protocol == IpProtocol::kTcp && number != 0 && ahead <= kMostLeftOut);
      if (counts_on_.back()) next = static_cast<std::uint16_t>(number + 1);
    }
  }

  bool has_other_identification(const PacketRecord& recorded, std::size_t j) const {
    const PacketRecord& actual = actual_[j];
    if (counts_on_.empty() || !recorded.identification || !actual.identification) return false;
    if (recorded.identification == actual.identification) return false;
    return !counts_on_[j] || *recorded.identification == 0;
  }

  void missing(const PacketRecord& record) { add({record, std::nullopt, {&why_missing(record)}}); }
  void extra(const PacketRecord& record) { add({std::nullopt, record, {&why_extra(record)}}); }

  const Difference& why_missing(const PacketRecord& record) const {
    if (record.is_fragment && actual_coverage_.has_fragment()) return kFragments;
    if (is_neighbour_discovery(record)) return kNeighbour;
    if (record.protocol == IpProtocol::kUdp) return kDatagram;
    if (record.protocol == IpProtocol::kIcmp || record.protocol == IpProtocol::kIcmpv6) {
      const int type = record.kind >> 8;
      const bool is_v4 = record.protocol == IpProtocol::kIcmp;
      if (type == (is_v4 ? 0 : 129)) return kEcho;
      return is_error(record) ? kIcmpError : kNoAnswer;
    }
    if (record.protocol != IpProtocol::kTcp) return kNoAnswer;
    if (record.flags.rst) return actual_coverage_.has_reset() ? kMoreResets : kNoReset;
    if (record.flags.syn) return actual_coverage_.has_syn() ? kRetransmission : kNoSyn;
    if (record.is_pure_ack()) return kAckPolicy;
    if (!actual_coverage_.contains(record)) return context_.has_failed ? kNotSent : kNotYet;
    return was_sent_before(recorded_, record) ? kRetransmission : kSegmentation;
  }

  const Difference& why_extra(const PacketRecord& record) const {
    if (record.is_fragment && recorded_coverage_.has_fragment()) return kFragments;
    if (is_neighbour_discovery(record)) return kNeighbour;
    if (record.protocol != IpProtocol::kTcp) return is_error(record) ? kIcmpError : kUnexpected;
    if (record.flags.rst)
      return recorded_coverage_.has_reset() ? kMoreResets : context_.has_ended_well ? kLateReset : kReset;
    if (record.flags.syn) return recorded_coverage_.has_syn() ? kRetransmission : kSyn;
    if (record.is_pure_ack()) return kAckPolicy;
    const bool only_closes = record.flags.fin && record.length == 0 && !recorded_coverage_.has_fin();
    if (only_closes && context_.may_close) return kClosed;
    if (!recorded_coverage_.contains(record)) return kUnwritten;
    return was_sent_before(actual_, record) ? kRetransmission : kSegmentation;
  }

  // `record` is one of `records`, which are in the order in which they were sent.
  static bool was_sent_before(std::span<const PacketRecord> records, const PacketRecord& record) {
    constexpr std::ptrdiff_t kFarthest = 256;
    const PacketRecord* const self = &record;
    const PacketRecord* const first = std::max(records.data(), self - kFarthest);
    return std::any_of(first, self, [&](const PacketRecord& earlier) {
      return !earlier.flags.rst && earlier.sequence <= record.sequence && earlier.end() > record.sequence;
    });
  }

  static bool is_neighbour_discovery(const PacketRecord& record) {
    const int type = record.kind >> 8;
    return record.protocol == IpProtocol::kIcmpv6 && ((type >= 130 && type <= 137) || type == 143);
  }

  // A redirect is one that hosts have no reason to send (RFC 1122 §3.2.2.2).
  static bool is_error(const PacketRecord& record) {
    constexpr std::uint8_t kRedirect = 5;
    const auto type = static_cast<std::uint8_t>(record.kind >> 8);
    return is_icmp_error(record.protocol, type) &&
           !(record.protocol == IpProtocol::kIcmp && type == kRedirect);
  }

  std::span<const PacketRecord> recorded_, actual_;
  ComparisonContext context_;
  Coverage recorded_coverage_, actual_coverage_;
  std::vector<bool> counts_on_;  // of those of the run
  Comparison result_;
};

}  // namespace

std::string_view to_string(Likeness likeness) {
  switch (likeness) {
    case Likeness::kSame:
      return "same";
    case Likeness::kLegal:
      return "legal";
    case Likeness::kUnknown:
      return "unknown";
    case Likeness::kViolation:
      break;
  }
  return "violation";
}

std::span<const Difference* const> all_differences() { return kAll; }

Likeness Rung::likeness() const {
  Likeness worst = Likeness::kSame;
  for (const Difference* difference : differences) worst = std::max(worst, difference->verdict);
  return worst;
}

Likeness Comparison::likeness() const {
  Likeness worst = Likeness::kSame;
  for (const auto& [difference, count] : counts) worst = std::max(worst, difference->verdict);
  return worst;
}

Comparison compare(std::span<const PacketRecord> recorded, std::span<const PacketRecord> actual,
                   const ComparisonContext& context) {
  return Comparer(recorded, actual, context).run();
}

}  // namespace transom::drivers::replay
