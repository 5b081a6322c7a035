/** Two devices on one page: each with its own database, its own person, and a network that can be broken. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { world } from "./world.mjs";

const BROKEN = ["No network", "Slow network", "Server errors", "Lost replies", "Wrong clock"];

async function openBoth({ proxy, browser }) {
  const page = await browser.page();
  await page.goto(`${proxy.origin}/side-by-side.html`);
  const device = (name) => {
    const frame = page.frameLocator(`iframe[title^="${name} device"]`);
    const breakage = page.getByRole("group", { name: `Break the ${name.toLowerCase()} device` });
    return { frame, toggle: (trouble) => breakage.getByRole("button", { name: trouble }).click() };
  };
  const both = { page, left: device("Left"), right: device("Right") };
  for (const { frame } of [both.left, both.right]) await frame.getByText("Everything is on the server").first().waitFor();
  return both;
}

async function addVisit({ frame }, site) {
  await frame.getByRole("button", { name: "New visit" }).click();
  const form = frame.getByRole("dialog", { name: "New visit" });
  await form.getByLabel("Site", { exact: true }).selectOption({ label: "A new site…" });
  await form.getByLabel("Name").fill(site);
  await form.getByRole("button", { name: "Save" }).click();
  await form.waitFor({ state: "hidden" });
}

const row = ({ frame }, site) => frame.locator("li[data-visit]").filter({ hasText: site });
const status = async (device, site) => row(device, site).getAttribute("data-status");

test("what one device writes offline reaches the other one when its network is back", async (t) => {
  const { left, right } = await openBoth(await world(t));
  await left.frame.getByText("Ana").first().waitFor();
  await right.frame.getByText("Ben").first().waitFor();
  await left.toggle("No network");
  await addVisit(left, "North pumping station");
  await addVisit(right, "Harbour substation");
  await row(right, "Harbour substation").and(right.frame.locator('[data-status="accepted"]')).waitFor();
  assert.notEqual(await status(left, "North pumping station"), "accepted");
  assert.equal(await row(left, "Harbour substation").count(), 0);
  assert.equal(await row(right, "North pumping station").count(), 0);

  await left.toggle("No network");
  await row(right, "North pumping station").waitFor();
  await row(left, "Harbour substation").waitFor();
});

test("every kind of trouble is survived once it is over, and the normal page cannot be broken", async (t) => {
  const parts = await world(t);
  const { page, left, right } = await openBoth(parts);
  for (const trouble of BROKEN) {
    await left.toggle(trouble);
    await addVisit(left, `Site in trouble: ${trouble}`);
    await left.toggle(trouble);
    await row(left, trouble).and(left.frame.locator('[data-status="accepted"]')).waitFor();
    await row(right, trouble).waitFor();
  }
  const documents = await parts.server.documents("visits");
  assert.equal(documents.size, BROKEN.length);
  assert.deepEqual([...documents.values()].map(({ version }) => version), BROKEN.map(() => 1));

  await left.toggle("No network");
  const wrapped = () => fetch.toString().includes("[native code]");
  const frames = page.frames().filter((frame) => frame.url().includes("/device.html"));
  assert.deepEqual(await Promise.all(frames.map((frame) => frame.evaluate(wrapped))), [false, false]);
  await page.goto(parts.proxy.origin);
  assert.equal(await page.evaluate(wrapped), true);
});
