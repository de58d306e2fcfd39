// The filters of ss(8): which sockets are meant.
//
//   state FILTER, exclude FILTER    a state, or a group: all connected synchronized bucket big listening
//   closed EXPRESSION                      dst HOST[/LENGTH][:PORT], src the same, dport OP PORT, sport OP
//   PORT, dev NAME;
//                                   joined by and, or, not, & | ! and parentheses; nothing between two means
//                                   and
//
// A PORT is a number or a service of /etc/services; OP is = == eq, != ne neq, < lt, <= le leq, > gt, >= ge
// geq.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "stack/base/address.h"

namespace transom::tools {

struct FilteredSocket {
  std::string_view state;  // as ss writes it: "ESTAB"
  Endpoint local;
  Endpoint peer;
  std::string_view interface;
};

class SocketFilter {
 public:
  using Test = std::function<bool(const FilteredSocket&)>;

  // Takes everything.
  SocketFilter() = default;
  // Any of `states` (all, when there is none) but those of `excluded`, and what `expression` says, if it is
  // one.
  SocketFilter(std::vector<std::string> states, std::vector<std::string> excluded, Test expression)
      : states_(std::move(states)), excluded_(std::move(excluded)), expression_(std::move(expression)) {}
  // What stands on the command line behind the flags. Throws Failure for what is no filter.
  static SocketFilter parse(const std::vector<std::string>& words);

  // The words say which states are meant: flags (-a, -l) do not.
  bool names_states() const { return !states_.empty() || !excluded_.empty(); }
  bool takes(const FilteredSocket& socket) const;

 private:
  std::vector<std::string> states_;
  std::vector<std::string> excluded_;
  Test expression_;
};

}  // namespace transom::tools
