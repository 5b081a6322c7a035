/** A tab that does not drain: it shows how draining goes, and its commands hold for all tabs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bare, drained, openBare, synced, until } from "./page.mjs";
import { BATCH } from "./proxy.mjs";
import { insert, visit } from "./visits.mjs";
import { world } from "./world.mjs";

test("a tab that does not drain shows how the one that does gets on, and can pause, resume and hurry it", async (t) => {
  const { browser, proxy } = await world(t, { www: bare });
  const [leader, follower] = [await openBare(browser, proxy.origin), await openBare(browser, proxy.origin)];
  for (const tab of [leader, follower]) await synced(tab);

  await follower.evaluate(() => db.sync.pause());
  for (const tab of [leader, follower]) await until(tab, () => db.sync.state.phase === "paused");
  await insert(follower, [visit(1)]);
  await follower.evaluate(() => db.sync.resume());
  await drained(follower);
  const [batch, ...more] = await proxy.batches();
  assert.equal(batch.mutations.length, 1);
  assert.equal(more.length, 0);

  await proxy.goOffline();
  await insert(leader, [visit(2)]);
  for (const tab of [leader, follower]) await until(tab, () => db.sync.state.phase === "offline" && db.sync.state.nextTryAt !== null);
  await proxy.clear("/");
  // Resolves only once the other tab has ended what it was asked for.
  await follower.evaluate(() => db.sync.now());
  assert.equal((await proxy.log({ path: BATCH })).filter(({ status }) => status === 200).length, 2);

  // Whoever comes later hears of it too.
  await proxy.rule("/api", { kind: "refuse" });
  await insert(leader, [visit(3)]);
  await until(leader, () => db.sync.state.phase === "offline");
  const late = await openBare(browser, proxy.origin);
  await until(late, () => db.sync.state.phase === "offline");
});
