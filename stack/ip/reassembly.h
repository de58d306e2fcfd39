// Putting fragments together again, for both families (RFC 791 §3.2, RFC 815, RFC 8200 §4.5).
//
// Fragments may come in any order; an exact duplicate is ignored; any other overlap condemns the datagram,
// with all that still comes of it (RFC 5722). Each arriving packet is kept as it is until all are there, then
// the octets are copied once into a packet with a plain header in front, as if it had never been cut.
//
// Everything is bounded: datagrams and octets of buffer memory, in all and per (keyed bucket of) sources,
// fragments per datagram, and time. When something is full the oldest datagram goes. Insertion is a binary
// search.
#pragma once

#include <array>
#include <vector>

#include "stack/base/age_list.h"
#include "stack/base/context.h"
#include "stack/base/keyed_table.h"
#include "stack/ip/icmp_errors.h"

namespace transom::ip {

// What the headers of a fragment say. `packet` starts at its IP header, and `header_size` octets further on
// its part of the payload.
struct Fragment {
  link::Interface& interface;
  IpAddress source;
  IpAddress destination;
  std::uint32_t identification = 0;
  IpProtocol protocol{};   // IPv4: part of the key. IPv6: the next header of the fragment header
  std::size_t offset = 0;  // octets
  bool more_fragments = false;
  std::uint8_t ecn = 0;
  bool to_unicast = true;
  std::size_t header_size = 0;         // IPv6: with the fragment header
  std::size_t next_header_offset = 0;  // IPv6: of the octet that named the fragment header
};

class Reassembly {
 public:
  Reassembly(Context& context, const IpConfig& config, IcmpErrors& errors);
  ~Reassembly();
  Reassembly(const Reassembly&) = delete;
  Reassembly& operator=(const Reassembly&) = delete;

  // What is wrong with a fragment by itself. RFC 8200 §4.5 wants the last two reported.
  enum class Fault : std::uint8_t { kNone, kEmpty, kLengthNotMultipleOf8, kEndsBeyondMaximum };
  static Fault check(const Fragment& fragment, std::size_t packet_size);

  // Takes a fragment that check() found nothing wrong with. The whole datagram, starting at its IP header, if
  // this was the last that was missing, else an empty packet.
  Packet add(const Fragment& fragment, Packet packet);
  // Lets go of the datagram that this fragment belongs to.
  void abandon(const Fragment& fragment);

  std::size_t datagrams() const { return table_.size(); }
  std::size_t octets() const { return octets_; }

 private:
  struct Key {
    IpAddress source;
    IpAddress destination;
    std::uint32_t identification;
    IpProtocol protocol;
    InterfaceId interface;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Piece {
    std::size_t offset;
    std::size_t size;
    std::size_t header_size;
    Packet packet;

    std::size_t end() const { return offset + size; }
    Bytes payload() const { return packet.head().subspan(header_size, size); }
  };
  struct Datagram {
    Key key;
    link::Interface* interface = nullptr;
    bool to_unicast = true;
    Instant deadline{};
    std::vector<Piece> pieces;  // in order, without overlap
    std::size_t received = 0;   // octets of payload
    std::size_t total = 0;      // known once the last fragment is there; else 0
    std::size_t memory = 0;
    std::uint8_t ecn_seen = 0;           // one bit per codepoint
    bool is_condemned = false;           // what still comes of it is dropped
    std::size_t next_header_offset = 0;  // of the first fragment
    IpProtocol next_header{};
    AgeLinks<Datagram> links;

    bool has_first() const { return !pieces.empty() && pieces.front().offset == 0; }
    bool is_complete() const { return total != 0 && received == total; }
  };
  struct Traits {
    using Key = Reassembly::Key;
    static const Key& key(const Datagram& datagram) { return datagram.key; }
    static std::uint64_t hash(const SipKey& sip_key, const Key& key);
  };
  // What the sources that share a bucket hold.
  struct Share {
    std::size_t datagrams = 0;
    std::size_t octets = 0;
  };
  enum class Fit : std::uint8_t { kNew, kDuplicate, kConflict };

  static Key key_of(const Fragment& fragment);
  Share& share_of(const Key& key);
  Datagram* find_or_make(const Fragment& fragment);
  static Fit fit(const Datagram& datagram, const Fragment& fragment, Bytes payload);
  void insert(Datagram& datagram, const Fragment& fragment, Packet packet);
  bool make_room(const Datagram& datagram, std::size_t memory);
  Packet complete(Datagram& datagram);
  void condemn(Datagram& datagram, DropReason reason);
  void release_pieces(Datagram& datagram);
  void remove(Datagram& datagram);
  void expire();
  void report_timeout(const Datagram& datagram);
  void restart_timer();

  Context& context_;
  const IpConfig& config_;
  IcmpErrors& errors_;
  SipKey source_key_;
  KeyedTable<Datagram, Traits> table_;
  AgeList<Datagram> by_age_;  // all live equally long: the oldest expires first
  std::size_t octets_ = 0;
  std::array<Share, 256> shares_{};
  Timer timer_{call_member<&Reassembly::expire>, this};
};

}  // namespace transom::ip
