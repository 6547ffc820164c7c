set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
# There is nothing that a linked test program could run on.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
