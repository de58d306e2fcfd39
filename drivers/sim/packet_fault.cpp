#include "drivers/sim/packet_fault.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "drivers/frame_layout.h"
#include "drivers/sim/ip_view.h"
#include "drivers/units.h"
#include "stack/wire/tcp.h"

namespace transom::drivers::sim {

namespace {

using Action = PacketFault::Action;

constexpr std::pair<std::string_view, Action> kActions[] = {{"drop", Action::kDrop},
                                                            {"duplicate", Action::kDuplicate},
                                                            {"corrupt", Action::kCorrupt},
                                                            {"delay", Action::kDelay},
                                                            {"mark", Action::kMark}};
constexpr std::pair<std::string_view, PacketKind> kKinds[] = {{"packet", PacketKind::kPacket},
                                                              {"data", PacketKind::kData},
                                                              {"retransmission", PacketKind::kRetransmission},
                                                              {"ack", PacketKind::kAck},
                                                              {"syn", PacketKind::kSyn},
                                                              {"syn-ack", PacketKind::kSynAck},
                                                              {"fin", PacketKind::kFin},
                                                              {"rst", PacketKind::kReset},
                                                              {"udp", PacketKind::kUdp},
                                                              {"icmp", PacketKind::kIcmp}};

template <typename Table>
auto* find(Table& table, std::string_view word) {
  const auto found = std::ranges::find(table, word, [](const auto& entry) { return entry.first; });
  return found == std::end(table) ? nullptr : &found->second;
}

// "first", "3rd", "7" or "5-9".
bool parse_numbers(std::string_view word, PacketFault& fault) {
  if (word == "every" || word == "all") {
    fault.first = 1;
    fault.last = UINT64_MAX;
    return true;
  }
  if (word == "first") word = "1";
  const std::size_t dash = word.find('-');
  std::string_view first = word.substr(0, dash);
  for (const std::string_view ending : {"st", "nd", "rd", "th"}) {
    if (first.ends_with(ending)) first.remove_suffix(ending.size());
  }
  const auto from = parse_count(first);
  const auto to = dash == std::string_view::npos ? from : parse_count(word.substr(dash + 1));
  if (!from || !to || *from == 0 || *to < *from) return false;
  fault.first = *from;
  fault.last = *to;
  return true;
}

std::vector<std::string> words_of_line(std::string_view text) {
  constexpr std::string_view kFillers[] = {"the", "of", "by", "segment", "segments"};
  std::vector<std::string> words;
  std::string word;
  const auto finish = [&] {
    if (!word.empty() && std::ranges::find(kFillers, word) == std::end(kFillers)) words.push_back(word);
    word.clear();
  };
  for (const char letter : text) {
    if (letter == ' ' || letter == '\t') {
      finish();
    } else {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    }
  }
  finish();
  return words;
}

constexpr bool contains(std::uint32_t set, PacketKind kind) {
  return (set >> static_cast<unsigned>(kind) & 1U) != 0;
}

}  // namespace

std::expected<PacketFault, std::string> parse_packet_fault(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return std::unexpected(
        fmt::format("bad packet fault '{}': {}; as in 'drop the 3rd retransmission', 'duplicate the first "
                    "syn-ack', 'corrupt byte 20 of data segment 7', 'delay data segments 5-9 by 30ms'",
                    text, why));
  };
  const std::vector<std::string> words = words_of_line(text);
  PacketFault fault;
  if (words.empty()) return refuse("it is empty");
  const Action* const action = find(kActions, words[0]);
  if (action == nullptr) return refuse("it must begin with drop, duplicate, corrupt, delay or mark");
  fault.action = *action;
  bool has_kind = false, has_byte = false, has_delay = false;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string& word = words[i];
    std::string_view singular = word;
    if (singular.size() > 3 && singular.ends_with('s')) singular.remove_suffix(1);
    if (word == "byte" && i + 1 < words.size()) {
      const auto byte = parse_count(words[++i]);
      if (!byte || *byte > 65535) return refuse(fmt::format("'{}' is no byte", words[i]));
      fault.byte = static_cast<std::size_t>(*byte);
      has_byte = true;
    } else if (const PacketKind* const kind = find(kKinds, singular)) {
      fault.kind = *kind;
      has_kind = true;
    } else if (const auto delay = parse_duration(word)) {
      fault.delay = *delay;
      has_delay = true;
    } else if (!parse_numbers(word, fault)) {
      return refuse(fmt::format("'{}' is not understood", word));
    }
  }
  if (!has_kind)
    return refuse(
        "it names no kind of packet: packet, data, retransmission, ack, syn, syn-ack, fin, rst, udp or icmp");
  if (has_byte != (fault.action == Action::kCorrupt))
    return refuse("corrupt, and nothing else, needs a byte");
  if (has_delay != (fault.action == Action::kDelay)) return refuse("delay, and nothing else, needs a time");
  return fault;
}

PacketFaults::Kinds PacketFaults::kinds_of(const Packet& packet) {
  Kinds kinds = 0;
  const auto add = [&](PacketKind kind) { kinds |= 1U << static_cast<unsigned>(kind); };
  add(PacketKind::kPacket);
  const auto layout = layout_of(packet.head(), type_);
  if (!layout) return kinds;
  if (layout->protocol == IpProtocol::kUdp) add(PacketKind::kUdp);
  if (layout->protocol == IpProtocol::kIcmp || layout->protocol == IpProtocol::kIcmpv6)
    add(PacketKind::kIcmp);
  if (layout->protocol != IpProtocol::kTcp || layout->is_fragment) return kinds;
  wire::Reader reader(packet.head().subspan(layout->transport_offset));
  const auto header = wire::TcpHeader::parse(reader);
  if (!header) return kinds;
  const std::size_t payload = packet.size() - layout->transport_offset - header->size();
  if (header->flags.rst) add(PacketKind::kReset);
  if (header->flags.fin) add(PacketKind::kFin);
  if (header->flags.syn) add(header->flags.ack ? PacketKind::kSynAck : PacketKind::kSyn);
  if (payload == 0) {
    if (!header->flags.rst && !header->flags.fin && !header->flags.syn) add(PacketKind::kAck);
    return kinds;
  }
  add(PacketKind::kData);
  const SeqNum end = header->sequence + static_cast<std::uint32_t>(payload);
  const auto [flow, is_new] = highest_.try_emplace(flow_hash(packet, type_, 0), header->sequence);
  if (!is_new && is_before(header->sequence, flow->second)) add(PacketKind::kRetransmission);
  flow->second = later_of(flow->second, end);
  return kinds;
}

PacketFaults::Verdict PacketFaults::judge(const Packet& packet) {
  Verdict verdict;
  const Kinds kinds = kinds_of(packet);
  for (std::size_t i = 0; i < std::size(counts_); ++i) {
    if (contains(kinds, static_cast<PacketKind>(i))) ++counts_[i];
  }
  for (const PacketFault& fault : faults_) {
    const std::uint64_t number = counts_[static_cast<std::size_t>(fault.kind)];
    if (!contains(kinds, fault.kind) || number < fault.first || number > fault.last) continue;
    switch (fault.action) {
      case Action::kDrop:
        verdict.drop = true;
        break;
      case Action::kDuplicate:
        verdict.duplicate = true;
        break;
      case Action::kCorrupt:
        verdict.corrupt_byte = fault.byte;
        break;
      case Action::kDelay:
        verdict.delay += fault.delay;
        break;
      case Action::kMark:
        verdict.mark = true;
        break;
    }
  }
  return verdict;
}

}  // namespace transom::drivers::sim
