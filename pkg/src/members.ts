import type { Conflicts } from "./conflicts.js";
import type { Core } from "./core.js";
import { type Export, exported, type Identity } from "./export.js";
import type { Intents } from "./intent.js";
import type { Outbox } from "./outbox.js";
import type { Rows } from "./rows.js";
import type { Collections } from "./schema.js";
import type { Sync } from "./sync.js";
import { Gathering, type Transaction, TransactionCollection } from "./transaction.js";
import type { Write, Writes } from "./write.js";

/** What a collection is made of. @internal */
export interface Table {
  readonly rows: Rows;
  readonly intents: Intents;
}

/** What a database is made of. @internal */
export interface Parts {
  readonly core: Core;
  readonly sync: Sync;
  readonly outbox: Outbox;
  readonly conflicts: Conflicts;
  readonly writes: Writes;
  readonly tables: ReadonlyMap<string, Table>;
  readonly identity: Identity;
  readonly release: (core: Core) => Promise<void>;
}

/** What every database has beside its collections. */
export class Members<C extends Collections> {
  readonly sync: Sync;
  readonly outbox: Outbox;
  readonly conflicts: Conflicts;
  readonly #parts: Parts;

  /** @internal */
  constructor(parts: Parts) {
    this.sync = parts.sync;
    this.outbox = parts.outbox;
    this.conflicts = parts.conflicts;
    this.#parts = parts;
  }

  /**
   * Makes several writes into one: they are saved all together or not at all, and the server applies all of
   * them or none. If it refuses one, all need attention together, and that one says why.
   *
   * The calls that `work` makes on `tx`, awaited or not, are saved when it has ended, in their order; nothing
   * is if it throws, or if one of the calls fails. `tx` reads what `work` has written so far. Nothing is
   * locked meanwhile: what others write to the same documents is merged as ever.
   *
   * Resolves once everything is durable on this device. The write is named after the first of `work`'s;
   * where there is none, nothing is saved and it has no name.
   *
   * @throws {@link LandfallError} `group_too_large` for more than 100 writes or 512 KiB; what the calls
   * throw, and what `work` does.
   *
   * @example
   * ```ts
   * await db.transaction(async (tx) => {
   *   const site = await tx.sites.insert({ name: "A1" });
   *   await tx.visits.insert({ site: site.id });
   * });
   * ```
   */
  transaction(work: (tx: Transaction<C>) => unknown): Promise<Write> {
    const { writes, tables } = this.#parts;
    const gathering = new Gathering(writes);
    const collections = Object.fromEntries(
      Array.from(tables, ([name, { rows, intents }]) => [name, new TransactionCollection(gathering, rows, intents)]),
    );
    // The collections were made from those of the same names.
    return gathering.run(() => work(collections as unknown as Transaction<C>));
  }

  /**
   * Everything that is saved here and that the server does not have, as plain JSON: what is pending, what needs
   * attention, and stored records that cannot be read. Works whatever else fails: sign-in, network, server.
   *
   * @throws {@link LandfallError} `closed`, `core_crashed`, `storage_unavailable`.
   */
  async export(): Promise<Export> {
    const { core, identity } = this.#parts;
    return exported(await core.exportAll(), identity, () => true);
  }

  /**
   * Signs the user out of this device: deletes everything that is stored here of them, in every tab. What is
   * open ends with `signed_out`, in the other tabs too. A token that has run out is no reason for it: writes
   * wait for another one.
   *
   * @param options - `discard`: also deletes what the server does not have. It cannot be brought back;
   * offer {@link Members.export} before.
   *
   * @throws {@link LandfallError} `pending_writes` while something is not on the server, and then nothing has
   * changed: the message says how much, `db.outbox` says what.
   */
  signOut({ discard = false }: { discard?: boolean } = {}): Promise<void> {
    return this.#parts.core.leave(discard);
  }

  /**
   * Ends this opening. The last one ends the database: writes under way are still saved, live queries
   * stop, and everything else is refused with `closed`. Nothing pending is lost; it is sent when the
   * database is opened again, or by another tab.
   */
  close(): Promise<void> {
    return this.#parts.release(this.#parts.core);
  }
}
