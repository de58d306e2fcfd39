#include "drivers/trace/pcapng_writer.h"

#include <algorithm>

namespace transom::drivers {

namespace {

constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr std::uint32_t kInterfaceDescription = 1;
constexpr std::uint32_t kEnhancedPacket = 6;
constexpr std::uint16_t kComment = 1;         // of any block
constexpr std::uint16_t kInterfaceName = 2;   // if_name
constexpr std::uint16_t kTimeResolution = 9;  // if_tsresol
constexpr std::size_t kMaxOption = 65535;

// Little-endian, as the byte-order magic then says.
template <typename T>
void put(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof value; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

void pad(std::string& out) { out.append((4 - out.size() % 4) % 4, '\0'); }

void put_option(std::string& out, std::uint16_t code, std::string_view value) {
  value = value.substr(0, kMaxOption);
  put(out, code);
  put(out, static_cast<std::uint16_t>(value.size()));
  out += value;
  pad(out);
}

void end_options(std::string& out) { put(out, std::uint32_t{0}); }

}  // namespace

PcapngWriter::PcapngWriter(OutputFile file, std::uint16_t link_type, std::uint32_t snap_length)
    : file_(std::move(file)), link_type_(link_type), snap_length_(snap_length) {
  std::string body;
  put(body, std::uint32_t{0x1a2b3c4d});
  put(body, std::uint16_t{1});  // version 1.0
  put(body, std::uint16_t{0});
  put(body, ~std::uint64_t{0});  // the length of the section is not known
  block(kSectionHeader, body);
}

void PcapngWriter::block(std::uint32_t type, std::string_view body) {
  const auto length = static_cast<std::uint32_t>(body.size() + 12);
  std::string out;
  put(out, type);
  put(out, length);
  out += body;
  put(out, length);
  file_.write(out);
}

std::uint32_t PcapngWriter::add_interface(std::string_view name) {
  std::string body;
  put(body, link_type_);
  put(body, std::uint16_t{0});
  put(body, snap_length_);
  put_option(body, kInterfaceName, name);
  put_option(body, kTimeResolution, "\x09");  // 10⁻⁹ s
  end_options(body);
  block(kInterfaceDescription, body);
  return interfaces_++;
}

void PcapngWriter::packet(std::uint32_t interface, Duration time, Bytes octets, std::size_t length,
                          std::span<const std::string> comments) {
  const auto nanoseconds = static_cast<std::uint64_t>(time.count());
  const Bytes kept = octets.first(std::min<std::size_t>(octets.size(), snap_length_));
  std::string body;
  put(body, interface);
  put(body, static_cast<std::uint32_t>(nanoseconds >> 32));
  put(body, static_cast<std::uint32_t>(nanoseconds));
  put(body, static_cast<std::uint32_t>(kept.size()));
  put(body, static_cast<std::uint32_t>(length));
  body.append(reinterpret_cast<const char*>(kept.data()), kept.size());
  pad(body);
  for (const std::string& comment : comments) put_option(body, kComment, comment);
  if (!comments.empty()) end_options(body);
  block(kEnhancedPacket, body);
}

}  // namespace transom::drivers
