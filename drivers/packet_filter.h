// Filters of packets in the classic BPF language, as SO_ATTACH_FILTER of Linux takes them (socket(7)) and
// pcap_compile(3PCAP) makes them. libpcap checks and runs them; what the extensions of Linux ask of a
// packet's circumstances is put into the program before each run.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "stack/base/bytes.h"

namespace transom::drivers {

// As struct sock_filter of <linux/filter.h>.
struct FilterInstruction {
  std::uint16_t code = 0;
  std::uint8_t jump_if_true = 0;
  std::uint8_t jump_if_false = 0;
  std::uint32_t k = 0;
};

// What a program may ask for besides the octets (SKF_AD_... of <linux/filter.h>). What has no place here
// (marks, VLAN tags, hashes) is 0.
struct FilterCircumstances {
  std::uint16_t protocol = 0;       // EtherType, or ETH_P_...
  std::uint8_t packet_type = 0;     // PACKET_HOST, PACKET_OUTGOING, ...
  std::uint32_t interface = 0;      // its number
  std::uint16_t hardware_type = 0;  // ARPHRD_...
};

class PacketFilter {
 public:
  static constexpr std::size_t kMaxInstructions = 4096;

  // nullopt for a program that might not end, reads what it never wrote, divides by zero, or asks for a
  // circumstance that is not known.
  static std::optional<PacketFilter> make(std::span<const FilterInstruction> program);

  // How many octets of the packet are to be kept; 0: it is not wanted.
  std::size_t run(Bytes packet, const FilterCircumstances& circumstances);

 private:
  struct Question {
    std::size_t place = 0;    // of the instruction
    std::uint32_t field = 0;  // SKF_AD_...
  };

  std::vector<FilterInstruction> program_;
  std::vector<Question> questions_;
};

}  // namespace transom::drivers
