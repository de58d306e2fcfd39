#include "drivers/replay/live_stage.h"

namespace transom::drivers::replay {

LiveStage::LiveStage(Host& host, const LiveSetup& setup, std::function<void()> start_loop)
    : host_(host), setup_(setup), start_loop_(std::move(start_loop)) {
  begin_ = last_heard_ = host_.context().now;
}

void LiveStage::begin() {
  start_loop_();
  settle();
}

std::size_t LiveStage::enter(LivePart& part, bool has_started) {
  places_.emplace(&part, parts_.size());
  parts_.push_back({&part, has_started, LiveState::kRunning});
  ++running_;
  return parts_.size() - 1;
}

void LiveStage::open_at(LivePart& part, Instant when) { agenda_.set(enter(part, false), when); }

void LiveStage::add(LivePart& part) {
  settle(enter(part, true));
  settle();
}

void LiveStage::look_at(LivePart& part) {
  settle(places_.at(&part));
  settle();
}

void LiveStage::wake(LivePart& part) {
  agenda_.set(places_.at(&part), host_.context().now);
  timer_.start(host_.context().timers, host_.context().now);
}

void LiveStage::wake_all() {
  for (const Entry& entry : parts_)
    if (entry.has_started && entry.state == LiveState::kRunning) wake(*entry.part);
}

void LiveStage::settle(std::size_t index) {
  Entry& entry = parts_[index];
  if (!entry.has_started) return;
  if (entry.state == LiveState::kRunning && entry.part->state() != LiveState::kRunning) {
    --running_;
    if (entry.part->state() == LiveState::kDone) ++done_;
  }
  entry.state = entry.part->state();
  if (const Instant next = entry.part->next_deadline(); next != kNever) {
    agenda_.set(index, next);
  } else {
    agenda_.remove(index);
  }
}

void LiveStage::settle() {
  const bool all_done = awaited_ == 0 && done_ == parts_.size();
  if (all_done && (setup_.loops == 0 || loops_done_ + 1 < setup_.loops)) {
    ++loops_done_;
    start_loop_();
  }
  if (agenda_.is_empty()) {
    timer_.cancel();
  } else {
    timer_.start(host_.context().timers, agenda_.due());
  }
  if (listener_ && is_over()) listener_();
}

void LiveStage::on_timer() {
  const Instant now = host_.context().now;
  std::vector<std::size_t> due;  // each once, whatever it does
  while (!agenda_.is_empty() && agenda_.due() <= now) {
    due.push_back(agenda_.flow());
    agenda_.remove(due.back());
  }
  for (const std::size_t index : due) {
    Entry& entry = parts_[index];
    LivePart& part = *entry.part;
    if (entry.has_started) {
      part.run(now);
    } else {
      entry.has_started = true;
      part.start(now);
    }
    settle(index);
  }
  settle();
}

bool LiveStage::is_over() const {
  if (setup_.duration && host_.context().now - begin_ >= *setup_.duration) return true;
  return awaited_ == 0 && running_ == 0;
}

bool LiveStage::has_waited_in_vain() const {
  return awaited_ != 0 && running_ == 0 && host_.context().now - last_heard_ >= setup_.options.stall;
}

}  // namespace transom::drivers::replay
