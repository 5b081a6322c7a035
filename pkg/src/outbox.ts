import type { Core } from "./core.js";
import { freeze } from "./json.js";
import { Listeners } from "./listeners.js";
import type { WireEntry } from "./wire.js";

/**
 * A write that the server has not accepted.
 *
 * `status`: `saved` here and to be sent, `sending`, `waiting` for another write (`because`), `paused`
 * until somebody signs in again, `accepted` and about to leave, or `needs_attention`: the server
 * refused it for the reason in `code`, `message` and `field`.
 */
export type OutboxItem = Readonly<Omit<WireEntry, "fields">> & {
  /** What was written, by JSON Pointer. */
  readonly fields: readonly Readonly<WireEntry["fields"][number]>[];
};

/** `db.outbox`: every write that is saved here and not accepted yet, in the order of writing. */
export class Outbox {
  readonly #core: Core;
  readonly #listeners = new Listeners<readonly OutboxItem[]>(() => this.#items());
  /** Read when somebody asks, because most changes of an outbox nobody looks at. */
  #read: readonly OutboxItem[] | undefined;

  /** @internal */
  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * All items now, frozen; what needs attention comes last.
   *
   * @throws {@link LandfallError} `closed`, `core_crashed`.
   */
  async list(): Promise<readonly OutboxItem[]> {
    return this.#items();
  }

  /**
   * Calls `listener` with the items at once, and again after every change.
   *
   * @returns what ends it.
   * @throws {@link LandfallError} `closed`, `core_crashed`.
   */
  subscribe(listener: (items: readonly OutboxItem[]) => void): () => void {
    return this.#listeners.add(listener);
  }

  /** @internal */
  changed(): void {
    this.#read = undefined;
    this.#listeners.changed();
  }

  /** @internal */
  end(): void {
    this.#read = undefined;
    this.#listeners.clear();
  }

  #items(): readonly OutboxItem[] {
    return (this.#read ??= freeze(this.#core.outbox()));
  }
}
