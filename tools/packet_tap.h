// What passes the interfaces of a running host, for those who look on (transom dump).
//
//   stack ─ PacketEvent ─► PacketTap ─ filter ─► bounded queue of a Watcher ─ its thread ─► UNIX socket ─►
//   transom dump
//              └► the observer that was there before
//
// Who asks for them gets the stack's decisions too, each behind the packet that it is about.
//
// The stack waits for nobody: what a watcher is too slow for is left out, and counted.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <pcap/pcap.h>

#include "drivers/file_descriptor.h"
#include "drivers/trace/decision_sorter.h"
#include "socket_api/stack_instance.h"

namespace transom::tools {

// Before each packet on the socket, in the byte order of the machine: both ends are on it.
struct TappedHeader {
  std::int64_t time = 0;       // nanoseconds since 1970-01-01 UTC
  std::uint32_t captured = 0;  // octets that follow
  std::uint32_t length = 0;    // of the packet
  std::uint32_t left_out = 0;  // packets before this one that there was no room for
  std::uint8_t is_outgoing = 0;
  std::uint8_t has_ethernet_header = 0;
  std::uint16_t interface = 0;
  std::uint32_t is_comment = 0;  // what follows is no packet, but a decision about the one before, in words
};

enum class TapDirection : std::uint8_t { kBoth, kIn, kOut };

struct TapRequest {
  std::string socket;       // path of a listening UNIX socket, which gets the packets
  InterfaceId interface{};  // kAny: all; what is handed on begins at the IP header then
  std::uint32_t snap_length = 262144;
  TapDirection direction = TapDirection::kBoth;
  bool wants_decisions = false;
  std::vector<bpf_insn> filter = {};  // empty: everything
};

class PacketTap final : private Observer {
 public:
  explicit PacketTap(sockets::Stack& stack);
  // Before the stack goes, and before the observer that it had.
  ~PacketTap() override;
  PacketTap(const PacketTap&) = delete;
  PacketTap& operator=(const PacketTap&) = delete;

  // Throws Failure: the filter is no program, the socket is not there, or there are too many watchers.
  void watch(TapRequest request);

 private:
  class Watcher;

  void on_event(const Event& event) override;

  sockets::Stack& stack_;
  Observer* next_ = nullptr;
  drivers::DecisionSorter decisions_;
  std::vector<std::unique_ptr<Watcher>> watchers_;  // changed within a Session
};

}  // namespace transom::tools
