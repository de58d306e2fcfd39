#include "drivers/shrink/shrink.h"

#include <algorithm>
#include <set>

#include "drivers/capture/edit/length_changes.h"
#include "drivers/shrink/minimise.h"
#include "drivers/shrink/stream_cut.h"

namespace transom::drivers {

namespace {

using Packets = std::vector<KeptPacket>;

bool is_between(const CapturedPacket& packet, const std::pair<Endpoint, Endpoint>& ends) {
  const auto view = PacketView::parse(packet);
  const auto is = [&](const IpAddress& address) {
    return address == ends.first.address || address == ends.second.address;
  };
  if (!view || !is(view->source) || !is(view->destination)) return false;
  if (!view->tcp || ends.first.port == Port::kNone) return true;
  return std::minmax(view->tcp->source_port, view->tcp->destination_port) ==
         std::minmax(ends.first.port, ends.second.port);
}

class Shrinker {
 public:
  Shrinker(Packets packets, const ShrinkOptions& options, const StillShows& shows)
      : packets_(std::move(packets)), tries_(options.tries), shows_(shows) {}

  Packets run(const ShrinkOptions& options) {
    if (!shows(packets_)) return {};
    if (options.between) keep_those_between(*options.between);
    bool has_changed = true;
    while (has_changed) {
      leave_out_packets();
      has_changed = drop_options();
      has_changed |= cut_payloads();
      has_changed |= shorten_gaps();
    }
    return std::move(packets_);
  }

 private:
  bool shows(const Packets& packets) {
    if (tries_ == 0) return false;
    --tries_;
    return shows_(packets);
  }
  bool becomes(Packets smaller) {
    if (smaller.empty() || !shows(smaller)) return false;
    packets_ = std::move(smaller);
    return true;
  }

  void keep_those_between(const std::pair<Endpoint, Endpoint>& ends) {
    Packets theirs;
    for (const KeptPacket& kept : packets_)
      if (is_between(kept.packet(), ends)) theirs.push_back(kept);
    becomes(std::move(theirs));
  }

  void leave_out_packets() {
    std::vector<std::size_t> all(packets_.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    const auto chosen = [&](const std::vector<std::size_t>& places) {
      Packets some;
      for (const std::size_t place : places) some.push_back(packets_[place]);
      return some;
    };
    packets_ = chosen(minimise(std::move(all), [&](const auto& places) { return shows(chosen(places)); }));
  }

  // Of all packets at once, as what a SYN does not offer others should not have; then of each.
  bool drop_options() {
    std::set<std::uint8_t> kinds;
    for (const KeptPacket& kept : packets_)
      for (const std::uint8_t kind : tcp_option_kinds(kept.packet())) kinds.insert(kind);
    bool has_changed = false;
    for (const std::uint8_t kind : kinds) {
      const auto without = [kind](const KeptPacket& kept) {
        OwnedPacket owned = OwnedPacket::copy_of(kept.packet());
        drop_tcp_options(owned, kind);
        return KeptPacket(owned.packet);
      };
      Packets all;
      for (const KeptPacket& kept : packets_) all.push_back(without(kept));
      if (becomes(std::move(all))) {
        has_changed = true;
        continue;
      }
      for (std::size_t place = 0; place < packets_.size(); ++place) {
        const auto has = tcp_option_kinds(packets_[place].packet());
        if (std::ranges::find(has, kind) == has.end()) continue;
        Packets smaller = packets_;
        smaller[place] = without(packets_[place]);
        has_changed |= becomes(std::move(smaller));
      }
    }
    return has_changed;
  }

  bool cut_payloads() {
    bool has_changed = false;
    for (std::size_t place = 0; place < packets_.size(); ++place) {
      const auto cut_to = [&](std::uint32_t size) {
        return becomes(cut_stream(packets_, place, size)) || becomes(cut_payload(packets_, place, size));
      };
      const auto view = PacketView::parse(packets_[place].packet());
      if (!view || !view->tcp || view->payload_length == 0) continue;
      if (cut_to(0) || cut_to(1)) {
        has_changed = true;
        continue;
      }
      for (std::uint32_t size = view->payload_length / 2; size > 1 && cut_to(size); size /= 2)
        has_changed = true;
    }
    return has_changed;
  }

  // All that comes later comes as much earlier.
  bool shorten_gaps() {
    bool has_changed = false;
    for (std::size_t place = 1; place < packets_.size(); ++place) {
      const auto gap = [&] { return packets_[place].packet().time - packets_[place - 1].packet().time; };
      const auto shorten_to = [&](Duration shorter) {
        if (gap() <= shorter) return false;
        Packets smaller = packets_;
        const Duration by = gap() - shorter;
        for (std::size_t later = place; later < smaller.size(); ++later)
          smaller[later].move_to(smaller[later].packet().time - by);
        return becomes(std::move(smaller));
      };
      constexpr std::chrono::milliseconds kMillisecond{1};
      if (shorten_to(Duration::zero()) || shorten_to(kMillisecond)) {
        has_changed = true;
        continue;
      }
      while (gap() > 2 * kMillisecond && shorten_to(gap() / 2)) has_changed = true;
    }
    return has_changed;
  }

  Packets packets_;
  std::size_t tries_;
  const StillShows& shows_;
};

}  // namespace

std::vector<KeptPacket> shrink(std::vector<KeptPacket> packets, const ShrinkOptions& options,
                               const StillShows& shows) {
  return Shrinker(std::move(packets), options, shows).run(options);
}

}  // namespace transom::drivers
