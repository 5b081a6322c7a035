import { Collection } from "./collection.js";
import { Core } from "./core.js";
import { fromCore, LandfallError } from "./errors.js";
import { Outbox } from "./outbox.js";
import { Rows } from "./rows.js";
import type { CollectionOptions, Collections, InputOf, OutputOf } from "./schema.js";
import { Sync } from "./sync.js";
import type { CoreDatabase, CoreModule, WireEvents, WireOptions, WireRow } from "./wire.js";
import { Writes } from "./write.js";

/** What `open` takes. */
export interface Options<C extends Collections> {
  /** Names the database among others of the same app. */
  readonly name: string;
  /** Where the server is. Left out: the database is local only. */
  readonly url?: string;
  /**
   * Gives the access token, `null` when nobody is signed in; then writes are kept until somebody is.
   * Called only when a token is needed, and never again before it has answered.
   */
  readonly auth?: () => string | null | Promise<string | null>;
  /** Whose data it is. Another user gets another database, so nothing can mix. */
  readonly user?: string;
  readonly collections: C;
}

/** An open database: its collections by name, and what belongs to all of them. */
export type Database<C extends Collections> = Members & {
  readonly [Name in keyof C]: CollectionOf<C[Name]>;
};

type CollectionOf<O extends CollectionOptions> = Collection<InputOf<O>, OutputOf<O>>;

/** Names that `db` has or will have, beside those of its prototype. */
const RESERVED: ReadonlySet<string> = new Set(["sync", "outbox", "conflicts", "transaction", "export", "signOut"]);

/** What every database has beside its collections. */
class Members {
  readonly sync: Sync;
  readonly outbox: Outbox;
  readonly #release: () => Promise<void>;

  /** @internal */
  constructor(sync: Sync, outbox: Outbox, release: () => Promise<void>) {
    this.sync = sync;
    this.outbox = outbox;
    this.#release = release;
  }

  /**
   * Ends this opening. The last one ends the database: writes under way are still saved, live queries
   * stop, and everything else is refused with `closed`. Nothing pending is lost; it is sent when the
   * database is opened again, or by another tab.
   */
  close(): Promise<void> {
    return this.#release();
  }
}

/** A database that is open, or about to be, and by how many it is used. */
interface Shared {
  readonly terms: string;
  readonly database: Promise<Members>;
  holders: number;
  closing?: Promise<void>;
}

const shared = new Map<string, Shared>();

/**
 * Opens a database in the core that `load` gives.
 *
 * @internal
 */
export async function openWith<C extends Collections>(
  load: () => Promise<CoreModule>,
  options: Options<C>,
): Promise<Database<C>> {
  const wire = check(options);
  const key = JSON.stringify([wire.name, wire.url, wire.user]);
  const terms = JSON.stringify(wire.collections);
  let entry = shared.get(key);
  while (entry?.closing) {
    await entry.closing.catch(() => {});
    entry = shared.get(key);
  }
  if (entry && entry.terms !== terms) {
    throw new LandfallError("invalid_options", `${wire.name} is open with other collections`);
  }
  if (!entry) {
    const made: Shared = { terms, holders: 0, database: connect(load, options, wire, { release, ended: forget }) };
    function release(core: Core): Promise<void> {
      made.holders -= 1;
      if (made.holders === 0) made.closing = core.close().finally(forget);
      return made.closing ?? Promise.resolve();
    }
    // Whoever opens a database that has ended, however it did, gets a new one.
    function forget(): void {
      if (shared.get(key) === made) shared.delete(key);
    }
    shared.set(key, made);
    entry = made;
  }
  entry.holders += 1;
  try {
    // The members were made from collections of the same names.
    return (await entry.database) as Database<C>;
  } catch (error) {
    if (shared.get(key) === entry) shared.delete(key);
    throw error;
  }
}

async function connect(
  load: () => Promise<CoreModule>,
  { collections, auth }: Options<Collections>,
  wire: WireOptions,
  { release, ended }: { release: (core: Core) => Promise<void>; ended: () => void },
): Promise<Members> {
  const early: WireEvents[] = [];
  let receive = (events: WireEvents): void => void early.push(events);
  const start = (): Promise<CoreDatabase> =>
    new Promise((resolve, reject) => {
      const listener = (text: string): void => {
        const events = JSON.parse(text) as WireEvents;
        // A core that panics while it opens never answers.
        if (events.crashed !== undefined) reject(crash(events.crashed));
        receive(events);
      };
      load()
        .then((module) => module.open(wire, auth ? oneAtATime(auth) : null, listener))
        .then(resolve, (error: unknown) => reject(fromCore(error)));
    });
  const database = await start();

  const tables = new Map<string, Rows>();
  const core = new Core(database, (reason) => {
    ended();
    writes.end(reason);
    for (const rows of tables.values()) rows.end(reason);
    sync.end();
    outbox.end();
  });
  const sync = new Sync(core);
  const outbox = new Outbox(core);
  const writes = new Writes(core, wire.url === null, () => void sync.keep());
  const members = new Members(sync, outbox, () => release(core));
  for (const [name, { schema }] of Object.entries(collections)) {
    const rows = new Rows(core, name);
    tables.set(name, rows);
    Object.defineProperty(members, name, { value: new Collection(name, rows, writes, schema), enumerable: true });
  }

  receive = (events) => {
    if (events.crashed !== undefined) {
      sync.receive({ ...sync.state, reason: "core_crashed" });
      return core.crash(crash(events.crashed), start, restarted);
    }
    if (events.closed !== undefined) return core.end(new LandfallError(events.closed, "the database was closed"));
    if (events.stale) for (const rows of tables.values()) rows.invalidate();
    if (events.rows) for (const [name, rows] of grouped(events.rows)) tables.get(name)?.apply(rows);
    if (events.replaced) writes.rename(events.replaced);
    if (events.settled) for (const settled of events.settled) writes.settle(settled);
    if (events.outbox) outbox.changed();
    if (events.state) sync.receive(events.state);
  };
  for (const events of early) receive(events);
  return members;

  function restarted(): void {
    writes.compare(core.outbox());
    for (const rows of tables.values()) rows.invalidate();
    outbox.changed();
    sync.receive(core.state());
  }
}

function grouped(rows: readonly WireRow[]): Map<string, WireRow[]> {
  const groups = new Map<string, WireRow[]>();
  for (const row of rows) {
    const group = groups.get(row.collection);
    if (group) group.push(row);
    else groups.set(row.collection, [row]);
  }
  return groups;
}

function crash(message: string): LandfallError {
  return new LandfallError("core_crashed", message);
}

/** A token that is being fetched is what everybody waits for. */
function oneAtATime(auth: NonNullable<Options<Collections>["auth"]>): () => Promise<string | null> {
  let asking: Promise<string | null> | undefined;
  return () => {
    asking ??= (async () => (await auth()) ?? null)().finally(() => {
      asking = undefined;
    });
    return asking;
  };
}

/** What the core takes, from options that may come from untyped code. */
function check({ name, url, user, auth, collections }: Options<Collections>): WireOptions {
  if (!isName(name)) refuse("name: not a name");
  if (user !== undefined && !isName(user)) refuse("user: not a name");
  if (auth !== undefined && typeof auth !== "function") refuse("auth: not a function");
  const wire: WireOptions = { name, url: url === undefined ? null : address(url), user: user ?? null, collections: {} };
  for (const [collection, { schema, version = 1, parent = {}, fields = {}, indexes = [] }] of Object.entries(collections)) {
    if (!isName(collection) || RESERVED.has(collection) || collection in Members.prototype) {
      throw new LandfallError("invalid_collection", `a collection cannot be named ${JSON.stringify(collection)}`);
    }
    if (schema !== undefined && schema["~standard"]?.version !== 1) refuse(`${collection}: not a Standard Schema`);
    if (!Number.isSafeInteger(version) || version < 1) refuse(`${collection}: not a version: ${version}`);
    for (const of of Object.values(parent)) {
      if (!Object.hasOwn(collections, of)) refuse(`${collection}: no such parent collection: ${of}`);
    }
    wire.collections[collection] = { version, parent: { ...parent }, fields: { ...fields }, indexes: [...indexes] };
  }
  return wire;
}

function isName(name: unknown): boolean {
  return typeof name === "string" && name !== "";
}

/** One spelling for one server: the address decides which database it is. */
function address(url: string): string {
  try {
    // In a page, an address may be relative to it.
    const { protocol, origin, pathname } = new URL(url, globalThis.location?.href);
    if (protocol === "https:" || protocol === "http:") return origin + pathname.replace(/\/+$/, "");
  } catch {
    // Said below.
  }
  refuse(`url: not an http(s) address: ${url}`);
}

function refuse(message: string): never {
  throw new LandfallError("invalid_options", message);
}
