// What a client knows of servers (RFC 7413 §4.1.3): the cookie that a server gave, the MSS that it announced,
// and how SYNs with the option fared on the way to it.
//
// A server is known by its address and ours, since a cookie is good for one of ours only; not by its port.
// Two SYNs in a row that were lost or ignored, or the silence of one connection for three timeouts, pause
// fast open to that server, each time for longer (§4.1.3.1): some middlebox may not let such SYNs pass. The
// one that was not used for longest goes when there are too many.
#pragma once

#include <optional>

#include "stack/base/age_list.h"
#include "stack/base/keyed_table.h"
#include "stack/base/time.h"
#include "stack/tcp/secrets.h"
#include "stack/wire/tcp.h"

namespace transom::tcp {

class FastOpenCache {
 public:
  struct Server {
    FourTuple hosts;  // without ports
    AgeLinks<Server> links{};
    std::optional<wire::FastOpenCookie> cookie{};
    std::uint16_t mss = 0;      // of its last SYN-ACK; 0: unknown
    std::uint8_t failures = 0;  // in a row
    Instant paused_until = Instant::min();
  };

  FastOpenCache(const SipKey& key, std::size_t limit) : limit_(limit), table_(key) {}
  ~FastOpenCache();
  FastOpenCache(const FastOpenCache&) = delete;
  FastOpenCache& operator=(const FastOpenCache&) = delete;

  // The server of this connection; nullptr when nothing is known of it. Counts as use.
  const Server* find(const FourTuple& tuple);
  bool is_paused(const FourTuple& tuple, Instant now);
  std::size_t size() const { return servers_.size(); }

  // It answered with its MSS, and perhaps a cookie.
  void learn(const FourTuple& tuple, const std::optional<wire::FastOpenCookie>& cookie, std::uint16_t mss);
  // Data in a SYN arrived.
  void on_success(const FourTuple& tuple);
  // It did not. True when fast open to this server pauses from now on.
  bool on_failure(const FourTuple& tuple, Instant now);
  // Nothing comes back at all: fast open pauses.
  void on_silence(const FourTuple& tuple, Instant now);

 private:
  struct HostsOf {
    using Key = FourTuple;
    static const FourTuple& key(const Server& server) { return server.hosts; }
    static std::uint64_t hash(const SipKey& sip_key, const FourTuple& hosts) {
      return hash_tuple(sip_key, hosts);
    }
  };

  Server* look_up(const FourTuple& tuple);
  Server* find_or_add(const FourTuple& tuple);  // nullptr when the limit is 0
  void remove(Server& server);
  static void pause(Server& server, Instant now);

  std::size_t limit_;
  KeyedTable<Server, HostsOf> table_;
  AgeList<Server> servers_;  // the least recently used first
};

}  // namespace transom::tcp
