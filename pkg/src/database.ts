import { claim } from "./claim.js";
import { Collection } from "./collection.js";
import { Conflicts } from "./conflicts.js";
import { Core } from "./core.js";
import { fromCore, LandfallError } from "./errors.js";
import { Intents } from "./intent.js";
import { Members, type Table } from "./members.js";
import { migrated } from "./migrate.js";
import { check, type Options } from "./options.js";
import { Outbox } from "./outbox.js";
import { Rows } from "./rows.js";
import type { CollectionOptions, Collections, InputOf, OutputOf } from "./schema.js";
import { Sync } from "./sync.js";
import { Trace } from "./trace.js";
import type { CoreDatabase, CoreModule, WireEvents, WireOptions, WireRow } from "./wire.js";
import { Writes } from "./write.js";

export type { Options } from "./options.js";

/** An open database: its collections by name, and what belongs to all of them. */
export type Database<C extends Collections> = Members<C> & {
  readonly [Name in keyof C]: CollectionOf<C[Name]>;
};

type CollectionOf<O extends CollectionOptions> = Collection<InputOf<O>, OutputOf<O>>;

/** A database that is open, or about to be, and by how many it is used. */
interface Shared {
  readonly terms: string;
  readonly database: Promise<Members<Collections>>;
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
    return (await entry.database) as Members<Collections> as Database<C>;
  } catch (error) {
    if (shared.get(key) === entry) shared.delete(key);
    throw error;
  }
}

async function connect(
  load: () => Promise<CoreModule>,
  { collections, auth, claimGuest }: Options<Collections>,
  wire: WireOptions,
  { release, ended }: { release: (core: Core) => Promise<void>; ended: () => void },
): Promise<Members<Collections>> {
  const answer = ({ migrate }: WireEvents): string | undefined => migrate && migrated(collections, migrate);
  const early: WireEvents[] = [];
  let receive = (events: WireEvents): void => void early.push(events);
  const start = (): Promise<CoreDatabase> =>
    new Promise((resolve, reject) => {
      const listener = (text: string): string | void => {
        const events = JSON.parse(text) as WireEvents;
        if (events.migrate) return answer(events);
        // A core that panics while it opens never answers.
        if (events.crashed !== undefined) reject(crash(events.crashed));
        receive(events);
      };
      load()
        .then((module) => module.open(wire, auth ? oneAtATime(auth) : null, listener))
        .then(resolve, (error: unknown) => reject(fromCore(error)));
    });
  const trace = new Trace([wire.name, wire.user, wire.url]);
  const known = trace.found();
  const database = await start();
  if (!known) trace.leave();
  if (claimGuest && wire.user !== null) {
    try {
      const guest = await (await load()).open({ ...wire, user: null }, null, (text) => answer(JSON.parse(text) as WireEvents));
      await claim(guest, database);
      new Trace([wire.name, null, wire.url]).remove();
    } catch (error) {
      database.close();
      throw fromCore(error);
    }
  }

  const tables = new Map<string, Table>();
  const core = new Core(database, (reason) => {
    ended();
    if (reason.code === "signed_out") trace.remove();
    writes.end(reason);
    for (const { rows } of tables.values()) rows.end(reason);
    sync.end();
    outbox.end();
    conflicts.end();
  });
  const sync = new Sync(core, known);
  const writes = new Writes(core, wire.url === null, () => {
    void sync.keep();
    return sync.room();
  });
  const outbox = new Outbox(core, writes, tables, wire);
  const conflicts = new Conflicts(core, sync, trace, wire);
  const members = new Members({ core, sync, outbox, conflicts, writes, tables, identity: wire, release });
  for (const [name, { schema, indexes }] of Object.entries(collections)) {
    const table = { rows: new Rows(core, name, indexes), intents: new Intents(name, schema) };
    tables.set(name, table);
    const collection = new Collection(table.rows, writes, table.intents);
    Object.defineProperty(members, name, { value: collection, enumerable: true });
  }

  receive = (events) => {
    if (events.crashed !== undefined) {
      sync.crashed();
      return core.crash(crash(events.crashed), start, restarted);
    }
    if (events.closed !== undefined) return core.end(new LandfallError(events.closed, "the database was closed"));
    if (events.stale) for (const { rows } of tables.values()) rows.invalidate();
    if (events.rows) for (const [name, rows] of grouped(events.rows)) tables.get(name)?.rows.apply(rows);
    if (events.replaced) writes.rename(events.replaced);
    if (events.settled) for (const settled of events.settled) writes.settle(settled);
    if (events.outbox) outbox.changed();
    if (events.state) sync.receive(events.state);
    if (events.leader) sync.follow(events.leader);
  };
  for (const events of early) receive(events);
  return members;

  function restarted(): void {
    writes.compare(core.outbox());
    for (const { rows } of tables.values()) rows.invalidate();
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
