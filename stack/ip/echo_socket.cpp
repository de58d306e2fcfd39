#include "stack/ip/echo_socket.h"

#include "stack/base/ring.h"
#include "stack/ip/echo_sockets.h"
#include "stack/wire/checksum.h"

namespace transom::ip {

namespace {
constexpr std::size_t kMaxQueuedMemory = 212992;  // as a UDP socket's
}  // namespace

class EchoSocket::Implementation final : public EchoReceiver {
 public:
  Implementation(IpLayer& ip, IpFamily family, std::uint16_t wanted)
      : ip_(ip),
        context_(ip.echo_sockets().context()),
        family_(family),
        identifier_(ip.echo_sockets().add(family, wanted, *this)) {}
  ~Implementation() {
    if (identifier_) ip_.echo_sockets().remove(family_, *identifier_);
  }

  std::uint16_t identifier() const { return identifier_.value_or(0); }

  Result<void> send(const IpAddress& destination, std::uint16_t sequence, Bytes payload,
                    const SendOptions& options, InterfaceId bound) {
    if (!identifier_) return std::unexpected(Error::kNoBuffers);
    if (destination.family() != family_) return std::unexpected(Error::kAddressFamily);
    const bool is_v4 = family_ == IpFamily::kIpv4;
    const std::size_t max_payload = 65535 - wire::IcmpHeader::kSize - (is_v4 ? 20 : 0);
    if (payload.size() > max_payload) return std::unexpected(Error::kMessageTooLong);
    const auto found = ip_.destination(destination, bound);
    if (!found) return std::unexpected(found.error());

    const std::size_t size = wire::IcmpHeader::kSize + payload.size();
    const bool fits_frame = size + Packet::kHeadRoom <= BufferPool::capacity(BufferSize::kFrame);
    Packet packet = context_.pool.allocate(fits_frame ? BufferSize::kFrame : BufferSize::kSuperFrame);
    if (!packet) return std::unexpected(Error::kNoBuffers);
    const auto type = is_v4 ? static_cast<std::uint8_t>(wire::IcmpType::kEchoRequest)
                            : static_cast<std::uint8_t>(wire::Icmpv6Type::kEchoRequest);
    wire::Writer writer(packet.append(size));
    wire::IcmpHeader{type, 0, 0, wire::IcmpHeader::echo_rest(*identifier_, sequence)}.write(writer);
    writer.bytes(payload);
    const IpAddress source = (*found)->source;
    if (is_v4) {
      wire::write_icmp_checksum(packet.head());
    } else {
      wire::write_icmpv6_checksum(packet.head(), source, destination);
    }
    context_.count(is_v4 ? Counter::kIcmpOutMsgs : Counter::kIcmp6OutMsgs);
    context_.count(is_v4 ? Counter::kIcmpOutEchos : Counter::kIcmp6OutEchos);
    return ip_.send(**found, source, is_v4 ? IpProtocol::kIcmp : IpProtocol::kIcmpv6, std::move(packet),
                    options);
  }

  Result<Reply> receive() {
    if (queue_.empty()) return std::unexpected(Error::kWouldBlock);
    Reply reply = std::move(queue_.front());
    queue_.pop_front();
    queued_memory_ -= memory_of(reply);
    return reply;
  }

  Readiness readiness() const { return {.readable = !queue_.empty(), .writable = true}; }
  void set_listener(ReadinessListener* listener) { listener_ = listener; }
  void set_error_listener(IcmpErrorListener* listener) { error_listener_ = listener; }

  void on_reply(const Received& received, const wire::IcmpHeader& header, Packet payload) override {
    push({.source = received.source,
          .sequence = header.sequence(),
          .ttl = received.ttl,
          .traffic_class = received.traffic_class,
          .arrival = context_.now,
          .payload = std::move(payload),
          .error = std::nullopt,
          .ip_options = {received.options.begin(), received.options.end()},
          .first_header = received.first_header});
  }
  void on_error(const IcmpError& error, const wire::IcmpHeader& request) override {
    if (error_listener_ != nullptr) return error_listener_->on_icmp_error(error);
    push({error.reporter, request.sequence(), 0, 0, context_.now, Packet(), error.kind});
  }

 private:
  static std::size_t memory_of(const Reply& reply) {
    return sizeof(Reply) + reply.ip_options.size() + (reply.payload ? reply.payload.memory() : 0);
  }

  void push(Reply reply) {
    const std::size_t memory = memory_of(reply);
    if (queued_memory_ + memory > kMaxQueuedMemory) return context_.drop(DropReason::kIcmpIgnored);
    queued_memory_ += memory;
    queue_.push_back(std::move(reply));
    if (listener_ != nullptr) listener_->on_input();
  }

  IpLayer& ip_;
  Context& context_;
  IpFamily family_;
  std::optional<std::uint16_t> identifier_;
  Ring<Reply> queue_;
  std::size_t queued_memory_ = 0;
  ReadinessListener* listener_ = nullptr;
  IcmpErrorListener* error_listener_ = nullptr;
};

EchoSocket::EchoSocket(IpLayer& ip, IpFamily family, std::uint16_t identifier)
    : implementation_(std::make_unique<Implementation>(ip, family, identifier)) {}
EchoSocket::~EchoSocket() = default;

std::uint16_t EchoSocket::identifier() const { return implementation_->identifier(); }
Result<void> EchoSocket::send(const IpAddress& destination, std::uint16_t sequence, Bytes payload,
                              const SendOptions& options, InterfaceId bound) {
  return implementation_->send(destination, sequence, payload, options, bound);
}
Result<EchoSocket::Reply> EchoSocket::receive() { return implementation_->receive(); }
Readiness EchoSocket::readiness() const { return implementation_->readiness(); }
void EchoSocket::set_listener(ReadinessListener* listener) { implementation_->set_listener(listener); }
void EchoSocket::set_error_listener(IcmpErrorListener* listener) {
  implementation_->set_error_listener(listener);
}

}  // namespace transom::ip
