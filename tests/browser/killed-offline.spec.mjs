/** The promise itself: what was saved is not lost, whatever happens to network and browser. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { watchJournal } from "./journal.mjs";
import { drained, openDemo, shellKept, synced } from "./page.mjs";
import { BATCH } from "./proxy.mjs";
import { expected, insert, onServer, outbox, read, shown, visits } from "./visits.mjs";
import { world } from "./world.mjs";

const VISITS = 25;
const EDITED = 10;

test("25 visits created and 10 edited offline survive a SIGKILL right after the last promise resolved", async (t) => {
  const { server, proxy, browser } = await world(t);
  const page = await openDemo(browser, proxy.origin, { prepare: watchJournal });
  await synced(page);
  await shellKept(page);
  await proxy.goOffline();

  const rows = visits(VISITS);
  const durabilities = await page.evaluate(
    async ([rows, edited]) => {
      for (const { id, ...row } of rows) await db.visits.insert(row, { id });
      for (const { id } of rows.slice(0, edited)) await db.visits.update(id, { notes: `${id} edited`, rating: 4 });
      return [...new Set(globalThis.journalDurabilities)];
    },
    [rows, EDITED],
  );
  await browser.kill();
  assert.deepEqual(durabilities, ["strict"]);
  assert.deepEqual(await onServer(server), {}, "nothing has reached the server yet");
  for (const row of rows.slice(0, EDITED)) Object.assign(row, { notes: `${row.id} edited`, rating: 4 });

  await browser.start();
  const reopened = await openDemo(browser, proxy.origin);
  await shown(reopened, VISITS, "saved", "sending");
  for (const row of rows) assert.deepEqual(await read(reopened, row.id), row);
  assert.equal((await outbox(reopened)).length, VISITS + EDITED);

  // From here on the page is only looked at: it has to notice by itself that the network is back.
  await proxy.goOnline();
  await drained(reopened);
  await shown(reopened, VISITS, "accepted");
  assert.deepEqual(await onServer(server), expected(rows, (n) => (n < EDITED ? 2 : 1)));
});

test("killed between the server's commit and its reply, the browser sends again and changes nothing", async (t) => {
  const { server, proxy, browser } = await world(t);
  const page = await openDemo(browser, proxy.origin);
  await synced(page);
  await proxy.rule(BATCH, { kind: "hold", at: "reply" }, 1);
  await insert(page, visits(VISITS));
  await proxy.until({ path: BATCH, stage: "held" });
  const [held] = await proxy.batches();
  const committed = await onServer(server);
  assert.ok(held.mutations.length > 0 && Object.keys(committed).length === held.mutations.length);
  await browser.kill();

  await browser.start();
  const reopened = await openDemo(browser, proxy.origin);
  await drained(reopened);
  await shown(reopened, VISITS, "accepted");
  assert.deepEqual(await onServer(server), expected(visits(VISITS)));
  const resent = (await proxy.batches()).slice(1).flatMap(({ mutations }) => mutations);
  // Only the time of the first sending, which the device did not know then, may differ.
  const bytes = (mutation) => ({ ...mutation, firstSentAt: null });
  for (const mutation of held.mutations) {
    const again = resent.find(({ id }) => id === mutation.id);
    assert.deepEqual(again && bytes(again), bytes(mutation), "the same bytes under the same id");
  }
});
