/** `node screenshots.mjs`: the demo in each of its states, for people to look at; into www/screenshots. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { drained, openDemo, synced } from "./page.mjs";
import { SCREENSHOTS } from "./products.mjs";
import { BATCH } from "./proxy.mjs";
import { update } from "./visits.mjs";
import { world } from "./world.mjs";

const DEVICES = {
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true },
  desktop: { viewport: { width: 1280, height: 800 } },
};
const SCHEMES = ["light", "dark"];

const SITES = [
  { id: "site-1", name: "North pumping station", address: "Canal Road 4" },
  { id: "site-2", name: "Mill Lane reservoir", address: "Mill Lane 19" },
  { id: "site-3", name: "Harbour substation", address: "Quay 7" },
];

/** Days from today, so that the groups "Overdue", "Today" and "Coming up" stay what they are. */
function day(distance) {
  return new Date(Date.now() + distance * 86_400_000).toISOString().slice(0, 10);
}

/** Few enough that the refused one of them is seen without scrolling. */
const PLANNED = [
  { id: "visit-1", site: "site-1", dueAt: day(0), notes: "Pump 2 was loud last time." },
  { id: "visit-2", site: "site-2", dueAt: day(1), notes: "" },
];
const OLDER = [
  { site: "site-2", dueAt: day(-2), notes: "Bring the long ladder." },
  { site: "site-1", dueAt: day(-9), status: "done", rating: 4, notes: "Roof ok, gutter cleared." },
];

async function insert(page, rows, collection = "visits") {
  if (collection === "visits") rows = rows.map((row) => ({ inspector: "Ada", ...row }));
  await page.evaluate(
    ([collection, rows]) => Promise.all(rows.map(({ id, ...row }) => db[collection].insert(row, { id }))),
    [collection, rows],
  );
}

/** Walks one page through all states. */
async function walk({ proxy, browser }, shot) {
  const page = await openDemo(browser, proxy.origin);
  await synced(page);
  await shot(page, "empty");

  await insert(page, SITES, "sites");
  await page.getByRole("button", { name: "New visit" }).click();
  const form = page.getByRole("dialog", { name: "New visit" });
  await form.getByLabel("Site", { exact: true }).selectOption({ label: "North pumping station" });
  await form.getByLabel("Notes").fill("Pump 2 was loud last time.");
  await shot(page, "form");
  await form.getByRole("button", { name: "Close" }).click();

  await insert(page, PLANNED);
  await drained(page);
  const offline = page.getByRole("switch", { name: "Work offline" });
  await offline.click();
  await insert(page, [{ site: "site-3", dueAt: day(0), notes: "Meter reading 118 402." }]);
  await update(page, "visit-2", { notes: "Valve on the east side." });
  await page.getByText("2 changes saved here").first().waitFor();
  await shot(page, "offline");

  await insert(page, [{ site: "site-2", dueAt: day(-1), status: "done", rating: 2, notes: "" }]);
  await offline.click();
  await drained(page);
  await page.locator('[data-status="needs_attention"]').scrollIntoViewIfNeeded();
  await shot(page, "needs-attention");

  await insert(page, OLDER);
  await drained(page);
  await proxy.rule(BATCH, { kind: "hold", at: "request" });
  await insert(page, [{ site: "site-1", dueAt: day(0), notes: "Second visit, after the rain." }]);
  await proxy.until({ path: BATCH, stage: "held" });
  await insert(page, [{ site: "site-3", dueAt: day(5), notes: "Fence at the quay." }]);
  await page.locator('[data-status="saved"]').first().waitFor();
  await page.evaluate(() => scrollTo(0, 0));
  await shot(page, "list");

  await page.getByRole("button", { name: "Outbox" }).click();
  await page.getByRole("heading", { name: "Outbox" }).waitFor();
  await shot(page, "outbox");
  await proxy.clear();
  await proxy.release();
}

await mkdir(SCREENSHOTS, { recursive: true });
for (const [device, options] of Object.entries(DEVICES)) {
  for (const colorScheme of SCHEMES) {
    const ends = [];
    try {
      const browser = { ...options, colorScheme, reducedMotion: "reduce" };
      const parts = await world({ after: (end) => ends.push(end) }, { browser });
      await walk(parts, (page, state) => page.screenshot({ path: join(SCREENSHOTS, `${device}-${colorScheme}-${state}.png`) }));
    } finally {
      for (const end of ends) await end();
    }
  }
}
