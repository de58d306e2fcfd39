#include "drivers/sim/scenario.h"

#include <fmt/format.h>

#include <fstream>
#include <set>
#include <sstream>

#include "drivers/congestion_plugin.h"
#include "drivers/sim/topology.h"
#include "drivers/toml.h"
#include "drivers/units.h"

namespace transom::drivers::sim {

namespace {

// What is wrong in the file, and where. Thrown and caught within this file only: reading is not on any
// packet's path, and each line below would otherwise need its own "if".
struct Complaint {
  std::string text;
  toml::source_region where;
};

[[noreturn]] void complain(const toml::node& node, std::string text) {
  throw Complaint{std::move(text), node.source()};
}

// One table, in which every word must be known.
class Section {
 public:
  Section(const toml::table& table, std::string name) : table_(table), name_(std::move(name)) {}

  const toml::node* node(std::string_view key) {
    known_.insert(std::string(key));
    return table_.get(key);
  }
  std::string text(std::string_view key, std::string otherwise = {}) {
    const toml::node* const found = node(key);
    if (found == nullptr) return otherwise;
    const auto value = found->value<std::string>();
    if (!value || !found->is_string()) complain(*found, fmt::format("{} takes a string", key));
    return *value;
  }
  template <typename Parse>
  auto quantity(std::string_view key, Parse parse, std::string_view example) -> decltype(parse("")) {
    const toml::node* const found = node(key);
    if (found == nullptr) return std::nullopt;
    const auto value = found->is_string() ? parse(found->ref<std::string>()) : std::nullopt;
    if (!value) complain(*found, fmt::format("{} takes a string like \"{}\"", key, example));
    return value;
  }
  std::optional<Duration> time(std::string_view key) { return quantity(key, parse_duration, "10ms"); }
  std::optional<std::uint64_t> rate(std::string_view key) { return quantity(key, parse_rate, "100mbit"); }
  std::optional<double> percentage(std::string_view key) { return quantity(key, parse_percentage, "1%"); }
  std::optional<std::uint64_t> size(std::string_view key) {
    const toml::node* const found = node(key);
    if (found != nullptr && found->is_integer()) return integer(key, 0, std::int64_t{1} << 40);
    return quantity(key, parse_size, "10mb");
  }
  std::optional<std::uint64_t> integer(std::string_view key, std::int64_t low, std::int64_t high) {
    const toml::node* const found = node(key);
    if (found == nullptr) return std::nullopt;
    const auto value = found->is_integer() ? found->value<std::int64_t>() : std::nullopt;
    if (!value || *value < low || *value > high)
      complain(*found, fmt::format("{} takes a whole number from {} to {}", key, low, high));
    return static_cast<std::uint64_t>(*value);
  }
  std::optional<bool> truth(std::string_view key) {
    const toml::node* const found = node(key);
    if (found == nullptr) return std::nullopt;
    const auto value = found->is_boolean() ? found->value<bool>() : std::nullopt;
    if (!value) complain(*found, fmt::format("{} takes true or false", key));
    return value;
  }
  // Calls `use` with each table of an array of tables.
  template <typename Use>
  void each(std::string_view key, Use use) {
    const toml::node* const found = node(key);
    if (found == nullptr) return;
    const toml::array* const array = found->as_array();
    if (array == nullptr) complain(*found, fmt::format("write each as [[{}]]", key));
    for (const toml::node& element : *array) {
      if (!element.is_table()) complain(element, fmt::format("write each as [[{}]]", key));
      use(*element.as_table());
    }
  }
  template <typename Use>
  void each_text(std::string_view key, Use use) {
    const toml::node* const found = node(key);
    if (found == nullptr) return;
    if (found->is_string()) return use(found->ref<std::string>(), *found);
    const toml::array* const array = found->as_array();
    if (array == nullptr) complain(*found, fmt::format("{} takes a string or a list of strings", key));
    for (const toml::node& element : *array) {
      if (!element.is_string()) complain(element, fmt::format("{} takes a list of strings", key));
      use(element.ref<std::string>(), element);
    }
  }
  const toml::table* table(std::string_view key) {
    const toml::node* const found = node(key);
    if (found == nullptr) return nullptr;
    if (!found->is_table())
      complain(*found, fmt::format("{} is a table: {} = {{ ... }} or [{}]", key, key, key));
    return found->as_table();
  }

  // Everything has been asked for: what is left is a mistake.
  void finish() const {
    for (const auto& [key, value] : table_) {
      if (known_.contains(std::string(key.str()))) continue;
      std::string known;
      for (const std::string& word : known_) known += " " + word;
      complain(value, fmt::format("{} does not know '{}'; it knows{}", name_, key.str(), known));
    }
  }
  const toml::table& whole() const { return table_; }

 private:
  const toml::table& table_;
  std::string name_;
  std::set<std::string> known_;
};

std::string read_file(const toml::node& node, const std::string& path) {
  std::ifstream file(path);
  if (!file) complain(node, fmt::format("cannot read {}", path));
  std::ostringstream contents;
  contents << file.rdbuf();
  return contents.str();
}

}  // namespace

class ScenarioReader {
 public:
  ScenarioReader(Scenario& scenario, std::string directory)
      : scenario_(scenario), directory_(std::move(directory)) {}

  void read(const toml::table& root, std::optional<std::uint64_t> seed) {
    Section section(root, "a scenario");
    scenario_.title_ = section.text("title");
    const auto given = section.integer("seed", 0, INT64_MAX);
    scenario_.seed_ = seed.value_or(given.value_or(1));
    scenario_.duration_ = section.time("duration").value_or(scenario_.duration_);
    scenario_.sample_interval_ = std::max(section.time("sample").value_or(scenario_.sample_interval_),
                                          Duration(std::chrono::microseconds(1)));
    scenario_.simulation_ = std::make_unique<Simulation>(scenario_.seed_);
    if (const toml::table* const tcp = section.table("tcp")) read_tcp(*tcp);
    const toml::table* const topology = section.table("topology");
    const bool has_nodes = section.node("node") != nullptr;
    if ((topology != nullptr) == has_nodes)
      complain(root, "a scenario needs either [topology] or [[node]] and [[link]]");
    if (topology != nullptr) read_topology(*topology);
    section.each("node", [this](const toml::table& table) { read_node(table); });
    section.each("link", [this](const toml::table& table) { read_link(table); });
    if (has_nodes) simulation().route();
    if (section.node("flow") == nullptr) complain(root, "a scenario needs at least one [[flow]]");
    section.each("flow", [this](const toml::table& table) { read_flow(table); });
    section.finish();
  }

 private:
  Simulation& simulation() { return *scenario_.simulation_; }

  // What all hosts have in common.
  void read_tcp(const toml::table& table) {
    Section section(table, "[tcp]");
    tcp::Config& config = config_.tcp;
    config.sack = section.truth("sack").value_or(config.sack);
    config.timestamps = section.truth("timestamps").value_or(config.timestamps);
    config.window_scaling = section.truth("window_scaling").value_or(config.window_scaling);
    config.min_rto = section.time("min_rto").value_or(config.min_rto);
    config.ecn = read_ecn_mode(section);
    section.finish();
  }

  static tcp::EcnMode read_ecn_mode(Section& section) {
    static constexpr std::pair<std::string_view, tcp::EcnMode> kModes[] = {
        {"off", tcp::EcnMode::kOff},
        {"request", tcp::EcnMode::kRequest},
        {"agree", tcp::EcnMode::kAgree},
        {"request-accurate", tcp::EcnMode::kRequestAccurate},
        {"agree-accurate", tcp::EcnMode::kAgreeAccurate}};
    const std::string word = section.text("ecn", "agree");
    for (const auto& [name, mode] : kModes) {
      if (name == word) return mode;
    }
    complain(*section.node("ecn"), "ecn is off, request, agree, request-accurate or agree-accurate");
  }

  ChannelOptions read_channel(Section& section) {
    ChannelOptions options;
    options.rate = section.rate("rate").value_or(0);
    options.delay = section.time("delay").value_or(Duration::zero());
    options.jitter = section.time("jitter").value_or(Duration::zero());
    options.keeps_order = section.truth("keep_order").value_or(false);
    options.reorder = section.percentage("reorder").value_or(0);
    options.reorder_gap = section.integer("gap", 1, 1 << 20).value_or(1);
    options.duplicate = section.percentage("duplicate").value_or(0);
    options.corrupt = section.percentage("corrupt").value_or(0);
    options.mtu = static_cast<std::uint32_t>(section.integer("black_hole_mtu", 68, 65535).value_or(0));
    options.queue = section.text("queue", options.queue);
    if (const toml::node* const loss = section.node("loss"))
      options.loss = parsed(*loss, parse_loss(section.text("loss")));
    section.each_text("fault", [&](const std::string& text, const toml::node& node) {
      options.faults.push_back(parsed(node, parse_packet_fault(text)));
    });
    if (const toml::node* const trace = section.node("trace")) {
      const std::string path = section.text("trace");
      options.trace = parsed(*trace, DeliveryTrace::parse(read_file(
                                         *trace, path.starts_with('/') ? path : directory_ + "/" + path)));
    }
    section.each("change", [&](const toml::table& table) { options.changes.push_back(read_change(table)); });
    std::ranges::stable_sort(options.changes, {}, &ChannelChange::at);
    return options;
  }

  ChannelChange read_change(const toml::table& table) {
    Section section(table, "a change");
    ChannelChange change{.at = Instant(section.time("at").value_or(Duration::zero())),
                         .rate = section.rate("rate"),
                         .delay = section.time("delay"),
                         .jitter = section.time("jitter"),
                         .loss = {},
                         .up = section.truth("up")};
    if (const toml::node* const loss = section.node("loss"))
      change.loss = parsed(*loss, parse_loss(section.text("loss")));
    section.finish();
    return change;
  }

  // Both directions; the words of `back` replace those of the whole link for the way back.
  LinkOptions read_link_options(Section& section) {
    LinkOptions options;
    options.forth = read_channel(section);
    options.mtu = static_cast<std::uint32_t>(section.integer("mtu", 68, 65535).value_or(options.mtu));
    const std::string type = section.text("type", "point-to-point");
    if (type != "point-to-point" && type != "ethernet")
      complain(*section.node("type"), "type is \"point-to-point\" or \"ethernet\"");
    if (type == "ethernet") options.type = link::LinkType::kEthernet;
    if (const toml::table* const back = section.table("back")) {
      toml::table merged = section.whole();
      for (const char* const own : {"back", "mtu", "type", "ends", "fault"}) merged.erase(own);
      for (const auto& [key, value] : *back) merged.insert_or_assign(key, value);
      Section back_section(merged, "back");
      options.back = read_channel(back_section);
      back_section.finish();
    } else if (!options.forth.faults.empty()) {  // a packet fault is of one direction
      options.back = options.forth;
      options.back->faults.clear();
    }
    return options;
  }
  LinkOptions read_link_table(const toml::table* table, std::string name) {
    if (table == nullptr) return {};
    Section section(*table, std::move(name));
    LinkOptions options = read_link_options(section);
    section.finish();
    return options;
  }

  void read_topology(const toml::table& table) {
    Section section(table, "[topology]");
    const std::string kind = section.text("kind");
    std::expected<void, std::string> made;
    const auto without_link =
        [](const std::expected<Link*, std::string>& link) -> std::expected<void, std::string> {
      if (!link) return std::unexpected(link.error());
      return {};
    };
    const auto count = [&](std::string_view key, std::size_t otherwise) {
      return static_cast<std::size_t>(section.integer(key, 1, 10000).value_or(otherwise));
    };
    if (kind == "pair") {
      made = without_link(make_pair(simulation(), read_link_table(section.table("link"), "link"), config_));
    } else if (kind == "dumbbell" || kind == "parking-lot") {
      const LinkOptions access = read_link_table(section.table("access"), "access");
      const LinkOptions bottleneck = read_link_table(section.table("bottleneck"), "bottleneck");
      made = kind == "dumbbell"
                 ? without_link(make_dumbbell(simulation(), count("hosts", 1), access, bottleneck, config_))
                 : make_parking_lot(simulation(), count("hops", 2), access, bottleneck, config_);
    } else if (kind == "star") {
      made =
          make_star(simulation(), count("hosts", 2), read_link_table(section.table("link"), "link"), config_);
    } else {
      const toml::node* const word = section.node("kind");
      complain(word != nullptr ? *word : table,
               "kind is \"pair\", \"dumbbell\", \"parking-lot\" or \"star\"");
    }
    if (!made) complain(table, made.error());
    section.finish();
  }

  void read_node(const toml::table& table) {
    Section section(table, "a node");
    const std::string name = section.text("name");
    if (name.empty() || simulation().find(name) != nullptr) complain(table, "a node needs a name of its own");
    if (section.truth("router").value_or(false)) {
      simulation().add_router(name);
    } else {
      simulation().add_host(name, config_);
    }
    section.finish();
  }

  Node& node_named(const toml::node& where, const std::string& name) {
    Node* const found = simulation().find(name);
    if (found != nullptr) return *found;
    std::string known;
    for (const auto& node : simulation().nodes()) known += " " + node->name();
    complain(where, fmt::format("there is no node '{}'; there are{}", name, known));
  }

  void read_link(const toml::table& table) {
    Section section(table, "a link");
    std::vector<Node*> ends;
    section.each_text("ends", [&](const std::string& name, const toml::node& node) {
      ends.push_back(&node_named(node, name));
    });
    if (ends.size() != 2) complain(table, "a link has two ends, as in ends = [\"a\", \"b\"]");
    const auto made = simulation().add_link(*ends[0], *ends[1], read_link_options(section));
    if (!made) complain(table, made.error());
    section.finish();
  }

  // Makes it known to the nodes of a flow; returns what they call it.
  std::string read_congestion_control(const toml::node& where, const std::string& text,
                                      const std::vector<Node*>& nodes) {
    std::string_view name;
    for (Node* const node : nodes)
      name = parsed(where, choose_congestion_control(node->host().tcp(), text, directory_))->name;
    const std::size_t slash = text.rfind('/');
    const std::size_t colon = text.find(':', slash == std::string::npos ? 0 : slash);
    return fmt::format("{}{}", name, colon == std::string::npos ? "" : text.substr(colon));
  }

  void read_flow(const toml::table& table) {
    Section section(table, "a flow");
    Node& from = node_named(table, section.text("from"));
    Node& to = node_named(table, section.text("to"));
    FlowOptions options;
    if (const toml::node* const choice = section.node("congestion_control"))
      options.congestion_control =
          read_congestion_control(*choice, section.text("congestion_control"), {&from, &to});
    options.family = section.truth("ipv6").value_or(false) ? IpFamily::kIpv6 : IpFamily::kIpv4;
    options.start = Instant(section.time("start").value_or(Duration::zero()));
    if (const auto stop = section.time("stop")) options.stop = Instant(*stop);
    options.octets = section.size("send").value_or(0);
    options.response = section.size("response").value_or(0);
    options.rounds = section.integer("rounds", 1, INT64_MAX).value_or(1);
    options.think = section.time("think").value_or(Duration::zero());
    options.read_rate = section.rate("read_rate").value_or(0) / 8;
    options.options.no_delay = section.truth("no_delay").value_or(false);
    options.options.send_buffer =
        static_cast<std::uint32_t>(section.size("send_buffer").value_or(options.options.send_buffer));
    options.options.receive_buffer =
        static_cast<std::uint32_t>(section.size("receive_buffer").value_or(options.options.receive_buffer));
    if (options.response > 0 && options.octets == 0)
      complain(table, "a flow with a response needs the size of what it sends: send = \"100\"");
    const auto copies = section.integer("count", 1, 100000).value_or(1);
    const Duration stagger = section.time("stagger").value_or(Duration::zero());
    const std::string name = section.text("name", fmt::format("{}>{}", from.name(), to.name()));
    section.finish();
    for (std::uint64_t i = 0; i < copies; ++i) {
      options.name = copies == 1 ? name : fmt::format("{}#{}", name, i + 1);
      scenario_.flows_.push_back(std::make_unique<TcpFlow>(simulation(), from, to, options));
      options.start += stagger;
    }
  }

  template <typename Value>
  static Value parsed(const toml::node& where, std::expected<Value, std::string> value) {
    if (!value) complain(where, value.error());
    return std::move(*value);
  }

  Scenario& scenario_;
  std::string directory_;
  HostConfig config_;
};

std::expected<std::unique_ptr<Scenario>, std::string> Scenario::parse(std::string_view text,
                                                                      std::string_view name,
                                                                      const std::string& directory,
                                                                      std::optional<std::uint64_t> seed) {
  const auto message = [&](const toml::source_region& where, std::string_view what) {
    return std::unexpected(fmt::format("{}:{}: {}", name, where.begin.line, what));
  };
  try {
    const toml::table root = toml::parse(text, name);
    auto scenario = std::make_unique<Scenario>();
    ScenarioReader(*scenario, directory).read(root, seed);
    return scenario;
  } catch (const toml::parse_error& error) {
    return message(error.source(), error.description());
  } catch (const TomlAssertion& bad) {
    return std::unexpected(fmt::format("{}: {}", name, bad.what()));
  } catch (const Complaint& complaint) {
    return message(complaint.where, complaint.text);
  }
}

void Scenario::run(const std::function<bool()>& on_sample) {
  const Instant end = simulation_->now() + duration_;
  while (simulation_->now() < end) {
    simulation_->run_until(std::min(simulation_->now() + sample_interval_, end));
    bool is_over = true;
    for (const auto& flow : flows_) {
      flow->sample();
      is_over = is_over && flow->is_over();
    }
    if (on_sample && !on_sample()) return;
    if (is_over) return;
  }
}

}  // namespace transom::drivers::sim
