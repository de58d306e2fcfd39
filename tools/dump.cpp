// transom dump: what passes a running host, as tcpdump shows it.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>

#include "drivers/trace/event_text.h"
#include "tools/commands.h"
#include "tools/control_socket.h"
#include "tools/failure.h"
#include "tools/packet_tap.h"

namespace transom::tools {

namespace {

using nlohmann::json;

struct DumpOptions {
  std::string host;
  std::string interface;
  std::string file;
  std::string direction = "inout";
  std::vector<std::string> filter;
  std::uint64_t count = 0;
  std::uint32_t snap_length = 262144;
  bool numeric = false, unbuffered = false;  // taken for compatibility
  bool as_json = false;
};

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

constexpr std::int64_t kSecond = 1'000'000'000;

// Where the packets go.
class Printer {
 public:
  Printer(const DumpOptions& options, const Interfaces& interfaces)
      : options_(options), interfaces_(interfaces) {
    if (options.file.empty()) return;
    handle_.reset(pcap_open_dead_with_tstamp_precision(
        interfaces.link_type, static_cast<int>(options.snap_length), PCAP_TSTAMP_PRECISION_NANO));
    file_.reset(handle_ ? pcap_dump_open(handle_.get(), options.file.c_str()) : nullptr);
    if (!file_) fail(Exit::kFailed, "cannot write {}: {}", options.file, pcap_geterr(handle_.get()));
  }

  void print(const TappedHeader& header, const std::vector<std::uint8_t>& octets) {
    const auto second = static_cast<std::time_t>(header.time / kSecond);
    if (file_) {
      pcap_pkthdr record{};
      record.ts.tv_sec = second;
      record.ts.tv_usec = header.time % kSecond;  // nanoseconds, in a file of that precision
      record.caplen = header.captured;
      record.len = header.length;
      pcap_dump(reinterpret_cast<u_char*>(file_.get()), &record, octets.data());
      pcap_dump_flush(file_.get());
      return;
    }
    const std::string text = drivers::describe_frame(octets, header.has_ethernet_header != 0);
    const char* const direction = header.is_outgoing != 0 ? "Out" : "In";
    const auto name = interfaces_.names.find(header.interface);
    const std::string interface = name == interfaces_.names.end() ? "?" : name->second;
    if (options_.as_json) {
      const json line = {{"time", static_cast<double>(header.time) / static_cast<double>(kSecond)},
                         {"interface", interface},
                         {"direction", direction},
                         {"length", header.length},
                         {"packet", text}};
      fmt::print("{}\n", line.dump());
    } else {
      std::tm local{};
      localtime_r(&second, &local);
      const bool is_any = interfaces_.chosen == "any";
      fmt::print("{:02}:{:02}:{:02}.{:06} {}{}\n", local.tm_hour, local.tm_min, local.tm_sec,
                 header.time % kSecond / 1000, is_any ? fmt::format("{} {} ", interface, direction) : "",
                 text);
    }
    std::fflush(stdout);
  }

 private:
  const DumpOptions& options_;
  const Interfaces& interfaces_;
  std::unique_ptr<pcap_t, decltype(&pcap_close)> handle_{nullptr, &pcap_close};
  std::unique_ptr<pcap_dumper_t, decltype(&pcap_dump_close)> file_{nullptr, &pcap_dump_close};
};

int run(const DumpOptions& options) {
  const Interfaces interfaces = choose_interface(options);
  json request = {{"interface", interfaces.chosen},
                  {"direction", options.direction},
                  {"snap_length", options.snap_length},
                  {"filter", compile_filter(options.filter, interfaces.link_type, options.snap_length)}};
  Printer printer(options, interfaces);
  drivers::FileDescriptor packets;
  {
    Rendezvous rendezvous;
    request["socket"] = rendezvous.path();
    ask_host(options.host, {{"dump", request}});
    packets = rendezvous.meet();
  }
  fmt::print(stderr, "listening on {}\n", interfaces.chosen);
  std::uint64_t seen = 0, left_out = 0;
  TappedHeader header;
  std::vector<std::uint8_t> octets;
  while ((options.count == 0 || seen < options.count) && read_whole(packets.get(), &header, sizeof header)) {
    octets.resize(header.captured);
    if (header.captured > 0 && !read_whole(packets.get(), octets.data(), octets.size())) break;
    left_out += header.left_out;
    ++seen;
    printer.print(header, octets);
  }
  fmt::print(stderr, "{} packets captured\n{} packets left out for want of room\n", seen, left_out);
  return 0;
}

}  // namespace

void add_dump(CLI::App& app, Selection& selected) {
  CLI::App* command = app.add_subcommand("dump", "What passes a running host, as tcpdump shows it");
  auto options = std::make_shared<DumpOptions>();
  command->add_option("filter", options->filter, "What is wanted, as pcap-filter(7) says it: tcp port 80")
      ->type_name("EXPRESSION...");
  command->add_option("--host", options->host, "Which host: a name, or the path of its control socket")
      ->type_name("NAME|PATH");
  command
      ->add_option("-i,--interface", options->interface,
                   "Of one interface (default: the device, else lo), or of any: without link headers then")
      ->type_name("NAME");
  command->add_option("-c", options->count, "Ends after so many packets")->type_name("COUNT");
  command->add_option("-w", options->file, "Into a pcap file; '-' is standard output")->type_name("FILE");
  command->add_option("-s", options->snap_length, "Octets of each packet that are kept")
      ->type_name("OCTETS")
      ->check(CLI::Range(1, 262144));
  command->add_option("-Q", options->direction, "Only packets in this direction")
      ->type_name("in|out|inout")
      ->check(CLI::IsMember({"in", "out", "inout"}));
  command->add_flag("-n", options->numeric, "Numbers instead of names (always so)");
  command->add_flag("-U", options->unbuffered, "The file is written packet by packet (always so)");
  command->add_flag("--json", options->as_json, "A line of JSON for each packet");
  command->footer(
      "Packets are shown as the stack has them: super-segments whole, checksums perhaps left to the device.\n"
      "Example: transom dump -c 10 tcp port 80 and host 10.9.0.1; transom dump -w - | tshark -r -");
  command->callback([options, &selected] { selected.run = [options] { return run(*options); }; });
}

}  // namespace transom::tools
