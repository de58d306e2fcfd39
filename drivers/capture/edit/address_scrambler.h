// Other addresses in place of those of a capture, by a key: the same address always becomes the same other
// one, and two addresses that share their first n bits still share exactly these (as Crypto-PAn does, Fan,
// Xu, Ammar and Moon, 2004, here with SipHash). Without the key the originals cannot be found again.
//
// What has a meaning keeps it: multicast, broadcast, loopback, the unspecified address; an address of a link
// or of a machine never becomes one of these. MAC addresses become locally administered ones.
#pragma once

#include "stack/base/address.h"
#include "stack/base/siphash.h"

namespace transom::drivers {

class AddressScrambler {
 public:
  explicit AddressScrambler(const SipKey& key) : key_(key) {}

  IpAddress scramble(const IpAddress& address) const;
  MacAddress scramble(const MacAddress& mac) const;

 private:
  SipKey key_;
};

}  // namespace transom::drivers
