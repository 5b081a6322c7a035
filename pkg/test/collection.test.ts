import { expect, test } from "vitest";
import { z } from "zod";
import { unset } from "../src/index.js";
import { codeOf, inspections, opened, turn } from "./fixture.js";

test("an insert stores what the schema gives, and the row is read back frozen with its id", async () => {
  const { db, core } = await inspections();
  const write = await db.visits.insert({ site: " A1 " });
  expect(core.calls).toEqual([[{ op: "create", collection: "visits", data: { site: "A1", done: false } }]]);
  const row = await db.visits.get(write.id);
  expect(row).toEqual({ id: write.id, site: "A1", done: false });
  expect(Object.isFrozen(row)).toBe(true);
  expect(core.loads).toEqual([]);
});

test("an insert takes an id and a priority", async () => {
  const { db, core } = await inspections();
  const write = await db.visits.insert({ site: "A1" }, { id: "v1", priority: "high" });
  expect(write.id).toBe("v1");
  expect(core.calls[0]?.[0]).toMatchObject({ document: "v1", priority: "high" });
});

test("a write resolves when it is durable and not before, but is read at once", async () => {
  const { db, core } = await inspections();
  core.hold();
  let saved = false;
  const write = db.visits.insert({ site: "A1" }, { id: "v1" }).then(() => {
    saved = true;
  });
  expect((await db.visits.get("v1"))?.site).toBe("A1");
  await turn();
  expect(saved).toBe(false);
  core.release();
  await write;
});

test("writes of one turn go to the core in order without waiting for each other", async () => {
  const { db, core } = await inspections();
  core.hold();
  const writes = [
    db.visits.insert({ site: "A1" }, { id: "v1" }),
    db.visits.update("v1", { notes: "roof ok" }),
    db.visits.delete("v1"),
  ];
  expect(core.calls.map(([mutation]) => mutation?.op)).toEqual(["create", "patch", "delete"]);
  core.release();
  await Promise.all(writes);
});

test("a write that the core refuses does not fail its neighbours", async () => {
  const { db, core } = await inspections();
  const before = db.visits.insert({ site: "A1" });
  core.refusal = { code: "storage_full", message: "no space" };
  const refused = db.visits.insert({ site: "A2" });
  const after = db.visits.insert({ site: "A3" });
  expect(await codeOf(refused)).toBe("storage_full");
  expect(await Promise.all([codeOf(before), codeOf(after)])).toEqual(["resolved", "resolved"]);
});

test("insertMany is one call of the core, and one wrong row means none is saved", async () => {
  const { db, core } = await inspections();
  const writes = await db.visits.insertMany([{ site: "A1" }, { site: "A2" }]);
  expect(writes.map((write) => write.mutation)).toEqual(["w:1", "w:2"]);
  expect(core.calls).toHaveLength(1);
  expect(await codeOf(db.visits.insertMany([{ site: "A3" }, { site: "" }]))).toBe("schema_invalid");
  expect(await db.visits.insertMany([])).toEqual([]);
  expect(core.calls).toHaveLength(1);
});

test("what the schema refuses is not saved, and the error says where", async () => {
  const { db, core } = await inspections();
  await expect(db.visits.insert({ site: "" })).rejects.toMatchObject({
    name: "LandfallError",
    code: "schema_invalid",
    message: expect.stringContaining("site: "),
    issues: [expect.objectContaining({ path: ["site"] })],
  });
  expect(core.calls).toHaveLength(0);
});

test("an update merges deeply, ignores undefined and removes what is unset", async () => {
  const { db, core } = await inspections();
  await db.visits.insert({ site: "A1", notes: "x", at: { floor: 2, room: "b" } }, { id: "v1" });
  await db.visits.update("v1", { site: undefined, notes: unset, at: { room: unset, floor: 3 } }, { priority: "low" });
  expect(core.calls[1]).toEqual([
    {
      op: "patch",
      collection: "visits",
      document: "v1",
      data: { at: { floor: 3 } },
      unset: ["/notes", "/at/room"],
      priority: "low",
    },
  ]);
});

test("a part of an update that only removes, or only says undefined, leaves the rest of that part", async () => {
  const { db, core } = await inspections();
  const at = { floor: 2, room: "b" };
  await db.visits.insert({ site: "A1", at }, { id: "v" });
  await db.notes.insert({ at, deep: { x: { y: 1 } } }, { id: "n" });
  await db.visits.update("v", { at: { room: unset } });
  await db.notes.update("n", { at: { room: unset, floor: undefined }, deep: { x: { y: undefined } } });
  expect(core.calls.slice(2)).toEqual([
    [{ op: "patch", collection: "visits", document: "v", data: {}, unset: ["/at/room"] }],
    [{ op: "patch", collection: "notes", document: "n", data: {}, unset: ["/at/room"] }],
  ]);
  await db.notes.update("n", { at: {} });
  expect(core.calls[4]?.[0]).toMatchObject({ data: { at: {} } });
});

test("an update writes only what it names, as the schema gives it", async () => {
  const { db, core } = await inspections();
  await db.visits.insert({ site: "A1" }, { id: "v1" });
  const patch = { site: " A2 ", misspelt: 1 };
  await db.visits.update("v1", patch);
  expect(core.calls[1]?.[0]).toMatchObject({ data: { site: "A2" } });
});

test("an update whose result the schema refuses is not saved, in memory or not", async () => {
  const { db, core } = await inspections();
  core.put("visits", "cold", { site: "A1", done: false });
  await db.visits.insert({ site: "A1" }, { id: "warm" });
  expect(await codeOf(db.visits.update("cold", { site: "" }))).toBe("schema_invalid");
  expect(await codeOf(db.visits.update("warm", { site: unset as never }))).toBe("schema_invalid");
  expect(core.calls).toHaveLength(1);
  expect(core.loads).toEqual(["visits/cold"]);
});

test("an update of what is not there is left to the core to refuse", async () => {
  const { db } = await inspections();
  expect(await codeOf(db.visits.update("nobody", { notes: "x" }))).toBe("not_found");
  expect(await codeOf(db.notes.update("nobody", { text: "x" }))).toBe("not_found");
});

test("a schema that answers later does not change the order of writes", async () => {
  const answers: (() => void)[] = [];
  const answered = (): Promise<boolean> => new Promise((resolve) => answers.push(() => resolve(true)));
  const Slow = z.object({ text: z.string() }).refine(answered);
  const { db, core } = await opened({ notes: { schema: Slow } });
  const writes = [db.notes.insert({ text: "a" }, { id: "n" }), db.notes.delete("n"), db.notes.insert({ text: "b" })];
  await turn();
  expect(core.calls).toEqual([]);
  for (let i = answers.length - 1; i >= 0; i -= 1) answers[i]?.();
  await Promise.all(writes);
  expect(core.calls.map(([mutation]) => mutation?.op)).toEqual(["create", "delete", "create"]);
  void codeOf(db.notes.delete("n"));
  await turn();
  expect(core.calls).toHaveLength(4);
});

test("a write that fails its slow schema lets the next ones through, in order", async () => {
  const Slow = z.object({ text: z.string() }).refine(async ({ text }) => text !== "bad");
  const { db, core } = await opened({ notes: { schema: Slow } });
  const results = await Promise.all(["a", "bad", "b"].map((text) => codeOf(db.notes.insert({ text }))));
  expect(results).toEqual(["resolved", "schema_invalid", "resolved"]);
  const saved = core.calls.map(([mutation]) => mutation?.op === "create" && mutation.data);
  expect(saved).toEqual([{ text: "a" }, { text: "b" }]);
});

test("an update that follows an insert in the same turn is checked against its row", async () => {
  const Slow = z.object({ text: z.string() }).refine(async () => true);
  const { db, core } = await opened({ notes: { schema: Slow } });
  await Promise.all([db.notes.insert({ text: "a" }, { id: "n" }), db.notes.update("n", { text: "b" })]);
  expect(core.calls.map(([mutation]) => mutation?.op)).toEqual(["create", "patch"]);
  expect((await db.notes.get("n"))?.text).toBe("b");
});

test("the app may change its object once the call has returned", async () => {
  const Slow = z.object({ text: z.string() }).refine(async () => true);
  const { db, core } = await opened({ notes: { schema: Slow } });
  const patch = { text: "first" };
  const writes = [db.notes.insert({ text: "" }, { id: "n" }), db.notes.update("n", patch)];
  patch.text = "second";
  await Promise.all(writes);
  expect(core.calls[1]?.[0]).toMatchObject({ data: { text: "first" } });
});

class Point {
  x = 1;
}
const loop: Record<string, unknown> = {};
loop["self"] = loop;

const refused: [string, string, unknown][] = [
  ["a date", "/at", { at: new Date(0) }],
  ["a map", "/tags", { tags: new Map() }],
  ["a function", "/go", { go: () => 1 }],
  ["not a number", "/list/1", { list: [1, Number.NaN] }],
  ["infinity", "/a~1b", { "a/b": Number.POSITIVE_INFINITY }],
  ["a big integer", "/n", { n: 1n }],
  ["an instance of a class", "/deep/p", { deep: { p: new Point() } }],
  ["undefined in a list", "/list/0", { list: [undefined] }],
  ["a hole in a list", "/list/0", { list: new Array<number>(1) }],
  ["half a character", "/text", { text: "\ud800" }],
  ["unset outside a patch", "/text", { text: unset }],
  ["a cycle", "/self/self", loop],
  ["an id", "/id", { id: "x" }],
  ["a list", "a document is a plain object", []],
  ["nothing", "a document is a plain object", null],
];

test.each(refused)("%s is not a document, and the error names the path", async (_, path, value) => {
  const { db, core } = await inspections();
  await expect(db.notes.insert(value as never)).rejects.toMatchObject({
    code: "invalid_document",
    message: expect.stringContaining(path),
  });
  expect(core.calls).toHaveLength(0);
});

test("an id in the data is refused even where the schema would drop it", async () => {
  const { db } = await inspections();
  const value = { site: "A1", id: "v1" };
  expect(await codeOf(db.visits.insert(value))).toBe("invalid_document");
  await db.visits.insert({ site: "A1" }, { id: "v1" });
  const patch = { id: "v2", site: "A2" };
  expect(await codeOf(db.visits.update("v1", patch))).toBe("invalid_document");
});

test("objects of another realm are plain", async () => {
  const { db, core } = await inspections();
  const value = Object.assign(Object.create(Object.create(null)) as object, { text: "a", no: undefined });
  await db.notes.insert(value as never);
  expect(core.calls[0]?.[0]).toMatchObject({ data: { text: "a" } });
});
