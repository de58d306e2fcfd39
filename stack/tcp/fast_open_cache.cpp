#include "stack/tcp/fast_open_cache.h"

#include <algorithm>

namespace transom::tcp {

namespace {

constexpr std::uint8_t kFailuresToPause = 2;
constexpr std::uint8_t kMostFailures =
    11;  // the pause is 2 to the power of them, in minutes: at most 34 hours

FourTuple hosts_of(FourTuple tuple) {
  tuple.local.port = tuple.remote.port = Port::kNone;
  return tuple;
}

}  // namespace

FastOpenCache::~FastOpenCache() {
  while (servers_.oldest() != nullptr) remove(*servers_.oldest());
}

void FastOpenCache::remove(Server& server) {
  table_.erase(server);
  servers_.remove(server);
  delete &server;
}

FastOpenCache::Server* FastOpenCache::look_up(const FourTuple& tuple) {
  Server* const server = table_.find(hosts_of(tuple));
  if (server == nullptr) return nullptr;
  servers_.remove(*server);
  servers_.push(*server);
  return server;
}

FastOpenCache::Server* FastOpenCache::find_or_add(const FourTuple& tuple) {
  if (Server* const known = look_up(tuple)) return known;
  if (limit_ == 0) return nullptr;
  if (servers_.size() >= limit_) remove(*servers_.oldest());
  auto* const server = new Server{.hosts = hosts_of(tuple)};
  table_.insert(*server);
  servers_.push(*server);
  return server;
}

const FastOpenCache::Server* FastOpenCache::find(const FourTuple& tuple) { return look_up(tuple); }

bool FastOpenCache::is_paused(const FourTuple& tuple, Instant now) {
  const Server* const server = look_up(tuple);
  return server != nullptr && now < server->paused_until;
}

void FastOpenCache::learn(const FourTuple& tuple, const std::optional<wire::FastOpenCookie>& cookie,
                          std::uint16_t mss) {
  Server* const server = find_or_add(tuple);
  if (server == nullptr) return;
  server->mss = mss;
  if (cookie) server->cookie = cookie;
}

void FastOpenCache::on_success(const FourTuple& tuple) {
  Server* const server = look_up(tuple);
  if (server == nullptr) return;
  server->failures = 0;
  server->paused_until = Instant::min();
}

void FastOpenCache::pause(Server& server, Instant now) {
  server.paused_until = now + std::chrono::minutes(1 << server.failures);
}

bool FastOpenCache::on_failure(const FourTuple& tuple, Instant now) {
  Server* const server = find_or_add(tuple);
  if (server == nullptr) return false;
  server->failures = std::min<std::uint8_t>(server->failures + 1, kMostFailures);
  if (server->failures < kFailuresToPause) return false;
  pause(*server, now);
  return true;
}

void FastOpenCache::on_silence(const FourTuple& tuple, Instant now) {
  Server* const server = find_or_add(tuple);
  if (server == nullptr) return;
  server->failures = std::clamp<std::uint8_t>(server->failures + 1, kFailuresToPause, kMostFailures);
  pause(*server, now);
}

}  // namespace transom::tcp
