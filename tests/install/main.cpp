// Two Hosts joined by an in-memory pair say hello over UDP: uses the stack and the drivers of an installed
// Transom.
#include <drivers/pair_device.h>
#include <stack/host.h>

#include <array>
#include <cstdio>

int main() {
  using namespace transom;
  BufferPool pool;
  auto [left, right] = drivers::make_pair({});
  std::array<std::unique_ptr<drivers::Device>, 2> devices{std::move(left), std::move(right)};
  std::array<std::unique_ptr<Host>, 2> hosts;
  InterfaceId wire{};
  for (std::size_t i = 0; i < 2; ++i) {
    hosts[i] = std::make_unique<Host>(
        pool, HostConfig{.seed = seed_from_number(i), .start = {}, .link = {}, .ip = {}, .tcp = {}});
    link::InterfaceConfig config;
    config.name = "eth0";
    config.mac = MacAddress({2, 0, 0, 0, 0, static_cast<std::uint8_t>(i + 1)});
    config.conflict_detection.enabled = false;
    wire = hosts[i]->add_interface(config);
    (void)hosts[i]->add_address(wire, {IpAddress::v4(10, 0, 0, static_cast<std::uint8_t>(i + 1)), 24});
  }
  auto receiver = hosts[1]->udp().open(IpFamily::kIpv4);
  auto sender = hosts[0]->udp().open(IpFamily::kIpv4);
  const std::array<std::uint8_t, 5> hello = {'h', 'e', 'l', 'l', 'o'};
  const Bytes bytes(hello);
  if (!receiver->bind({.local = {IpAddress::v4(0), Port{9000}}})) return 1;
  if (!sender->send({&bytes, 1}, {.to = Endpoint{IpAddress::v4(10, 0, 0, 2), Port{9000}},
                                  .source = {},
                                  .interface = {},
                                  .ttl = {},
                                  .traffic_class = {}})) {
    return 1;
  }
  for (int round = 0; round < 10; ++round) {
    for (std::size_t i = 0; i < 2; ++i) {
      devices[i]->transmit(hosts[i]->transmit_queue(wire), {});
      PacketQueue frames;
      devices[i]->receive(pool, frames, 64, {});
      hosts[i]->receive(wire, frames, {});
    }
  }
  const auto datagram = receiver->receive();
  if (!datagram) return 1;
  std::printf("received %zu octets from %s\n", datagram->payload.size(), to_string(datagram->source).c_str());
  return datagram->payload.size() == hello.size() ? 0 : 1;
}
