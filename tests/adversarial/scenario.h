// What one run is made of, as numbers that can be drawn, printed on one line, read back and reduced.
//
//   seed=7 topology=dumbbell loss=150 flow octets=20000 chunk=700 ending=server-aborts flow cc=bbr reply=9000
//
// Each number has a harmless default; a line names only what differs from it. What follows the word "flow"
// belongs to that flow.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace transom::test {

enum class Topology : std::uint32_t { kPair, kDumbbell, kStar, kParkingLot };
// What is close to its wrap when the first flow begins.
enum class Wrap : std::uint32_t { kNone, kClientSequence, kServerSequence, kClientClock, kServerClock };
// How the two applications part.
enum class Ending : std::uint32_t {
  kPolite,        // both write all, say so, read all, close
  kClientAborts,  // at `ending_at` octets read and written
  kServerAborts,
  kClientCloses,  // whatever the other still says
  kServerCloses,
  kClientDeaf,  // shuts its receiving side down
  kServerDeaf,
  kClientLingers,  // SO_LINGER 0: closing resets
  kNobodyListens,  // the port is closed
};

// Times in milliseconds unless named otherwise, lengths in octets.
struct Flow {
  std::uint32_t from = 0, to = 1;  // hosts; equal: over the loopback interface
  std::uint32_t ipv6 = 0;
  std::uint32_t start = 0;
  std::uint32_t count = 1, stagger = 0;  // so many connections, each so much later
  std::uint32_t cc = 0;
  std::uint32_t octets = 20000, reply = 0;  // from client to server, and back
  std::uint32_t chunk = 4000;               // the longest write
  std::uint32_t write_gap = 0;              // between writes
  std::uint32_t read_chunk = 65536, read_gap = 0;
  std::uint32_t send_buffer = 262144, receive_buffer = 262144;
  std::uint32_t no_delay = 0, cork = 0, more = 0, quick_ack = 0, keep_alive = 0;
  std::uint32_t not_sent_low_water = 0;  // 0: none
  std::uint32_t max_segment = 0;
  std::uint32_t pacing = 0;  // kilooctets per second; 0: none
  std::uint32_t urgent = 0;  // one urgent octet in about so many
  std::uint32_t urgent_in_line = 1;
  std::uint32_t user_timeout = 0;
  std::uint32_t ending = 0, ending_at = 0;
  std::uint32_t backlog = 16, accept_gap = 0;
};

struct Scenario {
  std::uint32_t seed = 1;
  std::uint32_t topology = 0, pairs = 1;  // of hosts
  std::uint32_t ethernet = 0, offload = 0;
  std::uint32_t wrap = 0, wrap_before = 1000;  // octets, or milliseconds, before the wrap
  std::uint32_t trouble = 3000;                // from then on the network is a good one, and nobody is slow
  // Hosts: those with even numbers, and those with odd ones.
  std::uint32_t sack = 1, timestamps = 1, scaling = 1, ecn = 2, min_rto = 200;
  std::uint32_t peer_sack = 1, peer_timestamps = 1, peer_scaling = 1, peer_ecn = 2;
  std::uint32_t max_half_open = 4096, cookies = 1;
  // The link that has all the trouble.
  std::uint32_t rate = 10000;                 // kbit/s; 0: without limit
  std::uint32_t delay = 5000, jitter = 0;     // microseconds
  std::uint32_t loss = 0, back_loss = 0;      // of 10,000
  std::uint32_t burst = 0, burst_length = 5;  // of 10,000 to the bad state, in which about so many are lost
  std::uint32_t reorder = 0, gap = 1;         // of 10,000
  std::uint32_t duplicate = 0, corrupt = 0;   // of 10,000
  std::uint32_t queue = 0, queue_limit = 100;
  std::uint32_t mtu = 1500, access_mtu = 1500;
  std::uint32_t black_hole = 0, black_hole_at = 0;  // longer packets vanish
  std::uint32_t down_at = 0, down_for = 0;
  std::uint32_t new_mtu = 0, new_mtu_at = 0;
  std::uint32_t new_rate = 0, new_rate_at = 0;
  std::uint32_t fault = 0;

  std::vector<Flow> flows{};
};

// One number of a Scenario or a Flow.
template <typename Whole>
struct Field {
  std::string_view name;
  std::uint32_t Whole::* value;
  std::span<const std::string_view> words{};  // a value is an index into these, when there are any
};

std::span<const Field<Scenario>> scenario_fields();
std::span<const Field<Flow>> flow_fields();

// Words of the fields with words, by value.
std::string_view congestion_word(std::uint32_t value);
std::string queue_words(std::uint32_t value, std::uint32_t limit);
std::string_view fault_words(std::uint32_t value);  // empty: none

Scenario draw(std::uint32_t seed);
std::string to_text(const Scenario& scenario);
// On failure: the word that was not understood.
std::expected<Scenario, std::string> parse_scenario(std::string_view text);

}  // namespace transom::test
