// Takes arbitrary octets for a captured packet: looked into, printed, checked for duplicates and connections,
// and changed. A change of addresses keeps the verdict on every checksum; scrubbing keeps the length of
// everything.

#include "drivers/capture/capture_check.h"
#include "drivers/capture/edit/length_changes.h"
#include "drivers/capture/edit/rewrite_changes.h"
#include "drivers/capture/edit/scrub_changes.h"
#include "drivers/capture/text/packet_text.h"
#include "tests/fuzz/require.h"

namespace transom::drivers {
namespace {

void look_into(const CapturedPacket& packet) {
  const auto view = PacketView::parse(packet);
  if (view) {
    require(view->network_offset <= view->transport_offset && view->transport_offset <= packet.octets.size());
    require(view->payload.size() <= view->payload_length);
    require(view->payload.empty() ||
            (view->payload.data() >= packet.octets.data() &&
             view->payload.data() + view->payload.size() <= packet.octets.data() + packet.octets.size()));
  }
  for (const int verbosity : {0, 2}) {
    PacketText text({.link_header = verbosity > 0, .verbosity = verbosity});
    for (const char character : text.line(packet))
      require(character == '\n' || character == '\t' || static_cast<unsigned char>(character) >= 0x20);
  }
  CaptureCheck check;
  check.take(packet);
  check.take(packet);
  (void)check.finish();
}

void change(const CapturedPacket& packet) {
  const auto before = PacketView::parse(packet);
  RewriteRules rules;
  rules.sources = rules.destinations = {{*IpPrefix::parse("0.0.0.0/0"), *IpPrefix::parse("172.16.0.0/12")},
                                        {*IpPrefix::parse("::/0"), *IpPrefix::parse("2001:db8::/32")}};
  (void)rules.add_ports("0-1023:7");
  RewriteChanges rewriting(rules);
  ScrubChanges scrubbing(SipKey{1, 2});
  for (PacketChanges* const changes :
       {static_cast<PacketChanges*>(&rewriting), static_cast<PacketChanges*>(&scrubbing)}) {
    OwnedPacket owned = OwnedPacket::copy_of(packet);
    PacketEditor(*changes).edit(packet, owned.octets);
    const auto after = PacketView::parse(owned.packet);
    require(before.has_value() == after.has_value());
    if (!before) continue;
    require(before->payload_length == after->payload_length &&
            before->transport_offset == after->transport_offset);
    require(before->protocol == after->protocol && before->tcp.has_value() == after->tcp.has_value());
  }
  if (!before) return;
  for (const std::uint32_t size : {1U, 100U}) {
    std::uint32_t sum = 0;
    if (before->payload_length > 4096) break;
    for (const OwnedPacket& segment : segments_of(packet, *before, size)) {
      const auto view = PacketView::parse(segment.packet);
      require(view && view->tcp && view->payload_length <= size);
      sum += view->payload_length;
    }
    require(sum == 0 || sum == before->payload_length);
  }
  for (const std::uint8_t kind : tcp_option_kinds(packet)) {
    OwnedPacket without = OwnedPacket::copy_of(packet);
    drop_tcp_options(without, kind);
    const auto view = PacketView::parse(without.packet);
    require(view && view->payload_length == before->payload_length);
    for (const std::uint8_t left : tcp_option_kinds(without.packet)) require(left != kind);
  }
  OwnedPacket owned = OwnedPacket::copy_of(packet);
  cut_to_length(owned, 68);
  if (owned.packet.original_length <= 4096) pad_to_length(owned);
  fill_in_checksums(owned.packet, owned.octets);
  reduce_to_ip(owned);
}

}  // namespace
}  // namespace transom::drivers

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace transom::drivers;
  if (size < 2) return 0;
  constexpr std::uint16_t kTypes[] = {0, 1, 101, 108, 113, 228, 229, 276};
  CapturedPacket packet;
  packet.number = 1;
  packet.link_type = LinkType{kTypes[data[0] % 8]};
  packet.octets = {data + 2, size - 2};
  packet.original_length = static_cast<std::uint32_t>(size - 2 + (data[0] / 8U) * 8U);
  look_into(packet);
  change(packet);
  return 0;
}
