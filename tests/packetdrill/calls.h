// The calls of a script, made through the table.
#pragma once

#include <functional>
#include <map>
#include <mutex>

#include "socket_api/packetdrill/interface.h"
#include "tests/packetdrill/packet.h"
#include "tests/packetdrill/script.h"

namespace packetdrill {

class Calls {
 public:
  // `mapped`: IPv4 addresses go to the stack as IPv4-mapped ones.
  Calls(packetdrill_interface& table, const Network& network, bool mapped)
      : table_(table), network_(network), mapped_(mapped) {}

  // Makes the call and compares. `returned` is run as soon as it has returned, before anything else. Throws
  // Failure.
  void run(const Call& call, const std::function<void()>& returned);

  int live(long fd) const;  // what the stack calls it
  // What is still open; the script's descriptors to the stack's.
  std::map<long, int> open() const;
  std::optional<std::uint16_t> udp_port() const { return udp_port_; }

 private:
  struct Address {
    sockaddr_storage octets{};
    socklen_t size = 0;
  };
  struct Message;

  Address address(const Octets& ip, std::uint16_t port) const;
  Address remote() const;
  void check_peer(const Address& peer) const;
  void open_descriptor(long script, int live);
  void close_descriptor(long script);
  long make(const Call& call, const std::function<void()>& returned);
  long make_message_call(const Call& call, const std::function<long(long)>& done);
  long make_option_call(const Call& call, const std::function<long(long)>& done);
  long make_poll(const Call& call, const std::function<long(long)>& done);
  long make_epoll_wait(const Call& call, const std::function<long(long)>& done);

  packetdrill_interface& table_;
  const Network& network_;
  bool mapped_;
  mutable std::mutex mutex_;
  std::map<long, int> descriptors_;
  std::map<int, bool> is_datagram_;
  std::optional<std::uint16_t> udp_port_;
};

constexpr std::uint16_t kPort = 8080;  // of the stack when it listens, of the script when it is connected to

}  // namespace packetdrill
