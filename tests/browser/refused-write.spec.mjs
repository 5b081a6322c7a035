/** One write that the server will never take: kept, shown, and in nobody's way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drained, openDemo, shellKept, synced } from "./page.mjs";
import { expected, insert, onServer, outbox, statuses, visit, visits } from "./visits.mjs";
import { world } from "./world.mjs";

const VISITS = 100;
const REFUSED = 37;
/** The server's own words, from www/landfall.yaml. */
const WORDS = "Write a note before you mark a visit as done.";

test("a write the server's rule refuses is parked whole and the other 99 are accepted", async (t) => {
  const { server, proxy, browser } = await world(t);
  const page = await openDemo(browser, proxy.origin);
  await synced(page);
  await shellKept(page);
  await proxy.goOffline();
  const refused = visit(REFUSED, { status: "done", notes: "" });
  await insert(page, visits(VISITS).with(REFUSED, refused));
  await proxy.goOnline();
  await drained(page);

  const { [refused.id]: _, ...others } = expected(visits(VISITS));
  assert.deepEqual(await onServer(server), others);

  const row = page.locator(`li[data-visit="${refused.id}"]`);
  await row.and(page.locator('[data-status="needs_attention"]')).waitFor();
  assert.match(await row.innerText(), new RegExp(`needs attention[^]*${WORDS}`));
  const accepted = [...(await statuses(page))].filter(([, status]) => status === "accepted");
  assert.equal(accepted.length, VISITS - 1);
  await page.getByRole("status").getByText("1 change needs attention").waitFor();

  // Kept whole: what it says in the outbox is every field that was written, also after a crash and offline.
  await parkedWhole(page, refused);
  await proxy.goOffline();
  await browser.kill();
  await browser.start();
  const reopened = await openDemo(browser, proxy.origin);
  await parkedWhole(reopened, refused);
  assert.equal(await reopened.evaluate(() => db.sync.state.failed), 1);
});

async function parkedWhole(page, { id, ...fields }) {
  const [item, ...more] = await outbox(page);
  assert.deepEqual(more, []);
  const { status, kind, document, field, message } = item;
  assert.deepEqual(
    { status, kind, document, field, message },
    { status: "needs_attention", kind: "create", document: id, field: "/notes", message: WORDS },
  );
  assert.deepEqual(Object.fromEntries(item.fields.map(({ path, value }) => [path.slice(1), value])), fields);
}
