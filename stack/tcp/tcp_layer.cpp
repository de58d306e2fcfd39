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

std::expected<const CongestionFactory*, std::string> TcpLayer::choose_congestion_control(
    std::string_view text) {
  return core_->congestion.choose(text);
}

void TcpLayer::set_standard_congestion_control(const CongestionFactory& factory) {
  core_->congestion.set_standard(factory);
}

const Config& TcpLayer::config() const { return core_->config; }

const CongestionFactory* TcpLayer::congestion_control(std::string_view name) const {
  return core_->congestion.find(name);
}

Config& TcpLayer::config() { return core_->config; }

const CongestionFactory& TcpLayer::standard_congestion_control() const {
  return core_->congestion.standard();
}

std::vector<std::string_view> TcpLayer::congestion_controls() const {
  std::vector<std::string_view> names;
  for (const CongestionFactory* factory : core_->congestion.all()) names.push_back(factory->name);
  return names;
}

Result<void> TcpLayer::add_congestion_control(const CongestionFactory& factory) {
  if (!core_->congestion.add(factory)) return std::unexpected(Error::kAddressInUse);
  return {};
}

const FastOpenConfig& TcpLayer::fast_open_config() const { return core_->config.fast_open; }
const FastOpenKeys& TcpLayer::fast_open_keys() const { return core_->fast_open_keys(); }
void TcpLayer::choose_numbers(ChosenNumbers* numbers) { core_->secrets.choose_numbers(numbers); }
void TcpLayer::set_fast_open_keys(const FastOpenKeys& keys) { core_->set_fast_open_keys(keys); }

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
