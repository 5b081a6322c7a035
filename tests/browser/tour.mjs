/** Leads through every screen and state of the demo: for pictures of it, and for what has to hold in all of them. */
import { BATCH } from "./proxy.mjs";
import { drained, openDemo, opened, synced, until } from "./page.mjs";
import { update } from "./visits.mjs";

const PULL = "/api/v1/sync/pull";
/** What a first visit waits for. */
const CORE = "/assets/landfall_web_bg";

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
  { id: "visit-1", site: "site-1", dueAt: day(0), notes: "Pump 2 was loud last time.", checklist: { access: true, pumps: true } },
  { id: "visit-2", site: "site-2", dueAt: day(1), notes: "" },
];
const OLDER = [
  { site: "site-2", dueAt: day(-2), notes: "Bring the long ladder.", inspector: "Ben" },
  { site: "site-1", dueAt: day(-9), status: "done", rating: 4, notes: "Roof ok, gutter cleared." },
];

async function insert(page, rows, collection = "visits") {
  if (collection === "visits") rows = rows.map((row) => ({ inspector: "Ana", ...row }));
  await page.evaluate(
    ([collection, rows]) => Promise.all(rows.map(({ id, ...row }) => db[collection].insert(row, { id }))),
    [collection, rows],
  );
}

const button = (page, name) => page.getByRole("button", { name });
const dialog = (page, name) => page.getByRole("dialog", { name });

/** Presses a button of the bar, and brings the top of its part into view. */
async function go(page, part) {
  await page.getByRole("navigation").getByRole("button", { name: part }).click();
  await page.evaluate(() => scrollTo(0, 0));
}

async function close(page) {
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
}

/**
 * Calls `see(page, state)` in every state, one after the other.
 *
 * @param {{ proxy: import("./proxy.mjs").Proxy, browser: import("./chromium.mjs").Chromium }} parts
 */
export async function tour(parts, see) {
  const page = await beginAsGuest(parts, see);
  await planVisits(parts, page, see);
  await workOffline(parts, page, see);
  await lookAround(parts, page, see);
  await disagree(parts, page, see);
  await beOthers(parts, see);
}

async function beginAsGuest({ proxy, browser }, see) {
  const page = await browser.page();
  await proxy.rule(CORE, { kind: "hold", at: "request" });
  await page.goto(proxy.origin);
  await page.getByText("This first time").waitFor();
  await page.getByLabel("Opening").evaluate((bar) => Promise.all(bar.getAnimations().map(({ finished }) => finished)));
  await see(page, "opening");
  await page.close();
  await proxy.clear();
  await proxy.release();
  return signIn(await openDemo(browser, proxy.origin, { user: null }), see);
}

async function signIn(page, see) {
  await see(page, "guest");
  await button(page, "Sign in").first().click();
  await dialog(page, "Sign in").waitFor();
  await see(page, "sign-in");
  await dialog(page, "Sign in").getByRole("button", { name: "Ana" }).click();
  await until(page, () => globalThis.db?.sync.state.lastSyncedAt != null);
  await see(page, "empty");
  return page;
}

async function planVisits(_, page, see) {
  await insert(page, SITES, "sites");
  await button(page, "New visit").click();
  const form = dialog(page, "New visit");
  await form.getByRole("button", { name: "Save" }).click();
  await form.getByText("Choose a site.").waitFor();
  await see(page, "form-complaint");
  await form.getByLabel("Site", { exact: true }).selectOption({ label: "North pumping station" });
  await form.getByLabel("Notes").fill("Pump 2 was loud last time.");
  await see(page, "form");
  await close(page);
  await button(page, "Continue").waitFor();
  await see(page, "draft");
  await button(page, "Continue").click();
  await form.getByText("Continued from where you left off.").waitFor();
  await see(page, "form-continued");
  await form.getByRole("button", { name: "Start over" }).click();
  await close(page);
}

async function workOffline({ proxy }, page, see) {
  await insert(page, PLANNED);
  await drained(page);
  const offline = page.getByRole("switch", { name: "Work offline" });
  await offline.click();
  await insert(page, [{ id: "visit-3", site: "site-3", dueAt: day(0), notes: "Meter reading 118 402." }]);
  await update(page, "visit-2", { notes: "Valve on the east side." });
  await page.getByText("2 changes saved here").first().waitFor();
  await see(page, "offline");

  await insert(page, [{ id: "visit-4", site: "site-2", dueAt: day(-1), status: "done", rating: 2, notes: "" }]);
  await offline.click();
  await drained(page);
  await page.locator('li[data-visit][data-status="needs_attention"]').scrollIntoViewIfNeeded();
  await see(page, "needs-attention");
  await go(page, "Outbox");
  await see(page, "outbox-refused");
  await button(page, "Edit").click();
  await dialog(page, "Edit refused visit").waitFor();
  await see(page, "form-refused");
  await close(page);

  await go(page, "Visits");
  await insert(page, OLDER);
  await drained(page);
  await proxy.rule(BATCH, { kind: "hold", at: "request" });
  await insert(page, [{ site: "site-1", dueAt: day(0), notes: "Second visit, after the rain." }]);
  await proxy.until({ path: BATCH, stage: "held" });
  await insert(page, [{ site: "site-3", dueAt: day(5), notes: "Fence at the quay." }]);
  await page.locator('[data-status="saved"]').first().waitFor();
  await page.locator("progress").waitFor();
  await see(page, "list");
  await go(page, "Outbox");
  await see(page, "outbox");
  await proxy.clear();
  await proxy.release();
  await drained(page);
}

async function lookAround({ proxy }, page, see) {
  await go(page, "Visits");
  await page.locator('li[data-visit="visit-1"] button').click();
  await dialog(page, "North pumping station").waitFor();
  await see(page, "visit");
  await dialog(page, "North pumping station").getByRole("button", { name: "Delete" }).click();
  await button(page, "Undo").waitFor();
  await see(page, "undo");
  await button(page, "Undo").click();

  await page.getByLabel("Search visits").fill("ladder");
  await page.evaluate(() => scrollTo(0, 0));
  await see(page, "search");
  await page.getByLabel("Search visits").fill("nothing like this");
  await see(page, "search-nothing");
  await button(page, "Show all visits").click();

  await go(page, "Sites");
  await see(page, "sites");
  await button(page, "Harbour substation").click();
  await see(page, "site-form");
  await close(page);
  await go(page, "Visits");
  await button(page, "Signed in as Ana").click();
  await dialog(page, "Ana").waitFor();
  await see(page, "account");
  await close(page);

  await proxy.goOffline();
  await insert(page, [{ site: "site-3", dueAt: day(2), notes: "Written in the tunnel." }]);
  await until(page, () => db.sync.state.phase === "offline" || db.sync.state.nextTryAt !== null);
  await page.evaluate(() => scrollTo(0, 0));
  await see(page, "no-network");
  await button(page, "Signed in as Ana").click();
  await dialog(page, "Ana").getByRole("button", { name: "Sign out" }).click();
  await button(page, "Stay signed in").waitFor();
  await see(page, "sign-out");
  await close(page);
  await proxy.goOnline();
  await drained(page);
}

async function disagree({ proxy, browser }, page, see) {
  const ben = await openDemo(browser, proxy.origin, { user: "ben" });
  await synced(ben);
  await go(page, "Conflicts");
  await page.getByText("Nobody changed the same thing").waitFor();
  await see(page, "conflicts-none");
  await proxy.goOffline();
  await update(page, "visit-1", { notes: "Pump 2 is quiet now, bearings greased." });
  await update(ben, "visit-1", { notes: "Pump 2 replaced.\nThe old one is in the van." });
  await page.evaluate(() => db.visits.delete("visit-2"));
  await update(ben, "visit-2", { notes: "Valve is stuck." });
  await proxy.goOnline();
  await Promise.all([drained(page), drained(ben)]);
  await page.locator("landfall-conflicts li[data-conflict]").nth(1).waitFor();
  await page.evaluate(() => scrollTo(0, 0));
  await see(page, "conflicts");
  await page.getByRole("button", { name: "Keep this" }).first().click();
  await page.getByText("Settled (1)").click();
  await see(page, "conflicts-settled");
  await ben.close();
}

async function beOthers({ proxy, browser }, see) {
  await proxy.rule(PULL, { kind: "hold", at: "request" });
  const clara = await openDemo(browser, proxy.origin, { user: "clara" });
  await until(clara, () => db.sync.state.phase === "first_sync");
  await clara.locator("progress").waitFor();
  await see(clara, "first-sync");
  await proxy.clear();
  await proxy.release();
  await synced(clara);
  await clara.close();

  const broken = await browser.page();
  await broken.addInitScript(() => {
    indexedDB.open = () => {
      throw new DOMException("the disk is gone", "UnknownError");
    };
  });
  await broken.goto(`${proxy.origin}/?user=ben`);
  await button(broken, "Try again").waitFor();
  await see(broken, "not-opened");
  await broken.close();

  const both = await browser.page();
  await both.goto(`${proxy.origin}/side-by-side.html`);
  for (const side of ["Left", "Right"]) {
    const frame = both.frameLocator(`iframe[title^="${side} device"]`);
    await frame.getByText("Everything is on the server").first().waitFor();
  }
  const breakage = both.getByRole("group", { name: "Break the left device" });
  await breakage.getByRole("button", { name: "No network" }).click();
  await both.evaluate(() => document.querySelector("main").scrollTo(0, 0));
  await see(both, "side-by-side");
  await breakage.getByRole("button", { name: "No network" }).click();
  await both.close();
}
