# Clang compiles. Headers, libraries and linker are the Arm GNU toolchain's, which knows where it has those of each core.

set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER clang)
set(CMAKE_C_COMPILER_TARGET arm-none-eabi)
set(CMAKE_C_FLAGS_INIT -fshort-enums) # as the library has them
set(CMAKE_C_LINK_EXECUTABLE
  "arm-none-eabi-gcc -Wl,-z,noexecstack <CMAKE_C_LINK_FLAGS> <LINK_FLAGS> <OBJECTS> -o <TARGET> <LINK_LIBRARIES>"
)
set(CMAKE_OBJCOPY arm-none-eabi-objcopy CACHE FILEPATH "")
# There is nothing that a linked test program could run on.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

# The C library's headers are where GCC looks for them, in the last of its folders; those before it are GCC's own.
execute_process(
  COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C arm-none-eabi-gcc -E -v -x c /dev/null
  OUTPUT_QUIET
  ERROR_VARIABLE search
  RESULT_VARIABLE failed
)
string(REGEX MATCH "\n ([^\n]+)\nEnd of search list" found "${search}")
if(failed OR NOT found)
  message(FATAL_ERROR "arm-none-eabi-gcc does not run: it has the C library that Clang needs")
endif()
get_filename_component(CMAKE_C_STANDARD_INCLUDE_DIRECTORIES "${CMAKE_MATCH_1}" REALPATH)
