import { expect, test } from "vitest";
import { codeOf, inspections, turn } from "./fixture.js";

test("a row is one object until it changes", async () => {
  const { db, core } = await inspections();
  core.put("notes", "n", { text: "a", deep: { x: [1] } });
  const row = await db.notes.get("n");
  expect(await db.notes.get("n")).toBe(row);
  expect(core.loads).toEqual(["notes/n"]);
  expect(Object.isFrozen((row?.["deep"] as { x: unknown }).x)).toBe(true);

  core.pull("notes", { n: { deep: { x: [1] }, text: "a" } });
  expect(await db.notes.get("n")).toBe(row);
  core.pull("notes", { n: { text: "b" } });
  expect(await db.notes.get("n")).toEqual({ id: "n", text: "b" });
});

test("what does not exist is remembered until it does", async () => {
  const { db, core } = await inspections();
  expect(await db.notes.get("n")).toBeUndefined();
  expect(await db.notes.get("n")).toBeUndefined();
  expect(core.loads).toEqual(["notes/n"]);
  core.pull("notes", { n: { text: "a" } });
  expect((await db.notes.get("n"))?.["text"]).toBe("a");
  core.pull("notes", { n: null });
  expect(await db.notes.get("n")).toBeUndefined();
  expect(core.loads).toEqual(["notes/n"]);
});

test("gets of one document at the same time are one load", async () => {
  const { db, core } = await inspections();
  await Promise.all([db.notes.get("n"), db.notes.get("n"), db.notes.get("m")]);
  expect(core.loads).toEqual(["notes/n", "notes/m"]);
});

test("a change that arrives while a load is under way wins over the load", async () => {
  const { db, core } = await inspections();
  core.put("notes", "a", { text: "old" });
  core.put("notes", "b", { text: "old" });
  core.hold();
  const one = db.notes.get("a");
  const all = db.notes.where().all();
  core.pull("notes", { a: { text: "new" }, b: null, c: { text: "new" } });
  core.release();
  expect((await one)?.["text"]).toBe("new");
  expect(await all).toEqual([
    { id: "a", text: "new" },
    { id: "c", text: "new" },
  ]);
});

test("a collection that was loaded answers for what it does not have", async () => {
  const { db, core } = await inspections();
  await db.notes.where().all();
  expect(await db.notes.get("n")).toBeUndefined();
  expect(core.loads).toEqual(["notes"]);
});

test("what another tab changed beyond naming is loaded again, also in the middle of a load", async () => {
  const { db, core } = await inspections();
  core.put("notes", "n", { text: "old" });
  await db.notes.get("n");
  core.put("notes", "n", { text: "new" });
  core.emit({ stale: true });
  expect((await db.notes.get("n"))?.["text"]).toBe("new");

  core.emit({ stale: true });
  core.hold();
  const reading = db.notes.where().all();
  core.put("notes", "n", { text: "newest" });
  core.emit({ stale: true });
  core.release();
  expect(await reading).toEqual([{ id: "n", text: "newest" }]);
});

test("a crash refuses every call in flight, and later ones are the next core's", async () => {
  const { db, core, module } = await inspections();
  core.hold();
  const calls = [db.notes.get("n"), db.notes.insert({}), db.notes.where().all()];
  await turn();
  core.emit({ crashed: "BUG: a panic" });
  const codes = await Promise.all(calls.map(codeOf));
  expect(new Set(codes)).toEqual(new Set(["core_crashed"]));
  await Promise.all([db.notes.get("n"), db.notes.insert({}), db.sync.now()]);
  expect(module.core).not.toBe(core);
  expect(module.core.calls.length).toBe(1);
  expect(module.core.commands).toEqual(["now"]);
});

test("what was paused before a crash is paused after it", async () => {
  const { db, core, module } = await inspections();
  db.sync.pause();
  core.emit({ crashed: "BUG: a panic" });
  await db.notes.get("n");
  expect(module.core.commands).toEqual(["pause"]);
});

test("closing lets writes under way come to their end", async () => {
  const { db, core } = await inspections();
  core.hold();
  const write = db.notes.insert({});
  const closing = db.close();
  expect(await codeOf(db.notes.insert({}))).toBe("closed");
  expect(core.closed).toBe(false);
  core.release();
  expect(await codeOf(write)).toBe("resolved");
  await closing;
  expect(core.closed).toBe(true);
});

test("a crash while closing ends the close", async () => {
  const { db, core } = await inspections();
  core.hold();
  const write = db.notes.insert({});
  const closing = db.close();
  core.emit({ crashed: "BUG: a panic" });
  expect(await codeOf(write)).toBe("core_crashed");
  await closing;
});
