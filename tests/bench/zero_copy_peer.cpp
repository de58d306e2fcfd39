// zero_copy_peer TAP: discards what comes to port 9 and sends without end from port 19, with the calls that
// do not copy (socket_api/zero_copy.h). 10.9.4.2 and fd09:4::2; the kernel's end is .1.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "drivers/network_setup.h"
#include "drivers/tap_device.h"
#include "socket_api/cxx.h"

using namespace transom;
using namespace transom::sockets;

namespace {

[[noreturn]] void give_up(const std::string& what) {
  std::fputs(("zero_copy_peer: " + what + "\n").c_str(), stderr);
  std::exit(1);
}

void discard(TcpStream stream) {
  ReceivedOctets octets;
  while (const auto size = stream.read(octets)) {
    if (*size == 0) return;
  }
}

void generate(TcpStream stream, OutgoingBuffer& text) {
  while (stream.write_all(text.share())) {
  }
}

// One connection after the other.
template <typename Serve>
std::thread serve(Stack& stack, std::uint16_t port, Serve serve_one) {
  auto listener = TcpListener::listen(stack, {IpAddress::any(IpFamily::kIpv6), Port{port}});
  if (!listener) give_up("cannot listen");
  return std::thread([listener = std::move(*listener), serve_one]() mutable {
    while (auto stream = listener.accept()) serve_one(std::move(*stream));
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) give_up("zero_copy_peer TAP");
  Stack stack;
  auto device = drivers::open_tap({.name = argv[1]});
  if (!device) give_up(device.error().message);
  for (const char* address : {"10.9.4.1/24", "fd09:4::1/64"}) {
    if (!drivers::add_link_address(argv[1], *IpPrefix::parse(address))) give_up("no address for the kernel");
  }
  if (!drivers::set_link_up(argv[1])) give_up("cannot set the device up");
  const InterfaceId interface =
      stack.add_device(std::move(*device), {.conflict_detection = link::ConflictDetection::quick()});
  for (const char* address : {"10.9.4.2/24", "fd09:4::2/64"}) {
    if (!stack.add_address(interface, *IpPrefix::parse(address))) give_up("no address");
  }
  if (!stack.wait_for_addresses(std::chrono::seconds(5))) give_up("the addresses are not usable");

  auto text = OutgoingBuffer::allocate(stack);
  if (!text) give_up("no buffer");
  const MutableBytes room = text->room();
  for (std::size_t i = 0; i < room.size(); ++i) room[i] = static_cast<std::uint8_t>(' ' + i % 95);
  text->fill(room.size());
  std::thread discards = serve(stack, 9, discard);
  std::thread generates = serve(stack, 19, [&](TcpStream stream) { generate(std::move(stream), *text); });
  std::puts("ready");
  std::fflush(stdout);
  discards.join();
  generates.join();
}
