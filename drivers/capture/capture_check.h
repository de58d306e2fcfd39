// What is wrong with a capture, before it is replayed or judged: what it lacks, and what the machine that
// captured put into it that never was on a wire.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/capture/capture_reader.h"
#include "drivers/capture/connection_list.h"
#include "drivers/capture/duplicate_finder.h"

namespace transom::drivers {

enum class CaptureFlaw : std::uint8_t {
  kOneSided,          // connections of which one direction is missing
  kNoHandshake,       // connections that were there before the capture
  kNoEnd,             // connections that were still there after it
  kCut,               // packets of which a snap length cut something off
  kSuperPackets,      // TCP segments longer than a wire carries: the device cut or merged them (TSO, GRO)
  kUnfilledChecksum,  // captured before the device filled in the checksum
  kBadChecksum,
  kDuplicate,        // the same packet twice: a mirror port, two capture points
  kClockStep,        // packets that are older than the one before
  kLinkTypes,        // several link types in one file
  kUnknownLinkType,  // packets that cannot be looked into
  kNat,              // the same segment before and after the translation of addresses
  kDropped,          // packets that whoever captured says it has missed
};

struct CaptureFinding {
  CaptureFlaw flaw{};
  std::uint64_t count = 0;         // of packets, or of connections
  std::uint64_t first_packet = 0;  // its number; of a connection, that of its first
  std::string detail;              // may be empty
};

std::string_view name_of(CaptureFlaw flaw);   // "one-sided", "no-handshake", ...: for programs
std::string_view words_of(CaptureFlaw flaw);  // "connections of which ..."
std::string_view fix_of(CaptureFlaw flaw);    // what can be done about it

struct CaptureReport {
  std::uint64_t packets = 0, connections = 0;
  Duration first_time{}, last_time{};    // the earliest and the latest
  std::vector<CaptureFinding> findings;  // by the order of CaptureFlaw
};

class CaptureCheck {
 public:
  CaptureCheck();
  CaptureCheck(const CaptureCheck&) = delete;
  CaptureCheck& operator=(const CaptureCheck&) = delete;
  void take(const CapturedPacket& packet);
  // `dropped`: what the reader says in the end.
  CaptureReport finish(std::uint64_t dropped = 0);

 private:
  // A TCP segment with payload, by what a translation of addresses leaves alone.
  struct Segment {
    Duration time{};
    Endpoint source, destination;
  };

  void found(CaptureFlaw flaw, std::uint64_t number, std::string detail = {});
  void take_tcp(const CapturedPacket& packet, const PacketView& view);
  void look_for_nat(const CapturedPacket& packet, const PacketView& view);

  CaptureReport report_;
  std::map<CaptureFlaw, CaptureFinding> findings_;
  ConnectionList connections_;
  DuplicateFinder duplicates_;
  std::set<LinkType> link_types_;
  std::map<std::uint64_t, Segment> segments_;  // the last of them; keyed by a hash
  std::vector<std::uint64_t> segment_order_;   // a ring of their keys
  std::size_t next_segment_ = 0;
  Duration largest_step_{};
  Duration last_time_ = Duration::min();
};

}  // namespace transom::drivers
