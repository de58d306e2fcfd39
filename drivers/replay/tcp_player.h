// The application of one recorded TCP connection, on a stack of ours that stands in the place of one of its
// ends: it listens or connects, writes what the recorded end sent when it sent it, reads, and closes, shuts
// down or resets where the recorded end did.
//
// It is never ahead of the recording: octets are written when the packet that carried them first is due. Only
// where the peer's window was full the next ones are written at once, as the recorded application had.
#pragma once

#include <deque>
#include <functional>

#include "drivers/replay/stream_check.h"
#include "drivers/replay/survey.h"
#include "stack/host.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/listener.h"

namespace transom::drivers::replay {

class TcpPlayer final : public ReadinessListener {
 public:
  // `is_woken` is called when run() has something to do.
  TcpPlayer(Host& host, const Flow& flow, const TcpFacts& facts, std::size_t ours,
            std::function<void(TcpPlayer&)> is_woken);
  TcpPlayer(const TcpPlayer&) = delete;
  TcpPlayer& operator=(const TcpPlayer&) = delete;
  ~TcpPlayer() = default;

  tcp::FourTuple tuple() const { return {flow_.ends[ours_], flow_.ends[1 - ours_]}; }
  bool is_passive() const { return !us().is_opener && us().initial.has_value(); }
  bool is_established() const { return was_established_; }

  // --- within Host::enter() and leave()
  // Sets the stack up for a handshake as the recorded one; before each packet of the connection until it is
  // established.
  void prepare(tcp::Listener* listener);
  void take(tcp::Connection& connection);  // accepted
  // The recorded end sent this, at `begin` in its stream (SequenceOffsets).
  void on_recorded(const PacketView& packet, std::int64_t begin);
  // Written before it is due, as it was one write with what has just been, or the peer's window is full.
  void write_ahead(std::int64_t begin, const PacketView& packet);
  void run();

  // Copies what the recorded end sends later on of [begin, begin + out.size()), a segment that was lost
  // before it could be captured; false where that is not known.
  using Finder = std::function<bool(std::int64_t begin, MutableBytes out)>;
  void set_finder(Finder finder) { finder_ = std::move(finder); }
  // Octets that are not in the capture, or too far ahead: written as zeros.
  std::uint64_t made_up() const { return made_up_; }

  // Offset behind what was given to the stack.
  std::int64_t written() const { return written_; }
  const StreamCheck& received() const { return received_; }
  StreamCheck& received() { return received_; }
  Error error() const { return error_; }
  tcp::Connection* connection() { return connection_; }

  void on_readiness() override { is_woken_(*this); }

 private:
  struct Piece {
    std::vector<std::uint8_t> octets;
    tcp::SendFlags flags;
    std::size_t taken = 0;
  };

  const TcpEnd& us() const { return facts_.ends[ours_]; }
  tcp::Options options() const;
  void open();
  void write(std::int64_t begin, const PacketView& packet);
  void fill_gap(std::int64_t end);
  void push(Bytes octets, tcp::SendFlags flags);
  void flush();
  void read();
  void finish_sending();
  void let_go();

  Host& host_;
  const Flow flow_;
  const TcpFacts& facts_;
  std::size_t ours_;
  std::function<void(TcpPlayer&)> is_woken_;
  tcp::Connection* connection_ = nullptr;
  bool was_opened_ = false;
  bool was_established_ = false;
  bool fin_is_due_ = false;
  bool fin_is_queued_ = false;
  bool stream_has_ended_ = false;
  std::int64_t written_ = 1;  // the SYN is not written
  std::deque<Piece> pieces_;
  std::uint64_t read_ = 0;
  std::uint32_t window_ = 0;          // octets, as recorded last
  std::uint32_t largest_window_ = 0;  // so far
  Finder finder_;
  std::uint64_t made_up_ = 0;
  StreamCheck received_;
  Error error_ = Error::kNone;
};

}  // namespace transom::drivers::replay
