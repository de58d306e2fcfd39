// When each part of a live replay is due: starts, deadlines, loops, and when it is over.
#pragma once

#include <functional>
#include <unordered_map>

#include "drivers/replay/agenda.h"
#include "drivers/replay/live_part.h"
#include "drivers/replay/live_setup.h"
#include "stack/host.h"

namespace transom::drivers::replay {

class LiveStage {
 public:
  // `start_loop` adds the parts of the capture once more. `host` and `setup` outlive it.
  LiveStage(Host& host, const LiveSetup& setup, std::function<void()> start_loop);
  LiveStage(const LiveStage&) = delete;
  LiveStage& operator=(const LiveStage&) = delete;
  ~LiveStage() = default;

  // --- within Host::enter() and leave()
  void begin();                                // the first loop
  void open_at(LivePart& part, Instant when);  // it starts then
  void add(LivePart& part);                    // it has started
  void look_at(LivePart& part);                // something has happened to it
  void wake(LivePart& part);                   // it has something to do: soon
  void wake_all();
  void expect_peer() { ++awaited_; }  // somebody must come for a part
  void peer_came() { --awaited_; }
  void heard() { last_heard_ = host_.context().now; }

  // Nobody more is awaited, and all parts have ended; or the time is up.
  bool is_over() const;
  // Nobody has come, or nothing has been heard, for so long.
  bool has_waited_in_vain() const;
  std::uint64_t loops_done() const { return loops_done_; }
  // Called whenever is_over() may have changed.
  void set_listener(std::function<void()> listener) { listener_ = std::move(listener); }

 private:
  struct Entry {
    LivePart* part;
    bool has_started;
    LiveState state;  // when it was looked at last
  };

  std::size_t enter(LivePart& part, bool has_started);
  void settle(std::size_t index);
  void settle();
  void on_timer();

  Host& host_;
  const LiveSetup& setup_;
  std::function<void()> start_loop_;
  std::function<void()> listener_;
  std::vector<Entry> parts_;
  std::unordered_map<const LivePart*, std::size_t> places_;
  Agenda agenda_;
  std::size_t running_ = 0, done_ = 0, awaited_ = 0;
  std::uint64_t loops_done_ = 0;
  Instant begin_{}, last_heard_{};
  Timer timer_{call_member<&LiveStage::on_timer>, this};
};

}  // namespace transom::drivers::replay
