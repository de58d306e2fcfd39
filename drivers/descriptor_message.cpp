#include "drivers/descriptor_message.h"

#include <sys/socket.h>

#include <array>
#include <cstring>

#include "drivers/pieces.h"

namespace transom::drivers {

ssize_t send_with_descriptor(int socket, Bytes octets, int descriptor, int flags) {
  iovec whole = piece(octets);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &whole;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    *header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  return sendmsg(socket, &message, flags);
}

}  // namespace transom::drivers
