import { LandfallError } from "./errors.js";

/**
 * Calls `listener`. What it throws is the app's: it goes to the global error handler, and neither
 * other listeners nor the core see it.
 *
 * @internal
 */
export function report<T>(listener: (value: T) => void, value: T): void {
  try {
    listener(value);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/**
 * Functions that want the newest value: at once when they subscribe, then once for each turn in which
 * it changed.
 *
 * @internal
 */
export class Listeners<T> {
  readonly #current: () => T;
  readonly #all = new Set<(value: T) => void>();
  #due = false;

  constructor(current: () => T) {
    this.#current = current;
  }

  /**
   * @returns what ends it; the listener is not called afterwards.
   * @throws why there is no value now, as while a database is being closed.
   */
  add(listener: (value: T) => void): () => void {
    const value = this.#current();
    // Its own function, so that one listener can be added twice and removed once.
    const entry = (value: T): void => listener(value);
    this.#all.add(entry);
    report(entry, value);
    return () => void this.#all.delete(entry);
  }

  changed(): void {
    if (this.#due || this.#all.size === 0) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      if (this.#all.size === 0) return;
      let value: T;
      try {
        value = this.#current();
      } catch (error) {
        // There is none while the database is being closed, or starts anew: then it says once more that it changed.
        if (error instanceof LandfallError) return;
        throw error;
      }
      for (const listener of this.#all) report(listener, value);
    });
  }

  clear(): void {
    this.#all.clear();
  }
}
