/*
 * The image of infra containers: one program that waits for ever. No registry is needed, so it is made here: a complete
 * ELF executable of some 200 bytes in a tar archive, which the engine imports.
 */

export const INFRA_IMAGE = 'holdfast.dev/infra:2';
export const INFRA_COMMAND = ['/wait'];

const ELF_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const LOAD_ADDRESS = 0x400000n;

/**
 * `sigaction(SIGCHLD, ignore); for (;;) wait for a signal`, in each machine's code. As process 1 it ends only by KILL,
 * which costs it nothing; and where containers share their processes, orphans that end are its children: ignored, they
 * leave nothing behind.
 */
const MACHINES = {
  // mov eax, 13 (rt_sigaction); mov edi, 17; lea rsi, the data behind the code; xor edx, edx; mov r10d, 8; syscall
  // mov eax, 34 (pause); syscall; jmp back
  x64: {
    elfMachine: 0x3e,
    code: [
      0xb8, 0x0d, 0x00, 0x00, 0x00, 0xbf, 0x11, 0x00, 0x00, 0x00, 0x48, 0x8d, 0x35, 0x13, 0x00, 0x00, 0x00,
      0x31, 0xd2, 0x41, 0xba, 0x08, 0x00, 0x00, 0x00, 0x0f, 0x05, 0xb8, 0x22, 0x00, 0x00, 0x00, 0x0f, 0x05,
      0xeb, 0xf7,
    ],
  },
  // mov x0, 17; adr x1, the data behind the code; mov x2, 0; mov x3, 8; mov x8, 134 (rt_sigaction); svc 0
  // mov x0..x4, 0; mov x8, 73 (ppoll); svc 0; b back to the mov of x0
  arm64: {
    elfMachine: 0xb7,
    code: [
      0x20, 0x02, 0x80, 0xd2, 0xa1, 0x01, 0x00, 0x10, 0x02, 0x00, 0x80, 0xd2, 0x03, 0x01, 0x80, 0xd2, 0xc8,
      0x10, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4, 0x00, 0x00, 0x80, 0xd2, 0x01, 0x00, 0x80, 0xd2, 0x02, 0x00,
      0x80, 0xd2, 0x03, 0x00, 0x80, 0xd2, 0x04, 0x00, 0x80, 0xd2, 0x28, 0x09, 0x80, 0xd2, 0x01, 0x00, 0x00,
      0xd4, 0xf9, 0xff, 0xff, 0x17,
    ],
  },
} as const;

/** The kernel's sigaction: SIG_IGN, no flags, no restorer, no mask. */
const IGNORE = [1, ...Array<number>(31).fill(0)];

/** The image's root as a tar archive, for this machine or another. Throws for a machine that it has no code for. */
export function infraRoot(architecture: string = process.arch): Buffer {
  const machine = MACHINES[architecture as keyof typeof MACHINES];
  if (!machine) throw new Error(`no infra program for "${architecture}": wanted x64 or arm64`);
  return tarOf('wait', executable(machine.elfMachine, Buffer.from([...machine.code, ...IGNORE])));
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
