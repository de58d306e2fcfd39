// One thread that serves any number of TCP connections and UDP sockets of one Stack by readiness.
//
// It holds the stack's lock while it works and gives it away while it waits, in which time it drives the
// device itself: a request is answered by the thread that received it. Work is done only for sockets that
// have said that they are ready.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

#include "socket_api/stack_instance.h"
#include "stack/tcp/connection.h"
#include "stack/udp/udp_layer.h"

namespace transom::tools {

// How far a conversation has got.
enum class Turn : std::uint8_t {
  kWaits,    // until the connection is ready for more
  kHasMore,  // to do at once, but others come first
  kIsOver,   // the connection is to be closed
};

inline void spend(std::size_t& budget, std::size_t octets) { budget -= std::min(budget, octets); }

// What is done with one accepted connection.
class Conversation {
 public:
  virtual ~Conversation() = default;
  // Goes on as far as it can without waiting and without moving more than `budget` octets, from which it
  // takes what it has moved. The budget is that of all who are ready: what they move should still be in the
  // processor's cache when the device has its turn.
  virtual Turn proceed(tcp::Connection& connection, std::size_t& budget) = 0;
};

using ConversationFactory = std::function<std::unique_ptr<Conversation>()>;
// Handles every datagram that is queued.
using DatagramHandler = std::function<void(udp::UdpSocket& socket)>;

class ServiceLoop {
 public:
  explicit ServiceLoop(sockets::Stack& stack);
  ~ServiceLoop();  // stops, and resets what is still connected
  ServiceLoop(const ServiceLoop&) = delete;
  ServiceLoop& operator=(const ServiceLoop&) = delete;

  // Both families. Before start().
  Result<void> serve_tcp(Port port, ConversationFactory factory, const tcp::Options& options = {});
  Result<void> serve_udp(Port port, DatagramHandler handler);

  void start();
  // Connections that are open now.
  std::size_t connection_count() const { return connections_; }

 private:
  class Member;
  class Acceptor;
  class Client;
  class Datagrams;

  void run();
  void work();
  void remove(Member& member);

  sockets::Stack& stack_;
  sockets::Waiter* waiter_ = nullptr;  // of the thread, while it runs
  bool is_stopping_ = false;
  std::unordered_map<Member*, std::unique_ptr<Member>> members_;
  std::deque<Member*> ready_;
  std::size_t connections_ = 0;
  std::thread thread_;
};

}  // namespace transom::tools
