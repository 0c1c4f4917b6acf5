/** A field in the generated file. The notation of `type`: `[]T`, `{}T`, a scalar's name, or a component's name. */
export interface StoredField {
  readonly type: string;
  readonly required?: true;
  readonly list?: 'set' | 'map';
  readonly keys?: readonly string[];
  readonly patch?: string;
  readonly patchKey?: string;
  readonly atomic?: true;
  readonly default?: string;
  readonly description?: string;
}

/** A component in the generated file `generated/kubernetes.json`, which maps names to these. */
export interface StoredComponent {
  /** Group, version, kind. */
  readonly kinds?: readonly (readonly [string, string, string])[];
  readonly atomic?: true;
  readonly description?: string;
  readonly fields: Readonly<Record<string, StoredField>>;
}
