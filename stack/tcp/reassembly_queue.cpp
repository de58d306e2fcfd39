#include "stack/tcp/reassembly_queue.h"

#include <algorithm>

#include "stack/tcp/slice_ring.h"

namespace transom::tcp {

std::size_t ReassemblyQueue::first_run_ending_after(SeqNum sequence) const {
  const auto found = std::partition_point(
      runs_.begin(), runs_.end(), [sequence](const Run& run) { return is_at_or_before(run.end, sequence); });
  return static_cast<std::size_t>(found - runs_.begin());
}

ReassemblyQueue::Inserted ReassemblyQueue::insert(BufferPool& pool, SeqNum sequence, Payload payload,
                                                  std::uint32_t limit) {
  Inserted result;
  const SeqNum first = sequence;
  while (!payload.empty()) {
    const std::size_t index = first_run_ending_after(sequence);
    std::uint32_t piece_size = payload.size();
    if (index < runs_.size()) {
      const Run& run = runs_[index];
      if (is_at_or_before(run.begin, sequence)) {  // these octets are held already
        const std::uint32_t known = std::min(octets_between(sequence, run.end), payload.size());
        if (!result.duplicate) result.duplicate = wire::SackBlock{sequence, sequence + known};
        payload.trim_front(known);
        sequence += known;
        continue;
      }
      piece_size = std::min(piece_size, octets_between(sequence, run.begin));
    }
    const bool beyond_all = index == runs_.size();
    const bool is_full = size_ + piece_size > limit || runs_.size() >= kMaxRuns;
    if (is_full) {
      if (beyond_all) break;
      drop_last_run();
      continue;
    }
    place(pool, index, sequence, payload.split_front(piece_size));
    result.added += piece_size;
    sequence += piece_size;
  }
  if (result.added > 0 || result.duplicate) touch(first);
  return result;
}

void ReassemblyQueue::place(BufferPool& pool, std::size_t index, SeqNum sequence, Payload piece) {
  const SeqNum end = sequence + piece.size();
  size_ += piece.size();
  // Where the piece ends the hole in front of it, it continues the run before; a run that it then touches
  // behind is joined.
  if (index > 0 && runs_[index - 1].end == sequence) {
    --index;
  } else {
    runs_.insert(runs_.begin() + static_cast<std::ptrdiff_t>(index), Run{sequence, sequence, {}});
  }
  Run& run = runs_[index];
  piece.drain([&](Slice slice) { append_slice(run.slices, pool, std::move(slice)); });
  run.end = end;
  if (index + 1 < runs_.size() && runs_[index + 1].begin == end) {
    Run& following = runs_[index + 1];
    while (!following.slices.empty()) {
      run.slices.push_back(std::move(following.slices.front()));
      following.slices.pop_front();
    }
    run.end = following.end;
    runs_.erase(runs_.begin() + static_cast<std::ptrdiff_t>(index) + 1);
  }
}

void ReassemblyQueue::drop_last_run() {
  size_ -= octets_between(runs_.back().begin, runs_.back().end);
  runs_.pop_back();
}

std::optional<ReassemblyQueue::Run> ReassemblyQueue::take_contiguous(SeqNum next) {
  while (!runs_.empty() && is_at_or_before(runs_.front().begin, next)) {
    Run run = std::move(runs_.front());
    runs_.erase(runs_.begin());
    size_ -= octets_between(run.begin, run.end);
    if (runs_.empty()) clear();
    if (is_at_or_before(run.end, next)) continue;  // a retransmission in order has made it superfluous
    while (run.begin != next) {
      Slice& slice = run.slices.front();
      const auto old = std::min(octets_between(run.begin, next), static_cast<std::uint32_t>(slice.size()));
      slice.trim_front(old);
      run.begin += old;
      if (slice.empty()) run.slices.pop_front();
    }
    return run;
  }
  return std::nullopt;
}

void ReassemblyQueue::touch(SeqNum inside) {
  // Most recent first. Entries that now lie in the same run, or in none, are skipped when blocks are listed.
  const std::uint8_t kept =
      std::min<std::uint8_t>(recent_count_, static_cast<std::uint8_t>(recent_.size() - 1));
  std::copy_backward(recent_.begin(), recent_.begin() + kept, recent_.begin() + kept + 1);
  recent_[0] = inside;
  recent_count_ = static_cast<std::uint8_t>(kept + 1);
}

std::size_t ReassemblyQueue::sack_blocks(std::span<wire::SackBlock> out) const {
  std::size_t count = 0;
  const auto report = [&](const Run& run) {
    const wire::SackBlock block{run.begin, run.end};
    const auto listed = out.first(count);
    if (count < out.size() && std::find(listed.begin(), listed.end(), block) == listed.end())
      out[count++] = block;
  };
  for (std::size_t i = 0; i < recent_count_; ++i) {
    const std::size_t index = first_run_ending_after(recent_[i]);
    if (index < runs_.size() && is_at_or_before(runs_[index].begin, recent_[i])) report(runs_[index]);
  }
  for (std::size_t i = 0; i < runs_.size() && count < out.size(); ++i) report(runs_[i]);
  return count;
}

void ReassemblyQueue::clear() {
  std::vector<Run>().swap(runs_);
  recent_count_ = 0;
  size_ = 0;
}

}  // namespace transom::tcp
