/** The first sync of a big account: the page never stands still, and what is stored is not fetched again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bare, openBare, synced, until } from "./page.mjs";
import { stock, stocked } from "./stock.mjs";
import { TASK_MS, watchTasks } from "./tasks.mjs";
import { world } from "./world.mjs";

const DOCUMENTS = Number(process.env.DOCUMENTS ?? 20_000);
const PAGE = 1_000;
const PULL = "/api/v1/sync/pull";

/** Opens the page and follows a query; from here on every long task counts. */
async function watched(browser, origin) {
  const page = await openBare(browser, origin, { prepare: watchTasks });
  await page.evaluate(() => {
    globalThis.since = performance.now();
    db.visits.where({ status: "planned" }).orderBy("dueAt", "desc").limit(50).subscribe((rows) => {
      globalThis.rows = rows;
    });
  });
  return page;
}

test(`${DOCUMENTS} documents arrive without a long task, and after a SIGKILL at 60 % one page at most comes again`, async (t) => {
  const { server, proxy, browser } = await world(t, { www: bare });
  await stock(server, DOCUMENTS);
  const began = Date.now();
  const page = await watched(browser, proxy.origin);
  await until(page, ({ share }) => {
    const { done, total } = db.sync.state.progress;
    return total > 0 && done >= share * total;
  }, { share: 0.6 });
  const [first, progress, shown] = await page.evaluate(() => [globalThis.tasks, db.sync.state.progress, globalThis.rows?.length]);
  await browser.kill();
  assert.equal(progress.total, DOCUMENTS);
  assert.equal(shown, 50, "rows are shown as they come");

  await browser.start();
  const reopened = await watched(browser, proxy.origin);
  await synced(reopened);
  const pulls = (await proxy.log({ path: PULL })).length;
  const second = await reopened.evaluate(() => globalThis.tasks);
  t.diagnostic(`${DOCUMENTS} documents in ${Date.now() - began} ms, ${pulls} pulls, long tasks ${JSON.stringify([first, second])}`);
  assert.ok(pulls <= Math.ceil(DOCUMENTS / PAGE) + 1, `${pulls} pulls`);
  assert.deepEqual([first, second], [[], []], `tasks over ${TASK_MS} ms`);

  const [count, last] = await reopened.evaluate(
    async (id) => [await db.visits.where({}).count(), await db.visits.get(id)],
    stocked(DOCUMENTS - 1).id,
  );
  assert.equal(count, DOCUMENTS);
  assert.deepEqual(last, stocked(DOCUMENTS - 1));
});

test("a long task is noticed", async (t) => {
  const { proxy, browser } = await world(t, { www: bare });
  const page = await watched(browser, proxy.origin);
  await page.evaluate(() => setTimeout(() => {
    const end = performance.now() + 80;
    while (performance.now() < end);
  }));
  await until(page, () => globalThis.tasks.some(({ duration }) => duration >= 80));
});
