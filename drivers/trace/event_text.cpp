#include "drivers/trace/event_text.h"

#include <fmt/format.h>

#include "drivers/capture/text/packet_text.h"

namespace transom::drivers {

namespace {

std::string because(Reason reason) { return fmt::format("{} [{}]", words_of(reason), source_of(reason)); }

double milliseconds(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

}  // namespace

std::optional<ConnectionName> connection_of(const Event& event) {
  return std::visit(
      [](const auto& what) -> std::optional<ConnectionName> {
        if constexpr (requires { what.local; }) return ConnectionName{what.local, what.remote};
        return std::nullopt;
      },
      event.what);
}

std::string_view name_of(const Event& event) {
  struct Names {
    std::string_view operator()(const PacketEvent&) const { return "packet"; }
    std::string_view operator()(const DropEvent&) const { return "drop"; }
    std::string_view operator()(const AddressConflictEvent&) const { return "address_conflict"; }
    std::string_view operator()(const TcpStateEvent&) const { return "tcp_state"; }
    std::string_view operator()(const TcpNegotiatedEvent&) const { return "tcp_negotiated"; }
    std::string_view operator()(const TcpFastOpenEvent&) const { return "tcp_fast_open"; }
    std::string_view operator()(const TcpSendEvent&) const { return "tcp_send"; }
    std::string_view operator()(const TcpLimitEvent&) const { return "tcp_limit"; }
    std::string_view operator()(const TcpRttEvent&) const { return "tcp_rtt"; }
    std::string_view operator()(const TcpCongestionEvent&) const { return "tcp_congestion"; }
    std::string_view operator()(const TcpLossEvent&) const { return "tcp_loss"; }
    std::string_view operator()(const TcpRecoveryEvent&) const { return "tcp_recovery"; }
    std::string_view operator()(const TcpPeerWindowEvent&) const { return "tcp_peer_window"; }
    std::string_view operator()(const TcpTimerEvent&) const { return "tcp_timer"; }
    std::string_view operator()(const TcpTimerSetEvent&) const { return "tcp_timer_set"; }
    std::string_view operator()(const TcpClampEvent&) const { return "tcp_clamp"; }
  };
  return std::visit(Names{}, event.what);
}

struct EventText::Words {
  EventText& state;

  // The range begin:end, counted from the first data octet of this connection as 1.
  std::string range(const Endpoint& local, const Endpoint& remote, SeqNum begin, SeqNum end) const {
    const SeqNum first = state.first_.try_emplace({local, remote}, begin).first->second;
    return fmt::format("{}:{}", static_cast<std::int64_t>(begin - first) + 1,
                       static_cast<std::int64_t>(end - first) + 1);
  }

  std::string operator()(const PacketEvent&) const { return {}; }
  std::string operator()(const DropEvent& what) const {
    return fmt::format("dropped: {}", to_string(what.reason));
  }
  std::string operator()(const AddressConflictEvent& what) const {
    return fmt::format("{} is claimed by {}", to_string(what.address), to_string(what.other));
  }
  std::string operator()(const TcpStateEvent& what) const {
    return fmt::format("{} → {}: {}", what.from, what.to, because(what.reason));
  }
  std::string operator()(const TcpNegotiatedEvent& what) const {
    return fmt::format("agreed on mss {}, window scale {},{}{}{}{}{}", what.mss, what.send_scale,
                       what.receive_scale, what.timestamps ? ", timestamps" : "", what.sack ? ", sack" : "",
                       what.ecn ? ", ecn" : "", what.fast_open ? ", fast open" : "");
  }
  std::string operator()(const TcpFastOpenEvent& what) const {
    const std::string octets = what.octets != 0 ? fmt::format(", {} octets", what.octets) : "";
    return fmt::format("fast open{}: {}", octets, because(what.reason));
  }
  std::string operator()(const TcpSendEvent& what) const {
    const std::string numbers = range(what.local, what.remote, what.begin, what.end);
    if (what.reason == Reason::kNewData) return fmt::format("sends {}", numbers);
    return fmt::format("{} {}: {}", what.reason == Reason::kRetransmission ? "retransmits" : "sends", numbers,
                       because(what.reason));
  }
  std::string operator()(const TcpLimitEvent& what) const {
    return fmt::format("sends nothing more, {} octets wait: {}", what.unsent, because(what.reason));
  }
  std::string operator()(const TcpRttEvent& what) const {
    return fmt::format("rtt {:.3f} ms; srtt {:.3f}, rttvar {:.3f}, rto {:.0f} ms", milliseconds(what.sample),
                       milliseconds(what.srtt), milliseconds(what.rttvar), milliseconds(what.rto));
  }
  std::string operator()(const TcpCongestionEvent& what) const {
    if (what.before == what.cwnd) return fmt::format("ssthresh {}: {}", what.ssthresh, because(what.reason));
    return fmt::format("cwnd {} → {}: {}", what.before, what.cwnd, because(what.reason));
  }
  std::string operator()(const TcpLossEvent& what) const {
    return fmt::format("lost {}, {} octets: {}", range(what.local, what.remote, what.begin, what.end),
                       what.octets, because(what.reason));
  }
  std::string operator()(const TcpRecoveryEvent& what) const {
    switch (what.phase) {
      case RecoveryPhase::kEntered:
        return fmt::format("enters recovery: {}", because(what.reason));
      case RecoveryPhase::kLeft:
        return fmt::format("leaves recovery: {}", because(what.reason));
      case RecoveryPhase::kUndone:
        return fmt::format("undoes recovery: {}", because(what.reason));
    }
    return {};
  }
  std::string operator()(const TcpPeerWindowEvent& what) const {
    return fmt::format("peer's window {} → {}", what.before, what.window);
  }
  std::string operator()(const TcpTimerEvent& what) const {
    return fmt::format("timer: {}", because(what.timer));
  }
  std::string operator()(const TcpTimerSetEvent& what) const {
    return fmt::format("sets timer for {:.9f}: {}",
                       std::chrono::duration<double>(what.deadline.time_since_epoch()).count(),
                       because(what.timer));
  }
  std::string operator()(const TcpClampEvent& what) const {
    std::string text;
    if (what.wanted_cwnd != what.cwnd)
      text = fmt::format("cwnd {} in place of {}", what.cwnd, what.wanted_cwnd);
    if (what.wanted_pacing_rate != what.pacing_rate)
      text += fmt::format("{}{} octets/s in place of {}", text.empty() ? "" : ", ", what.pacing_rate,
                          what.wanted_pacing_rate);
    return fmt::format("gives {}: {}", text, because(what.reason));
  }
};

std::string EventText::text(const Event& event) { return std::visit(Words{*this}, event.what); }

// ---------------------------------------------------------------- frames

std::string describe_frame(Bytes frame, bool has_ethernet_header) {
  CapturedPacket packet;
  packet.link_type = has_ethernet_header ? LinkType::kEthernet : LinkType::kRaw;
  packet.octets = frame;
  packet.original_length = static_cast<std::uint32_t>(frame.size());
  return PacketText({.absolute_numbers = true, .hides_unknown = true}).line(packet);
}

}  // namespace transom::drivers
