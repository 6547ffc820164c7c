// The device side of MLPerf Tiny's serial protocol, on the same line as the records (docs/mlperf.md of Microwright).

#ifndef MW_MLPERF_H
#define MW_MLPERF_H

#include "mw_link.h"

// Answers a command, without its '%'. `arena` is NULL where the model could not be set up. The command's text is
// changed; inputs, outputs and state in the arena are lost. Returns how often the model ran.
uint32_t mw_mlperf_serve(struct mw_link *link, char *command, uint8_t *arena);

#endif
