/** What the server refused, mended by a person in the elements, with the real server at the other end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Server } from "../browser/server.mjs";
import { Workspace } from "../browser/workspace.mjs";
import { HTML } from "./elements.mjs";
import { fixture } from "./fixture.mjs";

const MAIN = `
import { open } from "/node_modules/landfall/dist/index.js";
import "/node_modules/landfall/dist/components/index.js";

async function auth() {
  const body = JSON.stringify({ user: "ada", role: "worker" });
  const headers = { "content-type": "application/json" };
  const response = await fetch("/demo/token", { method: "POST", headers, body });
  return (await response.json()).token;
}

globalThis.db = await open({ name: "mended", url: location.origin, user: "ada", auth, collections: { visits: {} } });
for (const name of ["status", "outbox"]) {
  const element = document.createElement("landfall-" + name);
  if (name === "outbox") element.toggleAttribute("editable");
  document.querySelector("main").append(element);
  element.db = db;
}
document.addEventListener("landfall-edit", async ({ detail }) => {
  await detail.edit({ notes: "roof ok" });
});
`;

/** The server's own words, from www/landfall.yaml. */
const WORDS = "Write a note before you mark a visit as done.";
const REFUSED = { site: "A1", inspector: "Ada", dueAt: "2026-05-04", status: "done", notes: "" };

const shared = fixture({ files: { "index.html": HTML, "main.js": MAIN } });

/** A page with one visit that the server has refused, and its row in the outbox. */
async function refused(t) {
  const workspace = await Workspace.make();
  t.after(() => workspace.clear());
  const server = workspace.keep(await Server.start(workspace.directory, shared.folder));
  const page = await shared.browser.page();
  workspace.keep({ stop: () => page.close() });
  page.setDefaultTimeout(60_000);
  await page.goto(server.origin);
  await page.waitForFunction(() => globalThis.db !== undefined);
  await page.evaluate((visit) => db.visits.insert(visit, { id: "v" }), REFUSED);
  const row = page.locator('landfall-outbox li[data-document="v"][data-status="needs_attention"]');
  await row.getByText(WORDS).waitFor();
  await page.getByRole("status").getByText("1 change needs attention").waitFor();
  return { server, page, row };
}

/** Resolves once the outbox is empty and everybody has been told. */
async function settled(page) {
  await page.getByText("Nothing is waiting.").waitFor();
  await page.getByRole("status").getByText("Everything is on the server").waitFor();
}

test("a refused visit is tried again in vain, edited, and accepted", async (t) => {
  const { server, page, row } = await refused(t);
  const first = await page.evaluate(async () => (await db.outbox.list())[0].id);
  await row.getByRole("button", { name: "Retry" }).click();
  await page.waitForFunction(async (first) => {
    const [item] = await db.outbox.list();
    return item.status === "needs_attention" && item.id !== first;
  }, first);
  await row.getByText(WORDS).waitFor();
  await row.getByRole("button", { name: "Edit" }).click();
  await settled(page);
  const documents = await server.documents("visits");
  assert.deepEqual([...documents.values()].map(({ data }) => data), [{ ...REFUSED, notes: "roof ok" }]);
});

test("a refused visit that is discarded is gone, here and there", async (t) => {
  const { server, page, row } = await refused(t);
  await row.getByRole("button", { name: "Discard" }).click();
  assert.equal(await page.evaluate(() => db.visits.where().count()), 1);
  await row.getByRole("button", { name: "Really discard?" }).click();
  await settled(page);
  assert.equal(await page.evaluate(() => db.visits.where().count()), 0);
  assert.equal((await server.documents("visits")).size, 0);
});
