#include "tools/junit.h"

#include <algorithm>
#include <pugixml.hpp>
#include <sstream>

namespace transom::tools {

namespace {

void add(pugi::xml_node suite, const JunitCase& one) {
  pugi::xml_node test = suite.append_child("testcase");
  test.append_attribute("classname") = one.classname.c_str();
  test.append_attribute("name") = one.name.c_str();
  if (one.skipped) test.append_child("skipped").append_attribute("message") = one.skipped->c_str();
  if (!one.failure) return;
  pugi::xml_node failure = test.append_child("failure");
  failure.append_attribute("message") = one.failure->message.c_str();
  if (!one.failure->text.empty()) failure.text().set(one.failure->text.c_str());
}

}  // namespace

std::string to_junit(const std::string& name, const std::vector<JunitSuite>& suites) {
  pugi::xml_document document;
  pugi::xml_node all = document.append_child("testsuites");
  all.append_attribute("name") = name.c_str();
  for (const JunitSuite& one : suites) {
    const auto count = [&](auto is) { return static_cast<unsigned>(std::ranges::count_if(one.cases, is)); };
    pugi::xml_node suite = all.append_child("testsuite");
    suite.append_attribute("name") = one.name.c_str();
    suite.append_attribute("tests") = static_cast<unsigned>(one.cases.size());
    suite.append_attribute("failures") =
        count([](const JunitCase& test) { return test.failure.has_value(); });
    suite.append_attribute("skipped") = count([](const JunitCase& test) { return test.skipped.has_value(); });
    for (const JunitCase& test : one.cases) add(suite, test);
  }
  std::ostringstream out;
  document.save(out, "  ");
  return out.str();
}

}  // namespace transom::tools
