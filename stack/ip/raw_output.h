// What raw sockets leave to the stack when they send: fields of an IPv4 header of their own making, and a
// checksum at a place that they name (RFC 3542 §3.1).
#pragma once

#include "stack/base/address.h"
#include "stack/base/error.h"
#include "stack/base/packet.h"

namespace transom::ip {

// Fills in total length and header checksum, and where they are zero source and identification, as Linux does
// for IP_HDRINCL. The packet starts at the header, whose length must be contiguous. kInvalidArgument when
// that is no IPv4 header, or its length exceeds the packet.
Result<void> complete_ipv4_header(Packet& packet, const IpAddress& source, std::uint16_t identification);

// Writes the checksum over pseudo-header and packet, `offset` octets into it; the packet starts behind the IP
// header and is contiguous. kInvalidArgument when it ends before that.
Result<void> write_checksum_at(Packet& packet, std::size_t offset, const IpAddress& source,
                               const IpAddress& destination, IpProtocol protocol);

}  // namespace transom::ip
