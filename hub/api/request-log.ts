import type { Attributes, User } from '../authorization/attributes.ts';

/** What is known of a request, filled in as it is found out: a request that is refused early has little of it. */
export interface RequestLog {
  readonly id: string;
  readonly method: string;
  readonly uri: string;
  readonly userAgent: string;
  readonly sourceIp: string;
  readonly receivedMs: number;
  /** Who it is from … */
  caller?: User;
  /** … and as whom it is made. */
  user?: User;
  attributes?: Attributes;
  /** The media type of a PATCH; apply is a verb of its own in metrics. */
  readonly contentType: string;
  /** Of a kind that the hub serves: other names would let clients make up metrics. */
  servedVersion?: string;
}

/** Hears of each request, when it comes and when it is over. Must not throw and not wait. */
export interface RequestObserver {
  started?(log: RequestLog): void;
  /** `code` is what was answered. */
  ended(log: RequestLog, code: number, nowMs: number): void;
}
