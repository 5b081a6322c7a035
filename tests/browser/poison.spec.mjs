/** One write among a hundred that cannot get in: whatever is wrong with it, the other 99 are accepted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bare, drained, openBare, synced, until } from "./page.mjs";
import { BATCH } from "./proxy.mjs";
import { expected, insert, onServer, outbox, visit, visits } from "./visits.mjs";
import { world } from "./world.mjs";

const VISITS = 100;
const POISON = 50;
/** The server's own words, from www/landfall.yaml. */
const WORDS = "Write a note before you mark a visit as done.";
const MARKER = "the server stumbles over this";

/** Writes a hundred visits offline, the one in the middle with these fields. */
async function writeOffline(t, fields) {
  const parts = await world(t, { www: bare });
  const { proxy, browser } = parts;
  const page = await openBare(browser, proxy.origin);
  await synced(page);
  await proxy.goOffline();
  await insert(page, visits(VISITS).with(POISON, visit(POISON, fields)));
  return { ...parts, page };
}

/** Everything but the poison, as the server has it when each was written once. */
function others() {
  const { [visit(POISON).id]: _, ...rest } = expected(visits(VISITS));
  return rest;
}

const pushed = async (proxy) => (await proxy.batches()).filter(({ status }) => status !== null);

test("a write that a rule refuses costs the other 99 nothing, and edited it is accepted", async (t) => {
  const { server, proxy, page } = await writeOffline(t, { status: "done", notes: "" });
  await proxy.goOnline();
  await drained(page);
  assert.deepEqual((await pushed(proxy)).map(({ mutations }) => mutations.length), [VISITS], "one batch");
  assert.deepEqual(await onServer(server), others());
  const why = ({ status, code, field, message, document }) => ({ status, code, field, message, document });
  const refusal = {
    status: "needs_attention", code: "validation_failed", field: "/notes", message: WORDS, document: visit(POISON).id,
  };
  assert.deepEqual((await outbox(page)).map(why), [refusal]);

  const again = await page.evaluate(async () => {
    const [item] = await db.outbox.list();
    const write = await item.retry();
    return [item.id === write.mutation, await write.accepted().catch(({ code }) => code)];
  });
  assert.deepEqual(again, [false, "needs_attention"], "sent as another write, and refused again");
  assert.deepEqual((await outbox(page)).map(why), [refusal]);
  await page.evaluate(async () => {
    const [item] = await db.outbox.list();
    await (await item.edit({ notes: "Gutter cleared." })).accepted();
  });
  assert.deepEqual(await outbox(page), []);
  const all = visits(VISITS).with(POISON, visit(POISON, { status: "done", notes: "Gutter cleared." }));
  assert.deepEqual(await onServer(server), expected(all));
});

test("a write that fails every batch it is in is found by halving and set aside", async (t) => {
  const { server, proxy, page } = await writeOffline(t, { notes: MARKER });
  await proxy.rule(BATCH, { kind: "status", code: 500, body: "" }, undefined, MARKER);
  await proxy.goOnline();
  await until(page, () => db.sync.state.pending === 0 && db.sync.state.failed === 1);
  assert.deepEqual(await onServer(server), others());
  const [item, ...more] = await outbox(page);
  assert.deepEqual([item.document, item.status, item.code, more], [visit(POISON).id, "needs_attention", "suspect", []]);
  const batches = await pushed(proxy);
  const failed = batches.filter(({ status }) => status === 500).map(({ mutations }) => mutations.length);
  // Halved down to the one write, which then fails once more, alone, before it is blamed.
  assert.deepEqual([failed[0], ...failed.slice(-2)], [VISITS, 1, 1]);
  assert.ok(batches.length <= 30, `${batches.length} batches: ${batches.map(({ mutations, status }) => `${mutations.length}/${status}`)}`);

  // Whoever mends the server can have it tried at once.
  await proxy.clear();
  await page.evaluate(async () => (await (await db.outbox.list())[0].retry()).accepted());
  await drained(page);
  assert.deepEqual(await onServer(server), expected(visits(VISITS).with(POISON, visit(POISON, { notes: MARKER }))));
});
