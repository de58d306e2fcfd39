// The octets of a file, front to back: plain, or unpacked on the way from gzip (RFC 1952) or zstd (RFC 8878),
// which are recognised by how they begin. Takes the same memory whatever the size of the file, and whatever
// it claims to unpack to.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "stack/base/bytes.h"

namespace transom::drivers {

// Where octets come from. Implementations are in input_file.cpp.
class OctetSource {
 public:
  virtual ~OctetSource() = default;
  // Some of the next octets: at least one, unless it is the end or something is wrong.
  virtual std::size_t read(MutableBytes out) = 0;
  // Why the octets have ended before the file did; empty when nothing is wrong.
  const std::string& trouble() const { return trouble_; }

 protected:
  std::string trouble_;
};

class InputFile {
 public:
  static constexpr std::size_t kBuffer = 65536;  // octets

  // "-" is standard input. The error says what is wrong with the path.
  static std::expected<InputFile, std::string> open(const std::string& path);
  // Octets in memory, which must outlive the file.
  static InputFile of(Bytes octets);

  // The next octets, which stay to be read: `count` of them (kBuffer at most), fewer at the end.
  Bytes peek(std::size_t count);
  // The same, as many as there are at once: at least one, unless it is the end.
  Bytes available();
  // Returns how many were read: fewer than asked for at the end, or where trouble() begins.
  std::size_t read(MutableBytes out);
  std::uint64_t skip(std::uint64_t count);

  std::uint64_t position() const { return position_; }  // octets read so far, unpacked
  const std::string& trouble() const { return source_->trouble(); }

 private:
  explicit InputFile(std::unique_ptr<OctetSource> source);
  static InputFile unpack(InputFile packed);
  bool fill();

  std::unique_ptr<OctetSource> source_;
  std::vector<std::uint8_t> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // what of the buffer is still to be read
  std::uint64_t position_ = 0;
};

}  // namespace transom::drivers
