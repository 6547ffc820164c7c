// Where requests come from and answers go to. One of
//
//     --stdio                            standard input and output; the default
//     --listen ADDRESS:PORT              TCP, one connection after the other; PORT 0 is any that is free
//     --socket PATH                      a Unix socket, likewise
//     --serial DEVICE [--baud RATE]      a serial line, at 115200 baud by default
//
// What listens says so on standard output first: `listening on 127.0.0.1:40123`, `listening on PATH`.

#ifndef LINE_H
#define LINE_H

// Opens the line that the arguments name. Ends the program, and says why, where it cannot.
void line_open(void);

#endif
