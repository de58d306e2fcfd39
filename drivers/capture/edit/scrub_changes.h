// What makes a capture fit to be shown to others: other addresses (AddressScrambler), and a pattern of the
// same length in place of all that was said.
//
// The pattern of TCP follows its sequence numbers, that of others the place in the datagram: what was sent
// twice is the same twice, however it was cut.
#pragma once

#include <unordered_map>

#include "drivers/capture/edit/address_scrambler.h"
#include "drivers/capture/edit/packet_editor.h"

namespace transom::drivers {

class ScrubChanges final : public PacketChanges {
 public:
  explicit ScrubChanges(const SipKey& key) : scrambler_(key) {}

  MacAddress source_mac(const MacAddress& mac) override { return scrambler_.scramble(mac); }
  MacAddress destination_mac(const MacAddress& mac) override { return scrambler_.scramble(mac); }
  IpAddress source(const IpAddress& address) override;
  IpAddress destination(const IpAddress& address) override { return source(address); }
  void payload(MutableBytes octets, std::uint32_t place) override;
  void unknown(MutableBytes octets) override;
  bool changes_payload() const override { return true; }

 private:
  struct Hash {
    std::size_t operator()(const IpAddress& address) const;
  };
  static constexpr std::size_t kMaxKnown = 65536;

  AddressScrambler scrambler_;
  std::unordered_map<IpAddress, IpAddress, Hash> known_;  // a memory of what was computed
};

}  // namespace transom::drivers
