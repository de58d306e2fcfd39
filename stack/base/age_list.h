// A list in the order of insertion, linked through its elements: what is oldest is found, and anything is
// taken out, in constant time and without memory. Used to let the oldest go when a table is full, and the
// earliest expire when all live equally long.
#pragma once

#include <cstddef>

namespace transom {

template <typename T>
struct AgeLinks {
  T* older = nullptr;
  T* newer = nullptr;
};

// T has a member `AgeLinks<T> links`, and is in at most one list at a time.
template <typename T>
class AgeList {
 public:
  T* oldest() const { return oldest_; }
  std::size_t size() const { return size_; }

  void push(T& item) {
    item.links = {newest_, nullptr};
    (newest_ == nullptr ? oldest_ : newest_->links.newer) = &item;
    newest_ = &item;
    ++size_;
  }
  void remove(T& item) {
    (item.links.older == nullptr ? oldest_ : item.links.older->links.newer) = item.links.newer;
    (item.links.newer == nullptr ? newest_ : item.links.newer->links.older) = item.links.older;
    item.links = {};
    --size_;
  }

 private:
  T* oldest_ = nullptr;
  T* newest_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace transom
