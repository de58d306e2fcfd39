// A replay's result as one self-contained page.
#include "drivers/markup.h"
#include "tools/replay_report.h"

namespace transom::tools {

using drivers::escape_markup;
using drivers::judge::Finding;
using drivers::replay::FlowReport;
using drivers::replay::StreamCheck;

namespace {

std::string item_of(const Finding& finding) {
  return fmt::format("<li><b class=\"{0}\">{0}</b> packet {1} of what happened, {2}: {3} <i>{4}</i></li>\n",
                     to_string(finding.verdict), finding.frame, escape_markup(to_string(finding.from)),
                     escape_markup(finding.text), escape_markup(finding.rule->section));
}

std::string flow_html(const FlowReport& flow) {
  std::string html =
      fmt::format("<h2>{}: <span class=\"{}\">{}</span></h2>\n<ul>\n", escape_markup(title_of(flow)),
                  to_string(flow.likeness()), to_string(flow.likeness()));
  for (const std::string& note : flow.notes) html += fmt::format("<li>{}</li>\n", escape_markup(note));
  if (flow.is_tcp && flow.tcp.received.length(StreamCheck::Side::kRecorded) > 0)
    html += fmt::format("<li>octets read: {}</li>\n", flow.octets_are_equal() ? "equal" : "NOT equal");
  if (!flow.tcp.stall.empty()) html += fmt::format("<li>stalled: {}</li>\n", escape_markup(flow.tcp.stall));
  for (const auto& [difference, count] : differences_of(flow)) {
    html += fmt::format("<li><b class=\"{0}\">{0}</b> {1} &times; {2} <i>{3}</i></li>\n",
                        to_string(difference->verdict), count, escape_markup(difference->title),
                        escape_markup(difference->section));
  }
  for (const Finding& finding : flow.findings) html += item_of(finding);
  if (const auto left_out = flow.comparison.left_out + (flow.peer ? flow.peer->left_out : 0); left_out > 0)
    html += fmt::format("<li>{} packets, far from what was found, are not shown</li>\n", left_out);
  html += "</ul>\n<table><tr><th>packet</th><th>recorded</th><th>actual</th><th></th></tr>\n";
  for (const LadderLine& line : ladder_of(flow)) {
    const std::string arrow = line.is_ours ? "&rarr; " : "&larr; ";
    const auto cell = [&](const std::string& text) {
      return text.empty() ? text : arrow + escape_markup(text);
    };
    html += fmt::format("<tr class=\"{}{}\"><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                        line.is_ours ? "ours " : "", to_string(line.likeness),
                        line.number == 0 ? "" : fmt::format("{}", line.number), cell(line.recorded),
                        cell(line.actual), escape_markup(line.remark));
  }
  return html + "</table>\n";
}

}  // namespace

std::string to_html(const ReplayReport& report) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>replay of {0}</title><style>\n"
      "body{{font:14px sans-serif;margin:2em}} table{{border-collapse:collapse;font:12px monospace}}\n"
      "td,th{{padding:1px 10px;text-align:left;border-bottom:1px solid #eee;white-space:nowrap}}\n"
      "tr.ours{{background:#f6f9ff}} tr.legal td{{color:#664d03}} tr.unknown td{{color:#5a189a}}\n"
      "tr.violation td{{background:#fde2e1;color:#842029}} .violation{{color:#b02a37}} "
      ".same{{color:#146c43}}\n"
      ".legal{{color:#664d03}} .unknown{{color:#5a189a}}\n"
      "</style></head><body>\n<h1>{0}: <span class=\"{1}\">{1}</span></h1>\n<p>{2}; {3} packets</p>\n",
      escape_markup(report.capture), to_string(report.likeness()), escape_markup(report.role),
      report.packets);
  if (!report.end.empty()) html += fmt::format("<p>{}</p>\n", escape_markup(report.end));
  for (const std::string& note : report.notes) html += fmt::format("<p>{}</p>\n", escape_markup(note));
  if (report.waiting > 0)
    html += fmt::format("<p class=\"violation\">{} recorded connections: nobody came for them</p>\n",
                        report.waiting);
  for (const FlowReport& flow : report.flows) html += flow_html(flow);
  if (!report.others.empty()) {
    html += "<h2>besides</h2>\n<ul>\n";
    for (const Finding& finding : report.others) html += item_of(finding);
    html += "</ul>\n";
  }
  return html + "</body></html>\n";
}

}  // namespace transom::tools
