// Answers for hosts that are not there: who asks for the MAC address of one of them, by ARP or by neighbour
// solicitation, gets the one that the capture shows.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "stack/base/address.h"
#include "stack/base/bytes.h"

namespace transom::drivers::replay {

class Neighbours {
 public:
  // `other`: of addresses that are not in `macs`; a router's.
  Neighbours(std::map<IpAddress, MacAddress> macs, MacAddress other)
      : macs_(std::move(macs)), other_(other) {}

  // The frame that answers `frame`; nullopt when it asks for nothing, or for itself.
  std::optional<std::vector<std::uint8_t>> answer_to(Bytes frame) const;

 private:
  MacAddress mac_of(const IpAddress& address) const;
  std::optional<std::vector<std::uint8_t>> answer_arp(Bytes packet) const;
  std::optional<std::vector<std::uint8_t>> answer_solicitation(Bytes packet) const;

  std::map<IpAddress, MacAddress> macs_;
  MacAddress other_;
};

}  // namespace transom::drivers::replay
