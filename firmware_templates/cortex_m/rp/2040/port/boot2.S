// Second stage of RP2040's start. The boot ROM copies the first 256 bytes of the flash to RAM, compares their CRC and
// runs them, with the return address 0. They make the flash readable in the address space, and go on with its vectors.
//
// It is for Winbond's W25Q, which the Pico has: those read fastest by EBh, Fast Read Quad I/O, with mode bits that save the
// command from then on. It takes the bit QE of status register 2, which is set for as long as the chip has power, so that
// nothing wears and no block loses its protection. Flash chips of other makers are read by 03h, which all have: status
// register 2 is not asked for, since its command puts some (ISSI's, Macronix's) into a mode that 03h does not end. So are
// those of Winbond's where what is read by EBh is not what the boot ROM has read: the last quad read then has mode bits
// that end it. Waits have a common bound, behind which 03h is tried.
//
// boot2.c has the machine code as words: tools/boot2.py makes it. At most 252 bytes; position-independent; no stack
// but the boot ROM's.

    .syntax unified
    .cpu cortex-m0plus
    .thumb

    .equ PADS_QSPI, 0x40020000
    .equ PAD_SCLK, 0x04 // SD0 to SD3 behind it
    .equ PAD_8_MA_FAST, 2 << 4 | 1 << 0
    .equ PAD_INPUT_4_MA, 1 << 6 | 1 << 4 // no Schmitt trigger, which delays

    .equ SSI, 0x18000000
    .equ SSI_CTRLR0, 0x00
    .equ SSI_CTRLR1, 0x04
    .equ SSI_SSIENR, 0x08
    .equ SSI_BAUDR, 0x14
    .equ SSI_SR, 0x28
    .equ SSI_DR0, 0x60
    .equ SSI_RX_SAMPLE_DLY, 0xf0 // SPI_CTRLR0 behind it
    .equ SR_BUSY_BIT, 0
    .equ SR_TFE_BIT, 2
    .equ SR_RFNE_BIT, 3

    // Frames of 8 bits both ways; frames of 32 bits that are read after a command.
    .equ CTRLR0_BYTES, 7 << 16
    .equ CTRLR0_SERIAL, 31 << 16 | 3 << 8
    .equ CTRLR0_QUAD, 2 << 21 | 31 << 16 | 3 << 8

    // Of an address and mode bits: quad, behind a serial command or behind none; 4 cycles' wait. Of 03h: all serial.
    .equ SPI_QUAD_FIRST, 8 << 2 | 4 << 11 | 2 << 8 | 1
    .equ SPI_QUAD, 0xa0 << 24 | 8 << 2 | 4 << 11 | 0 << 8 | 2
    .equ SPI_SERIAL, 0x03 << 24 | 6 << 2 | 2 << 8

    // Of the core's 133 MHz: 66.5 MHz, of W25Q's 133; and 33.25 MHz, of its 50 for 03h.
    .equ DIVIDER_QUAD, 2
    .equ DIVIDER_SERIAL, 4

    .equ READ_MAKER, 0x9f
    .equ MAKER_WINBOND, 0xef
    .equ WRITE_STATUS, 0x01
    .equ READ_STATUS_1, 0x05
    .equ READ_STATUS_2, 0x35
    .equ WRITE_ENABLE_VOLATILE, 0x50
    .equ READ_QUAD, 0xeb
    .equ MODE_CONTINUOUS, 0xa0
    .equ STATUS_2_QE, 1 << 1

    .equ XIP_VECTORS, 0x10000100
    .equ XIP_UNCACHED_CRC, 0x130000fc
    .equ VTOR, 0xe000ed08

    .text
    .global boot2
    .thumb_func
boot2:
    push {r4, r5, r6, r7, lr}
    ldr r0, =PADS_QSPI + PAD_SCLK
    movs r1, #PAD_8_MA_FAST
    movs r2, #PAD_INPUT_4_MA
    movs r3, r2
    stm r0!, {r1, r2, r3}
    stm r0!, {r2, r3}
    lsls r3, #8 // how often drain looks at the interface: 20480 times in all

    movs r4, #SSI >> 24
    lsls r4, #24
    movs r5, #DIVIDER_SERIAL
    movs r7, #CTRLR0_BYTES >> 16
    lsls r7, #16
    bl configure
    movs r0, #READ_MAKER
    bl command
    cmp r0, #MAKER_WINBOND
    bne serial

    // Status register 1 as it is, 2 with QE.
    movs r0, #READ_STATUS_2
    bl command
    movs r6, #STATUS_2_QE
    orrs r6, r0
    cmp r6, r0
    beq quad
    movs r0, #READ_STATUS_1
    bl command
    mov r5, r0
    movs r0, #WRITE_ENABLE_VOLATILE
    bl send
    movs r0, #WRITE_STATUS
    str r0, [r4, #SSI_DR0]
    str r5, [r4, #SSI_DR0]
    mov r0, r6
    bl send
1:  movs r0, #READ_STATUS_1
    bl command
    lsrs r0, #1 // busy
    bcs 1b

quad:
    movs r5, #DIVIDER_QUAD
    ldr r7, =CTRLR0_QUAD
    ldr r1, =SPI_QUAD_FIRST
    bl configure
    movs r0, #READ_QUAD
    str r0, [r4, #SSI_DR0]
    movs r0, #MODE_CONTINUOUS
    bl send
    ldr r1, =SPI_QUAD
    bl configure
    ldr r6, =XIP_UNCACHED_CRC
    ldr r0, [r6]
    ldr r2, crc
    cmp r0, r2
    beq done
    uxth r1, r1 // mode bits 0
    bl configure
    ldr r0, [r6]

serial:
    movs r5, #DIVIDER_SERIAL
    ldr r7, =CTRLR0_SERIAL
    ldr r1, =SPI_SERIAL
    bl configure

done:
    ldr r0, [sp, #16]
    cmp r0, #0
    beq 2f
    pop {r4, r5, r6, r7, pc}
2:  ldr r0, =XIP_VECTORS
    ldr r1, =VTOR
    str r0, [r1]
    ldm r0!, {r1, r2}
    msr msp, r1
    bx r2

// r1: SPI_CTRLR0, r4: SSI, r5: divider, r7: CTRLR0. Leaves r1.
configure:
    movs r0, #0
    str r0, [r4, #SSI_SSIENR]
    str r5, [r4, #SSI_BAUDR]
    str r7, [r4, #SSI_CTRLR0]
    str r0, [r4, #SSI_CTRLR1]
    movs r0, #1
    movs r2, #SSI_RX_SAMPLE_DLY
    adds r2, r4
    stm r2!, {r0, r1}
    str r0, [r4, #SSI_SSIENR]
    bx lr

// r0: a command that one byte answers. Returns the byte in r0.
command:
    str r0, [r4, #SSI_DR0]

// r0: what is sent last.
send:
    str r0, [r4, #SSI_DR0]

// Waits until all is sent, and returns the last byte that was received in r0.
drain:
    subs r3, #1
    beq serial
    ldr r1, [r4, #SSI_SR]
    lsrs r2, r1, #SR_TFE_BIT + 1
    bcc drain
    lsrs r2, r1, #SR_BUSY_BIT + 1
    bcs drain
3:  ldr r0, [r4, #SSI_DR0]
    ldr r1, [r4, #SSI_SR]
    lsrs r1, #SR_RFNE_BIT + 1
    bcs 3b
    bx lr

    .ltorg
    .org 252
crc:
