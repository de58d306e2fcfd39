// A stream is the same each time it is sent, and ends at its FIN (RFC 9293 §3.6, §3.8.1).
#pragma once

#include "drivers/judge/scene.h"
#include "drivers/judge/sent_text.h"

namespace transom::drivers::judge {

class TextRules {
 public:
  explicit TextRules(TextBudget& budget) : texts_{SentText(budget), SentText(budget)} {}
  void judge(const Scene& scene);

 private:
  void judge_octets(const Scene& scene);
  void judge_fin(const Scene& scene);
  void judge_keep_alive(const Scene& scene);

  std::array<SentText, 2> texts_;
};

}  // namespace transom::drivers::judge
