// transom link: two devices of the kernel, joined by an emulated link in real time.
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>

#include "drivers/clock.h"
#include "drivers/network_setup.h"
#include "drivers/sim/emulated_link.h"
#include "drivers/tap_device.h"
#include "drivers/units.h"
#include "tools/child.h"
#include "tools/commands.h"
#include "tools/environment.h"
#include "tools/failure.h"
#include "tools/table.h"

namespace transom::tools {

namespace {

using drivers::sim::ChannelOptions;
using drivers::sim::EmulatedLink;

// The words of one direction, as they are typed.
struct Words {
  std::string rate, delay, jitter, loss, duplicate, corrupt, reorder, queue;
};

struct LinkCommand {
  std::vector<std::string> names;
  bool tun = false;
  Words both, back;
  std::optional<std::uint64_t> seed;
};

[[noreturn]] void fail_device(const drivers::DeviceError& error) {
  throw Failure(
      error.error_number == EINVAL || error.error_number == ENAMETOOLONG ? Exit::kUsage : Exit::kEnvironment,
      error.message);
}

template <typename Value, typename Parse>
void read_word(Value& value, const char* flag, const std::string& text, Parse parse, const char* example) {
  if (text.empty()) return;
  const auto parsed = parse(text);
  if (!parsed) fail(Exit::kUsage, "--{}: '{}' is not understood; write it like {}", flag, text, example);
  value = *parsed;
}

ChannelOptions read_words(const Words& words) {
  ChannelOptions options;
  read_word(options.rate, "rate", words.rate, drivers::parse_rate, "100mbit");
  read_word(options.delay, "delay", words.delay, drivers::parse_duration, "20ms");
  read_word(options.jitter, "jitter", words.jitter, drivers::parse_duration, "2ms");
  read_word(options.duplicate, "duplicate", words.duplicate, drivers::parse_percentage, "1%");
  read_word(options.corrupt, "corrupt", words.corrupt, drivers::parse_percentage, "1%");
  read_word(options.reorder, "reorder", words.reorder, drivers::parse_percentage, "1%");
  if (!words.queue.empty()) options.queue = words.queue;
  if (!words.loss.empty()) {
    auto loss = drivers::sim::parse_loss(words.loss);
    if (!loss) throw Failure(Exit::kUsage, loss.error());
    options.loss = std::move(*loss);
  }
  return options;
}

// What is said of the way back counts there, in place of what is said of both.
Words way_back(const LinkCommand& command) {
  Words words = command.both;
  for (const auto word : {&Words::rate, &Words::delay, &Words::jitter, &Words::loss, &Words::duplicate,
                          &Words::corrupt, &Words::reorder, &Words::queue}) {
    if (!(command.back.*word).empty()) words.*word = command.back.*word;
  }
  return words;
}

std::unique_ptr<EmulatedLink> open_link(const LinkCommand& command) {
  std::array<std::unique_ptr<drivers::Device>, 2> devices;
  for (std::size_t i = 0; i < 2; ++i) {
    // Whole super-frames would cross a slow link at once: no offload.
    auto device = drivers::open_tap({.name = command.names[i], .tun = command.tun, .offload = false});
    if (!device) fail_device(device.error());
    if (const auto up = drivers::set_link_up((*device)->properties().name); !up) fail_device(up.error());
    devices[i] = std::move(*device);
  }
  auto link = EmulatedLink::make(
      std::move(devices), {.forth = read_words(command.both),
                           .back = read_words(way_back(command)),
                           .seed = command.seed ? seed_from_number(*command.seed) : drivers::system_seed()});
  if (!link) throw Failure(Exit::kUsage, link.error());
  return std::move(*link);
}

// Serves the link in a thread of its own while it lives.
class Pump {
 public:
  explicit Pump(EmulatedLink& link) : link_(link), thread_([this] { run(); }) {}
  ~Pump() {
    is_over_ = true;
    thread_.join();
  }
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;

  bool has_failed() const { return has_failed_; }

 private:
  void run();

  EmulatedLink& link_;
  std::atomic<bool> is_over_ = false;
  std::atomic<bool> has_failed_ = false;
  std::thread thread_;
};

// Deadlines are kept to some ten microseconds, where the machine has time.
void Pump::run() {
  prctl(PR_SET_TIMERSLACK, 1);
  constexpr Duration kLongest = std::chrono::milliseconds(100);
  while (!is_over_ && !has_failed_) {
    link_.serve(drivers::monotonic_now());
    const Instant now = drivers::monotonic_now();
    const Instant deadline = link_.next_deadline();
    const Duration wait =
        std::clamp(deadline == kNever ? kLongest : deadline - now, Duration::zero(), kLongest);
    const timespec timeout{.tv_sec = 0, .tv_nsec = wait.count()};
    pollfd ends[2] = {{link_.device(0).descriptor(), POLLIN, 0}, {link_.device(1).descriptor(), POLLIN, 0}};
    ppoll(ends, 2, &timeout, nullptr);
    has_failed_ = link_.device(0).failure() != nullptr || link_.device(1).failure() != nullptr;
  }
}

void report_link(EmulatedLink& link) {
  std::vector<std::vector<std::string>> rows{
      {"way", "packets", "dropped", "marked", "lost", "longest queue"}};
  const std::string names[] = {link.device(0).properties().name, link.device(1).properties().name};
  for (std::size_t i = 0; i < 2; ++i) {
    const drivers::sim::Channel& channel = i == 0 ? link.forth() : link.back();
    const auto& queue = channel.queue().statistics();
    rows.push_back(
        {fmt::format("{}>{}", names[i], names[1 - i]), fmt::format("{}", channel.statistics().sent),
         fmt::format("{}", queue.dropped_full + queue.dropped_early), fmt::format("{}", queue.marked),
         fmt::format("{}", channel.statistics().lost), drivers::format_size(queue.max_octets)});
  }
  print_table(rows, {1, 2, 3, 4, 5});
}

int run(LinkCommand command, const std::vector<std::string>& neighbour) {
  if (command.names.size() == 1)
    fail(Exit::kUsage, "a link has two ends; name both, as in: transom link left right");
  (void)read_words(command.both);  // before anything is made
  (void)read_words(way_back(command));
  block_signals();
  std::string entry;
  if (command.names.empty()) {
    entry = enter_private_network();
    command.names = {"left", "right"};
  }
  const auto link = open_link(command);
  fmt::print(stderr, "link      {} - {}\n", command.names[0], command.names[1]);
  if (!entry.empty()) fmt::print(stderr, "network   private; enter it with: {}\n", entry);

  int status = 0;
  {
    const Pump pump(*link);
    pid_t child = 0;
    if (neighbour.empty()) {
      fmt::print(stderr, "ready     Ctrl-C ends\n");
    } else {
      child = start_child(neighbour);
    }
    status = wait_for_end(child, [&pump] { return !pump.has_failed(); });
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (const auto* failure = link->device(i).failure())
      fmt::print(stderr, "transom: {}\n", failure->message);
  }
  if (neighbour.empty()) report_link(*link);
  return status;
}

void add_words(CLI::App& command, Words& words, const std::string& prefix, const std::string& group) {
  const auto add = [&](const char* name, std::string& value, const char* type, const char* help) {
    command.add_option("--" + prefix + name, value, help)->type_name(type)->group(group);
  };
  add("rate", words.rate, "RATE", "Of the transmitter: 100mbit, 56kbit (default: without limit)");
  add("delay", words.delay, "TIME", "Of the wire, one way: 20ms");
  add("jitter", words.jitter, "TIME", "The delay varies by up to this, either way");
  add("loss", words.loss, "LOSS", "1%, 'gemodel 1% 10% 70% 0.1%' or 'list 3 7 9-12'");
  add("duplicate", words.duplicate, "SHARE", "1%");
  add("corrupt", words.corrupt, "SHARE", "One bit of these is turned");
  add("reorder", words.reorder, "SHARE", "These skip the delay");
  add("queue", words.queue, "QUEUE",
      "'pfifo limit 1000' (default), bfifo, red, codel, fq_codel, pie, dualpi2");
}

}  // namespace

void add_link(CLI::App& app, Selection& selected) {
  CLI::App* command =
      app.add_subcommand("link", "Join two devices of the kernel by an emulated link, in real time");
  auto options = std::make_shared<LinkCommand>();
  command->add_option("ends", options->names, "Two TAP devices; made if missing")
      ->type_name("NAME")
      ->expected(0, 2);
  command->add_flag("--tun", options->tun, "TUN devices (bare IP) in place of TAP devices");
  command->add_option("--seed", options->seed, "Of what the link does by chance (default: from the system)")
      ->type_name("NUMBER");
  add_words(*command, options->both, "", "The link");
  add_words(*command, options->back, "back-", "The way back, where it differs");
  command->footer(
      "The ends can be moved into other network namespaces: ip link set right netns NAME.\n"
      "Without names: left and right in a private network, no root needed, for a command behind '--'.\n"
      "Example: transom link left right --rate 10mbit --delay 20ms --loss 1%");
  command->callback([options, &selected] {
    selected.run = [options, &selected] { return run(*options, selected.neighbour_command); };
  });
}

}  // namespace transom::tools
