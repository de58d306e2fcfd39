// Numbers of the pcapng format (draft-ietf-opsawg-pcapng) that reader and writer share.
#pragma once

#include <cstdint>

namespace transom::drivers::pcapng {

inline constexpr std::uint32_t kByteOrderMagic = 0x1a2b3c4d;

// Block types.
inline constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
inline constexpr std::uint32_t kInterfaceDescription = 1;
inline constexpr std::uint32_t kObsoletePacket = 2;
inline constexpr std::uint32_t kSimplePacket = 3;
inline constexpr std::uint32_t kInterfaceStatistics = 5;
inline constexpr std::uint32_t kEnhancedPacket = 6;

// Options: of every block, of an interface, of a packet.
inline constexpr std::uint16_t kEndOfOptions = 0;
inline constexpr std::uint16_t kComment = 1;
inline constexpr std::uint16_t kInterfaceName = 2;
inline constexpr std::uint16_t kTimeResolution = 9;
inline constexpr std::uint16_t kTimeOffset = 14;
inline constexpr std::uint16_t kPacketFlags = 2;
inline constexpr std::uint16_t kPacketDrops = 4;     // since the packet before
inline constexpr std::uint16_t kInterfaceDrops = 5;  // since the beginning, by the interface
inline constexpr std::uint16_t kSystemDrops = 7;     // the same, by the operating system

// The lowest two bits of kPacketFlags.
inline constexpr std::uint32_t kInbound = 1;
inline constexpr std::uint32_t kOutbound = 2;

}  // namespace transom::drivers::pcapng
