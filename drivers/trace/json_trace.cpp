#include "drivers/trace/json_trace.h"

#include "drivers/capture/packet_view.h"

namespace transom::drivers {

namespace {

// The headers of a frame, without what they carry; of what is neither TCP nor UDP, the first octets.
Bytes headers_of(const PacketEvent& what, std::array<std::uint8_t, 256>& room) {
  constexpr std::size_t kOfOthers = 96;
  const std::size_t size = std::min(room.size(), what.packet.size());
  if (!what.packet.copy_out(0, MutableBytes(room).first(size))) return {};
  CapturedPacket packet;
  packet.link_type = what.has_ethernet_header ? LinkType::kEthernet : LinkType::kRaw;
  packet.octets = Bytes(room).first(size);
  packet.original_length = static_cast<std::uint32_t>(what.packet.size());
  const auto view = PacketView::parse(packet);
  const bool is_known = view && (view->tcp || view->udp);
  return packet.octets.first(std::min(size, is_known ? view->payload_offset : kOfOthers));
}

// Writes the members of one kind of event. None of the strings needs escaping: names, addresses and our own
// words; what names hosts sees to that.
struct Members {
  std::string& out;

  void number(std::string_view name, std::int64_t value) const {
    out += fmt::format(",\"{}\":{}", name, value);
  }
  void number(std::string_view name, std::uint64_t value) const {
    out += fmt::format(",\"{}\":{}", name, value);
  }
  void number(std::string_view name, std::uint32_t value) const { number(name, std::uint64_t{value}); }
  void number(std::string_view name, Duration value) const { number(name, std::int64_t{value.count()}); }
  void number(std::string_view name, SeqNum value) const { number(name, value.value()); }
  void text(std::string_view name, std::string_view value) const {
    out += fmt::format(",\"{}\":\"{}\"", name, value);
  }
  void truth(std::string_view name, bool value) const { out += fmt::format(",\"{}\":{}", name, value); }
  void reason(Reason reason) const {
    text("reason", to_string(reason));
    text("rfc", source_of(reason));
  }

  void operator()(const PacketEvent& what) const {
    text("direction", what.direction == Direction::kIn ? "in" : "out");
    number("interface", std::uint64_t{static_cast<std::uint16_t>(what.interface)});
    number("octets", std::uint64_t{what.packet.size()});
    truth("ethernet", what.has_ethernet_header);
    out += ",\"headers\":\"";
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::array<std::uint8_t, 256> room{};
    for (const std::uint8_t octet : headers_of(what, room)) {
      out += kDigits[octet >> 4];
      out += kDigits[octet & 15];
    }
    out += '"';
  }
  void operator()(const DropEvent& what) const { text("reason", to_string(what.reason)); }
  void operator()(const AddressConflictEvent& what) const {
    number("interface", std::uint64_t{static_cast<std::uint16_t>(what.interface)});
    text("address", to_string(what.address));
    text("other", to_string(what.other));
  }
  void operator()(const TcpStateEvent& what) const {
    text("from", what.from);
    text("to", what.to);
    reason(what.reason);
  }
  void operator()(const TcpNegotiatedEvent& what) const {
    number("mss", what.mss);
    number("send_scale", std::uint64_t{what.send_scale});
    number("receive_scale", std::uint64_t{what.receive_scale});
    truth("timestamps", what.timestamps);
    truth("sack", what.sack);
    truth("ecn", what.ecn);
    truth("fast_open", what.fast_open);
  }
  void operator()(const TcpFastOpenEvent& what) const {
    number("octets", what.octets);
    reason(what.reason);
  }
  void operator()(const TcpSendEvent& what) const {
    number("begin", what.begin);
    number("end", what.end);
    reason(what.reason);
  }
  void operator()(const TcpLimitEvent& what) const {
    number("unsent", what.unsent);
    reason(what.reason);
  }
  void operator()(const TcpRttEvent& what) const {
    number("sample_ns", what.sample);
    number("srtt_ns", what.srtt);
    number("rttvar_ns", what.rttvar);
    number("rto_ns", what.rto);
  }
  void operator()(const TcpCongestionEvent& what) const {
    number("before", what.before);
    number("cwnd", what.cwnd);
    number("ssthresh", what.ssthresh);
    number("in_flight", what.in_flight);
    reason(what.reason);
  }
  void operator()(const TcpLossEvent& what) const {
    number("begin", what.begin);
    number("end", what.end);
    number("octets", what.octets);
    reason(what.reason);
  }
  void operator()(const TcpRecoveryEvent& what) const {
    constexpr std::string_view kPhases[] = {"entered", "left", "undone"};
    text("phase", kPhases[static_cast<std::size_t>(what.phase)]);
    number("until", what.until);
    reason(what.reason);
  }
  void operator()(const TcpPeerWindowEvent& what) const {
    number("before", what.before);
    number("window", what.window);
  }
  void operator()(const TcpTimerEvent& what) const { reason(what.timer); }
  void operator()(const TcpTimerSetEvent& what) const {
    number("deadline_ns", what.deadline.time_since_epoch());
    reason(what.timer);
  }
  void operator()(const TcpClampEvent& what) const {
    number("wanted_cwnd", what.wanted_cwnd);
    number("cwnd", what.cwnd);
    number("wanted_pacing_rate", what.wanted_pacing_rate);
    number("pacing_rate", what.pacing_rate);
    reason(what.reason);
  }
};

}  // namespace

std::string json_line(std::string_view host, const Event& event) {
  std::string line =
      fmt::format("{{\"v\":{},\"id\":{},\"cause\":{},\"t_ns\":{},\"event\":\"{}\"", kTraceSchemaVersion,
                  event.id, event.cause, event.time.time_since_epoch().count(), name_of(event));
  const Members members{line};
  if (!host.empty()) members.text("host", host);
  if (const auto connection = connection_of(event)) {
    members.text("local", to_string(connection->local));
    members.text("remote", to_string(connection->remote));
  }
  std::visit(members, event.what);
  line += "}\n";
  return line;
}

void JsonTrace::write(std::string_view host, const Event& event) { file_.write(json_line(host, event)); }

}  // namespace transom::drivers
