#include "drivers/capture/capture_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "drivers/capture/pcapng_format.h"

namespace transom::drivers {

namespace {

using namespace pcapng;

constexpr std::size_t kMaxOption = 65535;
constexpr std::uint32_t kNoLimit = 262144;  // a snap length as libpcap understands it

// Little-endian, as the magic numbers then say.
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

void put_octets(std::string& out, Bytes octets) {
  out.append(reinterpret_cast<const char*>(octets.data()), octets.size());
}

}  // namespace

CaptureFormat CaptureWriter::format_of(std::string_view path) {
  for (const std::string_view suffix : {".gz", ".zst"}) {
    if (path.ends_with(suffix)) path.remove_suffix(suffix.size());
  }
  return path.ends_with(".pcapng") ? CaptureFormat::kPcapng : CaptureFormat::kPcapNanoseconds;
}

std::expected<CaptureWriter, DeviceError> CaptureWriter::create(const std::string& path,
                                                                std::optional<CaptureFormat> format) {
  auto file = OutputFile::open(path);
  if (!file) return std::unexpected(std::move(file.error()));
  return CaptureWriter(std::move(*file), format.value_or(format_of(path)));
}

CaptureWriter::CaptureWriter(OutputFile file, CaptureFormat format)
    : file_(std::move(file)), format_(format) {}

// As late as can be: the header of pcap holds what the first interface is.
void CaptureWriter::begin() {
  if (std::exchange(has_begun_, true)) return;
  std::string header;
  if (format_ == CaptureFormat::kPcapng) {
    put(header, kByteOrderMagic);
    put(header, std::uint16_t{1});  // version 1.0
    put(header, std::uint16_t{0});
    put(header, ~std::uint64_t{0});  // the length of the section is not known
    block(kSectionHeader, header);
    return;
  }
  if (interfaces_.empty()) interfaces_.emplace_back();
  const std::uint32_t snap_length = interfaces_.front().snap_length;
  put(header, format_ == CaptureFormat::kPcapNanoseconds ? 0xa1b23c4d : 0xa1b2c3d4);
  put(header, std::uint16_t{2});  // version 2.4
  put(header, std::uint16_t{4});
  put(header, std::uint64_t{0});  // zone and accuracy, which nobody sets
  put(header, snap_length == 0 ? kNoLimit : snap_length);
  put(header, std::uint32_t{static_cast<std::uint16_t>(interfaces_.front().link_type)});
  file_.write(header);
}

void CaptureWriter::block(std::uint32_t type, std::string_view body) {
  const auto length = static_cast<std::uint32_t>(body.size() + 12);
  std::string frame;
  put(frame, type);
  put(frame, length);
  file_.write(frame);
  file_.write(body);
  frame.clear();
  put(frame, length);
  file_.write(frame);
}

void CaptureWriter::describe(const CaptureInterface& interface) {
  std::string body;
  put(body, static_cast<std::uint16_t>(interface.link_type));
  put(body, std::uint16_t{0});
  put(body, interface.snap_length);
  if (!interface.name.empty()) put_option(body, kInterfaceName, interface.name);
  put_option(body, kTimeResolution, "\x09");  // 10⁻⁹ s
  put(body, std::uint32_t{kEndOfOptions});
  block(kInterfaceDescription, body);
}

void CaptureWriter::add_interface(const CaptureInterface& interface) {
  interfaces_.push_back(interface);
  if (format_ != CaptureFormat::kPcapng) return;
  begin();
  describe(interface);
}

void CaptureWriter::add_interfaces(const std::vector<CaptureInterface>& interfaces) {
  for (std::size_t i = interfaces_.size(); i < interfaces.size(); ++i) add_interface(interfaces[i]);
}

std::expected<void, std::string> CaptureWriter::write(const CapturedPacket& packet) {
  while (interfaces_.size() <= packet.interface)
    add_interface({.name = {}, .link_type = packet.link_type, .snap_length = 0});
  const bool is_pcapng = format_ == CaptureFormat::kPcapng;
  const LinkType expected = interfaces_[is_pcapng ? packet.interface : 0].link_type;
  if (packet.link_type != expected)
    return std::unexpected(fmt::format(
        "packet {} has link type {}, {} has {}; {}", packet.number, static_cast<int>(packet.link_type),
        is_pcapng ? "its interface" : "the file", static_cast<int>(expected),
        is_pcapng ? "each interface has one" : "pcap holds one, pcapng any: name the file .pcapng"));
  constexpr std::int64_t kPcapEnd = std::int64_t{1} << 32;  // s
  if (packet.time < Duration::zero() ||
      (!is_pcapng && std::chrono::floor<std::chrono::seconds>(packet.time).count() >= kPcapEnd))
    return std::unexpected(fmt::format("packet {} is of a time before 1970 or after 2106", packet.number));
  const auto nanoseconds = static_cast<std::uint64_t>(packet.time.count());
  begin();
  is_pcapng ? write_pcapng(packet, nanoseconds) : write_pcap(packet, nanoseconds);
  return {};
}

void CaptureWriter::write_pcap(const CapturedPacket& packet, std::uint64_t nanoseconds) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  const std::uint64_t unit = format_ == CaptureFormat::kPcapNanoseconds ? 1 : 1000;
  scratch_.clear();
  put(scratch_, static_cast<std::uint32_t>(nanoseconds / kSecond));
  put(scratch_, static_cast<std::uint32_t>(nanoseconds % kSecond / unit));
  put(scratch_, static_cast<std::uint32_t>(packet.octets.size()));
  put(scratch_, packet.original_length);
  put_octets(scratch_, packet.octets);
  file_.write(scratch_);
}

void CaptureWriter::write_pcapng(const CapturedPacket& packet, std::uint64_t nanoseconds) {
  scratch_.clear();
  put(scratch_, packet.interface);
  put(scratch_, static_cast<std::uint32_t>(nanoseconds >> 32));
  put(scratch_, static_cast<std::uint32_t>(nanoseconds));
  put(scratch_, static_cast<std::uint32_t>(packet.octets.size()));
  put(scratch_, packet.original_length);
  put_octets(scratch_, packet.octets);
  pad(scratch_);
  for (const std::string& comment : packet.comments) put_option(scratch_, kComment, comment);
  if (packet.is_outgoing) {
    std::string flags;
    put(flags, *packet.is_outgoing ? kOutbound : kInbound);
    put_option(scratch_, kPacketFlags, flags);
  }
  if (packet.is_outgoing || !packet.comments.empty()) put(scratch_, std::uint32_t{kEndOfOptions});
  block(kEnhancedPacket, scratch_);
}

bool CaptureWriter::write(const OtherBlock& other) {
  if (format_ != CaptureFormat::kPcapng || other.is_big_endian) return false;
  scratch_.clear();
  put_octets(scratch_, other.body);
  if (other.type == kInterfaceStatistics) {
    // It begins with the number of an interface, which is another in one section than in several.
    if (scratch_.size() < 4) return false;
    std::uint32_t interface = other.first_interface;
    for (unsigned i = 0; i < 4; ++i)
      interface += std::uint32_t{static_cast<std::uint8_t>(scratch_[i])} << (8 * i);
    if (interface >= interfaces_.size()) return false;
    std::string number;
    put(number, interface);
    scratch_.replace(0, 4, number);
  }
  begin();
  block(other.type, scratch_);
  return true;
}

}  // namespace transom::drivers
