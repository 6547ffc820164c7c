// Second stage of RP2040's start. The boot ROM copies the first 256 bytes of the flash to RAM, compares their CRC and
// runs them, with the return address 0. They make the flash readable in the address space, and go on with its vectors.
//
// Flash chips of the W25Q kind read fastest by EBh, Fast Read Quad I/O, with mode bits that save the command from then
// on. It takes the bit QE of status register 2, which is set for as long as the chip has power, so that nothing wears
// and no block loses its protection. Where QE does not hold, or what is read that way is not what the boot ROM has
// read, the flash is read by 03h, which all of them have.
//
// boot2.c has the machine code as words: tools/boot2.py makes it. At most 252 bytes; position-independent; no stack
// but the boot ROM's.

    .syntax unified
    .cpu cortex-m0plus
    .thumb

    .equ PADS_QSPI, 0x40020000
    .equ PAD_SCLK, 0x04
    .equ PAD_SD0, 0x08
    .equ PAD_SD1, 0x0c
    .equ PAD_SD2, 0x10
    .equ PAD_SD3, 0x14
    .equ PAD_8_MA_FAST, 2 << 4 | 1 << 0
    .equ PAD_INPUT_4_MA, 1 << 6 | 1 << 4 // no Schmitt trigger, which delays

    .equ SSI, 0x18000000
    .equ SSI_CTRLR0, 0x00
    .equ SSI_CTRLR1, 0x04
    .equ SSI_SSIENR, 0x08
    .equ SSI_BAUDR, 0x14
    .equ SSI_SR, 0x28
    .equ SSI_DR0, 0x60
    .equ SSI_RX_SAMPLE_DLY, 0xf0
    .equ SSI_SPI_CTRLR0, 0xf4
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

    // Of the core's 125 MHz: 62.5 MHz, of W25Q's 133; and 31.25 MHz, of its 50 for 03h.
    .equ DIVIDER_QUAD, 2
    .equ DIVIDER_SERIAL, 4

    .equ WRITE_STATUS, 0x01
    .equ READ_STATUS_1, 0x05
    .equ READ_STATUS_2, 0x35
    .equ WRITE_ENABLE_VOLATILE, 0x50
    .equ READ_QUAD, 0xeb
    .equ MODE_CONTINUOUS, 0xa0
    .equ STATUS_1_BUSY, 1 << 0
    .equ STATUS_2_QE, 1 << 1

    .equ XIP_VECTORS, 0x10000100
    .equ XIP_UNCACHED_CRC, 0x130000fc
    .equ VTOR, 0xe000ed08

    .text
    .global boot2
    .thumb_func
boot2:
    push {r4, r5, r6, lr}
    ldr r0, =PADS_QSPI
    movs r1, #PAD_8_MA_FAST
    str r1, [r0, #PAD_SCLK]
    movs r1, #PAD_INPUT_4_MA
    str r1, [r0, #PAD_SD0]
    str r1, [r0, #PAD_SD1]
    str r1, [r0, #PAD_SD2]
    str r1, [r0, #PAD_SD3]

    movs r4, #SSI >> 24
    lsls r4, #24
    movs r5, #DIVIDER_SERIAL
    movs r0, #CTRLR0_BYTES >> 16
    lsls r0, #16
    bl configure

    // Status register 1 as it is, 2 with QE.
    movs r0, #READ_STATUS_2
    bl command
    movs r6, #STATUS_2_QE
    orrs r6, r0
    cmp r6, r0
    beq 2f
    movs r0, #READ_STATUS_1
    bl command
    mov r5, r0
    movs r0, #WRITE_ENABLE_VOLATILE
    str r0, [r4, #SSI_DR0]
    bl drain
    movs r0, #WRITE_STATUS
    str r0, [r4, #SSI_DR0]
    str r5, [r4, #SSI_DR0]
    str r6, [r4, #SSI_DR0]
    bl drain
1:  movs r0, #READ_STATUS_1
    bl command
    lsrs r0, #1
    bcs 1b
    movs r0, #READ_STATUS_2
    bl command
2:  cmp r0, r6
    bne serial

    movs r5, #DIVIDER_QUAD
    ldr r0, =CTRLR0_QUAD
    ldr r1, =SPI_QUAD_FIRST
    bl configure
    movs r0, #READ_QUAD
    str r0, [r4, #SSI_DR0]
    movs r0, #MODE_CONTINUOUS
    str r0, [r4, #SSI_DR0]
    bl drain
    ldr r0, =CTRLR0_QUAD
    ldr r1, =SPI_QUAD
    bl configure
    ldr r0, =XIP_UNCACHED_CRC
    ldr r0, [r0]
    ldr r1, crc
    cmp r0, r1
    beq done

serial:
    movs r5, #DIVIDER_SERIAL
    ldr r0, =CTRLR0_SERIAL
    ldr r1, =SPI_SERIAL
    bl configure

done:
    ldr r0, [sp, #12]
    cmp r0, #0
    beq 3f
    pop {r4, r5, r6, pc}
3:  ldr r0, =XIP_VECTORS
    ldr r1, =VTOR
    str r0, [r1]
    ldm r0!, {r1, r2}
    msr msp, r1
    bx r2

// r0: CTRLR0, r1: SPI_CTRLR0, r4: SSI, r5: divider.
configure:
    movs r2, #0
    str r2, [r4, #SSI_SSIENR]
    str r5, [r4, #SSI_BAUDR]
    str r0, [r4, #SSI_CTRLR0]
    str r2, [r4, #SSI_CTRLR1]
    movs r2, #SSI_SPI_CTRLR0
    str r1, [r4, r2]
    movs r1, #1
    movs r2, #SSI_RX_SAMPLE_DLY
    str r1, [r4, r2]
    str r1, [r4, #SSI_SSIENR]
    bx lr

// r0: a command that one byte answers. Returns the byte in r0.
command:
    str r0, [r4, #SSI_DR0]
    str r0, [r4, #SSI_DR0]

// Waits until all is sent, and returns the last byte that was received in r0.
drain:
    ldr r1, [r4, #SSI_SR]
    lsrs r2, r1, #SR_TFE_BIT + 1
    bcc drain
    lsrs r2, r1, #SR_BUSY_BIT + 1
    bcs drain
4:  ldr r1, [r4, #SSI_SR]
    lsrs r1, #SR_RFNE_BIT + 1
    bcc 5f
    ldr r0, [r4, #SSI_DR0]
    b 4b
5:  bx lr

    .ltorg
    .org 252
crc:
