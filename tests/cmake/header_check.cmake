# Every header must compile on its own: a source file that includes nothing else is generated for each.
if(TRANSOM_SANITIZE)
  return()  # once is enough: the release build does it
endif()
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
  ${PROJECT_SOURCE_DIR}/stack/*.h ${PROJECT_SOURCE_DIR}/drivers/*.h ${PROJECT_SOURCE_DIR}/socket_api/*.h)
foreach(header IN LISTS headers)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/header_check/${header}.cpp)
  # Twice: a header without an include guard fails too.
  file(CONFIGURE OUTPUT ${source} CONTENT "#include \"${header}\"\n#include \"${header}\"\n" @ONLY)
  list(APPEND header_check_sources ${source})
endforeach()
add_library(header_check OBJECT EXCLUDE_FROM_ALL ${header_check_sources})
target_compile_options(header_check PRIVATE -fsyntax-only)
target_link_libraries(header_check PRIVATE transom_sockets transom_warnings)
