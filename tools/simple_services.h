// The old small services, each for TCP and UDP: echo (RFC 862), discard (RFC 863), chargen (RFC 864).
#pragma once

#include <memory>

#include "tools/service_loop.h"

namespace transom::tools {

std::unique_ptr<Conversation> make_echo();
std::unique_ptr<Conversation> make_discard();
std::unique_ptr<Conversation> make_chargen();

void echo_datagrams(udp::UdpSocket& socket);
void discard_datagrams(udp::UdpSocket& socket);
void chargen_datagrams(udp::UdpSocket& socket);

}  // namespace transom::tools
