// transom ladder: the connections of a capture as sequence diagrams. transom fsm: the states they went
// through.
#include "drivers/judge/ladder_svg.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <map>

#include "drivers/judge/judge.h"
#include "drivers/judge/state_diagram.h"
#include "tools/capture_input.h"
#include "tools/commands.h"
#include "tools/failure.h"
#include "tools/table.h"
#include "tools/text_file.h"

namespace transom::tools {

namespace {

namespace judge = drivers::judge;

struct LadderCommand {
  CaptureInput input;
  std::uint64_t connection = 0;  // 0: all
  std::size_t width = 0;
  std::size_t count = 100000;
  std::string svg, html;
  bool shows_why = false;
};

void write_picture(const std::string& path, const std::string& text) {
  if (path == "-") {
    fmt::print("{}", text);
  } else {
    write_text_file(path, text, Exit::kUsage);
  }
}

std::size_t columns_of_terminal() {
  winsize size{};
  constexpr std::size_t kDefault = 110;
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kDefault;
}

// The steps of each connection. A packet that several interfaces of a capture show is drawn once.
class Ladders {
 public:
  explicit Ladders(const LadderCommand& command) : command_(command) {
    judge::JudgeOptions options;
    options.on_segment = [this](const judge::SegmentEvent& event) { take(event); };
    judge::Judge judged(std::move(options));
    command.input.read([&](const drivers::CapturedPacket& packet) { judged.take(packet); });
    judged.end();
  }
  std::vector<judge::Ladder> take_all() {
    std::vector<judge::Ladder> all;
    for (auto& [number, ladder] : ladders_) all.push_back(std::move(ladder));
    return all;
  }
  std::size_t left_out() const { return left_out_; }

 private:
  void take(const judge::SegmentEvent& event) {
    if (command_.connection != 0 && event.connection != command_.connection) return;
    const std::uint32_t interface = event.segment->packet->interface;
    if (interfaces_.try_emplace(event.connection, interface).first->second != interface) return;
    if (steps_ >= command_.count) {
      ++left_out_;
      return;
    }
    ++steps_;
    judge::Ladder& ladder = ladders_[event.connection];
    if (ladder.rows.empty()) ladder.head = judge::head_of(event);
    ladder.rows.push_back({.step = judge::step_of(event)});
    if (command_.shows_why) ladder.rows.back().notes = event.segment->packet->comments;
  }

  const LadderCommand& command_;
  std::map<std::uint64_t, judge::Ladder> ladders_;
  std::map<std::uint64_t, std::uint32_t> interfaces_;
  std::size_t steps_ = 0, left_out_ = 0;
};

int run(const LadderCommand& command) {
  Ladders taken(command);
  const std::vector<judge::Ladder> ladders = taken.take_all();
  if (ladders.empty()) fail(Exit::kFailed, "no TCP segment to draw in {}", command.input.path);
  if (!command.svg.empty()) write_picture(command.svg, judge::ladder_svg(ladders));
  if (!command.html.empty()) write_picture(command.html, judge::ladder_html(ladders, command.input.path));
  if (command.svg.empty() && command.html.empty()) {
    const judge::LadderText text(command.width != 0 ? command.width : columns_of_terminal());
    for (const judge::Ladder& ladder : ladders) {
      fmt::print("{}connection {}\n{}", &ladder == ladders.data() ? "" : "\n", ladder.head.connection,
                 text.head(ladder.head));
      for (const judge::Ladder::Row& row : ladder.rows) {
        fmt::print("{}", text.line(row.step, ladder.rows.front().step.time));
        for (const std::string& note : row.notes) fmt::print("{}", text.note(note));
      }
    }
  }
  if (taken.left_out() > 0) fmt::print(stderr, "{} segments are left out; see --count\n", taken.left_out());
  return 0;
}

struct FsmCommand {
  CaptureInput input;
  std::string dot;
};

int run(const FsmCommand& command) {
  judge::StateDiagram diagram;
  judge::JudgeOptions options;
  options.on_segment = [&](const judge::SegmentEvent& event) { diagram.count(event); };
  judge::Judge judged(std::move(options));
  command.input.read([&](const drivers::CapturedPacket& packet) { judged.take(packet); });
  judged.end();
  if (!command.dot.empty()) {
    write_picture(command.dot, diagram.dot());
    return 0;
  }
  std::vector<std::vector<std::string>> rows{{"times", "first frame", "from", "to", "by"}};
  std::size_t visited = 0, of_figure = 0;
  for (const judge::StateEdge& edge : diagram.edges()) {
    rows.push_back({edge.count == 0 ? "-" : fmt::format("{}", edge.count),
                    edge.count == 0 ? "-" : fmt::format("{}", edge.first_frame),
                    std::string(tcp::to_string(edge.from)), std::string(tcp::to_string(edge.to)),
                    std::string(edge.cause)});
    of_figure += edge.is_of_figure;
    visited += edge.is_of_figure && edge.count > 0;
  }
  print_table(rows, {0, 1});
  fmt::print("\n{} of the {} edges of RFC 9293, figure 5\n", visited, of_figure);
  return 0;
}

}  // namespace

void add_ladder(CLI::App& app, Selection& selected) {
  CLI::App* command = app.add_subcommand("ladder", "The connections of a capture as sequence diagrams");
  auto options = std::make_shared<LadderCommand>();
  options->input.add_to(*command)->required();
  command->add_option("--connection", options->connection, "Only that one, by its number in transom judge")
      ->type_name("NUMBER");
  command->add_option("--width", options->width, "Columns (default: those of the terminal)")
      ->type_name("COLUMNS")
      ->check(CLI::Range(60, 400));
  command->add_option("--count", options->count, "Segments that are drawn at the most")
      ->type_name("COUNT")
      ->capture_default_str();
  command->add_flag("--why", options->shows_why, "With the comments of the packets: what the stack decided");
  command->add_option("--svg", options->svg, "A picture in this file; '-' is standard output")
      ->type_name("FILE");
  command->add_option("--html", options->html, "A page in this file that needs nothing else")
      ->type_name("FILE");
  command->footer(
      "Numbers count from the SYN on. States are those that the ends are in when all that passed has "
      "arrived.\n"
      "Example: transom sim scenario.toml --trace run.pcapng; transom ladder --why run.pcapng");
  command->callback([options, &selected] { selected.run = [options] { return run(*options); }; });
}

void add_fsm(CLI::App& app, Selection& selected) {
  CLI::App* command = app.add_subcommand("fsm", "The states that the connections of a capture went through");
  auto options = std::make_shared<FsmCommand>();
  options->input.add_to(*command)->required();
  command->add_option("--dot", options->dot, "The diagram for Graphviz in this file; '-' is standard output")
      ->type_name("FILE");
  command->footer("Example: transom fsm --dot - capture.pcapng | dot -Tsvg > states.svg");
  command->callback([options, &selected] { selected.run = [options] { return run(*options); }; });
}

}  // namespace transom::tools
