// Ladders and state diagrams of conversations.
#include "drivers/judge/ladder_svg.h"
#include "drivers/judge/state_diagram.h"
#include "tests/unit/drivers/judge/talk.h"

namespace transom::drivers::judge::test {
namespace {

using testing::HasSubstr;

void whole_connection(Talk& talk) {
  talk.open_with_sack();
  talk.first({.flags = "PA", .length = 100});
  talk.second({.ack = 1, .sack = {{51, 101}}});
  talk.first({.seq = 1, .length = 100, .after = std::chrono::seconds(1)});
  talk.second({});
  talk.first({.flags = "FA"});
  talk.second({.flags = "FA"});
  talk.first({});
}

TEST(Ladder, HasALineForEachSegmentWithStatesAndRelativeNumbers) {
  std::vector<LadderStep> steps;
  LadderHead head;
  JudgeOptions options;
  options.on_segment = [&](const SegmentEvent& event) {
    head = head_of(event);
    steps.push_back(step_of(event));
  };
  Talk talk(std::move(options));
  whole_connection(talk);
  ASSERT_EQ(steps.size(), 10U);
  EXPECT_EQ(steps[0].text, "S 0 win 65535 mss 1460 sackOK");
  EXPECT_EQ(steps[0].states, (std::array<std::string, 2>{"SYN-SENT", "LISTEN"}));
  EXPECT_EQ(steps[1].text, "S. 0 ack 1 win 65535 mss 1460 sackOK");
  EXPECT_EQ(steps[3].text, "P. 1:101 (100) ack 1 win 65535");
  EXPECT_EQ(steps[4].text, ". ack 1 win 65535 sack 51:101");
  EXPECT_EQ(steps[5].text, ". 1:101 (100) ack 1 win 65535 again");
  EXPECT_EQ(steps[7].states, (std::array<std::string, 2>{"FIN-WAIT-1", "CLOSE-WAIT"}));
  EXPECT_EQ(steps[9].states, (std::array<std::string, 2>{"", "CLOSED"}));
  EXPECT_EQ(head.ends, (std::array<std::string, 2>{"10.0.0.1:4000", "10.0.0.2:80"}));
}

TEST(Ladder, LinesKeepToTheWidth) {
  for (const std::size_t width : {60U, 66U, 80U, 120U}) {
    const LadderText text(width);
    LadderStep step{
        .frame = 12345, .text = std::string(300, 'x'), .states = {"SYN-RECEIVED", "SYN-RECEIVED"}};
    EXPECT_THAT(text.line(step, {}), HasSubstr(".."));
    step.text = ". ack 1";
    const std::string forth = text.line(step, {});
    step.from = Side::kSecond;
    EXPECT_EQ(forth.size(), text.line(step, {}).size());
    EXPECT_LE(forth.size(), std::max<std::size_t>(width, 66) + 1);
  }
}

TEST(Ladder, PicturesEscapeWhatPacketsBring) {
  Ladder ladder;
  ladder.head.ends = {"a", "b"};
  ladder.rows.push_back({.step = {.text = "<script>&\""}, .notes = {"<b>"}, .is_marked = true});
  const std::string page = ladder_html({ladder}, "<title>");
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;&amp;&quot;"));
  EXPECT_THAT(page, HasSubstr("&lt;b&gt;"));
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("http://"), page.find("http://www.w3.org/2000/svg"))
      << "it needs nothing from elsewhere";
}

TEST(StateDiagram, CountsTheEdgesThatWereGone) {
  StateDiagram diagram;
  JudgeOptions options;
  options.on_segment = [&](const SegmentEvent& event) { diagram.count(event); };
  Talk talk(std::move(options));
  whole_connection(talk);
  std::size_t gone = 0;
  for (const StateEdge& edge : diagram.edges()) {
    EXPECT_LE(edge.count, 1U);
    EXPECT_TRUE(edge.is_of_figure);
    gone += edge.count;
  }
  EXPECT_EQ(gone, 10U) << talk.text();
  EXPECT_THAT(diagram.dot(), HasSubstr("\"CLOSE-WAIT\" -> \"LAST-ACK\" [label=\"CLOSE / snd FIN\\n1 times"));
  EXPECT_THAT(diagram.dot(),
              HasSubstr("\"SYN-SENT\" -> \"SYN-RECEIVED\" [label=\"rcv SYN / snd SYN,ACK\", color=grey"));
}

TEST(StateDiagram, ResetsAreEdgesOfTheirOwn) {
  StateDiagram diagram;
  JudgeOptions options;
  options.on_segment = [&](const SegmentEvent& event) { diagram.count(event); };
  Talk talk(std::move(options));
  talk.open();
  talk.first({.flags = "RA"});
  const auto edges = diagram.edges();
  EXPECT_EQ(edges.back().cause, "reset");
  EXPECT_EQ(edges.back().count, 2U) << "both ends are closed by it";
}

}  // namespace
}  // namespace transom::drivers::judge::test
