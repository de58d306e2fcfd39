#include "socket_api/extension_options.h"

#include <netinet/in.h>

#include <algorithm>

#include "socket_api/option_value.h"
#include "socket_api/socket.h"
#include "stack/wire/ipv6.h"

namespace transom::sockets {

namespace {

using Header = std::vector<std::uint8_t>;

bool ReceivedExtensions::* flag_of(int name) {
  switch (name) {
    case IPV6_RECVHOPOPTS:
      return &ReceivedExtensions::hop_by_hop;
    case IPV6_RECVDSTOPTS:
      return &ReceivedExtensions::destination;
    case IPV6_RECVRTHDR:
      return &ReceivedExtensions::routing;
    case IPV6_2292HOPOPTS:
      return &ReceivedExtensions::old_hop_by_hop;
    case IPV6_2292DSTOPTS:
      return &ReceivedExtensions::old_destination;
    case IPV6_2292RTHDR:
      return &ReceivedExtensions::old_routing;
    default:
      return nullptr;
  }
}

Header ip::ExtensionHeaders::* header_of(int name) {
  switch (name) {
    case IPV6_HOPOPTS:
      return &ip::ExtensionHeaders::hop_by_hop;
    case IPV6_RTHDRDSTOPTS:
      return &ip::ExtensionHeaders::before_routing;
    case IPV6_RTHDR:
      return &ip::ExtensionHeaders::routing;
    case IPV6_DSTOPTS:
      return &ip::ExtensionHeaders::destination;
    default:
      return nullptr;
  }
}

// The header that `value` starts with; EINVAL when it is not whole. The options in it are for who receives
// them to judge, as on Linux.
Outcome<Header> read_header(Bytes value) {
  wire::Reader reader(value);
  const auto header = wire::Ipv6ExtensionHeader::parse(reader);
  if (!header) return fail(EINVAL);
  const Bytes whole = value.first(header->size);
  return Header(whole.begin(), whole.end());
}

// Calls `visit(kind, header)` for each of those that a packet came with.
template <typename Visit>
void for_each_header(Bytes headers, IpProtocol next, Visit visit) {
  wire::Reader reader(headers);
  while (reader.remaining() > 0) {
    const IpProtocol kind = next;
    const std::size_t start = reader.position();
    if (kind == IpProtocol::kFragment) {
      const auto fragment = wire::Ipv6FragmentHeader::parse(reader);
      if (!fragment) return;
      next = fragment->next_header;
      continue;
    }
    const auto header = wire::Ipv6ExtensionHeader::parse(reader);
    if (!header) return;
    next = header->next_header;
    visit(kind, headers.subspan(start, header->size));
  }
}

}  // namespace

bool is_extension_option(int name) { return flag_of(name) != nullptr || header_of(name) != nullptr; }

Outcome<void> set_extension_option(const SocketKind& kind, IpSettings& settings, int name, Bytes value) {
  if (const auto flag = flag_of(name)) {
    const auto on = read_option<int>(value);
    if (!on) return std::unexpected(on.error());
    settings.receive_extensions.*flag = *on != 0;
    return {};
  }
  auto headers = settings.extension_headers ? *settings.extension_headers : ip::ExtensionHeaders{};
  Header& place = headers.*header_of(name);
  if (value.empty()) {
    place.clear();
  } else {
    if (kind.type == SOCK_STREAM) return fail(EOPNOTSUPP);
    constexpr std::size_t kUnit = 8, kMaxSize = 255 * kUnit;
    if (value.size() % kUnit != 0 || value.size() > kMaxSize) return fail(EINVAL);
    auto header = read_header(value);
    if (!header) return std::unexpected(header.error());
    if (name == IPV6_RTHDR && !ip::may_send_routing_header(value)) return fail(EINVAL);
    place = std::move(*header);
  }
  settings.extension_headers =
      headers.empty() ? nullptr : std::make_shared<const ip::ExtensionHeaders>(std::move(headers));
  return {};
}

Outcome<std::size_t> get_extension_option(const IpSettings& settings, int name, MutableBytes out) {
  if (const auto flag = flag_of(name)) return write_bool_option(out, settings.receive_extensions.*flag);
  if (!settings.extension_headers) return 0;
  const Header& header = (*settings.extension_headers).*header_of(name);
  const std::size_t size = std::min(out.size(), header.size());
  std::copy_n(header.begin(), size, out.begin());
  return size;
}

Outcome<bool> read_extension_control(ip::ExtensionHeaders& headers, int type, Bytes data) {
  Header* place = nullptr;
  bool may_replace = false;
  switch (type) {
    case IPV6_HOPOPTS:
    case IPV6_2292HOPOPTS:
      place = &headers.hop_by_hop;
      break;
    case IPV6_2292DSTOPTS:
      place = &headers.destination;
      break;
    case IPV6_RTHDRDSTOPTS:
    case IPV6_DSTOPTS:
      place = type == IPV6_DSTOPTS ? &headers.destination : &headers.before_routing;
      may_replace = true;
      break;
    case IPV6_RTHDR:
    case IPV6_2292RTHDR:
      return fail(EINVAL);  // as Linux: a segment routing header is an option of the socket, or is not sent
    default:
      return false;
  }
  auto header = read_header(data);
  if (!header) return std::unexpected(header.error());
  if (!place->empty() && !may_replace) return fail(EINVAL);
  *place = std::move(*header);
  return true;
}

void write_extension_control(const ReceivedExtensions& wanted, Bytes headers, IpProtocol first,
                             Incoming& message) {
  for_each_header(headers, first, [&](IpProtocol kind, Bytes header) {
    if (kind == IpProtocol::kHopByHop && wanted.hop_by_hop)
      put_control(message, IPPROTO_IPV6, IPV6_HOPOPTS, header);
    if (kind == IpProtocol::kDestinationOptions && wanted.destination)
      put_control(message, IPPROTO_IPV6, IPV6_DSTOPTS, header);
    if (kind == IpProtocol::kRouting && wanted.routing)
      put_control(message, IPPROTO_IPV6, IPV6_RTHDR, header);
  });
}

// RFC 2292 §6.3: one header of destination options in front of a routing header, and one behind.
void write_old_extension_control(const ReceivedExtensions& wanted, Bytes headers, IpProtocol first,
                                 Incoming& message) {
  Bytes hop_by_hop, before_routing, routing, destination;
  for_each_header(headers, first, [&](IpProtocol kind, Bytes header) {
    if (kind == IpProtocol::kHopByHop) hop_by_hop = header;
    if (kind == IpProtocol::kDestinationOptions) destination = header;
    if (kind == IpProtocol::kRouting) {
      routing = header;
      before_routing = std::exchange(destination, {});
    }
  });
  const auto put = [&](bool is_wanted, int type, Bytes header) {
    if (is_wanted && !header.empty()) put_control(message, IPPROTO_IPV6, type, header);
  };
  put(wanted.old_hop_by_hop, IPV6_2292HOPOPTS, hop_by_hop);
  put(wanted.old_destination, IPV6_2292DSTOPTS, before_routing);
  put(wanted.old_routing, IPV6_2292RTHDR, routing);
  put(wanted.old_destination, IPV6_2292DSTOPTS, destination);
}

}  // namespace transom::sockets
