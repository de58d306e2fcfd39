#include "tools/names.h"

#include <netdb.h>

#include <algorithm>

#include "socket_api/names/resolver.h"
#include "tools/failure.h"

namespace transom::tools {

namespace {

bool is_numeric_only(const std::string& text) {
  const auto is_part = [](char c) { return (c >= '0' && c <= '9') || c == '.'; };
  return std::ranges::all_of(text, is_part) || text.find(':') != std::string::npos;
}

}  // namespace

void check_target(const std::string& text) {
  if (text.empty() || (is_numeric_only(text) && !IpAddress::parse(text))) {
    fail(Exit::kUsage, "'{}' is not an IP address; write it like 10.9.0.1 or fd09::1, or give a name", text);
  }
}

bool is_name(const std::string& text) { return !is_numeric_only(text); }

void fail_lookup(sockets::Stack& stack, const std::string& text, int error) {
  if (error == EAI_AGAIN && sockets::effective_resolver(stack).servers.empty())
    fail(Exit::kFailed, "cannot look up {}: no name server is known; give one with --dns", text);
  fail(Exit::kFailed, "cannot look up {}: {}", text, gai_strerror(error));
}

IpAddress find_target(LocalHost& host, const std::string& text, bool only_v4, bool only_v6) {
  const int family = only_v4 ? AF_INET : only_v6 ? AF_INET6 : AF_UNSPEC;
  const auto found = sockets::resolve(host.stack(), text, family);
  if (found) return found->addresses.front().endpoint.address;
  if (found.error() == EAI_ADDRFAMILY) {
    fail(Exit::kUsage, "{} is not of the family that -{} asks for; leave the flag out", text,
         only_v4 ? 4 : 6);
  }
  fail_lookup(host.stack(), text, found.error());
}

}  // namespace transom::tools
