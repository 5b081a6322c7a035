/**
 * What stays behind of a database when the browser takes only IndexedDB away: without it, a device that lost
 * everything would look like a new one. It has room for what is worth showing without a server.
 *
 * @internal
 */
export class Trace {
  readonly #key: string;

  constructor(identity: readonly (string | null)[]) {
    this.#key = `landfall ${JSON.stringify(identity)}`;
  }

  /** Whether the database has been here. Asked before it is opened, or another tab's opening could be taken for it. */
  found(): boolean {
    return attempt((storage) => storage.getItem(this.#key) !== null) ?? false;
  }

  /** Leaves this behind. Where it is more than there is room for, what was left before stays. */
  leave(text = ""): void {
    attempt((storage) => storage.setItem(this.#key, text));
  }

  /** What was left behind, parsed. */
  left<T>(): T | undefined {
    return attempt((storage) => JSON.parse(storage.getItem(this.#key) || "null")) ?? undefined;
  }

  /** Takes it away, with a database that is deleted. */
  remove(): void {
    attempt((storage) => storage.removeItem(this.#key));
  }
}

function attempt<T>(act: (storage: Storage) => T): T | undefined {
  try {
    return act(localStorage);
  } catch {
    // None in a worker or in Node, and none allowed in some frames: then nothing is known.
    return undefined;
  }
}
