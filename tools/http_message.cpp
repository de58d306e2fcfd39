#include "tools/http_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <utility>

namespace transom::tools {

namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// True when a comma-separated list has `token`.
bool list_has(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (equal_ignoring_case(trim(list.substr(0, comma)), token)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

// Method, target and version. 0, or the status to answer with.
int parse_request_line(std::string_view line, HttpRequest& request) {
  const std::size_t method_end = line.find(' ');
  const std::size_t target_end = line.rfind(' ');
  if (method_end == std::string_view::npos || target_end == method_end) return 400;
  request.method = line.substr(0, method_end);
  std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);
  const std::string_view version = line.substr(target_end + 1);
  if (!version.starts_with("HTTP/")) return 400;
  if (!version.starts_with("HTTP/1.")) return 505;
  if (!is_token(request.method)) return 400;
  request.keep_alive = version != "HTTP/1.0";
  // RFC 9112 §3.2.2: the absolute form is for proxies, but every server takes it.
  if (target.starts_with("http://")) {
    target.remove_prefix(7);
    target.remove_prefix(std::min(target.find('/'), target.size()));
    if (target.empty()) target = "/";
  }
  const auto path = percent_decode(target.substr(0, target.find('?')));
  if (!path || !path->starts_with('/')) return 400;
  request.path = *path;
  return 0;
}

// 0, or the status to answer with.
int take_field(std::string_view name, std::string_view value, HttpRequest& request) {
  if (equal_ignoring_case(name, "connection")) {
    if (list_has(value, "close")) request.keep_alive = false;
    if (list_has(value, "keep-alive")) request.keep_alive = true;
  } else if (equal_ignoring_case(name, "content-length")) {
    const auto length = parse_number(value);
    // Two different lengths are an attempt at smuggling (RFC 9112 §6.3).
    if (!length || (request.content_length && request.content_length != length)) return 400;
    request.content_length = length;
  } else if (equal_ignoring_case(name, "transfer-encoding")) {
    if (!equal_ignoring_case(value, "chunked")) return 501;
    request.is_chunked = true;
  } else if (equal_ignoring_case(name, "expect")) {
    request.expects_continue = equal_ignoring_case(value, "100-continue");
  } else if (equal_ignoring_case(name, "range")) {
    request.range = value;
  }
  return 0;
}

}  // namespace

std::optional<std::size_t> http_head_size(std::string_view received) {
  const std::size_t end = received.find("\r\n\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  return end + 4;
}

std::expected<HttpRequest, int> parse_http_head(std::string_view head) {
  HttpRequest request;
  bool is_first = true;
  while (!head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    if (line.empty()) {
      if (is_first) continue;  // RFC 9112 §2.2: an empty line before the request is ignored
      break;
    }
    int status = 0;
    if (std::exchange(is_first, false)) {
      status = parse_request_line(line, request);
    } else {
      const std::size_t colon = line.find(':');
      if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return std::unexpected(400);
      status = take_field(line.substr(0, colon), trim(line.substr(colon + 1)), request);
    }
    if (status != 0) return std::unexpected(status);
  }
  if (is_first || (request.is_chunked && request.content_length)) return std::unexpected(400);
  return request;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    unsigned value = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
    if (error != std::errc() || end != text.data() + i + 3 || value == 0) return std::nullopt;
    decoded.push_back(static_cast<char>(value));
    i += 2;
  }
  if (decoded.find('\0') != std::string::npos) return std::nullopt;
  return decoded;
}

std::string percent_encode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (std::isalnum(octet) != 0 || std::string_view("-._~/").find(c) != std::string_view::npos) {
      encoded.push_back(c);
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned>(octet));
    }
  }
  return encoded;
}

bool is_safe_path(std::string_view path) {
  if (!path.starts_with('/')) return false;
  path.remove_prefix(1);
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view component = path.substr(0, slash);
    if (component.empty() || component == "." || component == "..") return false;
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return true;
}

std::expected<std::optional<ByteRange>, int> parse_range(std::string_view field, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!field.starts_with(kUnit)) return std::nullopt;
  field.remove_prefix(kUnit.size());
  const std::size_t dash = field.find('-');
  // Several ranges would need a multipart answer; a server may ignore them and send the whole.
  if (dash == std::string_view::npos || field.find(',') != std::string_view::npos) return std::nullopt;
  const std::string_view first_text = trim(field.substr(0, dash));
  const std::string_view last_text = trim(field.substr(dash + 1));
  const auto first = parse_number(first_text);
  const auto last = parse_number(last_text);
  if (first_text.empty()) {  // the last so many
    if (!last) return std::nullopt;
    if (*last == 0 || size == 0) return std::unexpected(416);
    return ByteRange{.first = size - std::min(*last, size), .last = size - 1};
  }
  if (!first || (!last_text.empty() && !last) || (last && *last < *first)) return std::nullopt;
  if (*first >= size) return std::unexpected(416);
  return ByteRange{.first = *first, .last = std::min(last.value_or(size - 1), size - 1)};
}

std::string_view http_reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 416:
      return "Range Not Satisfiable";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "Unknown";
  }
}

std::string_view content_type_of(std::string_view path) {
  struct Type {
    std::string_view suffix;
    std::string_view type;
  };
  constexpr std::array<Type, 13> kTypes = {{{".html", "text/html; charset=utf-8"},
                                            {".htm", "text/html; charset=utf-8"},
                                            {".txt", "text/plain; charset=utf-8"},
                                            {".md", "text/plain; charset=utf-8"},
                                            {".css", "text/css"},
                                            {".js", "text/javascript"},
                                            {".json", "application/json"},
                                            {".svg", "image/svg+xml"},
                                            {".png", "image/png"},
                                            {".jpg", "image/jpeg"},
                                            {".gif", "image/gif"},
                                            {".pdf", "application/pdf"},
                                            {".pcap", "application/vnd.tcpdump.pcap"}}};
  for (const Type& type : kTypes) {
    if (path.ends_with(type.suffix)) return type.type;
  }
  return "application/octet-stream";
}

}  // namespace transom::tools
