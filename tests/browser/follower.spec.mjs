/** A tab that does not drain: it shows how draining goes, and its commands hold for all tabs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bare, drained, openBare, synced, until } from "./page.mjs";
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
  assert.equal((await proxy.batches()).filter(({ status }) => status === 200).length, 2);

  // Whoever comes later hears of it too.
  await proxy.rule("/api", { kind: "refuse" });
  await insert(leader, [visit(3)]);
  await until(leader, () => db.sync.state.phase === "offline");
  const late = await openBare(browser, proxy.origin);
  await until(late, () => db.sync.state.phase === "offline");
});

test("asked as soon as it is open, a tab answers when it has tried", async (t) => {
  const { browser, proxy } = await world(t, { www: bare });
  const page = await openBare(browser, proxy.origin);
  await insert(page, [visit(1)]);
  await drained(page);
  await proxy.rule("/api", { kind: "refuse" });
  for (let round = 0; round < 5; round++) {
    await page.reload();
    const state = await page.evaluate(async () => {
      await globalThis.start({});
      await db.sync.now();
      return db.sync.state;
    });
    assert.ok(state.reason !== null && state.nextTryAt !== null, JSON.stringify(state));
  }
});

test("a pause holds for tabs that are opened later, whoever drains then, and ends for all at once", async (t) => {
  const { browser, proxy } = await world(t, { www: bare });
  const first = await openBare(browser, proxy.origin);
  await synced(first);
  await first.evaluate(() => db.sync.pause());
  const second = await openBare(browser, proxy.origin);
  await until(second, () => db.sync.state.phase === "paused");
  // The one that was told of it has it to tell, and drains from now on.
  await first.close();
  const third = await openBare(browser, proxy.origin);
  await until(third, () => db.sync.state.phase === "paused");
  await insert(third, [visit(1)]);
  await second.close();
  await until(third, async () => (await navigator.locks.query()).pending.length === 0);
  // Whatever a tab that drains would do by itself, it has done when it has looked at the state again.
  await third.evaluate(() => db.sync.now());
  assert.deepEqual([await proxy.batches(), await third.evaluate(() => db.sync.state.phase)], [[], "paused"]);

  const fourth = await openBare(browser, proxy.origin);
  await until(fourth, () => db.sync.state.phase === "paused");
  await fourth.evaluate(() => db.sync.resume());
  for (const tab of [third, fourth]) await drained(tab);
  assert.equal((await proxy.batches()).length, 1);
  const fifth = await openBare(browser, proxy.origin);
  await synced(fifth);
});
