// A network of our own to work in: the namespaces that a tool makes when it is not given a device. The host's
// network is left alone and root is not needed.
#pragma once

#include <sys/types.h>

#include <string>

namespace transom::tools {

// Moves this process into a new network namespace, and, when it lacks the right to make one, into a new user
// namespace first, where it is root. Brings up lo. Must be called before any thread is started. Throws
// Failure(kEnvironment). Returns the command with which a person can enter the namespace.
std::string enter_private_network();

// In a new user namespace: makes this process root there, and outside the user that it was. False, with
// errno.
bool map_root(uid_t user, gid_t group);

// Why a user namespace cannot be made here, in one line with what to do about it; empty when it can. Forks to
// find out.
std::string user_namespace_problem();

// Becomes root in the user namespace of another process of this user, when that is another one. Before any
// thread is started. Throws Failure.
void join_user_namespace(pid_t process);

// As many open files as this process is allowed to have: each socket of a program that is supervised is one
// of ours.
void raise_descriptor_limit();

}  // namespace transom::tools
