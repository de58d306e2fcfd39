// Many writes with one system call, by io_uring. It pays where frames are small: a write to a TAP device
// costs as much for the way into the kernel as for the frame.
#pragma once

#include <sys/uio.h>

#include <memory>
#include <span>

namespace transom::drivers {

class WriteRing {
 public:
  static constexpr std::size_t kMaxWrites = 32;  // at once

  struct Write {
    std::span<const iovec> pieces;
    int result = 0;  // octets written, or a negative errno
  };

  // nullptr where the kernel has no io_uring or does not let us use it.
  static std::unique_ptr<WriteRing> open();
  ~WriteRing();

  // Writes to a non-blocking descriptor, in this order, and sets the results. At most kMaxWrites. False when
  // the ring has become unusable: the results then say what was written, and the rest is to be written
  // otherwise.
  bool write(int descriptor, std::span<Write> writes);

 private:
  struct Ring;
  explicit WriteRing(std::unique_ptr<Ring> ring);

  std::unique_ptr<Ring> ring_;
};

}  // namespace transom::drivers
