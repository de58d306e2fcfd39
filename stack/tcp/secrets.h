// What nobody outside may guess: initial sequence numbers (RFC 6528), timestamp offsets (RFC 7323 §5.4),
// ephemeral ports (RFC 6056), IPv6 flow labels (RFC 6437), SYN cookies. Each is a keyed hash with a key of
// its own.
#pragma once

#include <optional>

#include "stack/base/random.h"
#include "stack/base/seq_num.h"
#include "stack/tcp/types.h"

namespace transom::tcp {

std::uint64_t hash_tuple(const SipKey& key, const FourTuple& tuple);

// Numbers that are not left to chance, for a run that must repeat another one: the replay of a capture, whose
// packets carry acknowledgments and echoes of them. Asked once per connection, never per segment.
class ChosenNumbers {
 public:
  // Of our SYN; nullopt leaves it to the hash.
  virtual std::optional<SeqNum> initial_sequence(const FourTuple& tuple) = 0;
  // What is added to timestamp_ticks().
  virtual std::optional<std::uint32_t> timestamp_offset(const FourTuple& tuple) = 0;

 protected:
  ~ChosenNumbers() = default;
};

class Secrets {
 public:
  explicit Secrets(Random& random)
      : sequence_key_(random.key()),
        timestamp_key_(random.key()),
        port_key_(random.key()),
        label_key_(random.key()),
        cookie_key_(random.key()) {}

  // Outlives the layer, or is taken away before (nullptr).
  void choose_numbers(ChosenNumbers* numbers) { chosen_ = numbers; }
  std::optional<SeqNum> chosen_sequence(const FourTuple& tuple) const {
    return chosen_ != nullptr ? chosen_->initial_sequence(tuple) : std::nullopt;
  }

  // M + F(tuple, secret), where M counts every 4 us (RFC 9293 §3.4.1).
  SeqNum initial_sequence(const FourTuple& tuple, Instant now) const;
  // The same for all connections between two hosts, so that timestamps grow from one connection to the next
  // (RFC 6191).
  std::uint32_t timestamp_offset(const FourTuple& tuple) const;
  std::uint32_t flow_label(const FourTuple& tuple) const;  // 20 bits, not zero
  // Where the search for a free port to this remote begins (RFC 6056 §3.3.3).
  std::uint32_t port_offset(const IpAddress& local, const Endpoint& remote) const;
  std::uint64_t cookie_hash(const FourTuple& tuple, std::uint64_t extra) const;
  SipKey fast_open_key() const { return derived_key(1); }        // until somebody sets another
  SipKey fast_open_cache_key() const { return derived_key(2); }  // of a table

 private:
  SipKey derived_key(std::uint64_t purpose) const;

  SipKey sequence_key_, timestamp_key_, port_key_, label_key_, cookie_key_;
  ChosenNumbers* chosen_ = nullptr;
};

// The timestamp clock: 1 ms per tick (RFC 7323 §5.4).
inline std::uint32_t timestamp_ticks(Instant now) {
  return static_cast<std::uint32_t>(to_milliseconds(now.time_since_epoch()));
}

}  // namespace transom::tcp
