// Why the stack did what it did: each with words for people and the section that says so. The code path that
// takes a decision names its reason; nobody guesses it afterwards.
#pragma once

#include <cstdint>
#include <string_view>

namespace transom {

// clang-format off
#define TRANSOM_REASONS(X)                                                                                     \
  /* what is sent */                                                                                           \
  X(NewData, "new data", "RFC 9293 3.8")                                                                       \
  X(Retransmission, "counts as lost", "RFC 9293 3.8.1")                                                        \
  X(TailLossProbe, "probe: no ACK came for two round trips", "RFC 8985 7.3")                                   \
  /* what is not sent */                                                                                       \
  X(NothingToSend, "the application has nothing more", "RFC 9293 3.8")                                         \
  X(PeerWindow, "the peer's window is full", "RFC 9293 3.8.6")                                                 \
  X(CongestionWindow, "the congestion window is full", "RFC 5681 3.1")                                         \
  X(Nagle, "a small segment is on its way already", "RFC 9293 3.7.4")                                          \
  X(Corked, "the application asked to wait for a full segment", "tcp(7) TCP_CORK")                             \
  X(Pacing, "the pacing rate", "draft-ietf-ccwg-bbr 5.6.2")                                                   \
  X(SillyWindow, "the peer's window is too small to be worth it", "RFC 9293 3.8.6.2.1")                        \
  /* what is lost */                                                                                           \
  X(Overtaken, "RACK: segments sent later were delivered", "RFC 8985 6.2")                                     \
  X(DuplicateAcks, "three duplicate ACKs", "RFC 5681 3.2")                                                     \
  X(PartialAck, "a partial acknowledgment in recovery", "RFC 6582 3.2")                                        \
  X(Timeout, "the retransmission timer expired", "RFC 6298 5.4")                                               \
  X(TooBigForPath, "larger than the path takes", "RFC 1191 6.5")                                               \
  X(ProbeRepaired, "a probe repaired a loss", "RFC 8985 7.4")                                                  \
  /* recovery */                                                                                               \
  X(AllAcknowledged, "all that was outstanding is acknowledged", "RFC 6675 5")                                 \
  X(NothingWasLost, "nothing had been lost: undone", "RFC 4015 3")                                             \
  /* the congestion window */                                                                                  \
  X(SlowStart, "slow start", "RFC 5681 3.1")                                                                   \
  X(CongestionAvoidance, "congestion avoidance", "RFC 5681 3.1")                                               \
  X(CongestionEcho, "the peer echoed a congestion mark", "RFC 3168 6.1.2")                                     \
  X(Idle, "nothing was sent for a retransmission timeout", "RFC 5681 4.1")                                     \
  X(Clamped, "the congestion control asked for what TCP does not do", "RFC 5681 3.1")                          \
  /* states and timers */                                                                                      \
  X(Segment, "a segment arrived", "RFC 9293 3.10.7")                                                           \
  X(User, "the application asked for it", "RFC 9293 3.9.1")                                                    \
  X(Reset, "a reset arrived", "RFC 9293 3.10.7.4")                                                             \
  X(GaveUp, "no answer for too long", "RFC 9293 3.8.3")                                                        \
  X(Unreachable, "the network says that the peer cannot be reached", "RFC 9293 3.9.2.2")                       \
  X(NobodyReads, "data came for an application that has closed", "RFC 2525 2.16")                              \
  X(NobodyWaits, "the application has closed and the peer does not", "tcp(7) tcp_fin_timeout")                 \
  X(Retransmit, "retransmission", "RFC 6298 5")                                                                \
  X(LossDetection, "loss probe or reordering", "RFC 8985 6, 7")                                                \
  X(Persist, "window probe", "RFC 9293 3.8.6.1")                                                               \
  X(DelayedAck, "delayed ACK", "RFC 9293 3.8.6.3")                                                             \
  X(KeepAlive, "keep-alive", "RFC 9293 3.8.4")                                                                 \
  /* fast open */                                                                                              \
  X(FastOpenRequest, "no cookie of this server: the SYN asks for one", "RFC 7413 4.2.1")                       \
  X(FastOpenData, "the SYN carries data", "RFC 7413 4.2.2")                                                    \
  X(FastOpenTaken, "the data in the SYN is acknowledged", "RFC 7413 4.2.2")                                    \
  X(FastOpenIgnored, "the data in the SYN is not acknowledged: sent again", "RFC 7413 4.2.2")                  \
  X(FastOpenSynLost, "no answer to such a SYN: the next one is an ordinary one", "RFC 7413 4.2.2")             \
  X(FastOpenPaused, "such SYNs were lost before: an ordinary one", "RFC 7413 4.1.3.1")                         \
  X(FastOpenAccepted, "the cookie is right: open before the handshake is done", "RFC 7413 4.2.2")              \
  X(FastOpenCookieGiven, "asked for a cookie: an ordinary handshake", "RFC 7413 4.2.1")                        \
  X(FastOpenBadCookie, "the cookie is not one of ours: an ordinary handshake", "RFC 7413 4.2.2")               \
  X(FastOpenQueueFull, "too many wait for their handshakes: an ordinary one", "RFC 7413 5.1")
// clang-format on

enum class Reason : std::uint8_t {
#define TRANSOM_ENUMERATOR(name, words, source) k##name,
  TRANSOM_REASONS(TRANSOM_ENUMERATOR)
#undef TRANSOM_ENUMERATOR
};

std::string_view to_string(Reason reason);  // "TailLossProbe"
std::string_view words_of(Reason reason);   // "probe: no ACK came for two round trips"
std::string_view source_of(Reason reason);  // "RFC 8985 7.3"

}  // namespace transom
