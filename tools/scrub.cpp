// transom scrub: a capture that can be shown to others.
#include <cctype>

#include "drivers/capture/edit/length_changes.h"
#include "drivers/capture/edit/scrub_changes.h"
#include "drivers/clock.h"
#include "tools/capture_copy.h"
#include "tools/failure.h"

namespace transom::tools {

namespace {

struct ScrubOptions {
  CopyOptions copy;
  std::string key;
  bool drops_comments = false;
};

SipKey key_of(const std::string& text) {
  const Bytes octets(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  return {siphash({0x7363727562206b65, 1}, octets), siphash({0x7363727562206b65, 2}, octets)};
}

// Addresses in what was said about a packet become the same others as in the packet.
class CommentScrubber {
 public:
  explicit CommentScrubber(drivers::ScrubChanges& changes) : changes_(changes) {}

  std::string scrub(const std::string& comment) {
    std::string result, word;
    for (const char character : comment + '\n') {
      const auto octet = static_cast<unsigned char>(character);
      if (std::isxdigit(octet) != 0 || character == ':' || character == '.') {
        word += character;
        continue;
      }
      result += scrub_word(word);
      word.clear();
      result += character;
    }
    result.pop_back();
    return result;
  }

 private:
  // An address, perhaps with a port or a full stop behind it.
  std::string scrub_word(const std::string& word) {
    if (const auto mac = MacAddress::parse(word)) return to_string(changes_.source_mac(*mac));
    for (std::size_t end = word.size(); end > 1; --end) {
      if (end < word.size() && word[end] != ':' && word[end] != '.') continue;
      if (const auto address = IpAddress::parse(word.substr(0, end)))
        return to_string(changes_.source(*address)) + word.substr(end);
    }
    return word;
  }

  drivers::ScrubChanges& changes_;
};

int run(const ScrubOptions& options) {
  const SipKey key = options.key.empty() ? drivers::system_seed() : key_of(options.key);
  drivers::ScrubChanges changes(key);
  drivers::PacketEditor editor(changes);
  CommentScrubber comments(changes);
  CopyOptions copy = options.copy;
  // Names of hosts, secrets of TLS, and what nobody knows.
  copy.keeps_other_blocks = false;
  std::uint64_t left_out = 0;
  const CopyResult result = copy_capture(copy, [&](const drivers::CapturedPacket& packet, const Emit& emit) {
    // What cannot be looked into cannot be scrubbed.
    if (!drivers::parse_link(packet)) {
      ++left_out;
      return;
    }
    auto owned = drivers::OwnedPacket::copy_of(packet);
    editor.edit(packet, owned.octets);
    if (options.drops_comments) owned.packet.comments.clear();
    for (std::string& comment : owned.packet.comments) comment = comments.scrub(comment);
    emit(owned.packet);
  });
  fmt::print(stderr, "{} packets read, {} written{}\n", result.read, result.written,
             left_out == 0 ? "" : fmt::format("; {} that cannot be looked into left out", left_out));
  return 0;
}

}  // namespace

void add_scrub(CLI::App& app, Selection& selected) {
  CLI::App* command =
      app.add_subcommand("scrub", "A capture without names and contents, to be shown to others");
  auto options = std::make_shared<ScrubOptions>();
  add_copy_options(*command, options->copy);
  command
      ->add_option(
          "--key", options->key,
          "The same key makes the same of the same addresses (default: a new one, which is forgotten)")
      ->type_name("TEXT");
  command->add_flag("--no-comments", options->drops_comments, "Without the comments of packets");
  command->footer(
      "Addresses become others that share as many bits as before; MAC addresses likewise become others; "
      "payloads become a\n"
      "pattern of the same length. Lengths, times, flags, sequence numbers, options and ports stay; "
      "checksums are right where\n"
      "they were right. Comments stay, with the new addresses.\n"
      "Example: transom scrub customer.pcapng shareable.pcapng");
  command->callback([options, &selected] { selected.run = [options] { return run(*options); }; });
}

}  // namespace transom::tools
