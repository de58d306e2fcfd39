#include "drivers/vlan_tag.h"

#include <cstring>

#include "stack/wire/cursor.h"

namespace transom::drivers {

bool insert_tag(Packet& frame, const StrippedTag& tag) {
  constexpr std::size_t kAddresses = 12;
  constexpr std::size_t kTag = 4;
  if (frame.head().size() < kAddresses || frame.head_room() < kTag) return false;
  const MutableBytes moved = frame.prepend(kTag);
  std::memmove(moved.data(), moved.data() + kTag, kAddresses);
  wire::Writer writer(frame.head().subspan(kAddresses, kTag));
  writer.u16(tag.type);
  writer.u16(tag.control);
  return writer.ok();
}

}  // namespace transom::drivers
