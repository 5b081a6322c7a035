/** The demo without a pointer: everything is reached, and the focus is never lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openDemo, synced, until } from "./page.mjs";
import { insert, read, shown, visit } from "./visits.mjs";
import { world } from "./world.mjs";

/** What has the focus: its label, else its text. */
async function focused(page) {
  return page.evaluate(() => {
    const { activeElement } = document;
    const label = activeElement.labels?.[0]?.textContent ?? activeElement.getAttribute("aria-label");
    return (label ?? activeElement.textContent).trim();
  });
}

/** Presses Tab until `name` has the focus. */
async function tabTo(page, name) {
  const passed = [];
  for (let presses = 0; presses < 60; presses += 1) {
    const here = await focused(page);
    if (here === name) return;
    passed.push(here);
    await page.keyboard.press("Tab");
  }
  assert.fail(`no Tab leads to "${name}", only to ${[...new Set(passed)].join(", ")}`);
}

test("a visit is planned, ticked off, deleted and brought back with the keyboard alone", async (t) => {
  const { proxy, browser } = await world(t, { browser: { viewport: { width: 1280, height: 800 } } });
  const page = await openDemo(browser, proxy.origin);
  await synced(page);
  await tabTo(page, "New visit");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "New visit" }).waitFor();
  assert.equal(await focused(page), "Site");
  // What is wrong is where the focus goes.
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByText("Give the site a name.").waitFor();
  assert.equal(await focused(page), "Name");
  await page.keyboard.type("North pumping station");
  await page.keyboard.press("Enter");
  await shown(page, 1, "saved", "sending", "accepted");
  assert.equal(await focused(page), "New visit");

  await tabTo(page, "North pumping station");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "North pumping station" }).waitFor();
  await tabTo(page, "Fence and doors");
  await page.keyboard.press("Space");
  const { id } = await page.evaluate(async () => (await db.visits.where({}).all())[0]);
  await until(page, async (id) => (await db.visits.get(id)).checklist?.fence === true, id);
  // One sheet takes the place of another; the focus still finds its way back.
  await tabTo(page, "Edit visit");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Edit visit" }).waitFor();
  await page.keyboard.press("Escape");
  // The browser closes it in its own time, and tells the page after it is no longer seen.
  await page.locator("dialog").waitFor({ state: "detached" });
  assert.equal(await focused(page), "North pumping station");

  await page.keyboard.press("Enter");
  await tabTo(page, "Delete");
  await page.keyboard.press("Enter");
  await shown(page, 0);
  assert.equal(await focused(page), "Visits");
  await tabTo(page, "Undo");
  await page.keyboard.press("Enter");
  await shown(page, 1, "saved", "sending", "accepted");
  assert.equal((await read(page, id)).checklist.fence, true);
});
