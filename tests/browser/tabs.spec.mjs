/** Many tabs of one browser: each may write, one drains, and whichever way that one goes another takes over. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { chance, crash, Saved } from "./chaos.mjs";
import { bare, drained, openBare, synced, until } from "./page.mjs";
import { BATCH } from "./proxy.mjs";
import { expected, insert, onServer, visit } from "./visits.mjs";
import { world } from "./world.mjs";

const TABS = 10;
const SECONDS = Number(process.env.LANDFALL_SECONDS ?? 20);
const TAKEOVER_MS = 5_000;
/** As people have them: one visible, the others asleep at any time. */
const natural = { www: bare, browser: { natural: true } };

async function freeze(page, other) {
  await other.bringToFront();
  await until(page, () => document.visibilityState === "hidden");
  const session = await page.context().newCDPSession(page);
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  return () => session.send("Page.setWebLifecycleState", { state: "active" });
}

function hang(page) {
  page.evaluate(() => { for (;;); }).catch(() => {});
}

const ways = { closed: (page) => page.close(), crashed: crash, frozen: freeze, hung: hang };
for (const [way, end] of Object.entries(ways)) {
  test(`when the tab that drains is ${way} in the middle of it, another one goes on`, async (t) => {
    const { server, proxy, browser } = await world(t, natural);
    const leader = await openBare(browser, proxy.origin);
    await synced(leader);
    const other = await openBare(browser, proxy.origin);
    await proxy.rule(BATCH, { kind: "hold", at: "reply" }, 1);
    await insert(leader, [visit(1)]);
    await proxy.until({ path: BATCH, stage: "held" });
    await insert(other, [visit(2)]);
    const from = Date.now();
    const back = await end(leader, other);
    await drained(other);
    const millis = Date.now() - from;
    t.diagnostic(`${millis} ms`);
    assert.ok(millis <= TAKEOVER_MS, `${millis} ms`);
    assert.deepEqual(await onServer(server), expected([visit(1), visit(2)]));
    if (!back) return;
    await back();
    await proxy.release();
    await leader.bringToFront();
    await insert(leader, [visit(3)]);
    for (const page of [leader, other]) await drained(page);
    assert.equal(await leader.evaluate(() => db.visits.where({}).count()), 3);
    assert.deepEqual(await onServer(server), expected([visit(1), visit(2), visit(3)]));
  });
}

test("a page in the back/forward cache is in nobody's way, comes back, and knows what others wrote", async (t) => {
  const { server, proxy, browser } = await world(t, natural);
  const page = await openBare(browser, proxy.origin);
  await synced(page);
  const other = await openBare(browser, proxy.origin);
  await page.bringToFront();
  await page.evaluate(() => addEventListener("pageshow", ({ persisted }) => (globalThis.persisted = persisted)));
  const session = await page.context().newCDPSession(page);
  await session.send("Page.enable");
  const reasons = [];
  session.on("Page.backForwardCacheNotUsed", ({ notRestoredExplanations }) => reasons.push(...notRestoredExplanations));
  await page.goto(`${proxy.origin}/index.html`);
  await insert(other, [visit(1)]);
  await drained(other);
  await page.evaluate(() => history.back());
  // Restored, or loaded anew, which is what this must not be.
  await page.waitForFunction(
    () => globalThis.persisted !== undefined || performance.getEntriesByType("navigation")[0].type === "back_forward",
  );
  assert.deepEqual(reasons.map(({ type, reason }) => `${type}: ${reason}`), []);
  assert.equal(await page.evaluate(() => globalThis.persisted), true);
  assert.equal((await page.evaluate((id) => db.visits.get(id), visit(1).id)).notes, visit(1).notes);
  await insert(page, [visit(2)]);
  for (const tab of [page, other]) await drained(tab);
  assert.deepEqual(await onServer(server), expected([visit(1), visit(2)]));
});

test("twenty tabs opened at once all answer, and one of them drains", async (t) => {
  const { proxy, server, browser } = await world(t, { www: bare });
  const from = Date.now();
  const rows = Array.from({ length: 2 * TABS }, (_, n) => visit(n));
  const pages = await Promise.all(
    rows.map(async (row) => {
      const page = await openBare(browser, proxy.origin);
      await insert(page, [row]);
      assert.equal((await page.evaluate((id) => db.visits.get(id), row.id)).id, row.id);
      return page;
    }),
  );
  t.diagnostic(`${Date.now() - from} ms until all had answered`);
  const locks = await pages[0].evaluate(async () => {
    const { held, pending } = await navigator.locks.query();
    return [held.length, pending.length];
  });
  assert.deepEqual(locks, [1, 2 * TABS - 1]);
  for (const page of pages) await drained(page);
  assert.deepEqual(await onServer(server), expected(rows));
  for (const page of pages) await until(page, async (count) => (await db.visits.where({}).count()) === count, rows.length);
});

test(`ten tabs opened, closed, reloaded, crashed and killed for ${SECONDS} s lose nothing and double nothing`, async (t) => {
  const { server, proxy, browser } = await world(t, { www: bare });
  const { below, pick } = chance(t);
  const saved = new Saved();
  const ends = { closed: 0, reloaded: 0, crashed: 0, killed: 0 };
  let pages = [];
  const add = async () => {
    const page = await openBare(browser, proxy.origin);
    await saved.write(page, 50);
    pages.push(page);
  };
  for (const until = Date.now() + SECONDS * 1_000; Date.now() < until; ) {
    if (pages.length < 2 || (pages.length < TABS && below(100) < 60)) {
      await add();
      continue;
    }
    const page = pick(pages);
    const end = below(100) < 10 ? "killed" : pick(["closed", "reloaded", "crashed"]);
    ends[end] += 1;
    if (end === "reloaded") {
      await page.reload();
      await page.evaluate(() => globalThis.start({}));
      await saved.write(page, 50);
      continue;
    }
    pages = end === "killed" ? [] : pages.filter((other) => other !== page);
    if (end === "closed") await page.close();
    if (end === "crashed") await crash(page);
    if (end === "killed") {
      await browser.kill();
      await browser.start();
    }
  }
  for (const page of pages) await page.close();
  await drained(await openBare(browser, proxy.origin));
  const stored = await saved.check(server, browser, t);
  t.diagnostic(`${saved.ids.size} saved, ${stored} on the server, ${JSON.stringify(ends)}`);
  assert.ok(saved.ids.size > SECONDS, "too little was written to prove anything");
});
