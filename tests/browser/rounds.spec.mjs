/** One tab, opened and ended over and over while it writes: nothing is lost, doubled, or waited for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { chance, crash, Saved } from "./chaos.mjs";
import { bare, drained, openBare } from "./page.mjs";
import { world } from "./world.mjs";

const ROUNDS = Number(process.env.LANDFALL_ROUNDS ?? 40);
/** Longer than any step of a round may take. */
const HANG_MS = 5_000;
const WRITES = 6;

test(`${ROUNDS} rounds of opening, writing and ending in every way lose nothing and double nothing`, async (t) => {
  const { server, proxy, browser } = await world(t, { www: bare });
  const { below, pick } = chance(t);
  const saved = new Saved();
  const ends = { closed: 0, reloaded: 0, left: 0, crashed: 0, killed: 0 };
  let slowest = 0;
  const timed = async (what, work) => {
    const from = Date.now();
    const result = await work();
    const millis = Date.now() - from;
    slowest = Math.max(slowest, millis);
    assert.ok(millis <= HANG_MS, `${what}: ${millis} ms`);
    return result;
  };
  let page;
  for (let round = 0; round < ROUNDS; round += 1) {
    page ??= await timed("opening", () => openBare(browser, proxy.origin));
    await saved.write(page, 0, WRITES);
    // Anywhere between the first write and the end of the drain.
    const writes = below(WRITES + 1);
    await timed("writing", () => page.waitForFunction((writes) => globalThis.written >= writes, writes));
    if (below(4) === 0) await drained(page);
    const end = pick(Object.keys(ends));
    ends[end] += 1;
    if (end === "closed") await timed(end, () => page.close());
    if (end === "crashed") await timed(end, () => crash(page));
    if (end === "killed") {
      await browser.kill();
      await browser.start();
    }
    if (end === "reloaded" || end === "left") {
      await timed(end, () => (end === "left" ? page.goto(`${proxy.origin}/?${round}`) : page.reload()));
      await timed("opening", () => page.evaluate(() => globalThis.start({})));
    } else {
      page = undefined;
    }
  }
  page ??= await openBare(browser, proxy.origin);
  await drained(page);
  const stored = await saved.check(server, browser, t);
  t.diagnostic(`${saved.ids.size} saved, ${stored} on the server, slowest step ${slowest} ms, ${JSON.stringify(ends)}`);
  assert.ok(saved.ids.size >= ROUNDS, "too little was written to prove anything");
});
