// A Raspberry Pi Pico as rp2040js emulates it, with its UART0 on a TCP port. Started by the runner `rp2040js`.
//
//   node rp2040.mjs --modules FOLDER IMAGE.bin    runs a flash image until the program that started it ends
//     --dead-oscillators                          the crystal does not start
//   node rp2040.mjs --modules FOLDER --version    says which rp2040js it is

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const FLASH_BYTES = 16 << 20;
const BOOT2_BYTES = 252; // the second stage of the start, before its checksum
const VECTORS = 0x10000100;
const SLICE = 20000; // instructions between two looks at the host
const IDLE_LOOKS = 1000; // at a UART that has nothing
const SEND_BYTES = 65536; // at most, that the host has not taken yet
const XOSC = 0x40024, XOSC_STATUS = 0x04;
const UART_DR = 0x00, UART_FR = 0x18;
const SYST_CSR = 0x10, SYST_RVR = 0x14, SYST_CVR = 0x18;
const ENABLE = 1, TICKINT = 2, COUNTFLAG = 1 << 16;

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(3);
}

// Folders that may have the package: the user's choice, the Python environment's, node's, npm's.
function* folders(environment) {
  if (process.env.MICROWRIGHT_NODE_MODULES) yield process.env.MICROWRIGHT_NODE_MODULES;
  yield* (process.env.NODE_PATH ?? '').split(delimiter).filter(Boolean);
  yield environment;
  yield join(dirname(process.execPath), '..', 'lib', 'node_modules');
  try {
    yield execFileSync('npm', ['root', '-g'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    // There is no npm.
  }
}

function find(environment) {
  for (const folder of folders(environment)) {
    if (existsSync(join(folder, 'rp2040js', 'package.json'))) return join(folder, 'rp2040js');
  }
  return fail('the package rp2040js is not installed');
}

// The boot ROM's check: CRC-32 of polynomial 0x04c11db7, from the highest bit down, all ones at first.
function checksum(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc & 0x80000000 ? 0x04c11db7 : 0);
  }
  return crc >>> 0;
}

function read(path) {
  let image;
  try {
    image = readFileSync(path);
  } catch (error) {
    return fail(`${path}: ${error.code}`);
  }
  if (image.length > FLASH_BYTES) fail(`${path}: larger than the flash that a chip can have`);
  if (image.length < BOOT2_BYTES + 12) fail(`${path}: too short for a flash image`);
  const found = checksum(image.subarray(0, BOOT2_BYTES));
  const stored = image.readUInt32LE(BOOT2_BYTES);
  if (found !== stored) {
    const hex = (word) => `0x${word.toString(16).padStart(8, '0')}`;
    fail(`${path}: the boot ROM would refuse it: boot2 has the CRC ${hex(found)}, stored is ${hex(stored)}`);
  }
  return image;
}

// SysTick by the core's cycles. rp2040js's own one is pending at its start, and its periods are a cycle short.
class SysTick {
  constructor(chip) {
    this.core = chip.core;
    this.cycles = 0; // all that the core took
    this.csr = 0;
    this.reload = 0;
    this.since = 0; // when the counter was 0
    this.due = Infinity; // when it is 0 next
    const { ppb } = chip;
    const [readOther, writeOther] = [ppb.readUint32.bind(ppb), ppb.writeUint32.bind(ppb)];
    ppb.systickAlarm.enable = false;
    ppb.readUint32 = (offset) => this.read(offset) ?? readOther(offset);
    ppb.writeUint32 = (offset, value) => this.write(offset, value) || writeOther(offset, value);
  }

  get period() {
    return this.reload + 1;
  }

  read(offset) {
    if (offset === SYST_CSR) {
      const value = this.csr;
      this.csr &= ~COUNTFLAG;
      return value;
    }
    if (offset === SYST_RVR) return this.reload;
    if (offset !== SYST_CVR) return undefined;
    const passed = (this.csr & ENABLE ? this.cycles : this.stopped ?? this.since) - this.since;
    return passed % this.period === 0 ? 0 : this.period - (passed % this.period);
  }

  write(offset, value) {
    if (offset === SYST_CSR) {
      if ((value ^ this.csr) & ENABLE) {
        if (value & ENABLE) this.since += this.cycles - (this.stopped ?? this.since);
        this.stopped = this.cycles;
      }
      this.csr = value & 7;
    } else if (offset === SYST_RVR) this.reload = value & 0xffffff;
    else if (offset === SYST_CVR) this.since = this.stopped = this.cycles;
    else return false;
    const whole = Math.floor((this.cycles - this.since) / this.period) + 1;
    this.due = this.csr & ENABLE && this.reload ? this.since + whole * this.period : Infinity;
    return true;
  }

  fire() {
    this.due += this.period;
    this.csr |= COUNTFLAG;
    if (this.csr & TICKINT) {
      this.core.pendingSystick = true;
      this.core.interruptsUpdated = true;
    }
  }
}

// UART0's line. While no host is connected, what is sent is lost, as on a wire.
class Line {
  constructor(uart) {
    this.uart = uart;
    this.received = [];
    this.host = null;
    this.looks = 0;
    this.wake = null;
    const readOther = uart.readUint32.bind(uart);
    uart.readUint32 = (offset) => {
      if (offset === UART_FR) this.looks++;
      const value = readOther(offset);
      if (offset === UART_DR) this.feed();
      return value;
    };
    uart.onByte = (byte) => {
      this.looks = 0;
      this.host?.write(Uint8Array.of(byte));
    };
  }

  listen() {
    const server = createServer({ noDelay: true }, (host) => {
      this.host?.destroy(); // one at a time: the last one
      this.host = host;
      host.on('data', (data) => {
        for (const byte of data) this.received.push(byte);
        this.feed();
        this.signal();
      });
      host.on('drain', () => this.signal());
      host.on('error', () => {});
      host.on('close', () => {
        if (this.host === host) this.host = null;
        this.signal();
      });
      this.signal();
    });
    server.listen(0, '127.0.0.1', () =>
      process.stdout.write(`waiting for connection on 127.0.0.1:${server.address().port}\n`)
    );
  }

  // The receiver's queue is never more than full.
  feed() {
    while (this.received.length && !this.uart.rxFIFO.full) {
      this.looks = 0;
      this.uart.feedByte(this.received.shift());
    }
  }

  signal() {
    this.wake?.();
  }

  get idle() {
    return this.looks > IDLE_LOOKS && !this.received.length && this.uart.rxFIFO.empty;
  }

  get crowded() {
    return this.host !== null && this.host.writableLength > SEND_BYTES;
  }

  // Until something happened on the line.
  async event() {
    await new Promise((resolve) => (this.wake = resolve));
    this.wake = null;
  }
}

async function run(folder, image, dead) {
  const { RP2040 } = await import(pathToFileURL(join(folder, 'dist', 'esm', 'index.js')).href);
  const chip = new RP2040();
  const silent = () => {};
  chip.logger = { debug: silent, info: silent, warn: silent, error: silent };
  chip.onBreak = () => fail('the firmware has a breakpoint, or locked up');
  chip.flash.set(image);
  if (dead) {
    const xosc = chip.peripherals[XOSC];
    const readOther = xosc.readUint32.bind(xosc);
    xosc.readUint32 = (offset) => (offset === XOSC_STATUS ? 0 : readOther(offset));
  }
  const { core, clock } = chip;
  core.VTOR = VECTORS;
  core.SP = chip.readUint32(VECTORS);
  core.PC = chip.readUint32(VECTORS + 4) & ~1;
  const systick = new SysTick(chip);
  const line = new Line(chip.uart[0]);
  line.listen();
  while (!line.host) await line.event();
  for (;;) {
    for (let count = 0; count < SLICE && !core.waiting; count++) {
      const cycles = core.executeInstruction();
      systick.cycles += cycles;
      clock.tick((cycles * 1e9) / chip.clkSys);
      if (systick.cycles >= systick.due) systick.fire();
    }
    const asleep = core.waiting && !core.pendingSystick && chip.uart[0].rxFIFO.empty && !line.received.length;
    // Time stands still while the core waits for a byte.
    if (asleep || line.idle || line.crowded) await line.event();
    else await new Promise((resolve) => setImmediate(resolve));
    core.waiting = false;
    line.feed();
  }
}

const parent = process.ppid;
setInterval(() => process.ppid === parent || process.exit(0), 1000).unref();
const [option, environment, image, oscillators] = process.argv.slice(2);
const usage = 'usage: node rp2040.mjs --modules FOLDER (IMAGE.bin [--dead-oscillators] | --version)';
if (option !== '--modules' || !image || ![undefined, '--dead-oscillators'].includes(oscillators)) fail(usage);
const folder = find(environment);
if (image === '--version') console.log(JSON.parse(readFileSync(join(folder, 'package.json'))).version);
else await run(folder, read(image), oscillators !== undefined);
