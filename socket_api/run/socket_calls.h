// The calls that are the same for all kinds of sockets: their arguments are fetched from the program, and the
// answer goes back.
#pragma once

#include "socket_api/run/guest_socket.h"

namespace transom::sockets::run {

void bind_socket(Session& session, Socket& socket, const TrappedCall& call);
// getsockname() and getpeername().
void write_name(Socket& socket, const Outcome<SocketAddress>& name, const TrappedCall& call);
void set_option(Session& session, GuestSocket& guest, const TrappedCall& call);
void get_option(Session& session, GuestSocket& guest, const TrappedCall& call);
// ioctl() about an interface: see is_interface_query().
void query_interface(Session& session, const TrappedCall& call);

}  // namespace transom::sockets::run
