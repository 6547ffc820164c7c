// The first program of a Raspberry Pi that runs /agent and nothing else, on its mini UART.

#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#define LINE "/dev/ttyS1"
#define TRIES 300
#define TRY_US 100000

int main(void)
{
    int failed = mount("proc", "/proc", "proc", 0, NULL) != 0;
    failed |= mount("sysfs", "/sys", "sysfs", 0, NULL) != 0;
    failed |= mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) != 0;
    for (int i = 0; !failed && i < TRIES && access(LINE, F_OK) != 0; ++i) {
        (void)usleep(TRY_US);
    }
    (void)execl("/agent", "/agent", "--serial", LINE, "--baud", "115200", (char *)NULL);
    perror("init");
    return 1;
}
