import { expect, test } from "vitest";
import type { WireEntry } from "../src/wire.js";
import { inspections, turn } from "./fixture.js";

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
  expect(Object.isFrozen(items[0]?.fields[0])).toBe(true);
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
