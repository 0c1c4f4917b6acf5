/** Why a version could not be put beside the one that runs. */
export class StagingFailure extends Error {
  /** One word. */
  readonly reason: string;
  /** To try again would find the same. */
  readonly isFinal: boolean;

  constructor(reason: string, message: string, isFinal: boolean) {
    super(message);
    this.reason = reason;
    this.isFinal = isFinal;
  }
}
