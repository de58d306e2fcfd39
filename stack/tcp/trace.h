// Where a connection's parts tell what they do: events and counters, with the connection's name on them.
#pragma once

#include "stack/base/context.h"
#include "stack/tcp/types.h"

namespace transom::tcp {

class Trace {
 public:
  Trace(Context& context, const FourTuple& tuple) : context_(context), tuple_(tuple) {}

  bool is_on() const { return context_.observer != nullptr; }
  void count(Counter counter, std::uint64_t amount = 1) const { context_.count(counter, amount); }

  // What: one of the TCP events; `members` are those behind local and remote.
  template <typename What, typename... Members>
  std::uint64_t tell(Members&&... members) const {
    if (!is_on()) return 0;
    return context_.tell(What{tuple_.local, tuple_.remote, std::forward<Members>(members)...});
  }

 private:
  Context& context_;
  const FourTuple& tuple_;
};

}  // namespace transom::tcp
