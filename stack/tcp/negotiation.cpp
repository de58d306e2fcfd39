#include "stack/tcp/negotiation.h"

#include <algorithm>
#include <bit>

namespace transom::tcp {

namespace {
constexpr std::uint8_t kMaxShift = 14;      // RFC 7323 §2.3
constexpr std::uint16_t kMinPeerMss = 216;  // smaller offers only serve attacks (CVE-2019-11479)
}  // namespace

Negotiated negotiate(const wire::TcpOptions& peer, const wire::TcpOptions& ours, IpFamily family) {
  Negotiated negotiated;
  const std::uint16_t without_option = family == IpFamily::kIpv4 ? 536 : 1220;  // RFC 9293 MUST-15
  negotiated.peer_mss = std::max(peer.maximum_segment_size.value_or(without_option), kMinPeerMss);
  if (peer.window_scale && ours.window_scale) {
    negotiated.window_scaling = true;
    negotiated.send_scale = std::min(*peer.window_scale, kMaxShift);
    negotiated.receive_scale = *ours.window_scale;
  }
  if (peer.timestamps && ours.timestamps) {
    negotiated.timestamps = true;
    negotiated.ts_recent = peer.timestamps->value;
  }
  negotiated.sack = peer.sack_permitted && ours.sack_permitted;
  return negotiated;
}

Negotiated answer_to(const ConnectionOwner& owner, const Options& options, const Segment& syn,
                     std::uint16_t mss) {
  Negotiated negotiated = negotiate(syn.header.options, syn_options(owner.config, options, mss, nullptr),
                                    syn.received.source.family());
  const CongestionFactory* const chosen = options.congestion_control;
  const EcnUse use = (chosen != nullptr ? *chosen : owner.congestion.standard()).ecn;
  negotiated.ecn = {ecn_to_agree(owner.config.ecn, use, syn.header.flags),
                    ecn_mark_of(syn.received.traffic_class)};
  return negotiated;
}

wire::TcpOptions syn_options(const Config& config, const Options& options, std::uint16_t mss,
                             const wire::TcpOptions* answering) {
  wire::TcpOptions result;
  result.maximum_segment_size = mss;
  result.sack_permitted = config.sack && (answering == nullptr || answering->sack_permitted);
  if (config.timestamps && (answering == nullptr || answering->timestamps))
    result.timestamps = wire::TcpTimestamps{};
  if (config.window_scaling && (answering == nullptr || answering->window_scale)) {
    result.window_scale = window_shift_for(largest_receive_buffer(config, options));
  }
  return result;
}

std::uint32_t first_receive_buffer(const Config& config, const Options& options) {
  return options.receive_buffer != 0 ? options.receive_buffer : config.receive_buffer.initial;
}

std::uint32_t largest_receive_buffer(const Config& config, const Options& options) {
  return options.receive_buffer != 0 ? options.receive_buffer : config.receive_buffer.max;
}

std::uint8_t window_shift_for(std::uint32_t buffer) {
  const auto bits = static_cast<int>(std::bit_width(buffer >> 16));
  return static_cast<std::uint8_t>(std::min<int>(bits, kMaxShift));
}

std::uint16_t receive_mss(const ip::Destination& destination, const Options& options) {
  const std::uint32_t headers = (destination.address.is_v4() ? 20U : 40U) + wire::TcpHeader::kMinSize;
  const std::uint32_t mtu = std::min(destination.interface->mtu(), 65535U);
  std::uint32_t mss = mtu > headers ? mtu - headers : kMinPeerMss;
  if (options.max_segment != 0) mss = std::min<std::uint32_t>(mss, options.max_segment);
  return static_cast<std::uint16_t>(mss);
}

}  // namespace transom::tcp
