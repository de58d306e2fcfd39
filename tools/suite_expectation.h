// What a case expects: filters over records with a count, and ordered patterns. A record is a JSON object: of
// a packet, of what a judge found, of what the stack decided.
//
//   [[expect]]
//   of = "packets"                                  # which records
//   where = { flags = "S", "length.gt" = 100 }      # all of these hold
//   count = 2                                       # or "count.ge" = 1, which is also the default
//
//   [[order]]                                       # these, in this order, others may lie between
//   of = "packets"
//   steps = [{ from = "client", flags = "S" }, { from = "server", flags = "S." }]
//
// A field is written with a suffix for what is not equality: .gt .ge .lt .le .ne, and for text .find
// (contains) .startswith .endswith. A record without the field does not match, except by .ne.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "drivers/toml.h"

namespace transom::tools {

using Records = std::vector<nlohmann::json>;
using RecordSets = std::map<std::string, Records, std::less<>>;  // by what `of` calls them

// What is wrong in a file of expectations; thrown while it is read, caught by whoever reads it.
struct BadExpectation {
  std::string message;
  toml::source_region where;
};

[[noreturn]] void complain(const toml::node& node, std::string message);

// One condition: "length.gt" = 100.
class Condition {
 public:
  // Throws BadExpectation for an unknown suffix, or a value that does not go with it.
  Condition(std::string_view key, const toml::node& value);
  bool holds(const nlohmann::json& record) const;
  // `length.gt = 100`
  std::string text() const;

 private:
  enum class Relation : std::uint8_t {
    kEqual,
    kNotEqual,
    kGreater,
    kAtLeast,
    kLess,
    kAtMost,
    kFind,
    kStartsWith,
    kEndsWith
  };

  std::string field_;
  Relation relation_ = Relation::kEqual;
  nlohmann::json value_;
};

class Filter {
 public:
  explicit Filter(const toml::table& table);
  bool matches(const nlohmann::json& record) const;
  std::string text() const;  // "{ flags = "S", length.gt = 100 }"

 private:
  std::vector<Condition> conditions_;
};

// What became of one expectation. `message` is empty when it held.
struct Check {
  std::string name;
  std::string message;

  bool holds() const { return message.empty(); }
};

class Expectations {
 public:
  // From the arrays "expect" and "order" of a case. Throws BadExpectation.
  static Expectations parse(const toml::table& table);

  std::vector<Check> judge(const RecordSets& records) const;
  bool asks_for(std::string_view records) const;

 private:
  struct Count {
    std::string name, of;
    Filter where;
    std::vector<Condition> bounds;  // on a record {count: n}
  };
  struct Order {
    std::string name, of;
    std::vector<Filter> steps;
  };

  std::vector<Count> counts_;
  std::vector<Order> orders_;
};

}  // namespace transom::tools
