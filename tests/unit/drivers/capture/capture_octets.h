// Capture files put together octet by octet, in either byte order, right or wrong.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "stack/base/bytes.h"

namespace transom::drivers::test {

class CaptureOctets {
 public:
  explicit CaptureOctets(bool is_big_endian = false) : is_big_endian_(is_big_endian) {}

  CaptureOctets& u8(std::uint8_t value) {
    octets_.push_back(value);
    return *this;
  }
  CaptureOctets& u16(std::uint16_t value) { return number(value); }
  CaptureOctets& u32(std::uint32_t value) { return number(value); }
  CaptureOctets& u64(std::uint64_t value) { return number(value); }
  CaptureOctets& bytes(Bytes octets) {
    octets_.insert(octets_.end(), octets.begin(), octets.end());
    return *this;
  }
  CaptureOctets& text(std::string_view text) {
    octets_.insert(octets_.end(), text.begin(), text.end());
    return *this;
  }
  CaptureOctets& pad() {
    octets_.resize((octets_.size() + 3) / 4 * 4);
    return *this;
  }
  CaptureOctets& option(std::uint16_t code, const CaptureOctets& value) {
    u16(code).u16(static_cast<std::uint16_t>(value.octets_.size()));
    return bytes(value.octets_).pad();
  }
  CaptureOctets& block(std::uint32_t type, const CaptureOctets& body) {
    const auto length = static_cast<std::uint32_t>(body.octets_.size() + 12);
    return u32(type).u32(length).bytes(body.octets_).u32(length);
  }

  // A value to append, in the same byte order.
  CaptureOctets part() const { return CaptureOctets(is_big_endian_); }

  // --- classic pcap
  CaptureOctets& pcap_header(std::uint32_t magic = 0xa1b2c3d4, std::uint32_t link_type = 1) {
    return u32(magic).u16(2).u16(4).u32(0).u32(0).u32(65535).u32(link_type);
  }
  CaptureOctets& pcap_packet(std::uint32_t seconds, std::uint32_t fraction, std::string_view octets,
                             std::uint32_t original = 0) {
    const auto length = static_cast<std::uint32_t>(octets.size());
    return u32(seconds).u32(fraction).u32(length).u32(std::max(original, length)).text(octets);
  }

  // --- pcapng
  CaptureOctets& section() { return block(0x0a0d0d0a, part().u32(0x1a2b3c4d).u16(1).u16(0).u64(~0ULL)); }
  CaptureOctets& interface(const CaptureOctets& options, std::uint16_t link_type = 1,
                           std::uint32_t snap_length = 0) {
    return block(1, part().u16(link_type).u16(0).u32(snap_length).bytes(options.octets_));
  }
  CaptureOctets& interface(std::uint16_t link_type = 1, std::uint32_t snap_length = 0) {
    return interface(part(), link_type, snap_length);
  }
  CaptureOctets& packet(std::uint32_t interface, std::uint64_t ticks, std::string_view octets,
                        const CaptureOctets& options) {
    const auto length = static_cast<std::uint32_t>(octets.size());
    return block(6, part()
                        .u32(interface)
                        .u32(static_cast<std::uint32_t>(ticks >> 32U))
                        .u32(static_cast<std::uint32_t>(ticks))
                        .u32(length)
                        .u32(length)
                        .text(octets)
                        .pad()
                        .bytes(options.octets_));
  }
  CaptureOctets& packet(std::uint32_t interface, std::uint64_t ticks, std::string_view octets) {
    return packet(interface, ticks, octets, part());
  }

  const std::vector<std::uint8_t>& octets() const { return octets_; }
  operator Bytes() const { return octets_; }

 private:
  template <typename Number>
  CaptureOctets& number(Number value) {
    for (std::size_t i = 0; i < sizeof value; ++i) {
      const std::size_t place = is_big_endian_ ? sizeof value - 1 - i : i;
      octets_.push_back(static_cast<std::uint8_t>(value >> (8 * place)));
    }
    return *this;
  }

  bool is_big_endian_;
  std::vector<std::uint8_t> octets_;
};

}  // namespace transom::drivers::test
