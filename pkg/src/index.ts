import { type Database, type Options, openWith } from "./database.js";
import type { Collections } from "./schema.js";
import { core } from "./wasm.js";

/**
 * Opens a database; see {@link Options}. Works offline, and without a server.
 *
 * Opening the same `name`, `url` and `user` again gives the same database, which is closed when it was
 * closed as often as it was opened.
 *
 * @throws {@link LandfallError} `invalid_options`, `invalid_collection`, `storage_unavailable`,
 * `core_unavailable` when the .wasm file could not be loaded, `core_crashed`.
 *
 * @example
 * ```ts
 * const db = await open({ name: "inspections", collections: { visits: { schema: Visit } } });
 * ```
 */
export function open<const C extends Collections>(options: Options<C>): Promise<Database<C>> {
  return openWith(core, options);
}

export type { Collection } from "./collection.js";
export type { Choice, Conflict, Conflicts, Side } from "./conflicts.js";
export type { Database, Options } from "./database.js";
export { type ErrorCode, LandfallError } from "./errors.js";
export type { InsertOptions, WriteOptions } from "./intent.js";
export type { Export, ExportedItem } from "./export.js";
export type { Outbox, OutboxItem } from "./outbox.js";
export type { Query } from "./query.js";
export type { CollectionOptions, Collections, Filter, Issue, Patch, Row, StandardSchema } from "./schema.js";
export { unset } from "./schema.js";
export type { StorageState, Sync, SyncState } from "./sync.js";
export type { Transaction, TransactionCollection } from "./transaction.js";
export type { FieldMerge, Json, Network, Priority } from "./wire.js";
export type { Write } from "./write.js";
