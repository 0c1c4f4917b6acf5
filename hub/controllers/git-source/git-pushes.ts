/** Word of pushes, from the webhooks to who follows the repositories. */
export class GitPushes {
  readonly #listeners = new Set<(source: string) => void>();

  /** `source` is `namespace/name`. */
  tell(source: string): void {
    for (const listener of this.#listeners) listener(source);
  }

  onPush(listener: (source: string) => void): void {
    this.#listeners.add(listener);
  }
}
