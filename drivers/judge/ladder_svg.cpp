#include "drivers/judge/ladder_svg.h"

#include <fmt/format.h>

#include "drivers/markup.h"

namespace transom::drivers::judge {

namespace {

constexpr int kLeft = 260, kRight = 860, kWidth = 1080, kRow = 26, kHead = 44, kNote = 15;

std::string text_at(int x, int y, std::string_view anchor, std::string_view style, std::string_view text) {
  return fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n", x, y, anchor,
                     style, escape_markup(text));
}

int height_of(const Ladder& ladder) {
  int height = kHead + kRow;
  for (const Ladder::Row& row : ladder.rows) height += kRow + kNote * static_cast<int>(row.notes.size());
  return height;
}

std::string row_at(const Ladder::Row& row, int y, Duration origin) {
  const LadderStep& step = row.step;
  const bool is_forth = step.from == Side::kFirst;
  const std::string_view kind = row.is_marked    ? "marked"
                                : step.is_copy   ? "copy"
                                : step.is_repeat ? "again"
                                                 : "sent";
  std::string text = text_at(60, y, "end", "frame", fmt::format("{}", step.frame));
  text += text_at(140, y, "end", "time",
                  fmt::format("{:.6f}", std::chrono::duration<double>(step.time - origin).count()));
  text += text_at(kLeft - 8, y, "end", "state", step.states[0]);
  text += text_at(kRight + 8, y, "start", "state", step.states[1]);
  text +=
      fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" class=\"{}\" marker-end=\"url(#head)\"/>\n",
                  is_forth ? kLeft : kRight, y, is_forth ? kRight - 2 : kLeft + 2, y + 6, kind);
  text += text_at((kLeft + kRight) / 2, y - 3, "middle", kind, step.text);
  for (std::size_t i = 0; i < row.notes.size(); ++i)
    text += text_at(kLeft + 12, y + 8 + kNote * static_cast<int>(i + 1), "start", "note", row.notes[i]);
  return text;
}

std::string ladder_at(const Ladder& ladder, int top) {
  const int bottom = top + height_of(ladder) - kRow;
  std::string text = text_at(kLeft, top + 24, "middle", "end", ladder.head.ends[0]);
  text += text_at(kRight, top + 24, "middle", "end", ladder.head.ends[1]);
  for (const int x : {kLeft, kRight})
    text += fmt::format("<line x1=\"{0}\" y1=\"{1}\" x2=\"{0}\" y2=\"{2}\" class=\"rail\"/>\n", x, top + 32,
                        bottom);
  int y = top + kHead + 12;
  for (const Ladder::Row& row : ladder.rows) {
    text += row_at(row, y, ladder.rows.front().step.time);
    y += kRow + kNote * static_cast<int>(row.notes.size());
  }
  return text;
}

}  // namespace

std::string ladder_svg(const std::vector<Ladder>& ladders) {
  int height = 0;
  std::string body;
  for (const Ladder& ladder : ladders) {
    body += ladder_at(ladder, height);
    height += height_of(ladder);
  }
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\">\n"
      "<style>text{{font:12px monospace;fill:#222}}.time,.frame{{fill:#777}}.end{{font-weight:bold}}"
      ".state{{fill:#06c}}.note{{fill:#777;font-style:italic}}text.again,text.marked{{fill:#c00}}text.copy{{"
      "fill:#999}}"
      "line{{stroke:#222;stroke-width:1.2}}line.again{{stroke:#c00}}line.copy{{stroke:#999;stroke-dasharray:"
      "3}}"
      "line.marked{{stroke:#c00;stroke-width:2.5}}line.rail{{stroke:#bbb}}</style>\n"
      "<defs><marker id=\"head\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" "
      "markerHeight=\"7\" "
      "orient=\"auto\"><path d=\"M0 0L10 5L0 10z\"/></marker></defs>\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"#fff\"/>\n{2}</svg>\n",
      kWidth, height + kRow, body);
}

std::string ladder_html(const std::vector<Ladder>& ladders, std::string_view title) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{0}</title>\n"
      "<style>body{{font-family:sans-serif;margin:1em}}</style>\n<h1>{0}</h1>\n"
      "<p>Numbers from the SYN on; states as if all that passed had arrived. Red: sent "
      "again.</p>\n{1}</html>\n",
      escape_markup(title), ladder_svg(ladders));
}

}  // namespace transom::drivers::judge
