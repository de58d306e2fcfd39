#include "stack/ip/echo_sockets.h"

namespace transom::ip {

namespace {

std::uint32_t key_of(IpFamily family, std::uint16_t identifier) {
  return static_cast<std::uint32_t>(family) << 16 | identifier;
}

}  // namespace

std::optional<std::uint16_t> IpLayer::EchoSockets::add(IpFamily family, std::uint16_t wanted,
                                                       EchoReceiver& receiver) {
  if (wanted != 0 && receivers_.try_emplace(key_of(family, wanted), &receiver).second) return wanted;
  const auto start = static_cast<std::uint32_t>(context_.random.below(0xffff));
  for (std::uint32_t i = 0; i < 0xffff; ++i) {
    const auto identifier = static_cast<std::uint16_t>((start + i) % 0xffff + 1);
    if (receivers_.try_emplace(key_of(family, identifier), &receiver).second) return identifier;
  }
  return std::nullopt;
}

void IpLayer::EchoSockets::remove(IpFamily family, std::uint16_t identifier) {
  receivers_.erase(key_of(family, identifier));
}

EchoReceiver* IpLayer::EchoSockets::find(IpFamily family, std::uint16_t identifier) const {
  const auto found = receivers_.find(key_of(family, identifier));
  return found == receivers_.end() ? nullptr : found->second;
}

bool IpLayer::EchoSockets::reply(const Received& received, const wire::IcmpHeader& header, Packet payload) {
  EchoReceiver* const receiver = find(received.source.family(), header.identifier());
  if (receiver == nullptr) return false;
  receiver->on_reply(received, header, std::move(payload));
  return true;
}

bool IpLayer::EchoSockets::error(const IcmpError& error) {
  wire::Reader reader(error.transport);
  const auto request = wire::IcmpHeader::parse(reader);
  if (!request) return false;
  const IpFamily family = error.destination.family();
  const bool is_request = family == IpFamily::kIpv4
                              ? request->type == static_cast<std::uint8_t>(wire::IcmpType::kEchoRequest)
                              : request->type == static_cast<std::uint8_t>(wire::Icmpv6Type::kEchoRequest);
  EchoReceiver* const receiver = is_request ? find(family, request->identifier()) : nullptr;
  if (receiver == nullptr) return false;
  if (error.kind != IcmpErrorKind::kRedirect) receiver->on_error(error, *request);
  return true;
}

}  // namespace transom::ip
