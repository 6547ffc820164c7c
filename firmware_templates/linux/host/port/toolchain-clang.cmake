set(CMAKE_C_COMPILER clang)
