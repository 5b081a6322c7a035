import { expect, test, vi } from "vitest";
import { unset } from "../src/index.js";
import type { OutboxItem } from "../src/outbox.js";
import type { WireEntry } from "../src/wire.js";
import { codeOf, inspections, opened, turn, Visit } from "./fixture.js";

const entry: WireEntry = {
  id: "w:1",
  kind: "create",
  collection: "notes",
  document: "n",
  group: null,
  status: "saved",
  code: null,
  message: null,
  field: null,
  attempts: 0,
  savedAt: 1,
  because: null,
  discarding: false,
  fields: [{ path: "/text", op: "set", value: "a" }],
};

test("the outbox lists what the core has, frozen, and reads it anew only when it changed", async () => {
  const { db, core } = await inspections();
  core.entries.push(entry);
  const items = await db.outbox.list();
  expect(items).toEqual([entry]);
  expect(Object.isFrozen(items[0]?.fields?.[0])).toBe(true);
  expect(await db.outbox.list()).toBe(items);
  core.entries.push({ ...entry, id: "w:2", status: "needs_attention", code: "forbidden" });
  core.emit({ outbox: true });
  expect((await db.outbox.list()).map(({ status }) => status)).toEqual(["saved", "needs_attention"]);
});

test("a subscriber gets the items at once, then once for each turn", async () => {
  const { db, core } = await inspections();
  const sizes: number[] = [];
  const stop = db.outbox.subscribe((items) => sizes.push(items.length));
  core.entries.push(entry);
  core.emit({ outbox: true });
  core.entries.push({ ...entry, id: "w:2" });
  core.emit({ outbox: true });
  await turn();
  expect(sizes).toEqual([0, 2]);
  core.emit({ outbox: true });
  stop();
  await turn();
  expect(sizes).toEqual([0, 2]);
});

test("who listens to the outbox of a database that is being closed hears nothing more, and no error", async () => {
  const { db, core } = await inspections();
  core.held = [];
  const write = db.notes.insert({ text: "a" }, { id: "n" });
  await turn();
  const sizes: number[] = [];
  db.outbox.subscribe((items) => sizes.push(items.length));
  const closing = db.close();
  // What a test does not expect to be thrown makes it fail.
  core.emit({ outbox: true });
  await turn();
  core.release();
  await Promise.all([write, closing]);
  expect(sizes).toEqual([1]);
});

test("who may not listen is not kept", async () => {
  const { db, core } = await inspections();
  core.held = [];
  const write = db.notes.insert({ text: "a" }, { id: "n" });
  await turn();
  core.emit({ outbox: true });
  const closing = db.close();
  let heard = 0;
  expect(() => db.outbox.subscribe(() => (heard += 1))).toThrow("closed");
  await turn();
  core.release();
  await Promise.all([write, closing]);
  expect(heard).toBe(0);
});

type Opened = Awaited<ReturnType<typeof inspections>>;

async function item({ db }: Pick<Opened, "db">, at = 0): Promise<OutboxItem> {
  const found = (await db.outbox.list())[at];
  if (!found) throw new Error("no such item");
  return found;
}

test("fields that are in the journal alone are read for a list and an export, and not for subscribers", async () => {
  const { db, core } = await inspections();
  await db.notes.insert({ text: "a" }, { id: "n" });
  core.forget("w:1");
  const shown: OutboxItem[] = [];
  db.outbox.subscribe((items) => shown.push(...items));
  expect(shown[0]?.fields).toBe(null);
  expect(() => shown[0]?.export()).toThrow(expect.objectContaining({ code: "storage_unavailable" }));
  const [listed] = await db.outbox.list();
  expect(listed?.fields).toHaveLength(1);
  expect(listed?.export().items).toHaveLength(1);
  core.forget("w:1");
  expect((await db.export()).items[0]?.item.fields).toHaveLength(1);
});

test("an item is its data: methods are not among it", async () => {
  const { db } = await inspections();
  await db.notes.insert({ text: "a" }, { id: "n" });
  const one = await item({ db });
  expect(Object.keys(one)).toEqual(Object.keys(entry));
  expect(JSON.parse(JSON.stringify(one))).toEqual({ ...one });
  expect(Object.isFrozen(one)).toBe(true);
});

test("a refused write that is tried once more is another write, which can be waited for", async () => {
  const { db, core } = await inspections();
  const first = await db.notes.insert({ text: "a" }, { id: "n" });
  core.refuse(first.mutation, "forbidden");
  expect(await codeOf(first.accepted())).toBe("needs_attention");
  const second = await (await item({ db })).retry();
  expect([second.id, second.mutation === first.mutation]).toEqual(["n", false]);
  expect((await item({ db })).status).toBe("saved");
  core.accept(second.mutation);
  await second.accepted();
});

test("what is on its way is tried now, under its own name", async () => {
  const { db, core } = await inspections();
  const first = await db.notes.insert({ text: "a" });
  const again = await (await item({ db })).retry();
  expect(again.mutation).toBe(first.mutation);
  core.accept(first.mutation);
  await Promise.all([first.accepted(), again.accepted()]);
});

test("an item that has left the outbox can no longer be acted on", async () => {
  const { db, core } = await inspections();
  const write = await db.notes.insert({ text: "a" });
  const one = await item({ db });
  core.accept(write.mutation);
  expect(await Promise.all([one.retry(), one.edit({}), one.discard()].map(codeOf))).toEqual(Array(3).fill("not_found"));
});

test("an edit goes by the rules of an update, and is merged into what was refused", async () => {
  const { db, core } = await inspections();
  await db.visits.insert({ site: "A1", notes: "x" }, { id: "v" });
  core.refuse("w:1", "validation_failed");
  expect(await codeOf((await item({ db })).edit({ site: "" }))).toBe("schema_invalid");
  expect(await codeOf((await item({ db })).edit({ id: "w" }))).toBe("invalid_document");
  expect(core.acts).toEqual([]);
  const write = await (await item({ db })).edit({ site: " A2 ", notes: unset });
  expect(core.acts).toEqual([["w:1", { act: "edit", data: { site: "A2" }, unset: ["/notes"] }]]);
  expect(await db.visits.get("v")).toEqual({ id: "v", site: "A2", done: false });
  core.accept(write.mutation);
  await write.accepted();
});

test("an edit of a refused update is checked against the row with that update in it", async () => {
  const { db, core } = await inspections();
  core.put("visits", "v", { site: "A1", done: false, at: { floor: 1, room: "b" } });
  await db.visits.update("v", { photos: undefined, notes: "x", at: { floor: 2, room: unset } });
  core.refuse("w:1", "validation_failed");
  core.put("visits", "v", { done: false } as never);
  core.emit({ stale: true });
  expect(await codeOf((await item({ db })).edit({ notes: "y" }))).toBe("schema_invalid");
  await (await item({ db })).edit({ notes: "y", site: "A2" });
  expect(core.acts[0]?.[1]).toEqual({ act: "edit", data: { notes: "y", site: "A2" } });
});

test("an edit of a refused operation is checked with that operation in it", async () => {
  const { db, core } = await inspections();
  core.put("visits", "v", { site: "A1", done: false, photos: 8 });
  await db.visits.increment("v", "photos");
  core.refuse("w:1", "forbidden");
  core.pull("visits", { v: { site: "A1", done: false, photos: 9 } });
  expect(await codeOf((await item({ db })).edit({ notes: "y" }))).toBe("schema_invalid");
});

test("an item of a collection that is not declared any more can be edited, unchecked", async () => {
  const { db, core } = await opened({ notes: {} }, "https://sync.example.org");
  core.entries.push({ ...entry, collection: "old", status: "needs_attention" });
  await (await item({ db } as never)).edit({ text: "b" }).catch(() => {});
  expect(core.acts).toEqual([["w:1", { act: "edit", data: { text: "b" } }]]);
});

test("what is discarded is gone from view and outbox, and whoever waits learns of it", async () => {
  const { db, core } = await inspections();
  const write = await db.notes.insert({ text: "a" }, { id: "n" });
  const waiting = codeOf(write.accepted());
  core.refuse(write.mutation, "forbidden");
  expect(await db.notes.get("n")).toEqual({ id: "n", text: "a" });
  await (await item({ db })).discard();
  expect(await db.notes.get("n")).toBeUndefined();
  expect(await db.outbox.list()).toEqual([]);
  expect(await waiting).toBe("needs_attention");

  const early = await db.notes.insert({ text: "b" });
  const told = codeOf(early.accepted());
  await (await item({ db })).discard();
  expect(await told).toBe("discarded");
});

test("what is done to one write of a transaction is done to all of it", async () => {
  const { db, core } = await inspections();
  await db.transaction((tx) => {
    void tx.notes.insert({ text: "a" });
    void tx.notes.insert({ text: "b" });
  });
  core.refuse("w:1", "group_refused");
  core.refuse("w:2", "forbidden");
  const write = await (await item({ db }, 1)).edit({ text: "c" });
  expect((await db.outbox.list()).map(({ group, status }) => [group, status])).toEqual(Array(2).fill(["w:3", "saved"]));
  core.accept("w:3");
  const waiting = write.accepted();
  core.accept("w:4");
  await waiting;
});

test("an export of an item holds it and its transaction, whole; that of the database holds everything", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: 1_795_234_810_784 });
  try {
    const { db, core } = await opened({ visits: { schema: Visit }, notes: {} }, "https://sync.example.org");
    await db.transaction((tx) => {
      void tx.notes.insert({ text: "a" }, { id: "n" });
      void tx.visits.insert({ site: "A1" }, { id: "v" });
    });
    await db.notes.insert({ text: "b" }, { id: "m" });
    await db.notes.insert({ text: "c" }, { id: "o" });
    core.refuse("w:3", "forbidden");
    const documents = (from: OutboxItem): string[] => from.export().items.map(({ item }) => item.document);
    expect([documents(await item({ db } as never)), documents(await item({ db } as never, 3))]).toEqual([["n", "v"], ["m"]]);
    const whole = await db.export();
    expect(whole).toMatchObject({
      format: "landfall-export",
      version: 1,
      url: "https://sync.example.org",
      user: null,
      exportedAt: 1_795_234_810_784,
      damaged: [],
    });
    expect(whole.items).toHaveLength(4);
    expect(whole.items[3]).toMatchObject({ item: { status: "needs_attention", code: "forbidden" }, entry: { data: { text: "b" } } });
    expect(JSON.parse(JSON.stringify(whole))).toEqual(whole);
  } finally {
    vi.useRealTimers();
  }
});
