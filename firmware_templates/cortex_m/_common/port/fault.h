// What the vector table needs of fault.c.

#ifndef PORT_FAULT_H
#define PORT_FAULT_H

// The handler of every exception that nothing else handles. It ends the firmware: from there on, it tells the host what
// happened.
void fault_handler(void);

#endif
