import { expect, test } from "vitest";
import { z } from "zod";
import { unset } from "../src/index.js";
import type { Database } from "../src/database.js";
import type { Transaction } from "../src/transaction.js";
import { codeOf, inspections, opened, turn } from "./fixture.js";

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test("the writes of a transaction are one call of the core and one write, in the order of the calls", async () => {
  const { db, core } = await inspections();
  const write = await db.transaction(async (tx) => {
    const note = await tx.notes.insert({ text: "a" });
    expect(note.id).toMatch(UUID_V7);
    expect(core.calls).toEqual([]);
    await tx.visits.insert({ site: " A1 " }, { id: "v", priority: "high" });
    await tx.visits.increment("v", "photos", 2);
    await tx.visits.add("v", "tags", "roof");
    await tx.visits.remove("v", "tags", "roof");
    await tx.visits.update("v", { site: "A2" });
    await tx.notes.delete(note.id);
  });
  expect(core.grouped).toEqual([true]);
  expect(core.calls[0]?.map(({ op, collection }) => `${op} ${collection}`)).toEqual([
    "create notes", "create visits", "patch visits", "patch visits", "patch visits", "patch visits", "delete notes",
  ]);
  expect(core.calls[0]?.[1]).toMatchObject({ document: "v", data: { site: "A1", done: false }, priority: "high" });
  const items = await db.outbox.list();
  expect(new Set(items.map(({ group }) => group))).toEqual(new Set([write.mutation]));
  expect(await db.visits.get("v")).toEqual({ id: "v", site: "A2", done: false, photos: 2, tags: [] });
  expect(write.id).toBe(items[0]?.document);
});

test("a read sees what the transaction has written before it, and nobody else does until the end", async () => {
  const { db, core } = await inspections();
  core.put("notes", "old", { text: "a", deep: { x: 1, y: 2 } });
  await db.transaction(async (tx) => {
    expect(await tx.notes.get("old")).toEqual({ id: "old", text: "a", deep: { x: 1, y: 2 } });
    await tx.notes.update("old", { deep: { x: 2 } });
    await tx.notes.increment("old", "count", 3);
    await tx.notes.add("old", "labels", "roof");
    const row = await tx.notes.get("old");
    expect(row).toEqual({ id: "old", text: "a", deep: { x: 2, y: 2 }, count: 3, labels: ["roof"] });
    expect(Object.isFrozen(row)).toBe(true);
    await tx.notes.update("old", { deep: { y: unset }, none: { deep: unset } });
    expect(await tx.notes.get("old")).toEqual({ ...row, deep: { x: 2 } });
    await tx.notes.update("old", { deep: {} });
    expect(await tx.notes.get("old")).toEqual({ ...row, deep: {} });
    expect(await db.notes.get("old")).not.toHaveProperty("count");
    await tx.notes.delete("old");
    expect(await tx.notes.get("old")).toBeUndefined();
    const { id } = await tx.notes.insert({ text: "new" });
    expect(await tx.notes.get(id)).toEqual({ id, text: "new" });
    expect(await tx.notes.get("nobody")).toBeUndefined();
  });
  expect(await db.notes.get("old")).toBeUndefined();
});

test("an update is checked against the row as the transaction has it", async () => {
  const { db, core } = await inspections();
  const count = (tx: Transaction<typeof collections>): Promise<void> => tx.visits.increment("v", "photos", 5);
  const collections = { visits: { schema: z.object({ photos: z.number().max(9).optional() }) } };
  const other = await opened({ visits: { schema: z.object({ photos: z.number().max(9).optional() }) } });
  expect(
    await codeOf(
      other.db.transaction(async (tx) => {
        await tx.visits.insert({}, { id: "v" });
        await count(tx);
        await count(tx);
      }),
    ),
  ).toBe("schema_invalid");
  expect(await codeOf(db.transaction((tx) => tx.notes.update("nobody", { text: "x" })))).toBe("not_found");
  expect([...core.calls, ...other.core.calls]).toEqual([]);
});

test("nothing is saved if the function throws, or if one of its calls fails, caught or not", async () => {
  const { db, core } = await inspections();
  const thrown = db.transaction(async (tx) => {
    await tx.notes.insert({});
    throw new RangeError("the app's own");
  });
  await expect(thrown).rejects.toThrow("the app's own");
  const caught = db.transaction(async (tx) => {
    await tx.notes.insert({});
    await tx.visits.insert({ site: "" }).catch(() => {});
    await tx.notes.insert({});
  });
  expect(await codeOf(caught)).toBe("schema_invalid");
  const ignored = db.transaction((tx) => {
    void tx.visits.insert({ site: "" });
    void tx.notes.insert({});
  });
  expect(await codeOf(ignored)).toBe("schema_invalid");
  const wrong = db.transaction((tx) => {
    void tx.notes.update("n", { at: new Date(0) as never });
    void tx.notes.insert({});
  });
  expect(await codeOf(wrong)).toBe("invalid_document");
  await turn();
  expect(core.calls).toEqual([]);
});

test("what the core refuses of a transaction is refused whole", async () => {
  const { db, core } = await inspections();
  await db.notes.insert({}, { id: "n" });
  const twice = db.transaction(async (tx) => {
    await tx.visits.insert({ site: "A1" }, { id: "v" });
    await tx.notes.insert({}, { id: "n" });
  });
  expect(await codeOf(twice)).toBe("already_exists");
  expect(await db.visits.get("v")).toBeUndefined();
  const large = db.transaction((tx) => {
    for (let i = 0; i <= 100; i += 1) void tx.notes.insert({});
  });
  expect(await codeOf(large)).toBe("group_too_large");
  expect(core.entries).toHaveLength(1);
});

test("a call that is not awaited is part of the transaction, and so is what follows from it", async () => {
  const Slow = z.object({ text: z.string() }).refine(async () => true);
  const { db, core } = await opened({ notes: { schema: Slow }, sites: {} });
  const patch = { text: "b" };
  await db.transaction((tx) => {
    void (async () => {
      const { id } = await tx.notes.insert({ text: "a" });
      await tx.sites.insert({ note: id });
    })();
    void tx.notes.insert({ text: "0" }, { id: "n" });
    void tx.notes.update("n", patch);
    patch.text = "changed after the call";
  });
  expect(core.calls[0]?.map(({ op, collection }) => `${op} ${collection}`)).toEqual([
    "create notes", "create notes", "patch notes", "create sites",
  ]);
  expect((await db.notes.get("n"))?.text).toBe("b");
});

test("ids that a transaction gives sort in the order of its calls", async () => {
  const { db } = await opened({ notes: {} });
  const ids: string[] = [];
  await db.transaction(async (tx) => {
    for (let i = 0; i < 50; i += 1) ids.push((await tx.notes.insert({})).id);
  });
  expect(new Set(ids).size).toBe(50);
  expect([...ids].sort()).toEqual(ids);
});

test("after its end every call is refused, and nothing of it is saved", async () => {
  const { db, core } = await inspections();
  let late: Transaction<{ notes: Record<never, never> }> | undefined;
  await db.transaction(async (tx) => {
    late = tx;
    await tx.notes.insert({}, { id: "n" });
  });
  const calls = [late?.notes.insert({}), late?.notes.update("n", {}), late?.notes.delete("n"), late?.notes.get("n")];
  expect(await Promise.all(calls.map((call) => codeOf(call as Promise<unknown>)))).toEqual(Array(4).fill("closed"));
  expect(core.calls).toHaveLength(1);
});

test("a transaction sees writes called before it, even those that are still being prepared", async () => {
  let answer = (_: boolean): void => {};
  const asked = new Promise<boolean>((resolve) => (answer = resolve));
  const Slow = z.object({ text: z.string() }).refine(({ text }) => text === "b" || asked);
  const { db } = await opened({ notes: { schema: Slow } });
  void db.notes.insert({ text: "a" }, { id: "n" });
  const write = db.transaction((tx) => tx.notes.update("n", { text: "b" }));
  await turn();
  answer(true);
  await write;
  expect((await db.notes.get("n"))?.text).toBe("b");
});

test("writes beside a transaction do not wait for it, nor it for them to be durable", async () => {
  const { db, core } = await inspections();
  await db.transaction(async (tx) => {
    await tx.notes.insert({}, { id: "in" });
    await db.notes.insert({}, { id: "beside" });
    expect(core.calls).toHaveLength(1);
  });
  expect(core.calls.map(([mutation]) => mutation?.document)).toEqual(["beside", "in"]);
});

test("a transaction without writes saves nothing and has nothing to wait for", async () => {
  const { db, core } = await inspections();
  const write = await db.transaction(async (tx) => void (await tx.notes.get("n")));
  await write.accepted();
  expect(core.calls).toEqual([]);
});

type Opened = Database<{ notes: Record<never, never> }>;

async function three(db: Opened): Promise<{ write: Awaited<ReturnType<Opened["transaction"]>>; ids: string[] }> {
  const write = await db.transaction((tx) => {
    for (let i = 0; i < 3; i += 1) void tx.notes.insert({});
  });
  return { write, ids: (await db.outbox.list()).map(({ id }) => id) };
}

test("a transaction is accepted when all of it is, also under other names", async () => {
  const { db, core } = await inspections();
  const { write, ids } = await three(db);
  let done = false;
  const accepted = write.accepted().then(() => {
    done = true;
  });
  core.accept(ids[0] ?? "");
  core.emit({ replaced: [[ids[1] ?? "", "w:new"]] });
  core.accept(ids[2] ?? "");
  await turn();
  expect(done).toBe(false);
  core.emit({ settled: [{ mutation: "w:new", status: "accepted", code: null, message: null }] });
  await accepted;
});

test("a transaction that is refused says for which of its writes, whatever order they come in", async () => {
  for (const culprit of [0, 2]) {
    const { db, core } = await inspections();
    const { write, ids } = await three(db);
    ids.forEach((id, i) => core.refuse(id, i === culprit ? "validation_failed" : "group_refused"));
    await expect(write.accepted()).rejects.toMatchObject({
      code: "needs_attention",
      cause: { code: "validation_failed" },
    });
  }
});
