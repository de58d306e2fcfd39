#include "drivers/capture/capture_filter.h"

#include <pcap/pcap.h>

namespace transom::drivers {

namespace {

// DLT_... as libpcap calls the types of this machine; the others have the same number.
int data_link_of(LinkType type) {
  return type == LinkType::kRaw ? DLT_RAW : static_cast<int>(static_cast<std::uint16_t>(type));
}

}  // namespace

void CaptureFilter::Free::operator()(bpf_program* program) const {
  pcap_freecode(program);
  delete program;
}

CaptureFilter::CaptureFilter(std::string expression) : expression_(std::move(expression)) {}
CaptureFilter::CaptureFilter(CaptureFilter&&) noexcept = default;
CaptureFilter& CaptureFilter::operator=(CaptureFilter&&) noexcept = default;
CaptureFilter::~CaptureFilter() = default;

std::expected<CaptureFilter::Program, std::string> CaptureFilter::compile(const std::string& expression,
                                                                          LinkType type) {
  constexpr int kSnapLength = 262144;
  const std::unique_ptr<pcap_t, decltype(&pcap_close)> handle(pcap_open_dead(data_link_of(type), kSnapLength),
                                                              &pcap_close);
  if (!handle) return std::unexpected(std::string("out of memory"));
  Program program(new bpf_program{});
  if (pcap_compile(handle.get(), program.get(), expression.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0)
    return std::unexpected(std::string(pcap_geterr(handle.get())));
  return program;
}

std::expected<CaptureFilter, std::string> CaptureFilter::make(std::string expression) {
  // It ought to mean something on Ethernet, or on the bare IP of the link types without header.
  auto program = compile(expression, LinkType::kEthernet);
  if (!program && !compile(expression, LinkType::kRaw)) return std::unexpected(std::move(program.error()));
  return CaptureFilter(std::move(expression));
}

bool CaptureFilter::wants(const CapturedPacket& packet) {
  if (expression_.empty()) return true;
  auto known = programs_.find(packet.link_type);
  if (known == programs_.end())
    known =
        programs_.emplace(packet.link_type, compile(expression_, packet.link_type).value_or(nullptr)).first;
  if (!known->second) return false;
  pcap_pkthdr header{};
  header.caplen = static_cast<bpf_u_int32>(packet.octets.size());
  header.len = packet.original_length;
  return pcap_offline_filter(known->second.get(), &header, packet.octets.data()) != 0;
}

}  // namespace transom::drivers
