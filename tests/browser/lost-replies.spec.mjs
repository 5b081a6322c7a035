/** The server has done it and nobody was told: the case in which a resend must change nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drained, openDemo, synced } from "./page.mjs";
import { BATCH } from "./proxy.mjs";
import { expected, insert, onServer, shown, update, visits } from "./visits.mjs";
import { world } from "./world.mjs";

/** More than two batches' worth. */
const VISITS = 120;
const EDITED = 40;

/** Writes everything offline, drains, and returns what the server ended with. */
async function run({ server, proxy, browser }, rules) {
  const page = await openDemo(browser, proxy.origin);
  await synced(page);
  await proxy.goOffline();
  const rows = visits(VISITS);
  await insert(page, rows);
  for (const { id } of rows.slice(0, EDITED)) await update(page, id, { notes: `${id} edited` });
  await rules?.();
  await proxy.goOnline();
  await drained(page);
  await shown(page, VISITS, "accepted");
  return onServer(server);
}

test("the server commits and every reply is lost once: no duplicates, and the same final state", async (t) => {
  const faulty = await world(t);
  const state = await run(faulty, async () => {
    for (let batch = 0; batch < 20; batch++) {
      await faulty.proxy.rule(BATCH, { kind: "cut_reply" }, 1);
      await faulty.proxy.rule(BATCH, { kind: "pass" }, 1);
    }
  });

  const rows = visits(VISITS);
  for (const row of rows.slice(0, EDITED)) row.notes = `${row.id} edited`;
  assert.deepEqual(state, expected(rows, (n) => (n < EDITED ? 2 : 1)));

  const batches = await faulty.proxy.batches();
  const sent = batches.filter(({ mutations }) => mutations?.length > 0);
  const lost = sent.filter(({ fault }) => fault === "cut_reply");
  const heard = sent.filter(({ fault }) => fault === "pass");
  const ids = (exchanges) => exchanges.flatMap(({ mutations }) => mutations.map(({ id }) => id));
  assert.ok(lost.every(({ status, replied }) => status === 200 && !replied), "the server committed and the reply was cut");
  assert.equal(new Set(ids(lost)).size, VISITS + EDITED, "every reply was lost once");
  assert.deepEqual(new Set(ids(heard)), new Set(ids(lost)), "and everything was sent again");

  assert.deepEqual(state, await run(await world(t)), "as without a fault");
});
