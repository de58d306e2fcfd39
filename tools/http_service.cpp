#include "tools/http_service.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <iterator>
#include <vector>

#include "tools/http_message.h"

namespace transom::tools {

namespace {

constexpr std::size_t kMaxHead = 16384;
constexpr std::size_t kChunk = std::size_t{256} * 1024;
constexpr std::uint32_t kSendBuffer = 1 << 20;

constexpr std::string_view kWelcome =
    "<!doctype html>\n<title>transom</title>\n"
    "<p>This page came through a TCP/IP stack that lives in a process.\n";

std::string_view as_text(const std::vector<std::uint8_t>& octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}
Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

class HttpConversation final : public Conversation {
 public:
  explicit HttpConversation(FileTree& files) : files_(files) {}

  Turn proceed(tcp::Connection& connection, std::size_t& budget) override {
    while (true) {
      if (const Progress sent = send(connection, budget); sent != Progress::kDone) return turn_after(sent);
      if (step_ == Step::kLingering && !std::exchange(has_shut_down_, true)) connection.shutdown_send();
      if (use_input()) continue;
      if (const Progress received = receive(connection, budget); received != Progress::kDone)
        return turn_after(received);
    }
  }

 private:
  enum class Progress : std::uint8_t { kDone, kBlocked, kSpent, kBroken };
  enum class Step : std::uint8_t {
    kHead,       // a request is expected or has begun
    kBody,       // `body_left_` octets of it are to come
    kChunkSize,  // the line in front of a chunk
    kChunkEnd,   // the empty line behind one
    kTrailer,    // lines behind the last chunk
    kLingering,  // answered; what the peer still sends is thrown away until it closes
  };

  static Turn turn_after(Progress progress) {
    if (progress == Progress::kBroken) return Turn::kIsOver;
    return progress == Progress::kSpent ? Turn::kHasMore : Turn::kWaits;
  }

  // --- output: text, then a part of a file

  Progress send(tcp::Connection& connection, std::size_t& budget) {
    while (text_sent_ < text_.size()) {
      const Bytes rest = as_bytes(text_).subspan(text_sent_);
      // The head of a file goes into one segment with the file's beginning.
      const auto sent = connection.send({&rest, 1}, {.more = file_left_ > 0});
      if (!sent) return sent.error() == Error::kWouldBlock ? Progress::kBlocked : Progress::kBroken;
      text_sent_ += *sent;
    }
    text_.clear();
    text_sent_ = 0;
    while (file_left_ > 0) {
      if (budget == 0) return Progress::kSpent;
      const Progress progress = send_file_part(connection, budget);
      if (progress != Progress::kDone) return progress;
    }
    file_.reset();
    return Progress::kDone;
  }

  // One part, as large as the send buffer has room for: what is read is sent at once.
  Progress send_file_part(tcp::Connection& connection, std::size_t& budget) {
    const std::size_t queued = connection.unacked_octets();
    const std::size_t room = queued < kSendBuffer ? kSendBuffer - queued : 0;
    if (room == 0) return Progress::kBlocked;
    std::array<std::uint8_t, kChunk> buffer;  // NOLINT: filled by pread()
    const std::size_t wanted = std::min(
        {buffer.size(), static_cast<std::size_t>(std::min<std::uint64_t>(file_left_, kChunk)), room});
    const ssize_t got = pread(file_.get(), buffer.data(), wanted, static_cast<off_t>(file_offset_));
    if (got <= 0)
      return Progress::kBroken;  // it has become shorter: the length that was promised cannot be kept
    const Bytes part = Bytes(buffer).first(static_cast<std::size_t>(got));
    const auto sent = connection.send({&part, 1});
    if (!sent) return sent.error() == Error::kWouldBlock ? Progress::kBlocked : Progress::kBroken;
    file_offset_ += *sent;
    file_left_ -= *sent;
    spend(budget, *sent);
    return Progress::kDone;
  }

  // --- input

  Progress receive(tcp::Connection& connection, std::size_t& budget) {
    if (budget == 0) return Progress::kSpent;
    std::array<std::uint8_t, kChunk> buffer;  // NOLINT: only the part that was received is read
    const auto received = connection.receive(buffer);
    if (!received) return received.error() == Error::kWouldBlock ? Progress::kBlocked : Progress::kBroken;
    if (*received == 0) return Progress::kBroken;  // nothing more will come; what was asked for has been sent
    spend(budget, *received);
    const Bytes octets = Bytes(buffer).first(*received);
    if (step_ == Step::kLingering) return Progress::kDone;
    if (step_ == Step::kBody && input_.empty()) {  // past the input buffer
      const std::size_t used = take_body(octets);
      input_.assign(octets.begin() + static_cast<std::ptrdiff_t>(used), octets.end());
    } else {
      input_.insert(input_.end(), octets.begin(), octets.end());
    }
    return Progress::kDone;
  }

  // Takes the next piece out of the input. False when there is not enough of it.
  bool use_input() {
    switch (step_) {
      case Step::kHead:
        return use_head();
      case Step::kBody: {
        if (body_left_ == 0) return end_of_body_part();
        if (input_.empty()) return false;
        drop_input(take_body(input_));
        return true;
      }
      case Step::kChunkSize:
        return use_chunk_size();
      case Step::kChunkEnd:
        return use_line([this](std::string_view) { step_ = Step::kChunkSize; });
      case Step::kTrailer:
        return use_line([this](std::string_view line) {
          if (line.empty()) finish_body();
        });
      case Step::kLingering:
        return false;
    }
    return false;
  }

  void drop_input(std::size_t octets) {
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(octets));
  }

  template <typename Use>
  bool use_line(Use use) {
    const std::size_t end = as_text(input_).find("\r\n");
    if (end == std::string_view::npos) {
      if (input_.size() <= kMaxHead) return false;
      refuse_and_close(400);
      return true;
    }
    const std::string line(as_text(input_).substr(0, end));
    drop_input(end + 2);
    use(line);
    return true;
  }

  bool use_head() {
    const auto size = http_head_size(as_text(input_));
    if (!size) {
      if (input_.size() <= kMaxHead) return false;
      refuse_and_close(431);
      return true;
    }
    const auto request = parse_http_head(as_text(input_).substr(0, *size));
    drop_input(*size);
    if (!request) {
      refuse_and_close(request.error());
      return true;
    }
    request_ = *request;
    if (request_.method == "PUT") {
      begin_upload();
    } else if (request_.is_chunked || request_.content_length.value_or(0) > 0) {
      begin_body(405);  // read past it
    } else {
      answer();
    }
    return true;
  }

  // --- bodies

  void begin_upload() {
    if (!request_.is_chunked && !request_.content_length) return refuse_and_close(411);
    if (!is_safe_path(request_.path)) return begin_body(403);
    auto upload = files_.upload(request_.path);
    if (!upload) return begin_body(upload.error());
    upload_ = std::move(*upload);
    begin_body(0);
  }

  // `status` is the answer that is known already; 0 when the body decides.
  void begin_body(int status) {
    body_status_ = status;
    if (request_.expects_continue) {
      if (status != 0) return refuse_and_close(status);
      text_ += "HTTP/1.1 100 Continue\r\n\r\n";
    }
    body_left_ = request_.content_length.value_or(0);
    step_ = request_.is_chunked ? Step::kChunkSize : Step::kBody;
  }

  std::size_t take_body(Bytes octets) {
    const std::size_t part = static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, octets.size()));
    if (body_status_ == 0 && !upload_.write(octets.data(), part)) body_status_ = errno == ENOSPC ? 507 : 500;
    body_left_ -= part;
    return part;
  }

  bool end_of_body_part() {
    if (request_.is_chunked) {
      step_ = Step::kChunkEnd;
    } else {
      finish_body();
    }
    return true;
  }

  bool use_chunk_size() {
    return use_line([this](std::string_view line) {
      std::uint64_t size = 0;
      const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), size, 16);
      if (error != std::errc() || end == line.data()) return refuse_and_close(400);
      body_left_ = size;
      step_ = size == 0 ? Step::kTrailer : Step::kBody;
    });
  }

  void finish_body() {
    step_ = Step::kHead;
    if (body_status_ == 0) body_status_ = upload_.commit() ? 201 : 500;
    upload_ = {};
    say(body_status_);
    end_answer();
  }

  // --- answers

  void answer() {
    if (request_.method != "GET" && request_.method != "HEAD") return say_and_end(405);
    if (!is_safe_path(request_.path)) return say_and_end(403);
    auto opened = files_.open(request_.path);
    if (!opened && request_.path == "/" && opened.error() == 404) {
      say_page(kWelcome);
      return end_answer();
    }
    if (!opened) return say_and_end(opened.error());
    if (opened->is_directory) return answer_directory();
    answer_file(std::move(*opened), request_.path);
  }

  void answer_directory() {
    if (!request_.path.ends_with('/')) {
      begin_head(301);
      text_ += fmt::format("Location: {}/\r\nContent-Length: 0\r\n\r\n", percent_encode(request_.path));
      return end_answer();
    }
    const std::string index = request_.path + "index.html";
    auto opened = files_.open(index);
    if (opened && !opened->is_directory) return answer_file(std::move(*opened), index);
    say_page(files_.list(request_.path));
    end_answer();
  }

  void answer_file(FileTree::Opened opened, std::string_view path) {
    const auto range = request_.range.empty() ? std::expected<std::optional<ByteRange>, int>(std::nullopt)
                                              : parse_range(request_.range, opened.size);
    if (!range) {
      begin_head(range.error());
      text_ += fmt::format("Content-Range: bytes */{}\r\nContent-Length: 0\r\n\r\n", opened.size);
      return end_answer();
    }
    begin_head(*range ? 206 : 200);
    const std::uint64_t size = *range ? (*range)->size() : opened.size;
    if (*range) {
      text_ += fmt::format("Content-Range: bytes {}-{}/{}\r\n", (*range)->first, (*range)->last, opened.size);
    }
    text_ += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\nAccept-Ranges: bytes\r\n\r\n",
                         content_type_of(path), size);
    if (request_.method == "GET") {
      file_ = std::move(opened.descriptor);
      file_offset_ = *range ? (*range)->first : 0;
      file_left_ = size;
    }
    end_answer();
  }

  void begin_head(int status) {
    text_ += fmt::format("HTTP/1.1 {} {}\r\nServer: transom\r\n", status, http_reason(status));
    if (!request_.keep_alive) text_ += "Connection: close\r\n";
  }

  void say_page(std::string_view page) {
    begin_head(200);
    text_ += fmt::format("Content-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\r\n", page.size());
    if (request_.method == "GET") text_ += page;
  }

  void say(int status) {
    const std::string body = status < 300 ? "" : fmt::format("{} {}\n", status, http_reason(status));
    begin_head(status);
    if (status == 405) text_ += "Allow: GET, HEAD, PUT\r\n";
    text_ += fmt::format("Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n", body.size());
    if (request_.method != "HEAD") text_ += body;
  }

  void say_and_end(int status) {
    say(status);
    end_answer();
  }

  void end_answer() {
    if (!request_.keep_alive) step_ = Step::kLingering;
  }

  // For requests after which the position in the input is not known.
  void refuse_and_close(int status) {
    request_.keep_alive = false;
    upload_ = {};
    say_and_end(status);
  }

  FileTree& files_;
  Step step_ = Step::kHead;
  HttpRequest request_;
  std::vector<std::uint8_t> input_;
  std::string text_;
  std::size_t text_sent_ = 0;
  drivers::FileDescriptor file_;
  std::uint64_t file_offset_ = 0;
  std::uint64_t file_left_ = 0;
  FileTree::Upload upload_;
  std::uint64_t body_left_ = 0;
  int body_status_ = 0;
  bool has_shut_down_ = false;
};

}  // namespace

std::unique_ptr<Conversation> make_http(FileTree& files) { return std::make_unique<HttpConversation>(files); }

tcp::Options http_socket_options() {
  tcp::Options options;
  options.no_delay = true;  // every answer is written as a whole
  options.send_buffer = kSendBuffer;
  options.keep_alive = true;
  options.keep_idle = 60;
  return options;
}

}  // namespace transom::tools
