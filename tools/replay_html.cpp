// A replay's result as one self-contained page.
#include "tools/http_message.h"
#include "tools/replay_report.h"

namespace transom::tools {

using drivers::judge::Finding;
using drivers::replay::FlowReport;
using drivers::replay::StreamCheck;

namespace {

std::string item_of(const Finding& finding) {
  return fmt::format("<li><b class=\"{0}\">{0}</b> packet {1} of what happened, {2}: {3} <i>{4}</i></li>\n",
                     to_string(finding.verdict), finding.frame, html_escape(to_string(finding.from)),
                     html_escape(finding.text), html_escape(finding.rule->section));
}

std::string flow_html(const FlowReport& flow) {
  std::string html =
      fmt::format("<h2>{}: <span class=\"{}\">{}</span></h2>\n<ul>\n", html_escape(title_of(flow)),
                  to_string(flow.likeness()), to_string(flow.likeness()));
  for (const std::string& note : flow.notes) html += fmt::format("<li>{}</li>\n", html_escape(note));
  if (flow.is_tcp && flow.tcp.received.length(StreamCheck::Side::kRecorded) > 0)
    html += fmt::format("<li>octets read: {}</li>\n", flow.octets_are_equal() ? "equal" : "NOT equal");
  if (!flow.tcp.stall.empty()) html += fmt::format("<li>stalled: {}</li>\n", html_escape(flow.tcp.stall));
  for (const auto& [difference, count] : differences_of(flow)) {
    html += fmt::format("<li><b class=\"{0}\">{0}</b> {1} &times; {2} <i>{3}</i></li>\n",
                        to_string(difference->verdict), count, html_escape(difference->title),
                        html_escape(difference->section));
  }
  for (const Finding& finding : flow.findings) html += item_of(finding);
  html += "</ul>\n<table><tr><th>packet</th><th>recorded</th><th>actual</th><th></th></tr>\n";
  for (const LadderLine& line : ladder_of(flow)) {
    const std::string arrow = line.is_ours ? "&rarr; " : "&larr; ";
    const auto cell = [&](const std::string& text) {
      return text.empty() ? text : arrow + html_escape(text);
    };
    html += fmt::format("<tr class=\"{}{}\"><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                        line.is_ours ? "ours " : "", to_string(line.likeness),
                        line.number == 0 ? "" : fmt::format("{}", line.number), cell(line.recorded),
                        cell(line.actual), html_escape(line.remark));
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
      html_escape(report.capture), to_string(report.likeness()), html_escape(report.role), report.packets);
  if (!report.end.empty()) html += fmt::format("<p>{}</p>\n", html_escape(report.end));
  for (const std::string& note : report.notes) html += fmt::format("<p>{}</p>\n", html_escape(note));
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
