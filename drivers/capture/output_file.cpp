#include "drivers/capture/output_file.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>

namespace transom::drivers {

namespace {
enum class Push : std::uint8_t { kSome, kFlush, kEnd };
constexpr std::size_t kPiece = 65536;
}  // namespace

class OutputFile::Packer {
 public:
  explicit Packer(std::FILE* file) : file_(file) {}
  virtual ~Packer() = default;
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;
  virtual void pack(std::string_view octets, Push push) = 0;

 protected:
  void write(std::size_t size) { std::fwrite(packed_.data(), 1, size, file_); }

  std::array<char, kPiece> packed_{};

 private:
  std::FILE* file_;
};

class OutputFile::GzipPacker final : public Packer {
 public:
  explicit GzipPacker(std::FILE* file) : Packer(file) {
    constexpr int kGzipHeader = 16, kMemory = 8;
    if (deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + kGzipHeader, kMemory,
                     Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
  }
  ~GzipPacker() override { deflateEnd(&stream_); }

  void pack(std::string_view octets, Push push) override {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(octets.data()));
    stream_.avail_in = static_cast<uInt>(octets.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(packed_.data());
      stream_.avail_out = kPiece;
      deflate(&stream_, push == Push::kSome ? Z_NO_FLUSH : push == Push::kFlush ? Z_SYNC_FLUSH : Z_FINISH);
      write(kPiece - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

 private:
  z_stream stream_{};
};

class OutputFile::ZstdPacker final : public Packer {
 public:
  explicit ZstdPacker(std::FILE* file) : Packer(file), context_(ZSTD_createCCtx()) {
    if (context_ == nullptr) throw std::bad_alloc();
    ZSTD_CCtx_setParameter(context_, ZSTD_c_checksumFlag, 1);
  }
  ~ZstdPacker() override { ZSTD_freeCCtx(context_); }

  void pack(std::string_view octets, Push push) override {
    const ZSTD_EndDirective directive = push == Push::kSome    ? ZSTD_e_continue
                                        : push == Push::kFlush ? ZSTD_e_flush
                                                               : ZSTD_e_end;
    ZSTD_inBuffer input{octets.data(), octets.size(), 0};
    std::size_t left = 0;
    do {
      ZSTD_outBuffer output{packed_.data(), kPiece, 0};
      left = ZSTD_compressStream2(context_, &output, &input, directive);
      write(output.pos);
    } while (push == Push::kSome ? input.pos < input.size : left != 0 && ZSTD_isError(left) == 0);
  }

 private:
  ZSTD_CCtx* context_;
};

OutputFile::OutputFile(std::FILE* file) : file_(file) {}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : file_(std::exchange(other.file_, nullptr)),
      packer_(std::move(other.packer_)),
      is_trouble_told_(other.is_trouble_told_) {}

OutputFile::~OutputFile() {
  if (file_ == nullptr) return;
  if (const auto closed = close(); !closed && !is_trouble_told_)
    fmt::print(stderr, "transom: a file is not complete: writing it failed: {}\n", closed.error());
}

std::expected<OutputFile, DeviceError> OutputFile::open(const std::string& path) {
  std::FILE* const stream = path == "-" ? stdout : std::fopen(path.c_str(), "we");
  if (stream == nullptr) {
    return std::unexpected(
        DeviceError{fmt::format("cannot write {}: {}; name a file in a directory that exists and is yours",
                                path, std::strerror(errno)),
                    errno});
  }
  OutputFile file(stream);
  if (path.ends_with(".gz")) file.packer_ = std::make_unique<GzipPacker>(stream);
  if (path.ends_with(".zst")) file.packer_ = std::make_unique<ZstdPacker>(stream);
  return file;
}

void OutputFile::write(std::string_view octets) {
  if (packer_)
    packer_->pack(octets, Push::kSome);
  else
    std::fwrite(octets.data(), 1, octets.size(), file_);
}

// The stream remembers that a write has failed, but not why: it is most often the disk.
std::expected<void, std::string> OutputFile::state() {
  errno = 0;
  if (std::fflush(file_) == 0 && std::ferror(file_) == 0) return {};
  return std::unexpected(std::string(std::strerror(errno != 0 ? errno : EIO)));
}

std::expected<void, std::string> OutputFile::flush() {
  if (packer_) packer_->pack({}, Push::kFlush);
  auto result = state();
  if (!result) is_trouble_told_ = true;
  return result;
}

std::expected<void, std::string> OutputFile::close() {
  if (packer_) packer_->pack({}, Push::kEnd);
  packer_.reset();
  auto result = state();
  std::FILE* const file = std::exchange(file_, nullptr);
  if (file != stdout) std::fclose(file);
  return result;
}

}  // namespace transom::drivers
