// transom dump: what passes a running host, or what a capture holds, as tcpdump shows it.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "drivers/capture/capture_filter.h"
#include "drivers/capture/capture_reader.h"
#include "tools/commands.h"
#include "tools/control_socket.h"
#include "tools/dump_printer.h"
#include "tools/failure.h"
#include "tools/packet_tap.h"

namespace transom::tools {

namespace {

using nlohmann::json;

struct DumpOptions {
  std::string host;
  std::string input;  // a capture; empty: a running host
  std::string interface;
  std::string direction = "inout";
  std::vector<std::string> filter;
  std::uint64_t count = 0;
  std::uint32_t snap_length = 262144;
  bool numeric = false, unbuffered = false;  // taken for compatibility
  DumpStyle style;
};

bool is_enough(const DumpOptions& options, std::uint64_t count) {
  return options.count != 0 && count >= options.count;
}

// Interfaces by number: their names, and whether there is an Ethernet header.
struct Interfaces {
  std::map<unsigned, std::string> names;
  std::string chosen;
  int link_type = DLT_RAW;
};

Interfaces choose_interface(const DumpOptions& options) {
  Interfaces found;
  found.chosen = options.interface;
  for (const json& interface : ask_host(options.host, {{"show", "addresses"}})) {
    const auto name = interface["name"].get<std::string>();
    found.names[interface["index"].get<unsigned>()] = name;
    // As tcpdump: the first that is not the loopback interface, if there is one.
    if (options.interface.empty() && (found.chosen.empty() || interface["type"] != "loopback"))
      found.chosen = name;
    if (found.chosen == name) found.link_type = interface["type"] == "ether" ? DLT_EN10MB : DLT_RAW;
  }
  return found;
}

json compile_filter(const std::vector<std::string>& words, int link_type, std::uint32_t snap_length) {
  json program = json::array();
  if (words.empty()) return program;
  const std::string text = fmt::format("{}", fmt::join(words, " "));
  const std::unique_ptr<pcap_t, decltype(&pcap_close)> handle(
      pcap_open_dead(link_type, static_cast<int>(snap_length)), &pcap_close);
  bpf_program compiled{};
  if (!handle || pcap_compile(handle.get(), &compiled, text.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0)
    fail(Exit::kUsage, "'{}' is no filter: {}; see pcap-filter(7)", text,
         handle ? pcap_geterr(handle.get()) : "");
  for (u_int i = 0; i < compiled.bf_len; ++i) {
    const bpf_insn& instruction = compiled.bf_insns[i];
    program.push_back({instruction.code, instruction.jt, instruction.jf, instruction.k});
  }
  pcap_freecode(&compiled);
  return program;
}

// A socket for the host to connect to, gone from the file system when it has.
class Rendezvous {
 public:
  Rendezvous() : path_(fmt::format("{}/dump-{}", control_directory(), getpid())) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path) fail(Exit::kFailed, "the path {} is too long", path_);
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    unlink(path_.c_str());
    listener_ = drivers::FileDescriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!listener_ ||
        bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener_.get(), 1) != 0)
      fail(Exit::kFailed, "cannot make {}: {}", path_, std::strerror(errno));
  }
  ~Rendezvous() { unlink(path_.c_str()); }
  Rendezvous(const Rendezvous&) = delete;
  Rendezvous& operator=(const Rendezvous&) = delete;

  const std::string& path() const { return path_; }
  drivers::FileDescriptor meet() {
    drivers::FileDescriptor met(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!met) fail(Exit::kFailed, "the host has not come: {}", std::strerror(errno));
    return met;
  }

 private:
  std::string path_;
  drivers::FileDescriptor listener_;
};

bool read_whole(int socket, void* out, std::size_t size) {
  return recv(socket, out, size, MSG_WAITALL) == static_cast<ssize_t>(size);
}

// The packets of a host as they come, each with what was decided about it.
class LivePackets {
 public:
  LivePackets(const DumpOptions& options, const Interfaces& interfaces)
      : printer_(style_of(options, interfaces)), wants_why_(options.style.why) {
    for (const auto& [index, name] : interfaces.names) {
      interfaces_.resize(std::max<std::size_t>(interfaces_.size(), index + 1));
      interfaces_[index] = {.name = name, .link_type = {}, .snap_length = options.snap_length};
    }
    for (auto& interface : interfaces_)
      interface.link_type =
          interfaces.link_type == DLT_EN10MB ? drivers::LinkType::kEthernet : drivers::LinkType::kRaw;
  }

  void packet(const TappedHeader& header, std::vector<std::uint8_t> octets) {
    end_packet();
    octets_ = std::move(octets);
    packet_.number = ++seen_;
    packet_.time = Duration(header.time);
    packet_.interface = header.interface;
    packet_.link_type =
        header.has_ethernet_header != 0 ? drivers::LinkType::kEthernet : drivers::LinkType::kRaw;
    packet_.octets = octets_;
    packet_.original_length = header.length;
    packet_.is_outgoing = header.is_outgoing != 0;
    packet_.comments.clear();
    is_open_ = true;
    if (!printer_.wants_comments_at_once()) printer_.print(packet_, interfaces_);
    if (!wants_why_) end_packet();
    printer_.flush();
  }

  void decision(const std::vector<std::uint8_t>& octets) {
    std::string text(octets.begin(), octets.end());
    if (!printer_.wants_comments_at_once()) printer_.explain(text);
    packet_.comments.push_back(std::move(text));
    printer_.flush();
  }

  // No more is to come about the last packet.
  void end_packet() {
    if (std::exchange(is_open_, false) && printer_.wants_comments_at_once())
      printer_.print(packet_, interfaces_);
  }
  void close() {
    end_packet();
    printer_.close();
  }
  std::uint64_t seen() const { return seen_; }

 private:
  static DumpStyle style_of(const DumpOptions& options, const Interfaces& interfaces) {
    DumpStyle style = options.style;
    style.interface_names = interfaces.chosen == "any";
    return style;
  }

  DumpPrinter printer_;
  std::vector<drivers::CaptureInterface> interfaces_;  // by their number
  std::vector<std::uint8_t> octets_;
  drivers::CapturedPacket packet_;
  bool is_open_ = false;
  bool wants_why_;
  std::uint64_t seen_ = 0;
};

int dump_host(const DumpOptions& options) {
  const Interfaces interfaces = choose_interface(options);
  json request = {{"interface", interfaces.chosen},
                  {"direction", options.direction},
                  {"snap_length", options.snap_length},
                  {"decisions", options.style.why},
                  {"filter", compile_filter(options.filter, interfaces.link_type, options.snap_length)}};
  LivePackets shown(options, interfaces);
  drivers::FileDescriptor packets;
  {
    Rendezvous rendezvous;
    request["socket"] = rendezvous.path();
    ask_host(options.host, {{"dump", request}});
    packets = rendezvous.meet();
  }
  fmt::print(stderr, "listening on {}\n", interfaces.chosen);
  std::uint64_t left_out = 0;
  TappedHeader header;
  while (read_whole(packets.get(), &header, sizeof header)) {
    const bool is_comment = header.is_comment != 0;
    // What is decided about the last packet is known when the next one comes.
    if (!is_comment && is_enough(options, shown.seen())) break;
    std::vector<std::uint8_t> octets(header.captured);
    if (header.captured > 0 && !read_whole(packets.get(), octets.data(), octets.size())) break;
    left_out += header.left_out;
    is_comment ? shown.decision(octets) : shown.packet(header, std::move(octets));
    if (!options.style.why && is_enough(options, shown.seen())) break;
  }
  shown.close();
  fmt::print(stderr, "{} packets captured\n{} packets left out for want of room\n", shown.seen(), left_out);
  return 0;
}

int dump_file(const DumpOptions& options) {
  auto reader = drivers::CaptureReader::open(options.input);
  if (!reader) fail(Exit::kUsage, "{}: {}", options.input, drivers::to_string(reader.error()));
  auto filter = drivers::CaptureFilter::make(fmt::format("{}", fmt::join(options.filter, " ")));
  if (!filter)
    fail(Exit::kUsage, "'{}' is no filter: {}; see pcap-filter(7)", fmt::join(options.filter, " "),
         filter.error());
  DumpStyle style = options.style;
  style.interface_names = options.interface == "any";
  DumpPrinter printer(style);
  std::uint64_t shown = 0;
  while (!is_enough(options, shown)) {
    auto packet = reader->next();
    if (!packet) {
      printer.close();
      fail(Exit::kUsage, "{}: {}", options.input, drivers::to_string(packet.error()));
    }
    if (!*packet) break;
    drivers::CapturedPacket& found = **packet;
    const auto& interfaces = reader->interfaces();
    if (!options.interface.empty() && options.interface != "any" &&
        interfaces[found.interface].name != options.interface)
      continue;
    if (options.direction != "inout" && found.is_outgoing != (options.direction == "out")) continue;
    if (!filter->wants(found)) continue;
    found.octets = found.octets.first(std::min<std::size_t>(found.octets.size(), options.snap_length));
    printer.print(found, interfaces);
    ++shown;
  }
  printer.close();
  return 0;
}

int run(const DumpOptions& options) {
  return options.input.empty() ? dump_host(options) : dump_file(options);
}

}  // namespace

void add_dump(CLI::App& app, Selection& selected) {
  CLI::App* command =
      app.add_subcommand("dump", "What passes a running host, or what a capture holds, as tcpdump shows it");
  auto options = std::make_shared<DumpOptions>();
  DumpStyle& style = options->style;
  command->add_option("filter", options->filter, "What is wanted, as pcap-filter(7) says it: tcp port 80")
      ->type_name("EXPRESSION...");
  CLI::Option* const host =
      command->add_option("--host", options->host, "Which host: a name, or the path of its control socket")
          ->type_name("NAME|PATH");
  command
      ->add_option("-r", options->input,
                   "A capture instead: pcap or pcapng, also .gz and .zst; '-' is standard input")
      ->type_name("FILE")
      ->excludes(host);
  command
      ->add_option(
          "-i,--interface", options->interface,
          "Of one interface (default: of a host, the device, else lo), or of any: without link headers "
          "then, with names and directions")
      ->type_name("NAME");
  command->add_option("-c", options->count, "Ends after so many packets")->type_name("COUNT");
  command
      ->add_option("-w", style.file,
                   "Into a capture, pcap or by its name pcapng, also .gz and .zst; '-' is standard output")
      ->type_name("FILE");
  command->add_option("-s", options->snap_length, "Octets of each packet that are kept")
      ->type_name("OCTETS")
      ->check(CLI::Range(1, 262144));
  command->add_option("-Q", options->direction, "Only packets in this direction")
      ->type_name("in|out|inout")
      ->check(CLI::IsMember({"in", "out", "inout"}));
  command->add_flag("--why", style.why,
                    "What the stack decided about each packet: the comments of a capture");
  command->add_flag("-e", style.link_header, "The link header, too");
  command->add_flag("-v", style.verbosity, "More of each packet, checksums too; -vv still more");
  command->add_flag("-x", style.hex, "The octets; -xx with the link header");
  command->add_flag("-X", style.hex_and_characters,
                    "The octets with their characters; -XX with the link header");
  command->add_flag("-A", style.characters, "The octets as characters; -AA with the link header");
  command->add_flag("-S", style.absolute_numbers,
                    "TCP's sequence numbers as they are, not from the first on");
  command->add_flag("-t", style.time,
                    "No times; -tt seconds since 1970, -ttt since the line before, -tttt with date, -ttttt "
                    "since the first line");
  command->add_flag("--nano", style.nanoseconds, "Times to the nanosecond");
  command->add_flag("--number", style.numbers, "The number of the packet in front; also as -#");
  command->add_flag("-n", options->numeric, "Numbers instead of names (always so)");
  command->add_flag("-U", options->unbuffered, "The file is written packet by packet (always so)");
  command->add_flag("--json", style.as_json, "A line of JSON for each packet");
  command->footer(
      "Packets of a host are shown as the stack has them: super-segments whole, checksums perhaps left to "
      "the "
      "device.\n"
      "Example: transom dump -c 10 --why tcp port 80; transom dump -nr trace.pcapng.zst -tttt host 10.9.0.1");
  command->callback([options, &selected] { selected.run = [options] { return run(*options); }; });
}

}  // namespace transom::tools
