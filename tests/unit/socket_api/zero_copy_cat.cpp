// zero_copy_cat FILE: a file to standard output, through a connection over the stack's loopback.
#include <cstdio>
#include <functional>
#include <thread>

#include "socket_api/cxx.h"

using namespace transom;
using namespace transom::sockets;

void print_all(TcpListener& listener) {
  auto stream = listener.accept();
  ReceivedOctets octets;
  while (stream && stream->read(octets) && !octets.empty())
    for (const Bytes piece : octets.pieces()) std::fwrite(piece.data(), 1, piece.size(), stdout);
}

int main(int argc, char** argv) {
  std::FILE* file = argc == 2 ? std::fopen(argv[1], "rb") : nullptr;
  Stack stack;
  const Endpoint server{IpAddress::loopback(IpFamily::kIpv4), Port{7}};
  auto listener = TcpListener::listen(stack, server);
  auto stream = TcpStream::connect(stack, server);
  if (file == nullptr || !listener || !stream) return 1;
  std::thread printer(print_all, std::ref(*listener));
  while (auto buffer = OutgoingBuffer::allocate(stack)) {
    const MutableBytes room = buffer->room();
    buffer->fill(std::fread(room.data(), 1, room.size(), file));
    if (buffer->empty() || !stream->write_all(std::move(*buffer))) break;
  }
  (void)stream->shutdown_write();
  printer.join();
}
