#include "drivers/judge/segment.h"

namespace transom::drivers::judge {

ReceiptProof::ReceiptProof(const Segment& segment, const PassiveEndpoint& sender) {
  if (segment.end > sender.sent_end) new_end_ = segment.end;
  const auto& timestamps = segment.header().options.timestamps;
  if (timestamps && sender.latest_timestamp &&
      static_cast<std::int32_t>(timestamps->value - *sender.latest_timestamp) > 0)
    new_timestamp_ = timestamps->value;
}

bool ReceiptProof::is_given_by(const Segment& answer) const {
  if (new_end_ && answer.ack && *answer.ack >= *new_end_) return true;
  const auto& timestamps = answer.header().options.timestamps;
  return new_timestamp_ && timestamps && answer.flags().ack &&
         static_cast<std::int32_t>(timestamps->echo - *new_timestamp_) >= 0;
}

}  // namespace transom::drivers::judge
