/**
 * What crosses between TypeScript and the WebAssembly core.
 *
 * Batches cross as one JSON string (`JSON.parse` of a whole batch is two to three times faster than
 * building objects one by one); options and errors cross as plain objects. Nothing here is public API.
 */

/** A JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** What `Database.open` in the core takes. */
export interface WireOptions {
  name: string;
  /** Where the server is; `null` keeps the database local. */
  url: string | null;
  user: string | null;
  collections: Record<string, WireCollection>;
}

export interface WireCollection {
  /** The app's schema version, sent with every mutation. */
  version: number;
  /** Field → collection of the document it names: a write waits for the creation of its parents. */
  parent: Record<string, string>;
  /** How a field merges where last write wins is not it. */
  fields: Record<string, FieldMerge>;
  /** Fields to index. */
  indexes: string[];
  /** Whether the listener answers to `migrate`. */
  migrates: boolean;
}

export type FieldMerge = "counter" | "set" | "max" | "min";

/** One mutation, as the app asked for it. The core adds identity, stamp, base and order. */
export type WireMutation = Urgency &
  (
    | {
        op: "create";
        collection: string;
        /** Left out: the core mints a UUIDv7. */
        document?: string;
        data: Record<string, Json>;
      }
    | ({ op: "patch"; collection: string; document: string } & WirePatch)
    | { op: "delete"; collection: string; document: string }
  );

export interface WirePatch {
  /** Merged deeply. */
  data: Record<string, Json>;
  /** JSON Pointers to remove. */
  unset?: string[];
  /** Operations on fields that are declared to merge in another way. */
  changes?: WireChange[];
}

export interface WireChange {
  /** JSON Pointer. */
  path: string;
  op: "increment" | "add" | "remove";
  /** How much, or the element. */
  value: Json;
}

export interface Urgency {
  priority?: Priority;
  network?: Network;
}

export type Priority = "high" | "normal" | "low";

/** `unmetered`: not while the device says that its connection is paid for by volume. */
export type Network = "any" | "unmetered";

/** What is to become of an outbox item, and of its group as a whole. */
export type WireAct =
  /** Send once more, under a new id; what is not refused is tried now. */
  | { act: "retry" }
  /** As `retry`, with this merged into what it writes. Only what needs attention can be edited. */
  | ({ act: "edit" } & WirePatch)
  /** Forget it. What may have reached the server already is taken back there, if it still can be. */
  | { act: "discard" };

/** The core's answer to one mutation, given once it is durable on this device. */
export interface WireReceipt {
  document: string;
  /** `<writer>:<n>` */
  mutation: string;
}

/** A row as the app sees it: confirmed state with pending mutations on top; `null` when there is none. */
export interface WireRow {
  collection: string;
  id: string;
  /** Without `id`. */
  data: Record<string, Json> | null;
}

/** What an index is asked for. */
export interface WireSeek {
  field: string;
  /** As JSON: all rows in which the field has this value, which is no list and no object. */
  equals?: string | undefined;
  /** Without a value: the first so many rows in the order of the field; the last, where this is negative. */
  count: number;
}

/** What the core reports to the one listener that `open` was given, as one JSON string per turn. */
export interface WireEvents {
  /** Visible rows that changed, of documents and collections that were loaded or written here. */
  rows?: WireRow[];
  /** Drop what is cached and load again: another tab changed more than it can name. */
  stale?: boolean;
  /** The outbox changed; ask `Database.outbox` for it. */
  outbox?: boolean;
  state?: WireState;
  /** The state of the tab that drains, where that is another one. */
  leader?: WireState;
  /** Mutations that came to an end. */
  settled?: WireSettled[];
  /** Old and new id of mutations that go on under another one, because what they wait for was mended. */
  replaced?: [string, string][];
  /**
   * Comes alone, and is answered by what the listener returns: a JSON text of one list with, for each, the document in
   * the form of the declared version, or a text that says why there is none.
   */
  migrate?: WireOlder[];
  /** The core panicked with this message; every later call is refused with `core_crashed`. */
  crashed?: string;
  /** A code: the database was closed, and not by this page. */
  closed?: string;
}

/** A document of an older version, or the fields of one that a patch writes. */
export interface WireOlder {
  collection: string;
  from: number;
  kind: "create" | "patch";
  data: Record<string, Json>;
}

export interface WireSettled {
  mutation: string;
  /** `discarded`: as asked for. One that was discarded too late is `accepted`. */
  status: "accepted" | "needs_attention" | "discarded";
  code: string | null;
  message: string | null;
}

export interface WireState {
  online: boolean;
  phase: "idle" | "first_sync" | "pushing" | "pulling" | "paused" | "offline";
  pending: number;
  failed: number;
  /** Unix milliseconds, as all times here. */
  oldestPendingAt: number | null;
  lastSyncedAt: number | null;
  nextTryAt: number | null;
  progress: { done: number; total: number; bytes: number };
  breaker: "closed" | "open";
  clockSkewMs: number;
  /** Why nothing is sent although something is pending; a code, or `null`. */
  reason: string | null;
  /** Whether this tab is the one that drains, and ready to: what it is asked for it begins at once. */
  leads: boolean;
  /** Stored records that cannot be read. They are kept where they are, and are part of an export. */
  damaged: number;
  /**
   * Writes that the server did not have and that are gone since the browser has deleted what was stored, as far as this
   * tab knows: it saves again what it had in memory, which is not all where very much was pending.
   */
  lost: number;
  /**
   * Accepted writes that this device keeps no longer, though the server has not said that they are in a backup. Should
   * the server be set back behind them, this device cannot give them to it again. They are kept for 30 days, 20 MiB of
   * them, so this counts up where nobody tells the server of its backups.
   */
  dropped: number;
  /** How often nothing was stored: when this was opened, and whenever it was found to be gone since. */
  made: number;
}

export interface WireEntry {
  /** Mutation id, `<writer>:<n>`. */
  id: string;
  kind: "create" | "patch" | "delete";
  collection: string;
  document: string;
  group: string | null;
  status: "saved" | "sending" | "waiting" | "paused" | "accepted" | "needs_attention";
  code: string | null;
  message: string | null;
  field: string | null;
  attempts: number;
  savedAt: number;
  because: string | null;
  /** Discarded, and the server is being asked whether that came in time. */
  discarding: boolean;
  /** The fields written, by JSON Pointer; `null` where they are in the journal alone. */
  fields: { path: string; op: string; value?: Json }[] | null;
}

/** What is thrown by every call of the core. */
export interface WireError {
  code: string;
  message: string;
}

/** The class that wasm-bindgen exports. Declared by hand: the generated types leak mangled names. */
export interface CoreDatabase {
  /**
   * Takes `WireMutation[]` as JSON, gives `WireReceipt[]` as JSON once all are durable, in one record.
   * Refuses all of them or none. The changed rows have been reported by the time it resolves, so a
   * write that was awaited is always seen. `grouped`: they are one item of the outbox, applied on the
   * server all together or not at all.
   */
  write(mutations: string, grouped: boolean): Promise<string>;
  /**
   * Visible rows (`WireRow[]` as JSON) of one document or of a whole collection. Every change from this
   * call on, not only from its answer on, comes as an event; so do the rows of a collection that has to be
   * read first, part by part, before this resolves.
   *
   * Without a name (`""`), nothing but documents that are written to by what is in the journal alone, of all collections:
   * after that, `outbox` gives all fields.
   *
   * With a field, it is asked as `WireSeek` says, and all rows come as events. Gives, as JSON: `null` where the whole
   * collection was read instead, else a text: empty where all that was asked for is known, and all that there is,
   * if it is less, or the key in the index up to which all rows are known. Once known they stay so: what comes to
   * be among them, comes as an event.
   */
  load(collection: string, document?: string, field?: string, equals?: string, count?: number): Promise<string>;
  /** `WireEntry[]` as JSON: pending mutations in journal order, then what needs attention. */
  outbox(): string;
  /**
   * Does a `WireAct` (as JSON) to an item of the outbox. Gives `WireReceipt[]` as JSON, of what stands
   * for it now, once that is durable; none where it goes on or is gone.
   */
  attend(id: string, act: string): Promise<string>;
  /**
   * Everything that the server does not have, whole, as the JSON text of one object with `client`, `through` and `items`;
   * and `unread`, how many writes are left out because they are in the journal alone. To be asked after a `load` without a
   * name, and once more while there are any.
   */
  export(): string;
  /** A call of the server with the app's token. Gives the body of the answer; throws a `WireError`. */
  request(method: "GET" | "POST", path: string, body?: string): Promise<string>;
  /** `WireState` as JSON. */
  state(): string;
  /** When `now` returns, `state` already tells of the round that it started, if it started one. */
  command(name: "now" | "pause" | "resume"): void;
  /** Lets go of the storage, after the commit under way. */
  close(): void;
  /**
   * Takes over what `client` exports up to its journal record `through`, unless it has done so; the same ids, as if
   * written here. `record` is the JSON text of one object with `entries`, each with the `place` where it stood.
   */
  adopt(client: string, through: number, record: string): Promise<void>;
  /**
   * As `close`, and deletes the database; other tabs close with `signed_out`. Refused with `pending_writes` for
   * what the server does not have, except up to the journal record `through`.
   */
  leave(through?: number): Promise<void>;
}

export interface CoreModule {
  open(
    options: WireOptions,
    auth: (() => Promise<string | null>) | null,
    listener: (events: string) => string | void,
  ): Promise<CoreDatabase>;
}
