// Questions to DNS servers: c-ares over the sockets of a Stack.
//
// A channel is for one look-up: so each has sockets, and with them random ports, of its own (RFC 5452 §9.2).
// c-ares sends, repeats, falls back to TCP, and judges the answers; it keeps its own time, the machine's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "socket_api/names/resolver_config.h"
#include "socket_api/stack_instance.h"

namespace transom::sockets {

// What came of a question: a status of c-ares (ARES_SUCCESS, ARES_ENOTFOUND, ...).
struct DnsAnswer {
  int status = 0;
  std::vector<IpAddress> addresses;
  std::string name;  // the canonical one, or the one that an address has
};

class DnsChannel {
 public:
  // `config` has servers and search domains. Blocks; not within a Session.
  DnsChannel(Stack& stack, const ResolverConfig& config);
  ~DnsChannel();
  DnsChannel(const DnsChannel&) = delete;
  DnsChannel& operator=(const DnsChannel&) = delete;

  // `family`: AF_INET, AF_INET6, or AF_UNSPEC for both.
  DnsAnswer addresses_of(const std::string& name, int family);
  DnsAnswer name_of(const IpAddress& address);

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace transom::sockets
