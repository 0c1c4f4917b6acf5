import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, rmSync } from 'node:fs';
import type { PackageReference } from '../../proto/agent-release.ts';
import { newFileHash, parsePublicKey, signatureProblem } from '../../proto/minisign.ts';
import { StagingFailure } from './staging-failure.ts';

export interface PackageCheck {
  readonly minisig: string;
  /** Whose packages are good. */
  readonly keyFile: string;
  /** Another download would be no better. */
  readonly isFinal: boolean;
}

/**
 * A package is what the hub's signed word names, and signed by those who signed the version that runs. Rejects with a
 * StagingFailure, and then the file is gone.
 */
export async function checkPackage(
  file: string,
  { name, sha256 }: PackageReference,
  { minisig, keyFile, isFinal }: PackageCheck,
): Promise<void> {
  const [sum, signed] = [createHash('sha256'), newFileHash()];
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    sum.update(chunk);
    signed.update(chunk);
  }
  const found = sum.digest('hex');
  const problem =
    found === sha256
      ? signatureProblem(minisig, parsePublicKey(readFileSync(keyFile, 'utf8')), signed.digest(), name)
      : `its SHA-256 must be ${sha256}, is ${found}`;
  if (problem === undefined) return;
  rmSync(file, { force: true });
  const isWhole = found === sha256;
  const reason = isWhole ? 'WrongSignature' : 'WrongContent';
  throw new StagingFailure(reason, `the package "${name}" is refused: ${problem}`, isWhole || isFinal);
}
