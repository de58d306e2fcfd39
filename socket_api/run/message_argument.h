// What a call that sends or receives names: read(2), readv(2), recvfrom(2), recvmsg(2), each message of
// recvmmsg(2) and their counterparts, as one.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <vector>

#include "socket_api/run/trapped_call.h"

namespace transom::sockets::run {

// A struct msghdr of the program, with its pieces. The pointers are the program's.
struct MessageArgument {
  msghdr header{};
  std::vector<iovec> pieces;

  std::size_t room() const;
};

// The one at `address`. EFAULT, EMSGSIZE, EINVAL.
Outcome<MessageArgument> read_message(const TrappedCall& call, std::uint64_t address);
// That of any call that has but one. An address of recvfrom(2) has no length yet.
Outcome<MessageArgument> read_message(const TrappedCall& call);
// MSG_*; read(2) and write(2) have none.
int flags_of(const TrappedCall& call);
// read(2) and readv(2): of nothing, they look at nothing.
bool is_read(const TrappedCall& call);

}  // namespace transom::sockets::run
