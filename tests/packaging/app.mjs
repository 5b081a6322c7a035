/** The smallest app, and what every way of building and serving it must be able to do. */
import assert from "node:assert/strict";

/** One database and one of our elements: what an app is given by the package. */
export const MAIN = `
import { open } from "landfall";
import "landfall/components";

globalThis.opened = open({ name: "packed", collections: { notes: {} } }).then(
  (db) => {
    const outbox = document.createElement("landfall-outbox");
    outbox.db = globalThis.db = db;
    document.body.append(outbox);
    return "open";
  },
  ({ name, code, message }) => ({ name, code, message }),
);
`;

export const HTML = `<!doctype html>
<html lang="en">
  <head><title>Fresh</title></head>
  <body><script type="module" src="/main.js"></script></body>
</html>
`;

/** Opens the page at `address` and gives what became of its database. */
export async function visit(browser, address) {
  const page = await browser.page();
  page.setDefaultTimeout(30_000);
  await page.goto(address);
  return { page, opened: await opened(page) };
}

async function opened(page) {
  await page.waitForFunction(() => globalThis.opened !== undefined);
  return page.evaluate(() => globalThis.opened);
}

/** Opens a database, writes, reloads, and reads it back. */
export async function writesAndReads(browser, address) {
  const first = await visit(browser, address);
  const { page } = first;
  assert.equal(first.opened, "open");
  await page.evaluate(async () => {
    await db.notes.insert({ text: "kept" }, { id: "n" });
  });
  await page.reload();
  assert.equal(await opened(page), "open");
  const kept = await page.evaluate(() => db.notes.get("n"));
  assert.deepEqual(kept, { id: "n", text: "kept" });
  // The import of the elements is kept by every bundler, although nothing of it is used by name.
  await page.getByText("notes added").waitFor();
  await page.close();
}
