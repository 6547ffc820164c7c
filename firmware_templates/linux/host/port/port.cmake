# Constants that hold pointers stay constant in a program that is not relocated.
target_compile_options(firmware PRIVATE -fno-pie)
target_link_options(firmware PRIVATE -no-pie)
