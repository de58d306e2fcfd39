// coroutine_echo TEXT: a server and a client, in one thread and without a device, over the stack's loopback.
#include <cstdio>
#include <string_view>

#include "socket_api/coroutines.h"

using namespace transom;
using namespace transom::sockets;

Task<void> echo(AsyncStream stream) {
  std::array<std::uint8_t, 4096> buffer{};
  while (const auto size = co_await stream.read(buffer))
    if (*size == 0 || !co_await stream.write_all(Bytes(buffer).first(*size))) break;
}

Task<void> serve(Scheduler& scheduler, AsyncListener listener) {
  if (auto stream = co_await listener.accept()) scheduler.spawn(echo(std::move(*stream)));
}

Task<void> ask(Scheduler& scheduler, Endpoint server, std::string_view text) {
  auto stream = co_await AsyncStream::connect(scheduler, server);
  if (!stream) co_return;
  co_await stream->write_all({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  (void)stream->stream().shutdown_write();
  std::array<std::uint8_t, 4096> buffer{};
  for (auto size = co_await stream->read(buffer); size && *size > 0; size = co_await stream->read(buffer))
    std::fwrite(buffer.data(), 1, *size, stdout);
}

int main(int argc, char** argv) {
  Stack stack;
  Scheduler scheduler(stack);
  const Endpoint server{IpAddress::loopback(IpFamily::kIpv4), Port{7}};
  auto listener = TcpListener::listen(stack, server);
  if (argc != 2 || !listener) return 1;
  scheduler.spawn(serve(scheduler, AsyncListener(scheduler, std::move(*listener))));
  scheduler.spawn(ask(scheduler, server, argv[1]));
  scheduler.run();
}
