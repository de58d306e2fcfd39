#include "drivers/judge/text_rules.h"

namespace transom::drivers::judge {

void TextRules::judge(const Scene& scene) {
  if (scene.segment.is_copy || scene.segment.flags().rst) return;
  judge_keep_alive(scene);
  judge_fin(scene);
  judge_octets(scene);
}

void TextRules::judge_octets(const Scene& scene) {
  const Segment& segment = scene.segment;
  SentText& text = texts_[index_of(segment.side)];
  if (scene.to.acked) text.forget_below(*scene.to.acked - static_cast<Position>(SentText::kMaxOctets / 4));
  if (segment.text_length() == 0 || !segment.view->has_whole_payload() || !segment.is_verified()) return;
  // RFC 9293 §3.8.4: a keep-alive may carry any octet.
  const bool may_be_garbage =
      segment.text_length() == 1 && scene.to.acked && segment.text_begin == *scene.to.acked - 1;
  if (may_be_garbage) return;
  if (const auto place = text.first_difference(segment.text_begin, segment.view->payload)) {
    scene.report.violation(rule::kTextDiffers, segment, "octet {} of {}:{} is another than before", *place,
                           segment.text_begin, segment.text_end);
    return;
  }
  text.keep(segment.text_begin, segment.view->payload);
}

void TextRules::judge_fin(const Scene& scene) {
  const Segment& segment = scene.segment;
  const auto& fin_at = scene.from.fin_at;
  // Far behind it, it is another connection, whose beginning has not passed.
  if (fin_at && segment.text_length() > 0 && segment.text_begin > scene.from.sent_end)
    scene.report.unknown(rule::kDataAfterFin, segment,
                         "sends {}:{}, the FIN was at {}; or the capture has missed a SYN",
                         segment.text_begin, segment.text_end, *fin_at);
  else if (fin_at && segment.text_length() > 0 && segment.text_end > *fin_at)
    scene.report.violation(rule::kDataAfterFin, segment, "sends {}:{}, the FIN was at {}", segment.text_begin,
                           segment.text_end, *fin_at);
  if (!segment.flags().fin) return;
  if (fin_at && segment.text_end != *fin_at)
    scene.report.violation(rule::kFinMoves, segment, "FIN at {} after {}", segment.text_end, *fin_at);
  else if (!fin_at && segment.end < scene.from.sent_end)  // a later ACK has the number behind the FIN
    scene.report.violation(rule::kDataAfterFin, segment, "FIN at {}, sent were {}", segment.text_end,
                           scene.from.sent_end);
}

void TextRules::judge_keep_alive(const Scene& scene) {
  const Segment& segment = scene.segment;
  const bool is_probe = segment.text_length() <= 1 && !segment.flags().syn && !segment.flags().fin &&
                        scene.to.acked && *scene.to.acked == scene.from.sent_end &&
                        segment.begin == scene.from.sent_end - 1 && scene.from.sent_end > 1 &&
                        !scene.from.fin_at && scene.to.window != 0U && scene.from.last_sent &&
                        scene.to.last_sent;
  if (!is_probe) return;
  const Duration idle = segment.time() - std::max(*scene.from.last_sent, *scene.to.last_sent);
  if (idle < std::chrono::hours(2) && idle > Duration{})
    scene.report.noteworthy(rule::kKeepAliveEarly, segment, "a keep-alive probe after {:.1f} s",
                            std::chrono::duration<double>(idle).count());
}

}  // namespace transom::drivers::judge
