// What a shared object with a congestion control defines. docs/congestion-control.md walks through one.
//
// The number in the name is that of the interface in congestion_control.h: it changes when that changes in a
// way that an object compiled before would not survive. The object is compiled against the headers alone.
#pragma once

#include "stack/tcp/congestion/congestion_control.h"

// The factory, and all that it points to, lives as long as the object is loaded, which is as long as the
// program. Never null.
extern "C" [[gnu::visibility("default")]] const transom::tcp::CongestionFactory*
transom_congestion_control_v1();
