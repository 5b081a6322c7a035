/**
 * What stays behind of a database when the browser takes only IndexedDB away: without it, a device that lost
 * everything would look like a new one.
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

  leave(): void {
    attempt((storage) => storage.setItem(this.#key, ""));
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
