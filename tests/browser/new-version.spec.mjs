/** A new version of the app: offered, taken when somebody says so, and never by itself. */
import assert from "node:assert/strict";
import { appendFile, cp } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { opened, openDemo, shellKept } from "./page.mjs";
import { DEMO } from "./products.mjs";
import { shown } from "./visits.mjs";
import { world } from "./world.mjs";

test("a new version waits until somebody presses Reload, and loses nothing", async (t) => {
  let www = "";
  const { proxy, browser } = await world(t, {
    www: async (directory) => {
      www = join(directory, "www");
      await cp(DEMO, www, { recursive: true });
      return www;
    },
  });
  const page = await openDemo(browser, proxy.origin);
  await shellKept(page);
  await markDocument(page);

  // Any byte makes another version of it.
  await appendFile(join(www, "service-worker.js"), "\n// the next version\n");
  await page.evaluate(async () => (await navigator.serviceWorker.getRegistration()).update());
  await page.getByText("A new version is ready.").waitFor();
  await page.getByRole("switch", { name: "Work offline" }).click();
  await page.getByRole("button", { name: "New visit" }).click();
  await page.getByLabel("Name").fill("North pumping station");
  await page.getByRole("button", { name: "Save" }).click();
  await shown(page, 1, "saved", "paused");
  assert.equal(await page.evaluate(() => globalThis.sameDocument), true);
  assert.equal(await waiting(page), "installed");

  // A reload of the person's own is no consent either: the page is still the version that they know.
  await page.reload();
  await opened(page);
  await page.getByText("A new version is ready.").waitFor();
  assert.equal(await waiting(page), "installed");
  await markDocument(page);
  await page.getByRole("button", { name: "Reload" }).click();
  await page.waitForFunction(() => globalThis.sameDocument === undefined);
  await opened(page);
  await shown(page, 1, "saved", "paused");
  assert.equal(await waiting(page), undefined);
  assert.equal(await page.getByText("A new version is ready.").count(), 0);
});

/** Leaves a mark on this very document, so that a reload is noticed. */
async function markDocument(page) {
  await page.evaluate(() => (globalThis.sameDocument = true));
}

/** The state of the version that waits, if one does. */
async function waiting(page) {
  return page.evaluate(async () => (await navigator.serviceWorker.getRegistration()).waiting?.state);
}
