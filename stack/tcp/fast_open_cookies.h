// The cookies that a server gives out (RFC 7413 §4.1.2): a keyed hash of the addresses of both ends, so that
// a cookie shows that its bearer receives at the address that it writes from.
//
//     cookie = SipHash-2-4(key, client's address, server's address), 8 octets, all as on the wire
//
// Those are the cookies of Linux: servers behind one address, of either kind, may share a key. What was made
// with the previous key still counts, so that a change of keys costs nobody a round trip.
#pragma once

#include <optional>

#include "stack/base/siphash.h"
#include "stack/tcp/types.h"
#include "stack/wire/tcp.h"

namespace transom::tcp {

struct FastOpenKeys {
  SipKey current{};
  std::optional<SipKey> previous{};

  friend bool operator==(const FastOpenKeys&, const FastOpenKeys&) = default;
};

class FastOpenCookies {
 public:
  explicit FastOpenCookies(const FastOpenKeys& keys) : keys_(keys) {}

  const FastOpenKeys& keys() const { return keys_; }

  // For the client of `tuple`, which is as the server sees it.
  wire::FastOpenCookie make(const FourTuple& tuple) const { return make(keys_.current, tuple); }

  enum class Verdict : std::uint8_t {
    kWrong,
    kRight,
    kOld,  // right, and made with the previous key: the client should get another
  };
  Verdict judge(const FourTuple& tuple, const wire::FastOpenCookie& cookie) const;

 private:
  static wire::FastOpenCookie make(const SipKey& key, const FourTuple& tuple);

  FastOpenKeys keys_;
};

}  // namespace transom::tcp
