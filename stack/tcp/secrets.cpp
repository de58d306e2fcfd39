#include "stack/tcp/secrets.h"

#include <bit>

namespace transom::tcp {

namespace {

struct Halves {
  std::uint64_t high;
  std::uint64_t low;
};

Halves halves_of(const IpAddress& address) { return std::bit_cast<Halves>(address.octets()); }

std::uint64_t ports_of(const FourTuple& tuple) {
  return std::uint64_t{to_number(tuple.local.port)} << 16 | to_number(tuple.remote.port);
}

}  // namespace

std::uint64_t hash_tuple(const SipKey& key, const FourTuple& tuple) {
  const Halves local = halves_of(tuple.local.address);
  const Halves remote = halves_of(tuple.remote.address);
  if (tuple.remote.address.is_v4() && tuple.local.address.is_v4()) {  // the upper halves say nothing
    return siphash_words(
        key, std::array<std::uint64_t, 2>{
                 std::uint64_t{tuple.local.address.v4_value()} << 32 | tuple.remote.address.v4_value(),
                 ports_of(tuple)});
  }
  return siphash_words(
      key, std::array<std::uint64_t, 5>{local.high, local.low, remote.high, remote.low, ports_of(tuple)});
}

SeqNum Secrets::initial_sequence(const FourTuple& tuple, Instant now) const {
  const auto ticks = static_cast<std::uint64_t>(now.time_since_epoch().count()) / 4000;
  return SeqNum(static_cast<std::uint32_t>(ticks + hash_tuple(sequence_key_, tuple)));
}

std::uint32_t Secrets::timestamp_offset(const FourTuple& tuple) const {
  if (chosen_ != nullptr) {
    if (const auto offset = chosen_->timestamp_offset(tuple)) return *offset;
  }
  FourTuple hosts = tuple;
  hosts.local.port = hosts.remote.port = Port::kNone;
  return static_cast<std::uint32_t>(hash_tuple(timestamp_key_, hosts));
}

std::uint32_t Secrets::flow_label(const FourTuple& tuple) const {
  return static_cast<std::uint32_t>(hash_tuple(label_key_, tuple) % 0xfffff) + 1;
}

std::uint32_t Secrets::port_offset(const IpAddress& local, const Endpoint& remote) const {
  return static_cast<std::uint32_t>(hash_tuple(port_key_, {{local, Port::kNone}, remote}));
}

SipKey Secrets::derived_key(std::uint64_t purpose) const {
  const auto word = [&](std::uint64_t index) {
    return siphash_words(cookie_key_,
                         std::array<std::uint64_t, 3>{purpose, index, 0});  // no cookie has three
  };
  return {word(0), word(1)};
}

std::uint64_t Secrets::cookie_hash(const FourTuple& tuple, std::uint64_t extra) const {
  return siphash_words(cookie_key_, std::array<std::uint64_t, 2>{hash_tuple(cookie_key_, tuple), extra});
}

}  // namespace transom::tcp
