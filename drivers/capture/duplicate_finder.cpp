#include "drivers/capture/duplicate_finder.h"

#include <vector>

#include "stack/base/siphash.h"

namespace transom::drivers {

namespace {

constexpr SipKey kKey{0x7472616e736f6d21, 0x6475706c69636174};

// The packet from its IP header on, without what a router changes.
std::uint64_t hash_of(const CapturedPacket& packet, const PacketView& view) {
  const Bytes octets = packet.octets.subspan(view.network_offset);
  // Not what lies behind the packet: the padding of Ethernet is nobody's.
  const std::size_t size = view.transport_offset - view.network_offset + view.transport_length;
  std::vector<std::uint8_t> steady(
      octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(std::min(octets.size(), size)));
  if (view.family == IpFamily::kIpv4) {
    steady[8] = steady[10] = steady[11] = 0;  // TTL and header checksum
  } else {
    steady[7] = 0;
  }
  return siphash(kKey, steady);
}

}  // namespace

bool DuplicateFinder::is_duplicate(const CapturedPacket& packet, const std::optional<PacketView>& view) {
  const auto link = parse_link(packet);
  if (!link) return false;
  const bool has_own_number = !view || view->identification != 0 || view->sequence_length() > 0;
  if (!has_own_number && (view->tcp || view->udp)) return false;
  const std::uint64_t hash =
      view ? hash_of(packet, *view) : siphash(kKey, packet.octets.subspan(link->network_offset));
  for (const Seen& seen : seen_) {
    if (seen.hash != hash || seen.time == Duration::min()) continue;
    const Duration apart = packet.time - seen.time;
    if (apart <= kWithin && apart >= -kWithin) return true;
  }
  seen_.at(next_) = {hash, packet.time};
  next_ = (next_ + 1) % kWindow;
  return false;
}

}  // namespace transom::drivers
