import { LandfallError } from "./errors.js";
import { type Data, type Edit, type InsertOptions, type Intents, type Later, operation, result, type WriteOptions } from "./intent.js";
import { freeze, plainPatch } from "./json.js";
import type { Rows } from "./rows.js";
import type { Collections, ElementOf, InputOf, ListField, NumberField, OutputOf, Patch, Row } from "./schema.js";
import type { WireMutation } from "./wire.js";
import type { Write, Writes } from "./write.js";

/** What `db.transaction` hands to its function: the same collections, in which writes are gathered. */
export type Transaction<C extends Collections> = {
  readonly [Name in keyof C]: TransactionCollection<InputOf<C[Name]>, OutputOf<C[Name]>>;
};

/**
 * What one `db.transaction` does, one step after the other in the order of the calls.
 *
 * @internal
 */
export class Gathering {
  readonly #writes: Writes;
  readonly #mutations: WireMutation[] = [];
  #last: Promise<unknown>;
  #failure: { readonly reason: unknown } | undefined;
  #over = false;
  #minted = 0;

  constructor(writes: Writes) {
    this.#writes = writes;
    // What was written before can be read only then.
    this.#last = Promise.resolve(writes.turn);
  }

  /** Saves as one write what `work` gathers; nothing, if it or any of its calls fails. */
  async run(work: () => unknown): Promise<Write> {
    try {
      await work();
      // Calls that were not awaited, and those that they lead to.
      for (let last; last !== this.#last; ) await (last = this.#last);
    } finally {
      this.#over = true;
    }
    if (this.#failure) throw this.#failure.reason;
    return this.#writes.group(this.#mutations);
  }

  /**
   * Prepares at once, because the app may change what it has passed, and acts after all steps before. Where
   * one fails, all that follow do.
   */
  step<P, T>(prepare: () => Later<P>, act: (prepared: P) => Later<T>): Promise<T> {
    if (this.#over) return Promise.reject(new LandfallError("closed", "the transaction is over"));
    const prepared = (async () => prepare())();
    const done = this.#last.then(async () => {
      if (this.#failure) throw this.#failure.reason;
      return act(await prepared);
    });
    // Whoever does not look hears of it from the transaction.
    prepared.catch(() => {});
    this.#last = done.catch((reason: unknown) => {
      this.#failure ??= { reason };
    });
    return done;
  }

  add(mutation: WireMutation): void {
    this.#mutations.push(mutation);
  }

  /** A UUIDv7. The core mints none in time: the next step may name the document. */
  mint(): string {
    const time = Date.now().toString(16).padStart(12, "0");
    const place = (this.#minted++ & 0xfff).toString(16).padStart(3, "0");
    const bytes = crypto.getRandomValues(new Uint8Array(8));
    const chance = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return `${time.slice(0, 8)}-${time.slice(8)}-7${place}-a${chance.slice(1, 4)}-${chance.slice(4)}`;
  }
}

/**
 * A collection within a transaction. Its writes are saved when the transaction ends; {@link
 * TransactionCollection.get} sees those called before it.
 *
 * A call that fails makes the transaction fail, also where the failure is caught. After the end of the
 * transaction every call is refused with `closed`.
 */
export class TransactionCollection<Input, Output> {
  readonly #gathering: Gathering;
  readonly #rows: Rows;
  readonly #intents: Intents;
  /** Documents as this transaction leaves them. */
  readonly #written = new Map<string, Data | null>();

  /** @internal */
  constructor(gathering: Gathering, rows: Rows, intents: Intents) {
    this.#gathering = gathering;
    this.#rows = rows;
    this.#intents = intents;
  }

  /** As {@link Collection.insert}; gives the document's id, for other writes to name. */
  insert(value: Input, options: InsertOptions = {}): Promise<{ readonly id: string }> {
    const id = options.id ?? this.#gathering.mint();
    return this.#gathering.step(
      () => this.#intents.create(value, { ...options, id }),
      (mutation) => {
        this.#add(id, mutation, null);
        return { id };
      },
    );
  }

  /** As {@link Collection.update}. */
  update(id: string, patch: Patch<Input>, options: WriteOptions = {}): Promise<void> {
    return this.#edit(id, () => ({ patch: plainPatch(patch) }), options);
  }

  /** As {@link Collection.increment}. */
  increment(id: string, field: NumberField<Output>, by = 1, options: WriteOptions = {}): Promise<void> {
    return this.#edit(id, () => operation("increment", field, by), options);
  }

  /** As {@link Collection.add}. */
  add<Field extends ListField<Output>>(
    id: string,
    field: Field,
    element: ElementOf<Output, Field>,
    options: WriteOptions = {},
  ): Promise<void> {
    return this.#edit(id, () => operation("add", field, element), options);
  }

  /** As {@link Collection.remove}. */
  remove<Field extends ListField<Output>>(
    id: string,
    field: Field,
    element: ElementOf<Output, Field>,
    options: WriteOptions = {},
  ): Promise<void> {
    return this.#edit(id, () => operation("remove", field, element), options);
  }

  /** As {@link Collection.delete}. */
  delete(id: string, options: WriteOptions = {}): Promise<void> {
    return this.#gathering.step(
      () => this.#intents.delete(id, options),
      (mutation) => this.#add(id, mutation, null),
    );
  }

  /** The document as it is with what this transaction has written, or `undefined`. */
  get(id: string): Promise<Row<Output> | undefined> {
    const row = this.#gathering.step(
      () => {},
      async () => {
        const data = await this.#read(id);
        return data ? freeze({ ...data, id }) : undefined;
      },
    );
    return row as Promise<unknown> as Promise<Row<Output> | undefined>;
  }

  #edit(id: string, prepare: () => Edit, options: WriteOptions): Promise<void> {
    return this.#gathering.step(prepare, async (edit) => {
      const data = await this.#read(id);
      if (!data) throw new LandfallError("not_found", "there is no such document");
      this.#add(id, await this.#intents.patch(id, edit, data, options), data);
    });
  }

  async #read(id: string): Promise<Data | null> {
    const written = this.#written.get(id);
    if (written !== undefined) return written;
    const row = await this.#rows.fetch(id);
    if (!row) return null;
    const { id: _, ...data } = row;
    return data;
  }

  #add(id: string, mutation: WireMutation, before: Data | null): void {
    this.#written.set(id, result(mutation, before));
    this.#gathering.add(mutation);
  }
}
