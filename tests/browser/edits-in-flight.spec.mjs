/** What is written while an earlier write is on its way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drained, openDemo, synced } from "./page.mjs";
import { BATCH } from "./proxy.mjs";
import { expected, insert, onServer, read, update, visit } from "./visits.mjs";
import { world } from "./world.mjs";

/** A page with one visit that the server has. */
async function withVisit(t) {
  const parts = await world(t);
  const page = await openDemo(parts.browser, parts.proxy.origin);
  await synced(page);
  await insert(page, [visit(1)]);
  await drained(page);
  return { ...parts, page, id: visit(1).id };
}

/** Collects the notes that the page shows of its only visit, each as it appears. */
async function watchNotes(page) {
  await page.evaluate(() => {
    globalThis.notes = [];
    db.visits.where({}).subscribe(([row]) => {
      if (row.notes !== globalThis.notes.at(-1)) globalThis.notes.push(row.notes);
    });
  });
}

test("an edit made between send and reply is pushed next and wins", async (t) => {
  const { server, proxy, page, id } = await withVisit(t);
  await watchNotes(page);
  await proxy.rule(BATCH, { kind: "hold", at: "reply" }, 1);
  await update(page, id, { notes: "first" });
  const [held] = await proxy.until({ path: BATCH, stage: "held" });
  assert.equal((await onServer(server))[id].notes, "first", "the server has committed, the page does not know");
  await update(page, id, { notes: "second" });
  await proxy.release();
  await drained(page);

  const [next] = (await proxy.batches()).filter((batch) => batch.id > held.id);
  assert.deepEqual(next.mutations.map(({ fields }) => fields), [[{ path: "/notes", op: "set", value: "second" }]]);
  assert.deepEqual(await onServer(server), expected([visit(1, { notes: "second" })], () => 3));
  assert.equal((await read(page, id)).notes, "second");
  assert.deepEqual(await page.evaluate(() => globalThis.notes), ["visit 1", "first", "second"], "nothing flickers back");
});

test("five fast edits of one field on a slow network end at the last", async (t) => {
  const { server, proxy, page, id } = await withVisit(t);
  await watchNotes(page);
  await proxy.rule("/api", { kind: "delay", millis: 1_500, at: "reply" });
  const edits = ["A", "B", "C", "D", "E"];
  for (const notes of edits.slice(0, 2)) await update(page, id, { notes });
  // The first is under way by now, so that the others meet it in every state.
  await proxy.until({ path: BATCH, fault: "delay" });
  for (const notes of edits.slice(2)) await update(page, id, { notes });
  await drained(page);

  assert.deepEqual(await onServer(server), expected([visit(1, { notes: "E" })], () => 6));
  assert.deepEqual(await page.evaluate(() => globalThis.notes), ["visit 1", ...edits]);
});
