import { expect, test, vi } from "vitest";
import { type LandfallError, type Row } from "../src/index.js";
import type { Json } from "../src/wire.js";
import { codeOf, inspections, turn } from "./fixture.js";

type Note = Row<Record<string, Json>>;
const ids = (rows: readonly { id: string }[]): string => rows.map(({ id }) => id).join("");

test("where compares whole values, and null is not absence", async () => {
  const { db, core } = await inspections();
  core.pull("notes", {
    a: { site: "A1", done: false, tags: ["x", { y: 1 }] },
    b: { site: "A1", done: true, at: { floor: 1, room: "r" } },
    c: { site: "A2", done: false, at: null },
  });
  const found = async (filter: Record<string, Json>): Promise<string> => ids(await db.notes.where(filter).all());
  expect(await found({})).toBe("abc");
  expect(await found({ site: "A1" })).toBe("ab");
  expect(await found({ site: "A1", done: false })).toBe("a");
  expect(await found({ at: null })).toBe("c");
  expect(await found({ at: { room: "r", floor: 1 } })).toBe("b");
  expect(await found({ at: { floor: 1 } })).toBe("");
  expect(await found({ tags: ["x", { y: 1 }] })).toBe("a");
  expect(await found({ id: "b" })).toBe("b");
  expect(ids(await db.notes.where({ site: "A1" }).where({ done: true }).all())).toBe("b");
  expect(core.loads).toEqual(["notes"]);
});

test("a query for one id loads that document alone, and follows it", async () => {
  const { db, core } = await inspections();
  core.put("notes", "a", { site: "A1" });
  core.put("notes", "b", { site: "A2" });
  const calls: string[] = [];
  db.notes.where({ id: "a" }).limit(1).subscribe((rows) => calls.push(JSON.stringify(rows)));
  await turn();
  core.pull("notes", { a: { site: "A3" }, b: null });
  await turn();
  core.pull("notes", { a: null });
  await turn();
  expect(calls).toEqual(['[{"site":"A1","id":"a"}]', '[{"site":"A3","id":"a"}]', "[]"]);
  expect(await db.notes.where({ id: "a", site: "A1" }).count()).toBe(0);
  expect(core.loads).toEqual(["notes/a"]);
});

test("a filter whose value got lost is not a query for everything", async () => {
  const { db } = await inspections();
  const lost = { site: undefined as never };
  expect(() => db.notes.where(lost)).toThrow(expect.objectContaining({ code: "invalid_options" }));
});

test("rows come in the order of their ids, or of one field and then their ids", async () => {
  const { db, core } = await inspections();
  const values: Json[] = [[1], "b", "a", 10, 9, true, false, null, "a", { x: 1 }];
  values.forEach((value, i) => core.put("notes", String(i), { value }));
  core.put("notes", "x", {});
  const all = db.notes.where();
  expect(ids(await all.all())).toBe("0123456789x");
  expect(ids(await all.orderBy("value").all())).toBe("x7654328109");
  expect(ids(await all.orderBy("value", "desc").all())).toBe("9018234567x");
});

test("limit keeps the first rows, and count counts what all gives", async () => {
  const { db, core } = await inspections();
  for (const id of "abcde") core.put("notes", id, { odd: "ace".includes(id) });
  const odd = db.notes.where({ odd: true });
  expect(ids(await odd.orderBy("id", "desc").limit(2).all())).toBe("ec");
  expect([await odd.count(), await odd.limit(2).count(), await odd.limit(0).count()]).toEqual([3, 2, 0]);
  for (const wrong of [-1, 1.5, Number.NaN]) {
    expect(() => odd.limit(wrong)).toThrow(expect.objectContaining({ code: "invalid_options" }));
  }
});

test("a query is not changed by what is made from it", async () => {
  const { db, core } = await inspections();
  for (const id of "abc") core.put("notes", id, {});
  const all = db.notes.where();
  all.limit(1);
  all.orderBy("id", "desc");
  expect(ids(await all.all())).toBe("abc");
});

test("a subscriber is called first with the rows as they are, and never from within subscribe", async () => {
  const { db, core } = await inspections();
  core.put("notes", "a", {});
  const calls: string[] = [];
  db.notes.where().subscribe((rows) => calls.push(ids(rows)));
  expect(calls).toEqual([]);
  await turn();
  db.notes.where().subscribe((rows) => calls.push(`${ids(rows)}!`));
  expect(calls).toEqual(["a"]);
  await turn();
  expect(calls).toEqual(["a", "a!"]);
});

test("a change between the first read and its answer is not missed", async () => {
  const { db, core } = await inspections();
  core.put("notes", "a", {});
  core.hold();
  const calls: string[] = [];
  db.notes.where().subscribe((rows) => calls.push(ids(rows)));
  core.pull("notes", { b: {} });
  core.release();
  await turn();
  expect(calls).toEqual(["ab"]);
});

test("a subscriber is called once for each turn, with a new array and the same objects", async () => {
  const { db, core } = await inspections();
  core.put("notes", "a", { n: 1 });
  core.put("notes", "b", { n: 1 });
  const calls: Note[][] = [];
  db.notes.where().subscribe((rows) => calls.push(rows));
  await turn();
  core.pull("notes", { b: { n: 2 } });
  core.pull("notes", { b: { n: 3 }, c: { n: 1 } });
  await turn();
  expect(calls.map(ids)).toEqual(["ab", "abc"]);
  expect(calls[1]?.[0]).toBe(calls[0]?.[0]);
  expect(calls[1]?.[1]).toEqual({ id: "b", n: 3 });
});

test("a subscriber is not called for what its query does not show", async () => {
  const { db, core } = await inspections();
  for (const id of "abcd") core.put("notes", id, { on: true });
  const calls: string[] = [];
  db.notes.where({ on: true }).limit(2).subscribe((rows) => calls.push(ids(rows)));
  await turn();
  core.pull("notes", { d: { on: true, n: 1 } });
  core.pull("notes", { x: { on: false } });
  core.pull("notes", { a: { on: true } });
  await turn();
  expect(calls).toEqual(["ab"]);
});

test("a row that leaves a limited query is followed by the next", async () => {
  const { db, core } = await inspections();
  for (const id of "abcd") core.put("notes", id, { on: true });
  const calls: string[] = [];
  db.notes.where({ on: true }).limit(2).subscribe((rows) => calls.push(ids(rows)));
  await turn();
  core.pull("notes", { a: { on: false } });
  await turn();
  core.pull("notes", { b: null });
  await turn();
  core.pull("notes", { a: { on: true } });
  await turn();
  expect(calls).toEqual(["ab", "bc", "cd", "ac"]);
  expect(core.loads).toEqual(["notes"]);
});

test("a subscriber that has stopped is never called, even for a change that had come before", async () => {
  const { db, core } = await inspections();
  const calls: string[] = [];
  const early = db.notes.where().subscribe((rows) => calls.push(ids(rows)));
  early();
  const stop = db.notes.where().subscribe((rows) => calls.push(ids(rows)));
  await turn();
  core.pull("notes", { a: {} });
  stop();
  await turn();
  expect(calls).toEqual([""]);
});

test("after a change that could not be named, subscribers get what changed and keep what did not", async () => {
  const { db, core } = await inspections();
  core.put("notes", "a", { n: 1 });
  core.put("notes", "b", { n: 1 });
  const calls: Note[][] = [];
  db.notes.where().subscribe((rows) => calls.push(rows));
  await turn();
  core.emit({ stale: true });
  await turn();
  expect(calls).toHaveLength(1);
  core.put("notes", "b", { n: 2 });
  core.emit({ stale: true });
  await turn();
  expect(calls[1]?.[0]).toBe(calls[0]?.[0]);
  expect(calls[1]?.[1]).toEqual({ id: "b", n: 2 });
});

test("live rows are what a fresh query gives, whatever changes", async () => {
  // A linear congruential generator: the same thousand steps in every run.
  let seed = 20_261_121;
  const below = (n: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((seed / 2 ** 32) * n);
  };
  const { db, core } = await inspections();
  const all = db.notes.where();
  const queries = [
    all,
    all.where({ kind: 1 }),
    all.orderBy("rank"),
    all.where({ kind: 2 }).orderBy("rank", "desc").limit(5),
    all.orderBy("kind", "desc").limit(0),
  ];
  const live: string[] = [];
  const calls: number[] = [];
  queries.forEach((query, i) => {
    query.subscribe((rows) => {
      live[i] = JSON.stringify(rows);
      calls[i] = (calls[i] ?? 0) + 1;
    });
  });
  await turn();
  for (let step = 0; step < 1_000; step += 1) {
    const changes: Record<string, Record<string, Json> | null> = {};
    for (let size = step % 97 === 0 ? 150 : 1 + below(4); size > 0; size -= 1) {
      const rank = [below(9), String(below(9)), null, below(2) === 0][below(4)] as Json;
      changes[`n${below(60)}`] = below(4) === 0 ? null : { kind: below(3), rank };
    }
    core.pull("notes", changes);
    if (step % 211 === 0) core.emit({ stale: true });
    await turn();
    const fresh = await Promise.all(queries.map(async (query) => JSON.stringify(await query.all())));
    expect(live, `step ${step}`).toEqual(fresh);
  }
  expect(calls[4]).toBe(1);
});

test("what a subscriber throws reaches neither the others nor the core", async () => {
  const { db, core } = await inspections();
  const thrown: unknown[] = [];
  const { queueMicrotask: original } = globalThis;
  globalThis.queueMicrotask = (task) =>
    original(() => {
      try {
        task();
      } catch (error) {
        thrown.push(error);
      }
    });
  try {
    const calls: string[] = [];
    db.notes.where().subscribe(() => {
      throw new Error("the app's own");
    });
    db.notes.where().subscribe((rows) => calls.push(ids(rows)));
    await turn();
    core.pull("notes", { a: {} });
    await turn();
    expect(calls).toEqual(["", "a"]);
    expect(thrown).toHaveLength(2);
  } finally {
    globalThis.queueMicrotask = original;
  }
});

test("a subscriber learns why its rows cannot be loaded", async () => {
  const { db, core } = await inspections();
  core.load = () => Promise.reject({ code: "storage_unavailable", message: "gone" });
  const failures: LandfallError[] = [];
  db.notes.where().subscribe(
    () => {},
    { onError: (error) => failures.push(error) },
  );
  await turn();
  expect(failures.map(({ code }) => code)).toEqual(["storage_unavailable"]);
});

test("a live query goes on after a crash, over what the next core has stored", async () => {
  const { db, module } = await inspections();
  const seen: string[] = [];
  const failures: unknown[] = [];
  db.notes.where().subscribe((rows) => seen.push(ids(rows)), { onError: (error) => failures.push(error) });
  await turn();
  module.core.put("notes", "lost", {});
  module.opening = (core) => void core.put("notes", "kept", {});
  module.core.emit({ crashed: "BUG: a panic" });
  expect(db.sync.state.reason).toBe("core_crashed");
  await vi.waitFor(() => expect(seen).toEqual(["", "kept"]));
  expect(db.sync.state.reason).toBe(null);
  module.core.pull("notes", { news: {} });
  await turn();
  expect([seen.at(-1), failures]).toEqual(["keptnews", []]);
});

test("a core that crashes again and again is given up, and subscribers learn of it; a close just ends them", async () => {
  const codes: unknown[] = [];
  const follow = ({ db }: Awaited<ReturnType<typeof inspections>>): void => {
    db.notes.where().subscribe(() => {}, { onError: (error) => codes.push(error.code) });
  };
  const closed = await inspections();
  follow(closed);
  await turn();
  await closed.db.close();
  const crashed = await inspections();
  follow(crashed);
  await turn();
  crashed.module.opening = (core) => core.emit({ crashed: "BUG: a panic" });
  crashed.core.emit({ crashed: "BUG: a panic" });
  await vi.waitFor(() => expect(codes).toEqual(["core_crashed"]));
  expect(crashed.module.opened.length).toBe(4);
});

test("a loop over a query gets the newest rows each time, and ends with the database", async () => {
  const { db, core } = await inspections();
  const seen: string[] = [];
  for await (const rows of db.notes.where()) {
    seen.push(ids(rows));
    if (seen.length === 1) {
      core.pull("notes", { a: {} });
      await turn();
      core.pull("notes", { b: {} });
      await turn();
    } else if (seen.length === 2) {
      void turn().then(() => db.close());
    }
  }
  expect(seen).toEqual(["", "ab"]);
});

test("a loop that is left stops following, and one over a core that keeps crashing throws", async () => {
  const { db, module } = await inspections();
  for await (const rows of db.notes.where()) {
    expect(rows).toEqual([]);
    break;
  }
  const loop = (async () => {
    for await (const _ of db.notes.where()) {
      module.opening = (core) => core.emit({ crashed: "BUG: a panic" });
      module.core.emit({ crashed: "BUG: a panic" });
    }
  })();
  expect(await codeOf(loop)).toBe("core_crashed");
});

test("queries that ask for the same are equal, however they were put together", async () => {
  const { db } = await inspections();
  const { db: other } = await inspections();
  const query = () => db.visits.where({ site: "A1", done: false }).orderBy("site").limit(3);
  expect(query().equals(query())).toBe(true);
  expect(db.visits.where({ done: false }).where({ site: "A1" }).limit(3).orderBy("site").equals(query())).toBe(true);
  expect(db.visits.where({ site: Number.NaN as never }).equals(db.visits.where({ site: Number.NaN as never }))).toBe(true);
  for (const different of [
    db.visits.where({ site: "A2", done: false }).orderBy("site").limit(3),
    db.visits.where({ site: "A1" }).orderBy("site").limit(3),
    db.visits.where({ site: "A1", done: false }).orderBy("site", "desc").limit(3),
    db.visits.where({ site: "A1", done: false }).orderBy("site"),
    other.visits.where({ site: "A1", done: false }).orderBy("site").limit(3),
  ]) {
    expect(different.equals(query())).toBe(false);
  }
});
