/** Answers that are none: nothing may be settled by them, and nothing may get stuck on them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drained, openDemo, synced } from "./page.mjs";
import { BATCH } from "./proxy.mjs";
import { expected, insert, onServer, outbox, shown, visits } from "./visits.mjs";
import { world } from "./world.mjs";

const VISITS = 3;

test("a captive portal settles nothing", async (t) => {
  const { server, proxy, browser } = await world(t);
  const page = await openDemo(browser, proxy.origin);
  await synced(page);
  await proxy.rule("/", { kind: "portal" });
  await insert(page, visits(VISITS));
  await proxy.until({ path: BATCH, fault: "portal", stage: "done" }, 3);

  assert.deepEqual((await outbox(page)).map(({ status }) => status === "accepted"), [false, false, false]);
  assert.equal(await page.evaluate(() => db.sync.state.pending), VISITS);
  assert.deepEqual(await onServer(server), {});

  await proxy.clear();
  await drained(page);
  await shown(page, VISITS, "accepted");
  assert.deepEqual(await onServer(server), expected(visits(VISITS)));
});

test("a portal in the way of the token settles nothing either", async (t) => {
  const { server, proxy, browser } = await world(t);
  await proxy.rule("/demo/token", { kind: "portal" });
  await proxy.rule("/api", { kind: "portal" });
  const page = await openDemo(browser, proxy.origin);
  await insert(page, visits(VISITS));
  await proxy.until({ path: "/demo/token", fault: "portal", stage: "done" }, 2);
  assert.equal(await page.evaluate(() => db.sync.state.pending), VISITS);

  await proxy.clear();
  await drained(page);
  assert.deepEqual(await onServer(server), expected(visits(VISITS)));
});

test("503 five times, then fine: drains without a new write", async (t) => {
  const { server, proxy, browser } = await world(t);
  const page = await openDemo(browser, proxy.origin);
  await synced(page);
  await proxy.rule(BATCH, { kind: "status", code: 503, body: "busy" }, 5);
  await insert(page, visits(VISITS));
  await drained(page);

  const attempts = await proxy.batches();
  assert.ok(attempts.length >= 6, `${attempts.length} attempts`);
  assert.deepEqual(attempts.slice(0, 6).map(({ status }) => status), [503, 503, 503, 503, 503, 200]);
  assert.deepEqual(await onServer(server), expected(visits(VISITS)));
});
