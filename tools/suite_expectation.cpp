#include "tools/suite_expectation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

namespace transom::tools {

using nlohmann::json;

[[noreturn]] void complain(const toml::node& node, std::string message) {
  throw BadExpectation{std::move(message), node.source()};
}

namespace {

// Of what a record may hold.
json scalar(const toml::node& node, std::string_view key) {
  if (node.is_string()) return node.ref<std::string>();
  if (node.is_integer()) return node.ref<std::int64_t>();
  if (node.is_floating_point()) return node.ref<double>();
  if (node.is_boolean()) return node.ref<bool>();
  complain(node, fmt::format("{} takes a string, a number or a truth value", key));
}

std::string name_of(const toml::table& table, std::string otherwise) {
  if (const toml::node* const name = table.get("name")) {
    if (!name->is_string()) complain(*name, "name takes a string");
    return name->ref<std::string>();
  }
  return otherwise;
}

std::string records_of(const toml::table& table) {
  static constexpr std::array<std::string_view, 6> kKnown{"packets",     "findings", "events",
                                                          "differences", "errors",   "problems"};
  const toml::node* const of = table.get("of");
  if (of == nullptr || !of->is_string())
    complain(of == nullptr ? static_cast<const toml::node&>(table) : *of,
             "of says which records, as in: of = \"packets\"");
  const std::string& text = of->ref<std::string>();
  if (std::ranges::find(kKnown, text) == kKnown.end())
    complain(*of, fmt::format("of = \"{}\": there are {}", text, fmt::join(kKnown, ", ")));
  return text;
}

const toml::table& table_of(const toml::node& node, std::string_view what) {
  if (!node.is_table()) complain(node, fmt::format("{} takes a table, as in: {{ flags = \"S\" }}", what));
  return *node.as_table();
}

void only(const toml::table& table, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : table) {
    const std::string_view name = key.str();
    if (std::ranges::find(known, name) == known.end() && !name.starts_with("count"))
      complain(value, fmt::format("'{}' is not known here; there are {}", name, fmt::join(known, ", ")));
  }
}

}  // namespace

Condition::Condition(std::string_view key, const toml::node& value)
    : field_(key), value_(scalar(value, key)) {
  static constexpr std::array<std::pair<std::string_view, Relation>, 8> kSuffixes{
      {{"ne", Relation::kNotEqual},
       {"gt", Relation::kGreater},
       {"ge", Relation::kAtLeast},
       {"lt", Relation::kLess},
       {"le", Relation::kAtMost},
       {"find", Relation::kFind},
       {"startswith", Relation::kStartsWith},
       {"endswith", Relation::kEndsWith}}};
  const std::size_t dot = key.rfind('.');
  if (dot == std::string_view::npos) return;
  const std::string_view suffix = key.substr(dot + 1);
  const auto* const found =
      std::ranges::find(kSuffixes, suffix, &std::pair<std::string_view, Relation>::first);
  if (found == kSuffixes.end())
    complain(value,
             fmt::format("'{}': the suffixes are .ne .gt .ge .lt .le .find .startswith .endswith", key));
  field_ = std::string(key.substr(0, dot));
  relation_ = found->second;
  const bool is_about_text = relation_ >= Relation::kFind;
  const bool is_about_order = relation_ >= Relation::kGreater && !is_about_text;
  if (is_about_text && !value_.is_string()) complain(value, fmt::format("{} takes a string", key));
  if (is_about_order && !value_.is_number()) complain(value, fmt::format("{} takes a number", key));
}

bool Condition::holds(const json& record) const {
  const auto found = record.find(field_);
  if (found == record.end()) return relation_ == Relation::kNotEqual;
  switch (relation_) {
    case Relation::kEqual:
      return *found == value_;
    case Relation::kNotEqual:
      return *found != value_;
    case Relation::kGreater:
      return found->is_number() && *found > value_;
    case Relation::kAtLeast:
      return found->is_number() && *found >= value_;
    case Relation::kLess:
      return found->is_number() && *found < value_;
    case Relation::kAtMost:
      return found->is_number() && *found <= value_;
    default:
      break;
  }
  if (!found->is_string()) return false;
  const auto& text = found->get_ref<const std::string&>();
  const auto& wanted = value_.get_ref<const std::string&>();
  if (relation_ == Relation::kFind) return text.contains(wanted);
  return relation_ == Relation::kStartsWith ? text.starts_with(wanted) : text.ends_with(wanted);
}

std::string Condition::text() const {
  static constexpr std::array<std::string_view, 9> kSuffixes{"",    ".ne",   ".gt",         ".ge",      ".lt",
                                                             ".le", ".find", ".startswith", ".endswith"};
  return fmt::format("{}{} = {}", field_, kSuffixes[static_cast<std::size_t>(relation_)], value_.dump());
}

Filter::Filter(const toml::table& table) {
  for (const auto& [key, value] : table) conditions_.emplace_back(key.str(), value);
}

bool Filter::matches(const json& record) const {
  return std::ranges::all_of(conditions_,
                             [&](const Condition& condition) { return condition.holds(record); });
}

std::string Filter::text() const {
  if (conditions_.empty()) return "{}";
  std::vector<std::string> parts;
  for (const Condition& condition : conditions_) parts.push_back(condition.text());
  return fmt::format("{{ {} }}", fmt::join(parts, ", "));
}

Expectations Expectations::parse(const toml::table& table) {
  Expectations all;
  const auto each = [&](std::string_view key, auto use) {
    const toml::node* const node = table.get(key);
    if (node == nullptr) return;
    if (!node->is_array()) complain(*node, fmt::format("{} is an array of tables: [[{}]]", key, key));
    for (const toml::node& entry : *node->as_array()) use(table_of(entry, key));
  };
  each("expect", [&](const toml::table& entry) {
    only(entry, {"of", "where", "name"});
    const toml::node* const where = entry.get("where");
    Count count{
        {}, records_of(entry), Filter(where == nullptr ? toml::table{} : table_of(*where, "where")), {}};
    for (const auto& [key, value] : entry) {
      if (!key.str().starts_with("count")) continue;
      if (!value.is_integer()) complain(value, "count takes a number");
      count.bounds.emplace_back(key.str(), value);
    }
    if (count.bounds.empty()) {
      const toml::value<std::int64_t> one(1);
      count.bounds.emplace_back("count.ge", one);
    }
    std::vector<std::string> bounds;
    for (const Condition& bound : count.bounds) bounds.push_back(bound.text());
    count.name =
        name_of(entry, fmt::format("{} {}: {}", count.of, count.where.text(), fmt::join(bounds, ", ")));
    all.counts_.push_back(std::move(count));
  });
  each("order", [&](const toml::table& entry) {
    only(entry, {"of", "steps", "name"});
    Order order{{}, records_of(entry), {}};
    const toml::node* const steps = entry.get("steps");
    if (steps == nullptr || !steps->is_array() || steps->as_array()->empty())
      complain(entry, "steps takes an array of tables");
    for (const toml::node& step : *steps->as_array()) order.steps.emplace_back(table_of(step, "steps"));
    order.name = name_of(entry, fmt::format("{} in order, {} steps", order.of, order.steps.size()));
    all.orders_.push_back(std::move(order));
  });
  return all;
}

bool Expectations::asks_for(std::string_view records) const {
  const auto is_it = [&](const auto& one) { return one.of == records; };
  return std::ranges::any_of(counts_, is_it) || std::ranges::any_of(orders_, is_it);
}

std::vector<Check> Expectations::judge(const RecordSets& records) const {
  static const Records kNone;
  const auto set = [&](const std::string& of) -> const Records& {
    const auto found = records.find(of);
    return found == records.end() ? kNone : found->second;
  };
  std::vector<Check> checks;
  for (const Count& count : counts_) {
    const auto matching =
        std::ranges::count_if(set(count.of), [&](const json& record) { return count.where.matches(record); });
    const json result = {{"count", matching}};
    Check check{count.name, {}};
    for (const Condition& bound : count.bounds) {
      if (!bound.holds(result))
        check.message = fmt::format("{} of {} {} match, expected {}", matching, set(count.of).size(),
                                    count.of, bound.text());
    }
    checks.push_back(std::move(check));
  }
  for (const Order& order : orders_) {
    std::size_t step = 0, last = 0;
    const Records& all = set(order.of);
    for (std::size_t index = 0; index < all.size() && step < order.steps.size(); ++index) {
      if (!order.steps[step].matches(all[index])) continue;
      ++step;
      last = index + 1;
    }
    Check check{order.name, {}};
    if (step < order.steps.size())
      check.message = fmt::format("step {} {} does not come after number {} of {}", step + 1,
                                  order.steps[step].text(), last, order.of);
    checks.push_back(std::move(check));
  }
  return checks;
}

}  // namespace transom::tools
