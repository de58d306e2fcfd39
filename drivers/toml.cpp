#define TOML_IMPLEMENTATION
#include "drivers/toml.h"
