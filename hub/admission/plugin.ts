import type { AdmissionRequest } from '../registry/admission.ts';

/** One policy. See `Admission`: most have one of them. */
export interface AdmissionPlugin {
  readonly complete?: (request: AdmissionRequest) => void;
  /** The function that it may return is called when the write is over. */
  // biome-ignore lint/suspicious/noConfusingVoidType: most plugins return nothing
  readonly check?: (request: AdmissionRequest) => (() => void) | void;
  readonly checkDeletion?: (request: AdmissionRequest) => void;
  readonly checkConnection?: (request: AdmissionRequest) => void;
}
