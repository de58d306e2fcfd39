#include "drivers/replay/packet_record.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

namespace transom::drivers::replay {

std::uint64_t digest_of(Bytes octets) {
  std::uint64_t hash = 14695981039346656037ULL;
  std::size_t i = 0;
  for (; i + 8 <= octets.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, octets.data() + i, sizeof word);
    hash = std::rotl((hash ^ word) * 0x9e3779b97f4a7c15ULL, 29);
  }
  for (; i < octets.size(); ++i) hash = (hash ^ octets[i]) * 1099511628211ULL;
  return hash;
}

PacketRecord make_record(const CapturedPacket& packet, const PacketView& view, std::int64_t sequence,
                         std::int64_t acknowledgment, std::uint8_t scale) {
  PacketRecord record;
  record.protocol = view.protocol;
  record.number = packet.number;
  record.is_fragment = view.is_fragment;
  record.is_whole = !packet.is_cut();
  if (view.family == IpFamily::kIpv4 || view.is_fragment) record.identification = view.identification;
  if (view.tcp) {
    const wire::TcpHeader& header = *view.tcp;
    record.length = view.payload_length;
    record.digest = digest_of(view.payload);
    record.flags = header.flags;
    record.sequence = sequence;
    record.acknowledgment = acknowledgment;
    record.window = header.flags.syn ? header.window : std::uint32_t{header.window} << scale;
    record.sack_blocks = header.options.sack_count;
    record.maximum_segment_size = header.options.maximum_segment_size;
    record.window_scale = header.options.window_scale;
    record.sack_permitted = header.options.sack_permitted;
    record.has_timestamps = header.options.timestamps.has_value();
    return record;
  }
  if (view.udp) {
    record.length = view.payload_length;
    record.digest = digest_of(view.payload);
    return record;
  }
  const Bytes rest =
      packet.octets.subspan(std::min<std::size_t>(view.transport_offset, packet.octets.size()));
  record.length = view.transport_length;
  const Bytes body = rest.first(std::min<std::size_t>(rest.size(), view.transport_length));
  record.digest = digest_of(body);
  if (body.size() >= 2 && view.fragment_offset == 0)
    record.kind = static_cast<std::uint16_t>(body[0] << 8 | body[1]);
  return record;
}

std::string describe(const PacketRecord& record) {
  if (record.protocol == IpProtocol::kUdp) return fmt::format("UDP {} octets", record.length);
  if (record.protocol != IpProtocol::kTcp) {
    if (record.protocol == IpProtocol::kIcmp || record.protocol == IpProtocol::kIcmpv6)
      return fmt::format("ICMP type {} code {}, {} octets", record.kind >> 8, record.kind & 0xff,
                         record.length);
    return fmt::format("protocol {}, {} octets", static_cast<int>(record.protocol), record.length);
  }
  std::string text;
  const wire::TcpFlags& flags = record.flags;
  if (flags.syn) text += 'S';
  if (flags.fin) text += 'F';
  if (flags.rst) text += 'R';
  if (flags.psh) text += 'P';
  if (flags.urg) text += 'U';
  if (flags.ece) text += 'E';
  if (flags.cwr) text += 'W';
  if (flags.ack) text += '.';
  if (record.length > 0 || flags.syn || flags.fin || flags.rst)
    text += fmt::format(" {}:{}({})", record.sequence, record.sequence + record.length, record.length);
  if (flags.ack) text += fmt::format(" ack {}", record.acknowledgment);
  if (!flags.rst) text += fmt::format(" win {}", record.window);
  if (record.sack_blocks > 0) text += fmt::format(" sack {}", record.sack_blocks);
  if (record.maximum_segment_size) text += fmt::format(" mss {}", *record.maximum_segment_size);
  if (record.window_scale) text += fmt::format(" ws {}", *record.window_scale);
  return text;
}

}  // namespace transom::drivers::replay
