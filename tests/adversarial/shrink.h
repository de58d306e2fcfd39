// Makes a scenario that fails smaller while it goes on failing.
#pragma once

#include <functional>

#include "tests/adversarial/scenario.h"

namespace transom::test {

// `fails`: whether this scenario still shows the same trouble. It is asked at most `tries` times.
Scenario shrink(Scenario scenario, const std::function<bool(const Scenario&)>& fails, std::size_t tries);

}  // namespace transom::test
