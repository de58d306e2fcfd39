#include "tools/suite_case.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tools/failure.h"

namespace transom::tools {

namespace fs = std::filesystem;

namespace {

constexpr std::array<std::string_view, 4> kFeatures{"packets", "errors", "judge", "replay"};
constexpr std::string_view kFile = "case.toml";

// One table of the file, in which every word must be known.
class Section {
 public:
  Section(const toml::table& table, std::string_view name, std::initializer_list<std::string_view> known)
      : table_(table) {
    for (const auto& [key, value] : table) {
      if (std::ranges::find(known, key.str()) == known.end())
        complain(value, fmt::format("'{}' is not known in {}; there are {}", key.str(), name,
                                    fmt::join(known, ", ")));
    }
  }
  std::string text(std::string_view key, std::string otherwise = {}) const {
    const toml::node* const node = table_.get(key);
    if (node == nullptr) return otherwise;
    if (!node->is_string()) complain(*node, fmt::format("{} takes a string", key));
    return node->ref<std::string>();
  }
  std::string one_of(std::string_view key, std::string otherwise,
                     std::initializer_list<std::string_view> choices) const {
    std::string value = text(key, std::move(otherwise));
    if (std::ranges::find(choices, value) == choices.end())
      complain(*table_.get(key),
               fmt::format("{} = \"{}\": there are {}", key, value, fmt::join(choices, ", ")));
    return value;
  }
  bool truth(std::string_view key, bool otherwise) const {
    const toml::node* const node = table_.get(key);
    if (node == nullptr) return otherwise;
    if (!node->is_boolean()) complain(*node, fmt::format("{} takes true or false", key));
    return node->ref<bool>();
  }
  std::vector<std::string> texts(std::string_view key) const {
    std::vector<std::string> found;
    const toml::node* const node = table_.get(key);
    if (node == nullptr) return found;
    if (!node->is_array()) complain(*node, fmt::format("{} takes an array of strings", key));
    for (const toml::node& entry : *node->as_array()) {
      if (!entry.is_string()) complain(entry, fmt::format("{} takes an array of strings", key));
      found.push_back(entry.ref<std::string>());
    }
    return found;
  }
  const toml::table* table(std::string_view key) const {
    const toml::node* const node = table_.get(key);
    if (node != nullptr && !node->is_table()) complain(*node, fmt::format("{} is a table: [{}]", key, key));
    return node == nullptr ? nullptr : node->as_table();
  }

 private:
  const toml::table& table_;
};

// What `requires` asks for and is not there.
std::string lacks(const toml::table* table) {
  if (table == nullptr) return {};
  const Section section(*table, "requires", {"features", "env"});
  for (const std::string& feature : section.texts("features"))
    if (!has_feature(feature)) return fmt::format("this transom has no '{}'", feature);
  for (const std::string& name : section.texts("env"))
    if (std::getenv(name.c_str()) == nullptr) return fmt::format("the environment has no {}", name);
  return {};
}

fs::path file_of(const SuiteCase& one, const toml::node* node, std::string_view key, const fs::path& name) {
  if (name.empty() || name.has_parent_path())
    complain(*node, fmt::format("{} is a file in the folder of the case", key));
  return one.folder / name;
}

SuiteGolden read_golden(const toml::table& table, const SuiteCase& one) {
  const Section section(table, "[golden]", {"file", "fail_on", "masked"});
  if (one.stack.empty()) complain(table, "there is a golden record only of a case with [replay]");
  SuiteGolden golden;
  golden.file = file_of(one, table.get("file"), "file", section.text("file", "golden.jsonl"));
  golden.bar = section.one_of("fail_on", "any", {"violation", "unknown", "any"});
  if (const toml::node* const masked = table.get("masked")) {
    golden.masks.emplace();
    for (const std::string& name : section.texts("masked")) {
      auto masks = parse_masks(name);
      if (!masks) complain(*masked, masks.error());
      golden.masks->merge(*masks);
    }
  }
  return golden;
}

void read(SuiteCase& one, const toml::table& file) {
  const Section top(file, std::string(kFile),
                    {"shows", "input", "kernel", "taken_at", "skip", "requires", "replay", "judge", "golden",
                     "expect", "order"});
  one.shows = top.text("shows");
  one.skip = top.text("skip");
  one.input = file_of(one, file.get("input"), "input", top.text("input", "input.pcapng"));
  const std::string kernel = top.one_of("kernel", "none", {"none", "client", "server", "both"});
  one.kernel_client = kernel == "client" || kernel == "both";
  one.kernel_server = kernel == "server" || kernel == "both";
  one.taken_at = top.one_of("taken_at", "", {"", "client", "server", "router"});
  one.lacking = lacks(top.table("requires"));
  if (const toml::table* const replay = top.table("replay")) {
    const Section section(*replay, "[replay]", {"stack", "fail_on"});
    one.stack = section.text("stack", "server");
    one.bar = section.one_of("fail_on", "violation", {"violation", "unknown", "any"});
  }
  if (const toml::table* const judge = top.table("judge")) {
    const Section section(*judge, "[judge]", {"skip", "violations_by"});
    one.judges = !section.truth("skip", false);
    one.culprits = section.texts("violations_by");
  }
  if (const toml::table* const golden = top.table("golden")) one.golden = read_golden(*golden, one);
  one.expectations = Expectations::parse(file);
  for (const std::string_view records : {"events", "differences"}) {
    if (one.stack.empty() && one.expectations.asks_for(records))
      complain(file, fmt::format("there are {} only of a case with [replay]", records));
  }
  if (!one.judges && one.expectations.asks_for("findings"))
    complain(file, "there are no findings where the judge is not asked");
}

}  // namespace

SuiteCase SuiteCase::load(const fs::path& folder, std::string name) {
  const fs::path path = folder / kFile;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) fail(Exit::kUsage, "cannot read {}", path.string());
  return parse(text.view(), folder, std::move(name));
}

SuiteCase SuiteCase::parse(std::string_view text, const fs::path& folder, std::string name) {
  const std::string path = (folder / kFile).string();
  SuiteCase one;
  one.name = std::move(name);
  one.folder = folder;
  try {
    read(one, toml::parse(text, path));
  } catch (const toml::parse_error& error) {
    fail(Exit::kUsage, "{}:{}: {}", path, error.source().begin.line, error.description());
  } catch (const drivers::TomlAssertion& bad) {
    fail(Exit::kUsage, "{}: {}", path, bad.what());
  } catch (const BadExpectation& bad) {
    fail(Exit::kUsage, "{}:{}: {}", path, bad.where.begin.line, bad.message);
  }
  return one;
}

std::vector<std::pair<std::string, fs::path>> find_cases(const fs::path& directory) {
  std::error_code error;
  std::vector<std::pair<std::string, fs::path>> found;
  for (fs::recursive_directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    if (at->path().filename() != kFile) continue;
    const fs::path folder = at->path().parent_path();
    const std::string name = folder.lexically_relative(directory).generic_string();
    found.emplace_back(name == "." ? folder.filename().string() : name, folder);
  }
  if (error) fail(Exit::kUsage, "cannot read {}: {}", directory.string(), error.message());
  std::ranges::sort(found);
  return found;
}

bool has_feature(std::string_view feature) {
  return std::ranges::find(kFeatures, feature) != kFeatures.end();
}

}  // namespace transom::tools
