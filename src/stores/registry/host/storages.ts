/** The storages that a registry redirects to and that cannot be asked from here. */
export class Storages {
  readonly #closed = new Set<string>();
  readonly #notice: (storage: string, cause: string) => void;

  /** @param notice is called once for each. */
  constructor(notice: (storage: string, cause: string) => void) {
    this.#notice = notice;
  }

  isClosed(host: string): boolean {
    return this.#closed.has(host);
  }

  close(host: string, cause: string): void {
    if (this.#closed.has(host)) return;
    this.#closed.add(host);
    this.#notice(host, cause);
  }
}
