#include "drivers/capture/input_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "drivers/file_descriptor.h"

namespace transom::drivers {

namespace {

class DescriptorSource final : public OctetSource {
 public:
  explicit DescriptorSource(FileDescriptor descriptor) : descriptor_(std::move(descriptor)) {}

  std::size_t read(MutableBytes out) override {
    while (true) {
      const ssize_t count = ::read(descriptor_.get(), out.data(), out.size());
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno == EINTR) continue;
      trouble_ = fmt::format("reading failed: {}", std::strerror(errno));
      return 0;
    }
  }

 private:
  FileDescriptor descriptor_;
};

class MemorySource final : public OctetSource {
 public:
  explicit MemorySource(Bytes octets) : rest_(octets) {}

  std::size_t read(MutableBytes out) override {
    const std::size_t count = std::min(out.size(), rest_.size());
    std::copy_n(rest_.begin(), count, out.begin());
    rest_ = rest_.subspan(count);
    return count;
  }

 private:
  Bytes rest_;
};

class GzipSource final : public OctetSource {
 public:
  explicit GzipSource(InputFile packed) : packed_(std::move(packed)) {
    constexpr int kGzipHeader = 16;
    if (inflateInit2(&stream_, MAX_WBITS + kGzipHeader) != Z_OK) trouble_ = "out of memory for zlib";
  }
  ~GzipSource() override { inflateEnd(&stream_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  std::size_t read(MutableBytes out) override {
    if (!trouble_.empty()) return 0;
    stream_.next_out = out.data();
    stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(out.size(), InputFile::kBuffer));
    const uInt room = stream_.avail_out;
    while (stream_.avail_out == room) {
      const Bytes more = packed_.available();
      if (more.empty()) {
        if (!is_between_members_) trouble_ = cut_short();
        return 0;
      }
      if (is_between_members_) {
        // RFC 1952 §2.2: members follow one another. Zeros behind the last are padding of tapes.
        if (more[0] == 0) return 0;
        inflateReset(&stream_);
        is_between_members_ = false;
      }
      stream_.next_in = const_cast<Bytef*>(more.data());
      stream_.avail_in = static_cast<uInt>(more.size());
      const int result = inflate(&stream_, Z_NO_FLUSH);
      packed_.skip(more.size() - stream_.avail_in);
      is_between_members_ = result == Z_STREAM_END;
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
        trouble_ = fmt::format("the gzip data is damaged at its octet {}: {}", packed_.position(),
                               stream_.msg != nullptr ? stream_.msg : "cannot be unpacked");
        break;
      }
    }
    return room - stream_.avail_out;
  }

 private:
  std::string cut_short() const {
    return packed_.trouble().empty()
               ? fmt::format("the gzip data ends in the middle, at its octet {}", packed_.position())
               : packed_.trouble();
  }

  InputFile packed_;
  z_stream stream_{};
  bool is_between_members_ = false;
};

class ZstdSource final : public OctetSource {
 public:
  explicit ZstdSource(InputFile packed) : packed_(std::move(packed)), stream_(ZSTD_createDCtx()) {
    // RFC 8878 §3.1.1.1.2: 8 MiB is what a decoder ought to have; a frame may ask for terabytes.
    constexpr int kMaxWindowLog = 23;
    if (stream_ == nullptr ||
        ZSTD_isError(ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, kMaxWindowLog)) != 0)
      trouble_ = "out of memory for zstd";
  }
  ~ZstdSource() override { ZSTD_freeDCtx(stream_); }
  ZstdSource(const ZstdSource&) = delete;
  ZstdSource& operator=(const ZstdSource&) = delete;

  std::size_t read(MutableBytes out) override {
    ZSTD_outBuffer unpacked{out.data(), out.size(), 0};
    while (trouble_.empty() && unpacked.pos == 0) {
      const Bytes more = packed_.available();
      ZSTD_inBuffer input{more.data(), more.size(), 0};
      const std::size_t result = ZSTD_decompressStream(stream_, &unpacked, &input);
      packed_.skip(input.pos);
      if (ZSTD_isError(result) != 0) {
        trouble_ = fmt::format(
            "the zstd data cannot be unpacked at its octet {}: {}; where it needs a window of "
            "more than 8 MiB, unpack it first: zstd -d --long=31",
            packed_.position(), ZSTD_getErrorName(result));
      } else if (more.empty() && unpacked.pos == 0) {
        // 0: a frame has ended, and nothing is held back.
        if (expects_more_)
          trouble_ =
              packed_.trouble().empty()
                  ? fmt::format("the zstd data ends in the middle, at its octet {}", packed_.position())
                  : packed_.trouble();
        return 0;
      }
      if (!more.empty()) expects_more_ = result != 0;
    }
    return unpacked.pos;
  }

 private:
  InputFile packed_;
  ZSTD_DCtx* stream_;
  bool expects_more_ = true;
};

bool begins_with(Bytes octets, std::initializer_list<std::uint8_t> magic) {
  return octets.size() >= magic.size() && std::equal(magic.begin(), magic.end(), octets.begin());
}

}  // namespace

InputFile::InputFile(std::unique_ptr<OctetSource> source) : source_(std::move(source)), buffer_(kBuffer) {}

InputFile InputFile::unpack(InputFile packed) {
  const Bytes magic = packed.peek(4);
  if (begins_with(magic, {0x1f, 0x8b})) return InputFile(std::make_unique<GzipSource>(std::move(packed)));
  if (begins_with(magic, {0x28, 0xb5, 0x2f, 0xfd}))
    return InputFile(std::make_unique<ZstdSource>(std::move(packed)));
  return packed;
}

std::expected<InputFile, std::string> InputFile::open(const std::string& path) {
  FileDescriptor descriptor(path == "-" ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                        : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!descriptor) return std::unexpected(std::string(std::strerror(errno)));
  return unpack(InputFile(std::make_unique<DescriptorSource>(std::move(descriptor))));
}

InputFile InputFile::of(Bytes octets) { return unpack(InputFile(std::make_unique<MemorySource>(octets))); }

bool InputFile::fill() {
  if (begin_ == end_) {
    begin_ = 0;
    end_ = source_->read(buffer_);
  }
  return begin_ < end_;
}

Bytes InputFile::available() {
  fill();
  return Bytes(buffer_).subspan(begin_, end_ - begin_);
}

Bytes InputFile::peek(std::size_t count) {
  count = std::min(count, kBuffer);
  if (end_ - begin_ < count && begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  while (end_ - begin_ < count) {
    const std::size_t got = source_->read(MutableBytes(buffer_).subspan(end_));
    if (got == 0) break;
    end_ += got;
  }
  return Bytes(buffer_).subspan(begin_, std::min(count, end_ - begin_));
}

std::size_t InputFile::read(MutableBytes out) {
  std::size_t done = 0;
  while (done < out.size() && fill()) {
    const std::size_t some = std::min(out.size() - done, end_ - begin_);
    std::memcpy(out.data() + done, buffer_.data() + begin_, some);
    begin_ += some;
    done += some;
  }
  position_ += done;
  return done;
}

std::uint64_t InputFile::skip(std::uint64_t count) {
  std::uint64_t done = 0;
  while (done < count && fill()) {
    const auto some = static_cast<std::size_t>(std::min<std::uint64_t>(count - done, end_ - begin_));
    begin_ += some;
    done += some;
  }
  position_ += done;
  return done;
}

}  // namespace transom::drivers
