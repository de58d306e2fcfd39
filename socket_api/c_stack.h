// What a transom_stack of the C API is. A C++ program may put the C API on a Stack of its own making.
#pragma once

#include <memory>

#include "socket_api/descriptor_table.h"
#include "socket_api/stack_instance.h"
#include "socket_api/transom.h"

struct transom_stack {
  explicit transom_stack(std::unique_ptr<transom::sockets::Stack> the_stack)
      : owned(std::move(the_stack)), stack(*owned) {}
  explicit transom_stack(transom::sockets::Stack& the_stack) : stack(the_stack) {}
  ~transom_stack();  // closes what is open
  transom_stack(const transom_stack&) = delete;
  transom_stack& operator=(const transom_stack&) = delete;

  std::unique_ptr<transom::sockets::Stack> owned;
  transom::sockets::Stack& stack;
  transom::sockets::DescriptorTable descriptors;
};
