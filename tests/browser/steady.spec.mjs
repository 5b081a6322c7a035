/** The page stands still: what a thumb is about to press does not move away under it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEVICES } from "./devices.mjs";
import { drained, openDemo, synced, until } from "./page.mjs";
import { insert, shown, update, visit } from "./visits.mjs";
import { world } from "./world.mjs";

/** Where everything is that can be pressed or read; what is written there may change. */
async function places(page) {
  return page.evaluate(() => {
    const things = document.querySelectorAll("main button, main input, main select, main li, main h3, nav button, header button");
    return [...things].map((thing) => {
      const { x, y, width, height } = thing.getBoundingClientRect();
      return [thing.tagName, x, y, width, height];
    });
  });
}

for (const [device, browser] of Object.entries(DEVICES)) {
  test(`nothing moves while writes go their way, ${device}`, async (t) => {
    const { proxy, browser: chromium } = await world(t, { browser });
    const page = await openDemo(chromium, proxy.origin);
    await synced(page);
    await insert(page, [visit(1), visit(2)]);
    await drained(page);
    await shown(page, 2, "accepted");
    await page.getByText("Everything is on the server").first().waitFor();
    const before = await places(page);

    const offline = page.getByRole("switch", { name: "Work offline" });
    await offline.click();
    await update(page, visit(1).id, { notes: "visit one" });
    await page.getByText("1 change saved here").first().waitFor();
    assert.deepEqual(await places(page), before, "working offline");

    await proxy.goOffline();
    await offline.click();
    await until(page, () => db.sync.state.nextTryAt !== null && db.sync.state.pending > 0);
    assert.deepEqual(await places(page), before, "without a network");
    await proxy.goOnline();
    await drained(page);
    assert.deepEqual(await places(page), before, "sent");

    await page.getByRole("button", { name: "New visit" }).click();
    await page.getByLabel("Notes").fill("half");
    await page.keyboard.press("Escape");
    await page.getByText("kept as a draft").waitFor();
    assert.deepEqual(await places(page), before, "with a notice");
  });
}
