#include "socket_api/run/message_argument.h"

#include <sys/syscall.h>

#include <climits>

namespace transom::sockets::run {

namespace {

Outcome<std::vector<iovec>> read_pieces(const TrappedCall& call, std::uint64_t address, std::size_t count,
                                        int too_many) {
  if (count > IOV_MAX) return fail(too_many);
  std::vector<iovec> pieces(count);
  const auto done =
      call.read(address, {reinterpret_cast<std::uint8_t*>(pieces.data()), pieces.size() * sizeof(iovec)});
  if (!done) return std::unexpected(done.error());
  std::size_t total = 0;
  for (const iovec& piece : pieces) {
    if (piece.iov_len > SSIZE_MAX || (total += piece.iov_len) > SSIZE_MAX) return fail(EINVAL);
  }
  return pieces;
}

}  // namespace

std::size_t MessageArgument::room() const {
  std::size_t total = 0;
  for (const iovec& piece : pieces) total += piece.iov_len;
  return total;
}

Outcome<MessageArgument> read_message(const TrappedCall& call, std::uint64_t address) {
  const auto header = call.read_value<msghdr>(address);
  if (!header) return std::unexpected(header.error());
  auto pieces =
      read_pieces(call, reinterpret_cast<std::uint64_t>(header->msg_iov), header->msg_iovlen, EMSGSIZE);
  if (!pieces) return std::unexpected(pieces.error());
  return MessageArgument{.header = *header, .pieces = std::move(*pieces)};
}

Outcome<MessageArgument> read_message(const TrappedCall& call) {
  MessageArgument message;
  switch (call.number()) {
    case SYS_recvmsg:
    case SYS_sendmsg:
      return read_message(call, call.argument(1));
    case SYS_readv:
    case SYS_writev: {
      auto pieces = read_pieces(call, call.argument(1), call.argument(2), EINVAL);
      if (!pieces) return std::unexpected(pieces.error());
      message.pieces = std::move(*pieces);
      return message;
    }
    case SYS_sendto:
      message.header.msg_namelen = static_cast<socklen_t>(call.argument(5));
      [[fallthrough]];
    case SYS_recvfrom:
      message.header.msg_name = reinterpret_cast<void*>(call.argument(4));
      break;
    default:
      break;
  }
  message.pieces.push_back(
      {reinterpret_cast<void*>(call.argument(1)), static_cast<std::size_t>(call.argument(2))});
  return message;
}

int flags_of(const TrappedCall& call) {
  switch (call.number()) {
    case SYS_recvmsg:
    case SYS_sendmsg:
      return call.int_argument(2);
    case SYS_read:
    case SYS_readv:
    case SYS_write:
    case SYS_writev:
      return 0;
    default:
      return call.int_argument(3);
  }
}

bool is_read(const TrappedCall& call) { return call.number() == SYS_read || call.number() == SYS_readv; }

}  // namespace transom::sockets::run
