#include "drivers/write_ring.h"

#include <liburing.h>

#include <cerrno>

namespace transom::drivers {

struct WriteRing::Ring {
  io_uring ring{};
};

WriteRing::WriteRing(std::unique_ptr<Ring> ring) : ring_(std::move(ring)) {}

WriteRing::~WriteRing() { io_uring_queue_exit(&ring_->ring); }

std::unique_ptr<WriteRing> WriteRing::open() {
  auto ring = std::make_unique<Ring>();
  if (io_uring_queue_init(kMaxWrites, &ring->ring, 0) != 0) return nullptr;
  return std::unique_ptr<WriteRing>(new WriteRing(std::move(ring)));
}

bool WriteRing::write(int descriptor, std::span<Write> writes) {
  io_uring& ring = ring_->ring;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    Write& write = writes[i];
    write.result = -EAGAIN;
    io_uring_sqe* const entry = io_uring_get_sqe(&ring);
    io_uring_prep_writev(entry, descriptor, write.pieces.data(), static_cast<unsigned>(write.pieces.size()),
                         0);
    entry->rw_flags = RWF_NOWAIT;  // where there is no room, say so: else the ring waits for it
    io_uring_sqe_set_data64(entry, i);
  }
  // The memory is the caller's: nothing may be under way when this returns.
  std::size_t submitted = 0;
  bool is_usable = true;
  while (submitted < writes.size() && is_usable) {
    const int here = io_uring_submit(&ring);
    if (here > 0) submitted += static_cast<std::size_t>(here);
    is_usable = here > 0 || here == -EINTR;
  }
  for (std::size_t done = 0; done < submitted;) {
    io_uring_cqe* entry = nullptr;
    const int waited = io_uring_wait_cqe(&ring, &entry);
    if (waited == -EINTR) continue;
    if (waited != 0) return false;
    int& result = writes[io_uring_cqe_get_data64(entry)].result;
    result = entry->res;
    if (result == -EOPNOTSUPP) {  // the descriptor is of a kind that can only wait
      result = -EAGAIN;
      is_usable = false;
    }
    io_uring_cqe_seen(&ring, entry);
    ++done;
  }
  return is_usable;
}

}  // namespace transom::drivers
