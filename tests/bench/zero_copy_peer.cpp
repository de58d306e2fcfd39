// zero_copy_peer TAP discard|chargen: takes what comes to port 9, or sends without end from port 19, with the
// calls that do not copy (socket_api/zero_copy.h). One thread, one connection after the other. 10.9.4.2 and
// fd09:4::2; the kernel's end is .1.
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

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

// In super-frames of whole segments: what is left of each would travel alone.
void generate(Stack& stack, TcpStream stream) {
  auto text = OutgoingBuffer::allocate(stack);
  const auto segment_size = stream.handle().get_option(IPPROTO_TCP, TCP_MAXSEG);
  if (!text || !segment_size) give_up("no buffer, or no segment size");
  constexpr std::size_t kMaxOctets = 65535 - 120;  // the IP datagram without the longest headers
  const std::size_t segments = kMaxOctets / static_cast<std::size_t>(*segment_size);
  const MutableBytes room = text->room().first(segments * static_cast<std::size_t>(*segment_size));
  for (std::size_t i = 0; i < room.size(); ++i) room[i] = static_cast<std::uint8_t>(' ' + i % 95);
  text->fill(room.size());
  while (stream.write_all(text->share())) {
  }
}

template <typename Serve>
void serve(Stack& stack, std::uint16_t port, Serve serve_one) {
  auto listener = TcpListener::listen(stack, {IpAddress::any(IpFamily::kIpv6), Port{port}});
  if (!listener) give_up("cannot listen");
  std::puts("ready");
  std::fflush(stdout);
  while (auto stream = listener->accept()) serve_one(std::move(*stream));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view service = argc == 3 ? argv[2] : "";
  if (service != "discard" && service != "chargen") give_up("usage: zero_copy_peer TAP discard|chargen");
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

  if (service == "discard") serve(stack, 9, discard);
  serve(stack, 19, [&](TcpStream stream) { generate(stack, std::move(stream)); });
}
