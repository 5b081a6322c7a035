/** Compiled, never run: what the types promise. A line that must not compile says so. */

import { z } from "zod";
import type { LandfallConflicts } from "../src/components/index.js";
import type { Collection, Conflict, Database, Json, Outbox, Row, Sync, Write } from "../src/index.js";
import { open, unset } from "../src/index.js";
import { useDocument, useOutbox, useQuery, useSync } from "../src/react.js";

type IsExact<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function typeAssert<_ extends true>(): void {}

const Visit = z.object({
  site: z.string(),
  notes: z.string().optional(),
  done: z.boolean().default(false),
  tags: z.array(z.string()),
  at: z.object({ floor: z.number(), room: z.string().optional() }),
});

type VisitRow = Readonly<z.output<typeof Visit>> & { readonly id: string };

const collections = { visits: { schema: Visit, version: 2, parent: { site: "sites" } }, sites: {} } as const;
declare const db: Database<typeof collections>;

export async function opened(): Promise<void> {
  const other = await open({ name: "x", url: "/", auth: () => null, user: "u", collections });
  typeAssert<IsExact<(typeof other)["visits"], (typeof db)["visits"]>>();
  typeAssert<IsExact<(typeof other)["sync"], Sync>>();
  typeAssert<IsExact<(typeof other)["outbox"], Outbox>>();
  // @ts-expect-error: not a collection of this database
  other.nothing;
  // @ts-expect-error: what a database is made of
  await open({ name: "x" });
  // @ts-expect-error: not a Standard Schema
  await open({ name: "x", collections: { visits: { schema: { parse: () => 1 } } } });
}

export async function aCollectionHasTheTypesOfItsSchema(): Promise<void> {
  typeAssert<IsExact<(typeof db)["visits"], Collection<z.input<typeof Visit>, z.output<typeof Visit>>>>();
  const row = await db.visits.get("v");
  typeAssert<IsExact<typeof row, Row<z.output<typeof Visit>> | undefined>>();
  typeAssert<IsExact<Row<z.output<typeof Visit>>, VisitRow>>();
  if (row) {
    typeAssert<IsExact<(typeof row)["done"], boolean>>();
    // @ts-expect-error: rows are frozen
    row.site = "A2";
  }
}

export async function aCollectionWithoutSchemaHoldsJson(): Promise<void> {
  const row = await db.sites.get("s");
  typeAssert<IsExact<typeof row, Row<Record<string, Json>> | undefined>>();
  await db.sites.insert({ name: "A1", deep: { list: [1, null] }, nothing: undefined });
  await db.sites.update("s", { name: unset, deep: { list: unset } });
  // @ts-expect-error: not JSON
  await db.sites.insert({ at: new Date() });
}

export async function anInsertTakesTheInput(): Promise<void> {
  const write = await db.visits.insert({ site: "A1", tags: [], at: { floor: 1 } }, { id: "v", priority: "high" });
  typeAssert<IsExact<typeof write, Write>>();
  const writes = await db.visits.insertMany([{ site: "A1", tags: [], at: { floor: 1 }, done: true }]);
  typeAssert<IsExact<typeof writes, Write[]>>();
  // @ts-expect-error: site is missing
  await db.visits.insert({ tags: [], at: { floor: 1 } });
  // @ts-expect-error: no such field
  await db.visits.insert({ site: "A1", tags: [], at: { floor: 1 }, sight: 1 });
  // @ts-expect-error: no such priority
  await db.visits.insert({ site: "A1", tags: [], at: { floor: 1 } }, { priority: "urgent" });
}

export async function anUpdateTakesAPart(): Promise<void> {
  await db.visits.update("v", {});
  await db.visits.update("v", { site: undefined, notes: unset, done: unset, tags: ["x"] });
  await db.visits.update("v", { at: { floor: 2, room: unset } });
  // @ts-expect-error: a visit has a site
  await db.visits.update("v", { site: unset });
  // @ts-expect-error: lists are replaced whole
  await db.visits.update("v", { tags: { 0: "x" } });
  // @ts-expect-error: no such field
  await db.visits.update("v", { at: { flour: 2 } });
  // @ts-expect-error: the id does not change
  await db.visits.update("v", { id: "w" });
}

export async function aTransactionHasTheSameCollections(): Promise<void> {
  const write = await db.transaction(async (tx) => {
    const visit = await tx.visits.insert({ site: "A1", tags: [], at: { floor: 1 } }, { priority: "high" });
    typeAssert<IsExact<typeof visit, { readonly id: string }>>();
    await tx.visits.update(visit.id, { notes: unset });
    await tx.visits.add(visit.id, "tags", "roof");
    const row = await tx.visits.get(visit.id);
    typeAssert<IsExact<typeof row, Row<z.output<typeof Visit>> | undefined>>();
    // @ts-expect-error: site is missing
    await tx.visits.insert({ tags: [], at: { floor: 1 } });
    // @ts-expect-error: a transaction has no queries
    tx.visits.where({});
    // @ts-expect-error: not a collection of this database
    await tx.nothing.delete("v");
  });
  typeAssert<IsExact<typeof write, Write>>();
}

export async function aQueryKnowsItsFields(): Promise<void> {
  const query = db.visits.where({ site: "A1", done: false }).orderBy("notes", "desc").limit(5);
  const rows = await query.all();
  typeAssert<IsExact<typeof rows, Row<z.output<typeof Visit>>[]>>();
  query.subscribe((live) => typeAssert<IsExact<typeof live, Row<z.output<typeof Visit>>[]>>());
  for await (const live of query) typeAssert<IsExact<typeof live, Row<z.output<typeof Visit>>[]>>();
  db.visits.where({ id: "v" }).orderBy("id");
  db.sites.where({ anything: null }).orderBy("anything");
  // @ts-expect-error: a site is text
  db.visits.where({ site: 1 });
  // @ts-expect-error: no such field
  db.visits.where({ sight: "A1" });
  // @ts-expect-error: no such field
  db.visits.where().orderBy("sight");
}

const Count = z.object({ photos: z.number().optional(), tags: z.array(z.object({ name: z.string() })), site: z.string() });

export async function anOperationKnowsWhatItsFieldHolds(): Promise<void> {
  const { counts, notes } = await open({ name: "x", collections: { counts: { schema: Count }, notes: {} } });
  const write = await counts.increment("c", "photos", 2, { network: "unmetered" });
  typeAssert<IsExact<typeof write, Write>>();
  await counts.add("c", "tags", { name: "roof" });
  await counts.remove("c", "tags", { name: "roof" }, { priority: "low" });
  await notes.increment("a", "anything");
  await notes.add("a", "anything", { deep: [1] });
  // @ts-expect-error: text is not counted
  await counts.increment("c", "site");
  // @ts-expect-error: no such field
  await counts.increment("c", "fotos");
  // @ts-expect-error: not a list
  await counts.add("c", "site", "x");
  // @ts-expect-error: not an element
  await counts.add("c", "tags", "roof");
  // @ts-expect-error: not JSON
  await notes.add("a", "anything", new Date());
  // @ts-expect-error: no such merge
  await open({ name: "x", collections: { counts: { fields: { photos: "sum" } } } });
}

export function hooksGiveTheTypesOfTheirCollection(): void {
  typeAssert<IsExact<ReturnType<typeof visits>, readonly VisitRow[] | undefined>>();
  typeAssert<IsExact<ReturnType<typeof visit>, VisitRow | null | undefined>>();
  function visits() {
    return useQuery(db.visits.where({ done: false }).orderBy("site"));
  }
  function visit() {
    return useDocument(db.visits, "v");
  }
  const pending: number | undefined = useSync(db)?.pending;
  const count: number = useOutbox(pending ? db : null).length;
  // @ts-expect-error: not loaded yet
  visits().length === count;
}

export async function aConflictIsSettledForOneSideOrWithAnotherValue(): Promise<void> {
  const [conflict] = await db.conflicts.list();
  if (!conflict) return;
  typeAssert<IsExact<typeof conflict, Conflict>>();
  typeAssert<IsExact<(typeof conflict)["winner"], "mine" | "theirs" | null>>();
  await db.conflicts.resolve(conflict.id, "mine");
  await db.conflicts.resolve(conflict.id, "theirs");
  await db.conflicts.resolve(conflict.id, { value: { floor: 2 } });
  const stop = db.conflicts.subscribe((conflicts) => {
    typeAssert<IsExact<typeof conflicts, readonly Conflict[]>>();
  });
  typeAssert<IsExact<typeof stop, () => void>>();
  // @ts-expect-error: the server's words
  await db.conflicts.resolve(conflict.id, "won");
  // @ts-expect-error: not JSON
  await db.conflicts.resolve(conflict.id, { value: new Date() });
  // @ts-expect-error: conflicts are frozen
  conflict.resolved = null;
}

export function theElementTakesADatabase(element: LandfallConflicts): void {
  element.db = db;
}
