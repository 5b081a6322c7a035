import { expect, test } from "vitest";
import { z } from "zod";
import { codeOf, inspections, opened, turn } from "./fixture.js";

test("an increment, an add and a remove name what they do, and nothing of the rest of the row", async () => {
  const { db, core } = await inspections();
  await db.visits.insert({ site: "A1" }, { id: "v" });
  await db.visits.increment("v", "photos");
  await db.visits.increment("v", "photos", -3, { priority: "high", network: "unmetered" });
  await db.visits.add("v", "tags", "roof");
  await db.visits.remove("v", "tags", "wall");
  const patch = { op: "patch", collection: "visits", document: "v", data: {} };
  expect(core.calls.slice(1)).toEqual([
    [{ ...patch, changes: [{ path: "/photos", op: "increment", value: 1 }] }],
    [{ ...patch, changes: [{ path: "/photos", op: "increment", value: -3 }], priority: "high", network: "unmetered" }],
    [{ ...patch, changes: [{ path: "/tags", op: "add", value: "roof" }] }],
    [{ ...patch, changes: [{ path: "/tags", op: "remove", value: "wall" }] }],
  ]);
  expect(await db.visits.get("v")).toMatchObject({ photos: -2, tags: ["roof"] });
});

test("what a row would be after an operation must satisfy the schema, whether it is in memory or not", async () => {
  const { db, core } = await inspections();
  core.put("visits", "cold", { site: "A1", done: false, photos: 9, tags: ["a"] });
  await db.visits.insert({ site: "A1", photos: 8 }, { id: "warm" });
  expect(await codeOf(db.visits.increment("cold", "photos"))).toBe("schema_invalid");
  await db.visits.increment("warm", "photos");
  expect(await codeOf(db.visits.increment("warm", "photos"))).toBe("schema_invalid");
  expect(await codeOf(db.visits.add("cold", "tags", "too long"))).toBe("schema_invalid");
  await db.visits.increment("cold", "photos", -1);
  expect(core.calls).toHaveLength(3);
});

test("an element that is there already is no reason to refuse an add, nor an absent one to refuse a remove", async () => {
  const Two = z.object({ tags: z.array(z.object({ name: z.string() })).max(2) });
  const { db } = await opened({ notes: { schema: Two, fields: { tags: "set" } } });
  await db.notes.insert({ tags: [{ name: "a" }, { name: "b" }] }, { id: "n" });
  await db.notes.add("n", "tags", { name: "b" });
  expect(await codeOf(db.notes.add("n", "tags", { name: "c" }))).toBe("schema_invalid");
  await db.notes.remove("n", "tags", { name: "a" });
  await db.notes.add("n", "tags", { name: "c" });
  expect(await codeOf(db.notes.add("n", "tags", { name: "d" }))).toBe("schema_invalid");
});

test("without a schema an operation needs no row, and a field's name may hold anything", async () => {
  const { db, core } = await opened({ notes: { fields: { "a/b~c": "counter" } } });
  core.put("notes", "n", {});
  void codeOf(db.notes.increment("n", "a/b~c"));
  expect(core.loads).toEqual([]);
  expect(core.calls[0]?.[0]).toMatchObject({ changes: [{ path: "/a~1b~0c" }] });
  await turn();
});

test("an operation that the field does not have is the core's to refuse", async () => {
  const { db } = await inspections();
  await db.notes.insert({ text: "a" }, { id: "n" });
  expect(await codeOf(db.notes.increment("n", "text"))).toBe("invalid_operation");
  expect(await codeOf(db.notes.update("n", { count: 3 }))).toBe("invalid_operation");
  expect(await codeOf(db.notes.increment("nobody", "count"))).toBe("not_found");
});

test("what is not JSON is neither added nor counted", async () => {
  const { db, core } = await inspections();
  await db.notes.insert({}, { id: "n" });
  expect(await codeOf(db.notes.increment("n", "count", Number.NaN))).toBe("invalid_document");
  expect(await codeOf(db.notes.add("n", "labels", undefined as never))).toBe("invalid_document");
  expect(await codeOf(db.notes.add("n", "labels", new Date(0) as never))).toBe("invalid_document");
  expect(core.calls).toHaveLength(1);
});

test("every write takes a priority and a network", async () => {
  const { db, core } = await inspections();
  const options = { priority: "low", network: "unmetered" } as const;
  await db.notes.insert({}, { ...options, id: "n" });
  await db.notes.insertMany([{}], options);
  await db.notes.update("n", { text: "a" }, options);
  await db.notes.delete("n", options);
  for (const [mutation] of core.calls) expect(mutation).toMatchObject(options);
  expect(core.grouped).toEqual([false, false, false, false]);
});

test("writes of different collections are handed over in the order of the calls, too", async () => {
  const Slow = z.object({ name: z.string() }).refine(async () => true);
  const { db, core } = await opened({ sites: { schema: Slow }, visits: { parent: { site: "sites" } } });
  await Promise.all([db.sites.insert({ name: "A" }, { id: "s" }), db.visits.insert({ site: "s" })]);
  expect(core.calls.map(([mutation]) => mutation?.collection)).toEqual(["sites", "visits"]);
});
