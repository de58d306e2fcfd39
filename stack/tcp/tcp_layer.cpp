#include "stack/tcp/tcp_layer.h"

#include "stack/tcp/core.h"

namespace transom::tcp {

TcpLayer::TcpLayer(Context& context, ip::IpLayer& ip, const Config& config)
    : core_(std::make_unique<Core>(context, ip, config)) {
  ip.register_transport(IpProtocol::kTcp, *this);
}

TcpLayer::~TcpLayer() = default;

Result<PortHold> TcpLayer::bind(const BindRequest& request) { return core_->bind(request); }

Result<Connection*> TcpLayer::connect(PortHold& hold, const Endpoint& remote, const Options& options) {
  return core_->connect(hold, remote, options);
}

Result<Listener*> TcpLayer::listen(PortHold& hold, std::size_t backlog, const Options& options) {
  return core_->listen(hold, backlog, options);
}

void TcpLayer::flush() { core_->flush(); }
std::vector<Info> TcpLayer::connections() const { return core_->infos(); }
std::size_t TcpLayer::connection_count() const { return core_->connection_count(); }
std::size_t TcpLayer::time_wait_count() const { return core_->time_wait_count(); }
std::size_t TcpLayer::half_open_count() const { return core_->half_open_count(); }
void TcpLayer::receive(const ip::Received& received, Packet packet) {
  core_->receive(received, std::move(packet));
}
bool TcpLayer::icmp_error(const ip::IcmpError& error) { return core_->icmp_error(error); }

}  // namespace transom::tcp
