// Options that many connections have in common: one copy, counted. They are changed by taking another.
#pragma once

#include <cstdint>
#include <utility>

#include "stack/tcp/types.h"

namespace transom::tcp {

class SharedOptions {
 public:
  explicit SharedOptions(const Options& options) : held_(new Held{options}) {}
  SharedOptions(const SharedOptions& other) : held_(other.held_) { ++held_->users; }
  SharedOptions& operator=(SharedOptions other) noexcept {
    std::swap(held_, other.held_);
    return *this;
  }
  ~SharedOptions() {
    if (--held_->users == 0) delete held_;
  }

  const Options& operator*() const { return held_->options; }
  const Options* operator->() const { return &held_->options; }

 private:
  struct Held {
    Options options;
    std::uint32_t users = 1;
  };

  Held* held_;
};

}  // namespace transom::tcp
