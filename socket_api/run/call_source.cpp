#include "socket_api/run/call_source.h"

#include "socket_api/run/preload_source.h"
#include "socket_api/run/seccomp_source.h"

namespace transom::sockets::run {

std::unique_ptr<CallSource> make_call_source(Interception kind, drivers::FileDescriptor listener) {
  return kind == Interception::kSeccomp ? make_seccomp_source(std::move(listener))
                                        : make_preload_source(std::move(listener));
}

}  // namespace transom::sockets::run
