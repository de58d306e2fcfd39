// The parts of HTTP/1.1 (RFC 9110, RFC 9112) that a small file server needs, as pure functions on text.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace transom::tools {

struct HttpRequest {
  std::string method;
  std::string path;        // decoded, without query; begins with '/'
  bool keep_alive = true;  // may another request follow on this connection?
  bool expects_continue = false;
  bool is_chunked = false;
  std::optional<std::uint64_t> content_length;
  std::string range;  // the field's value; empty when absent
};

// Both ends included; of a representation of a known size.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t size() const { return last - first + 1; }
};

// Octets up to and including the empty line; nullopt when it is not there yet.
std::optional<std::size_t> http_head_size(std::string_view received);

// A whole head, as http_head_size() found it. On failure: the status to answer with (400, 413, 501, 505).
std::expected<HttpRequest, int> parse_http_head(std::string_view head);

// "%41" to "A" and so on; nullopt for a malformed escape or an encoded NUL.
std::optional<std::string> percent_decode(std::string_view text);
std::string percent_encode(std::string_view text);

// True for a path that stays where it is: begins with '/', has no empty, "." or ".." component besides a
// trailing '/'.
bool is_safe_path(std::string_view path);

// A single range of a Range field (RFC 9110 §14.1.2). nullopt: not understood, to be ignored. 416: cannot be
// satisfied.
std::expected<std::optional<ByteRange>, int> parse_range(std::string_view field, std::uint64_t size);

std::string_view http_reason(int status);
std::string_view content_type_of(std::string_view path);

}  // namespace transom::tools
