// Looks at what one host sends and receives, knows nothing of its inside, and says what a TCP may not do: the
// rules that need no more than the packets (RFC 9293, 7323, 2018, 3168).
//
//   nobody acknowledges or reports what it has not received, or takes an acknowledgment back
//   nobody sends beyond the window that it was offered, or takes its own window back
//   an octet of the stream is the same each time it is sent, and nothing follows the FIN
//   no segment is longer than the peer, the link and the options allow
//   options are used as agreed; timestamps never go back; marks of ECN only on new data, and only if agreed
//   the first flight and slow start keep to their sizes, as far as nothing was lost
//
// A connection is seen from its SYN on.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "drivers/capture/position_ranges.h"
#include "stack/base/packet.h"
#include "stack/tcp/types.h"
#include "stack/wire/tcp.h"

namespace transom::test {

class WireWatch {
 public:
  struct Hooks {
    // Whether these octets are what `tuple.local` says to `tuple.remote` at this position of the stream.
    std::function<bool(const tcp::FourTuple& tuple, std::uint64_t position, Bytes octets)> is_right;
    std::function<void(std::string_view rule, const std::string& what)> violated;
  };
  struct Counts {
    std::uint64_t segments_in = 0;   // TCP, with valid checksums
    std::uint64_t segments_out = 0;  // what a super-segment stands for
    std::uint64_t resets_out = 0, octets_out = 0;
  };

  explicit WireWatch(Hooks hooks) : hooks_(std::move(hooks)) {}

  // A frame passed the interface; returns the connection that it belongs to. `mtu`: of that interface.
  std::optional<tcp::FourTuple> on_in(const Packet& frame, bool has_ethernet_header);
  std::optional<tcp::FourTuple> on_out(const Packet& frame, bool has_ethernet_header, std::uint32_t mtu);

  const Counts& counts() const { return counts_; }
  // Octets in order that arrived from `tuple.remote`; 0 for an unknown connection.
  std::uint64_t received(const tcp::FourTuple& tuple) const;

 private:
  // One connection, from here. Positions count octets of payload; the FIN has the number behind the last.
  struct View {
    bool syn_out = false, syn_in = false;
    SeqNum iss, irs;
    std::vector<SeqNum> cookies;  // other initial numbers that were given out
    wire::TcpHeader own_syn, peer_syn;
    std::int64_t sent_end = 0, fin_out = -1;
    std::int64_t edge = 0;  // how far the peer lets us send
    std::int64_t acked = 0;
    drivers::PositionRanges sacked{SIZE_MAX};
    bool has_repeated = false;
    drivers::PositionRanges received{SIZE_MAX};
    std::int64_t fin_in = -1;
    std::int64_t own_ack = 0, own_edge = 0;
    bool has_stamped = false, was_stamped = false;
    std::uint32_t last_stamp = 0, peer_stamp = 0;

    bool is_open() const { return syn_out && syn_in; }
    std::int64_t out_position(SeqNum sequence) const { return sequence - (iss + 1); }
    std::int64_t in_position(SeqNum sequence) const { return sequence - (irs + 1); }
    bool scaled() const { return own_syn.options.window_scale && peer_syn.options.window_scale; }
    bool stamped() const { return own_syn.options.timestamps && peer_syn.options.timestamps; }
    bool sack() const { return own_syn.options.sack_permitted && peer_syn.options.sack_permitted; }
    bool ecn() const;
    std::int64_t frontier() const {  // what may be acknowledged
      const std::int64_t end = received.end_of_run(0);
      return end == fin_in ? end + 1 : end;
    }
  };
  struct Seen {
    tcp::FourTuple tuple;  // local first
    wire::TcpHeader header;
    Bytes payload;
    std::uint8_t ecn = 0;
    std::size_t ip_octets = 0;
    std::size_t segment = 0;  // payload of each segment
  };

  std::optional<Seen> parse(const Packet& frame, bool has_ethernet_header, bool is_out);
  void take(const Seen& seen);
  void check(const Seen& seen, std::uint32_t mtu);
  void violate(const Seen& seen, std::string_view rule, const std::string& why) const;
  void syn_goes_out(const Seen& seen);
  void check_acknowledgment(const Seen& seen, View& view) const;
  void check_text(const Seen& seen, View& view);
  void check_form(const Seen& seen, View& view, std::uint32_t mtu) const;

  Hooks hooks_;
  std::map<tcp::FourTuple, View> views_;
  std::map<tcp::FourTuple, std::vector<wire::TcpHeader>> syns_in_;
  std::vector<std::uint8_t> octets_;
  Counts counts_;
};

}  // namespace transom::test
