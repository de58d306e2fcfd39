#include "tests/unit/drivers/judge/talk.h"

namespace transom::drivers::judge::test {

void Talk::begin_again(std::uint32_t first_number, std::uint32_t second_number) {
  ends_[0] = {first_number, 0, ends_[0].id};
  ends_[1] = {second_number, 0, ends_[1].id};
}

void Talk::packet(const Octets& octets, std::optional<std::size_t> kept) {
  last_ = octets;
  now_ += std::chrono::milliseconds(1);
  CapturedPacket captured;
  captured.number = ++frame_;
  captured.time = now_;
  captured.link_type = LinkType::kRaw;
  captured.octets = Bytes(last_).first(kept.value_or(last_.size()));
  captured.original_length = static_cast<std::uint32_t>(last_.size());
  judge_.take(captured);
}

void Talk::say(std::size_t side, const Says& says) {
  End& from = ends_[side];
  const End& to = ends_[1 - side];
  const Endpoint &source = side == 0 ? kFirst : kSecond, &destination = side == 0 ? kSecond : kFirst;
  const auto has = [&](char flag) { return says.flags.find(flag) != std::string::npos; };
  wire::TcpHeader header;
  header.source_port = source.port;
  header.destination_port = destination.port;
  header.flags = {.fin = has('F'),
                  .syn = has('S'),
                  .rst = has('R'),
                  .psh = has('P'),
                  .ack = has('A'),
                  .urg = has('U'),
                  .ece = has('E'),
                  .cwr = has('W'),
                  .ae = has('a')};
  const Position seq = says.seq.value_or(from.sent);
  header.sequence = SeqNum(from.number) + static_cast<std::uint32_t>(seq);
  header.acknowledgment = header.flags.ack
                              ? SeqNum(to.number) + static_cast<std::uint32_t>(says.ack.value_or(to.sent))
                              : SeqNum(says.raw_ack);
  header.window = says.window;
  header.urgent_pointer = says.urgent;
  header.options.maximum_segment_size = says.mss;
  header.options.window_scale = says.scale;
  header.options.sack_permitted = says.sack_permitted;
  header.options.timestamps = says.timestamps;
  header.options.fast_open = says.cookie;
  for (const PositionRange& block : says.sack)
    header.options.add_sack({SeqNum(to.number) + static_cast<std::uint32_t>(block.begin),
                             SeqNum(to.number) + static_cast<std::uint32_t>(block.end)});
  Octets segment(header.size());
  wire::Writer writer(segment);
  header.write(writer);
  if (!says.options.empty()) {
    segment.insert(segment.begin() + 20, says.options.begin(), says.options.end());
    segment[12] = static_cast<std::uint8_t>(segment.size() / 4 << 4);
  }
  segment[12] = static_cast<std::uint8_t>(segment[12] | says.reserved | (header.flags.ae ? 1 : 0));
  const Position text = seq + (header.flags.syn ? 1 : 0);
  for (std::size_t i = 0; i < says.length; ++i)
    segment.push_back(
        static_cast<std::uint8_t>(octet_at(text + static_cast<Position>(i)) ^ says.other_octets));
  segment[16] = segment[17] = 0;
  wire::ChecksumSum sum = wire::pseudo_header_sum(source.address, destination.address, IpProtocol::kTcp,
                                                  static_cast<std::uint32_t>(segment.size()));
  sum.add(segment);
  wire::Writer(MutableBytes(segment).subspan(16, 2)).u16(sum.checksum());
  if (says.is_damaged) segment[16] = static_cast<std::uint8_t>(segment[16] ^ 0x5a);
  now_ += says.after - std::chrono::milliseconds(1);
  packet(transom::test::ipv4({.source = source.address,
                              .destination = destination.address,
                              .protocol = IpProtocol::kTcp,
                              .id = says.id.value_or(from.id),
                              .traffic_class = says.ecn},
                             segment));
  from.id = static_cast<std::uint16_t>(says.id.value_or(from.id) + 1);
  const Position end = text + static_cast<Position>(says.length) + (header.flags.fin ? 1 : 0);
  if (!header.flags.rst) from.sent = std::max(from.sent, end);
}

const std::vector<Finding>& Talk::findings() {
  if (!has_ended_) judge_.end();
  has_ended_ = true;
  return judge_.findings();
}

std::optional<Verdict> Talk::verdict_of(std::string_view rule) {
  std::optional<Verdict> worst;
  for (const Finding& finding : findings())
    if (finding.rule->id == rule) worst = std::max(worst.value_or(finding.verdict), finding.verdict);
  return worst;
}

std::string Talk::text() {
  std::string text;
  for (const Finding& finding : findings())
    text += fmt::format("{} {} frame {}: {}\n", to_string(finding.verdict), finding.rule->id, finding.frame,
                        finding.text);
  return text;
}

}  // namespace transom::drivers::judge::test
