#include "tools/ip_arguments.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "tools/failure.h"

namespace transom::tools {

namespace {

using nlohmann::json;

struct Object {
  std::string_view name;
  std::string_view shown;    // in {"show": ...}
  std::string_view changed;  // in {"change": ...}; empty: it cannot be
  std::string_view verbs;    // what can be done to it
  std::string_view first;    // the key of the word without a name
};

constexpr std::array kObjects = {
    Object{"addr", "addresses", "address", "add delete flush", "prefix"},
    Object{"route", "routes", "route", "add replace delete get", "prefix"},
    Object{"neigh", "neighbours", "neighbour", "add replace delete flush", "address"},
    Object{"maddr", "groups", "", "", ""},
    Object{"link", "addresses", "link", "set", ""},
};

// As ip(8): the beginning of a verb is enough.
std::string verb_of(std::string_view word) {
  constexpr std::array<std::string_view, 9> kVerbs = {"show",   "list",  "lst", "add", "replace",
                                                      "delete", "flush", "set", "get"};
  if (word == "ls") return "show";
  for (const std::string_view verb : kVerbs) {
    if (verb.starts_with(word)) return verb == "list" || verb == "lst" ? "show" : std::string(verb);
  }
  return "";
}

unsigned number_of(std::string_view name, std::string_view text) {
  unsigned number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || problem != std::errc{} || end != text.data() + text.size())
    fail(Exit::kUsage, "{} takes a number, not '{}'", name, text);
  return number;
}

class WordList {
 public:
  explicit WordList(const std::vector<std::string>& words) : words_(words) {}
  bool is_done() const { return at_ == words_.size(); }
  const std::string& next(std::string_view after) {
    if (is_done()) fail(Exit::kUsage, "something is missing behind '{}'; see ip(8)", after);
    return words_[at_++];
  }

 private:
  const std::vector<std::string>& words_;
  std::size_t at_ = 0;
};

// The rest of the line: names with their values.
void take_named(WordList& words, const Object& object, json& request) {
  while (!words.is_done()) {
    const std::string& word = words.next("");
    if (word == "dev") {
      request["interface"] = words.next(word);
    } else if (word == "via" && object.name == "route") {
      request["gateway"] = words.next(word);
    } else if (word == "src" && object.name == "route") {
      request["source"] = words.next(word);
    } else if ((word == "metric" || word == "preference") && object.name == "route") {
      request["metric"] = number_of(word, words.next(word));
    } else if (word == "lladdr" && object.name == "neigh") {
      request["mac"] = words.next(word);
    } else if (word == "nud" && object.name == "neigh") {
      if (const std::string& state = words.next(word); state != "permanent")
        fail(Exit::kUsage, "a neighbour that is added is permanent, not {}", state);
    } else if (word == "mtu" && object.name == "link") {
      request["mtu"] = number_of(word, words.next(word));
    } else if (object.name == "link" && !request.contains("interface")) {
      request["interface"] = word;
    } else if (!object.first.empty() && !request.contains(object.first)) {
      request[std::string(object.first)] = word;
    } else {
      fail(Exit::kUsage, "'{}' is not understood there; see ip(8)", word);
    }
  }
}

}  // namespace

json parse_ip_arguments(const std::string& name, const std::vector<std::string>& list, bool only_v6) {
  const Object& object = *std::ranges::find(kObjects, name, &Object::name);
  WordList words(list);
  const std::string written = words.is_done() ? "show" : words.next("");
  const std::string verb = verb_of(written);
  const bool is_known =
      verb == "show" || (!verb.empty() && object.verbs.find(verb) != std::string_view::npos);
  if (!is_known) {
    fail(Exit::kUsage, "'{}' cannot be done to {}; there is: show{}{}", written, name,
         object.verbs.empty() ? "" : " ", object.verbs);
  }
  if (verb == "show") {
    json request = {{"show", object.shown}};
    while (!words.is_done()) {
      const std::string& word = words.next("show");
      request["interface"] = word == "dev" ? words.next(word) : word;
    }
    return request;
  }
  if (verb == "get") return {{"show", "route"}, {"address", words.next("get")}};
  json request = {{"change", object.changed}, {"verb", verb}, {"family", only_v6 ? "inet6" : "inet"}};
  take_named(words, object, request);
  if (request.value("gateway", "").find(':') != std::string::npos) request["family"] = "inet6";
  const bool needs_first = !object.first.empty() && verb != "flush";
  if (needs_first && !request.contains(object.first)) fail(Exit::kUsage, "which {}? see ip(8)", object.first);
  return request;
}

}  // namespace transom::tools
