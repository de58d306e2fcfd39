// An HTTP/1.1 file server (RFC 9110, RFC 9112): GET and HEAD with single ranges and directory pages, PUT into
// a scratch directory, keep-alive and pipelining. Paths that would leave the directory are refused.
#pragma once

#include <memory>

#include "tools/file_tree.h"
#include "tools/service_loop.h"

namespace transom::tools {

// `files` must outlive the conversation.
std::unique_ptr<Conversation> make_http(FileTree& files);

// Socket options for its listener.
tcp::Options http_socket_options();

}  // namespace transom::tools
