// The program's arguments: `--name value` and `--name`, in any order.

#ifndef ARGUMENTS_H
#define ARGUMENTS_H

// What stands behind `--name`; "" where nothing does, NULL where the option was not given.
const char *argument(const char *name);

#endif
