/*
 * The image of infra containers: one program that waits for ever. No registry is needed, so it is made here: a complete
 * ELF executable of some 300 bytes in a tar archive, which the engine imports.
 */

export const INFRA_IMAGE = 'holdfast.dev/infra:3';
export const INFRA_COMMAND = ['/wait'];
/** Its argument: it is to have a network of its own. */
export const OWN_NETWORK = 'own-network';

const ELF_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const LOAD_ADDRESS = 0x400000n;

/**
 * In each machine's code, what it does:
 *
 *     if it was given an argument: unshare(CLONE_NEWNET), or exit(1); capset(none)
 *     sigaction(SIGCHLD, ignore)
 *     for (;;) wait for a signal
 *
 * As process 1 it ends only by KILL, which costs it nothing; and where containers share their processes, orphans that
 * end are its children: ignored, they leave nothing behind. A network that it makes for itself is made in no time; what
 * the engine does for one takes it a third of a container's start.
 */
const MACHINES = {
  // cmp [rsp], 2; jb wait; mov eax, 272 (unshare); mov edi, CLONE_NEWNET; syscall; test eax, eax; jnz fail
  // mov eax, 126 (capset); lea rdi, its header; lea rsi, its data; syscall
  // wait: mov eax, 13 (rt_sigaction); mov edi, 17; lea rsi, the action; xor edx, edx; mov r10d, 8; syscall
  // again: mov eax, 34 (pause); syscall; jmp again
  // fail: mov edi, 1; mov eax, 60 (exit); syscall
  x64: {
    elfMachine: 0x3e,
    code: [
      0x48, 0x83, 0x3c, 0x24, 0x02, 0x72, 0x25, 0xb8, 0x10, 0x01, 0x00, 0x00, 0xbf, 0x00, 0x00, 0x00, 0x40,
      0x0f, 0x05, 0x85, 0xc0, 0x75, 0x39, 0xb8, 0x7e, 0x00, 0x00, 0x00, 0x48, 0x8d, 0x3d, 0x59, 0x00, 0x00,
      0x00, 0x48, 0x8d, 0x35, 0x5a, 0x00, 0x00, 0x00, 0x0f, 0x05, 0xb8, 0x0d, 0x00, 0x00, 0x00, 0xbf, 0x11,
      0x00, 0x00, 0x00, 0x48, 0x8d, 0x35, 0x1f, 0x00, 0x00, 0x00, 0x31, 0xd2, 0x41, 0xba, 0x08, 0x00, 0x00,
      0x00, 0x0f, 0x05, 0xb8, 0x22, 0x00, 0x00, 0x00, 0x0f, 0x05, 0xeb, 0xf7, 0xbf, 0x01, 0x00, 0x00, 0x00,
      0xb8, 0x3c, 0x00, 0x00, 0x00, 0x0f, 0x05,
    ],
  },
  // ldr x9, [sp]; cmp x9, 2; b.lo wait; mov x0, CLONE_NEWNET; mov x8, 97 (unshare); svc 0; cbnz x0, fail
  // adr x0, capset's header; adr x1, its data; mov x8, 91 (capset); svc 0
  // wait: mov x0, 17; adr x1, the action; mov x2, 0; mov x3, 8; mov x8, 134 (rt_sigaction); svc 0
  // again: mov x0..x4, 0; mov x8, 73 (ppoll); svc 0; b again
  // fail: mov x0, 1; mov x8, 93 (exit); svc 0
  arm64: {
    elfMachine: 0xb7,
    code: [
      0xe9, 0x03, 0x40, 0xf9, 0x3f, 0x09, 0x00, 0xf1, 0x23, 0x01, 0x00, 0x54, 0x00, 0x00, 0xa8, 0xd2, 0x28,
      0x0c, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4, 0x60, 0x02, 0x00, 0xb5, 0xa0, 0x03, 0x00, 0x10, 0xc1, 0x03,
      0x00, 0x10, 0x68, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4, 0x20, 0x02, 0x80, 0xd2, 0x01, 0x02, 0x00,
      0x10, 0x02, 0x00, 0x80, 0xd2, 0x03, 0x01, 0x80, 0xd2, 0xc8, 0x10, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4,
      0x00, 0x00, 0x80, 0xd2, 0x01, 0x00, 0x80, 0xd2, 0x02, 0x00, 0x80, 0xd2, 0x03, 0x00, 0x80, 0xd2, 0x04,
      0x00, 0x80, 0xd2, 0x28, 0x09, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4, 0xf9, 0xff, 0xff, 0x17, 0x20, 0x00,
      0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4,
    ],
  },
} as const;

/** Behind the code, little-endian. The kernel's sigaction: SIG_IGN, no flags, no restorer, no mask. */
const IGNORE = [1, ...Array<number>(31).fill(0)];
/** capset's header (version 3, this process), and its data: no capability at all. */
const NO_CAPABILITIES = [0x22, 0x05, 0x08, 0x20, ...Array<number>(4 + 24).fill(0)];

/** The image's root as a tar archive, for this machine or another. Throws for a machine that it has no code for. */
export function infraRoot(architecture: string = process.arch): Buffer {
  const machine = MACHINES[architecture as keyof typeof MACHINES];
  if (!machine) throw new Error(`no infra program for "${architecture}": wanted x64 or arm64`);
  return tarOf(
    'wait',
    executable(machine.elfMachine, Buffer.from([...machine.code, ...IGNORE, ...NO_CAPABILITIES])),
  );
}

/** A static ELF64 file of one loadable segment: the headers and the code. */
function executable(machine: number, code: Buffer): Buffer {
  const size = ELF_HEADER_BYTES + PROGRAM_HEADER_BYTES + code.length;
  const file = Buffer.alloc(size);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // magic, 64-bit, little-endian, version 1
  file.writeUInt16LE(2, 16); // executable
  file.writeUInt16LE(machine, 18);
  file.writeUInt32LE(1, 20); // version
  file.writeBigUInt64LE(LOAD_ADDRESS + BigInt(ELF_HEADER_BYTES + PROGRAM_HEADER_BYTES), 24); // entry
  file.writeBigUInt64LE(BigInt(ELF_HEADER_BYTES), 32); // program headers follow
  file.writeUInt16LE(ELF_HEADER_BYTES, 52);
  file.writeUInt16LE(PROGRAM_HEADER_BYTES, 54);
  file.writeUInt16LE(1, 56); // one of them
  const segment = ELF_HEADER_BYTES;
  file.writeUInt32LE(1, segment); // loadable
  file.writeUInt32LE(5, segment + 4); // read and execute
  file.writeBigUInt64LE(LOAD_ADDRESS, segment + 16);
  file.writeBigUInt64LE(LOAD_ADDRESS, segment + 24);
  file.writeBigUInt64LE(BigInt(size), segment + 32);
  file.writeBigUInt64LE(BigInt(size), segment + 40);
  file.writeBigUInt64LE(0x1000n, segment + 48); // alignment
  file.set(code, ELF_HEADER_BYTES + PROGRAM_HEADER_BYTES);
  return file;
}

const TAR_BLOCK_BYTES = 512;

/** A ustar archive of one executable file. Always the same bytes, so that the image is always the same. */
function tarOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(TAR_BLOCK_BYTES);
  header.write(name, 0);
  header.write('0000755\0', 100); // mode
  header.write('0000000\0', 108); // owner
  header.write('0000000\0', 116); // group
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136); // time
  header.write('        ', 148); // the checksum counts as spaces while it is summed
  header.write('0', 156); // an ordinary file
  header.write('ustar\0', 257);
  header.write('00', 263);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = Buffer.alloc((TAR_BLOCK_BYTES - (content.length % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES);
  return Buffer.concat([header, content, padding, Buffer.alloc(2 * TAR_BLOCK_BYTES)]);
}
