// One packet of a capture, as a reader hands it out and a writer takes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stack/base/bytes.h"
#include "stack/base/time.h"

namespace transom::drivers {

// LINKTYPE_... of tcpdump.org: how a captured packet begins. Those not named here are carried, not looked
// into.
enum class LinkType : std::uint16_t {
  kNull = 0,  // a 4-octet address family in the byte order of the machine that captured
  kEthernet = 1,
  kRaw = 101,       // an IPv4 or IPv6 header at once
  kLoop = 108,      // as kNull, in network byte order
  kLinuxSll = 113,  // "cooked" version 1
  kIpv4 = 228,
  kIpv6 = 229,
  kLinuxSll2 = 276,  // "cooked" version 2
};

struct CapturedPacket {
  std::uint64_t number = 0;     // from 1, in the order of the file
  Duration time{};              // since 1970-01-01 UTC; of a simulation, since its beginning
  std::uint32_t interface = 0;  // index into the interfaces of the capture
  LinkType link_type = LinkType::kEthernet;
  Bytes octets;                       // what was kept; a view, good until the reader is asked for the next
  std::uint32_t original_length = 0;  // octets on the wire; octets.size() or more
  std::optional<bool> is_outgoing;    // where the file says it
  std::vector<std::string> comments;  // opt_comment of pcapng

  bool is_cut() const { return octets.size() < original_length; }
};

}  // namespace transom::drivers
