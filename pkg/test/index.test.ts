import { expect, test } from "vitest";
import type { Json } from "../src/wire.js";
import { codeOf, opened, turn } from "./fixture.js";

const collections = { notes: { indexes: ["kind", "rank"] } } as const;

const ids = (rows: readonly { readonly id: string }[]): string => rows.map(({ id }) => id).join("");

test("a query asks an index for what it needs, once", async () => {
  const { db, core } = await opened(collections);
  core.put("notes", "a", { kind: 1, rank: 5, done: true });
  core.put("notes", "b", { kind: 2, rank: 4 });
  core.put("notes", "c", { kind: 1, rank: 3 });
  core.put("notes", "d", { kind: null, rank: 2 });
  expect(ids(await db.notes.where({ kind: 1 }).all())).toBe("ac");
  expect(ids(await db.notes.where({ kind: 1, done: true }).orderBy("rank").limit(1).all())).toBe("a");
  expect(await db.notes.where({ kind: null }).count()).toBe(1);
  expect(ids(await db.notes.where().orderBy("rank", "desc").limit(1).all())).toBe("a");
  expect(await db.notes.where().orderBy("rank").limit(1).count()).toBe(1);
  await db.notes.where({ kind: 1 }).all();
  expect(core.loads).toEqual(["notes?kind=1", "notes?kind=null", "notes?rank=-2", "notes?rank=2"]);
});

test("a query that no index can answer reads the collection", async () => {
  const { db, core } = await opened(collections);
  await db.notes.where({ done: true }).all();
  expect(core.loads).toEqual(["notes"]);
  for (const query of [
    db.notes.where({ kind: [1] }),
    db.notes.where({ kind: Number.NaN }),
    db.notes.where({ done: true }).orderBy("rank").limit(5),
    db.notes.where().orderBy("rank"),
    db.notes.where().orderBy("done").limit(5),
    db.notes.where().orderBy("rank").limit(0),
    db.notes.where().orderBy("rank").limit(100_000),
    db.notes.where({ kind: 1 }),
  ]) {
    await query.all();
  }
  expect(core.loads, "once it is known as a whole, nothing more is read").toEqual(["notes"]);
});

test("rows that leave the first ones are followed by those that come next, also from beyond what is known", async () => {
  const { db, core } = await opened(collections);
  for (let rank = 0; rank < 9; rank += 1) core.put("notes", `n${rank}`, { rank });
  const seen: string[] = [];
  db.notes.where().orderBy("rank").limit(2).subscribe((rows) => seen.push(ids(rows)));
  await turn();
  // Known, and far beyond what the index was asked for.
  await db.notes.get("n8");
  for (const id of ["n0", "n1", "n2", "n3", "n4", "n5"]) {
    core.pull("notes", { [id]: null });
    await turn();
  }
  expect(seen).toEqual(["n0n1", "n1n2", "n2n3", "n3n4", "n4n5", "n5n6", "n6n7"]);
  expect(core.loads).toEqual(["notes?rank=4", "notes/n8", "notes?rank=4", "notes?rank=4"]);
});

test("rows that leave while they are read are made up for", async () => {
  const { db, core } = await opened(collections);
  for (let rank = 0; rank < 9; rank += 1) core.put("notes", `n${rank}`, { rank });
  await db.notes.get("n8");
  core.hold();
  const reading = db.notes.where().orderBy("rank").limit(2).all();
  await turn();
  core.pull("notes", { n0: null, n1: null, n2: null });
  core.release();
  expect(ids(await reading)).toBe("n3n4");
  expect(core.loads).toEqual(["notes/n8", "notes?rank=4", "notes?rank=8"]);
});

test("what is stale is asked again, and rows that did not change keep their object", async () => {
  const { db, core } = await opened(collections);
  core.put("notes", "a", { kind: 1 });
  const seen: unknown[] = [];
  db.notes.where({ kind: 1 }).subscribe((rows) => seen.push(rows[0]));
  await turn();
  core.emit({ stale: true });
  await turn();
  core.put("notes", "b", { kind: 1 });
  core.emit({ stale: true });
  await turn();
  expect(seen.length).toBe(2);
  expect(seen[1]).toBe(seen[0]);
});

test("what is no field of a document cannot be indexed", async () => {
  for (const indexes of [["id"], [""], [7 as unknown as string]]) {
    expect(await codeOf(opened({ notes: { indexes } }))).toBe("invalid_options");
  }
});

test("live and fresh queries over indexes are what reading everything gives, whatever changes", async () => {
  // A linear congruential generator: the same steps in every run.
  let seed = 20_261_122;
  const below = (n: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((seed / 2 ** 32) * n);
  };
  const { db, core } = await opened(collections);
  // The same rows in a database that reads everything.
  const { db: whole, core: other } = await opened({ notes: {} });
  const queries = [db, whole].map(({ notes }) => [
    notes.where({ kind: 1 }),
    notes.where({ kind: 2 }).orderBy("rank", "desc").limit(5),
    notes.where().orderBy("rank").limit(3),
    notes.where().orderBy("rank", "desc").limit(3),
    notes.where().orderBy("kind", "desc").limit(7),
  ]);
  const live: string[] = [];
  queries[0]?.forEach((query, i) => query.subscribe((rows) => (live[i] = JSON.stringify(rows))));
  for (let step = 0; step < 600; step += 1) {
    const changes: Record<string, Record<string, Json> | null> = {};
    for (let size = 1 + below(4); size > 0; size -= 1) {
      const rank = [below(9) / 2 - 2, ["", "\0", "\x01", "\x01\x02", "a"][below(5)], null, below(2) === 0][below(4)] as Json;
      changes[`n${below(40)}`] = below(3) === 0 ? null : below(5) === 0 ? { kind: 2 } : { kind: below(3), rank };
    }
    core.pull("notes", changes);
    other.pull("notes", changes);
    if (step % 97 === 0) core.emit({ stale: true });
    if (step % 7 === 0) {
      const data = { kind: below(3), rank: below(9) };
      const id = `w${step}`;
      await Promise.all([db.notes.insert(data, { id }), whole.notes.insert(data, { id })]);
    }
    await turn();
    const [mine, expected] = await Promise.all(
      queries.map((some) => Promise.all(some.map(async (query) => JSON.stringify(await query.all())))),
    );
    expect(mine, `step ${step}`).toEqual(expected);
    expect(live, `step ${step}`).toEqual(expected);
  }
  expect(core.loads).not.toContain("notes");
});
