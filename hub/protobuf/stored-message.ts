/**
 * A field in the generated file. The notation of `type`: `[]T` a repeated field, `()T` a list in a message of its own,
 * `{}T` a map, the name of a scalar, or the name of a message; `|M` is a message that in JSON is the value of whichever
 * of its fields is set.
 */
export interface StoredField {
  /** Empty when the fields of the message are in JSON fields of what it is in. */
  readonly json: string;
  readonly type: string;
  /** Whether zero says something else than absence. */
  readonly keepsZero?: true;
}

/** The fields of a message in the generated file `generated/protobuf.json`, by their numbers. */
export type StoredMessage = Readonly<Record<string, StoredField>>;
