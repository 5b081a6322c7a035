/** A device whose database is of before `staged` was a store: everything in it is kept, and no tab hangs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bare, drained, openBare, synced, until } from "./page.mjs";
import { expected, insert, onServer, read, visit, visits } from "./visits.mjs";
import { world } from "./world.mjs";

/** Takes the store away, as it was never there in a database of an earlier version. */
async function downgrade(page) {
  return page.evaluate(async () => {
    const [{ name }] = await indexedDB.databases();
    const settled = (request) =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const database = await settled(indexedDB.open(name));
    const version = database.version + 1;
    database.close();
    const request = indexedDB.open(name, version);
    request.onupgradeneeded = () => request.result.deleteObjectStore("staged");
    (await settled(request)).close();
    return name;
  });
}

const stores = (page, name) =>
  page.evaluate(
    (name) =>
      new Promise((resolve) => {
        const request = indexedDB.open(name);
        request.onsuccess = () => {
          resolve([...request.result.objectStoreNames]);
          request.result.close();
        };
      }),
    name,
  );

test("a database of before keeps what was confirmed and what waits, while an older tab has it open", async (t) => {
  const { server, proxy, browser } = await world(t, { www: bare });
  const page = await openBare(browser, proxy.origin);
  await synced(page);
  await insert(page, visits(3));
  await drained(page);
  await proxy.rule("/api/", { kind: "refuse" });
  await insert(page, [visit(3)]);
  await page.evaluate(() => db.close());
  const name = await downgrade(page);
  // An older tab: it lets go when it is told that the database changes.
  await page.evaluate(
    (name) =>
      new Promise((resolve) => {
        const request = indexedDB.open(name);
        request.onsuccess = () => {
          request.result.onversionchange = () => {
            request.result.close();
            globalThis.letGo = true;
          };
          resolve();
        };
      }),
    name,
  );
  assert.ok(!(await stores(page, name)).includes("staged"));

  const newer = await openBare(browser, proxy.origin);
  await until(page, () => globalThis.letGo);
  assert.ok((await stores(newer, name)).includes("staged"));
  for (const row of visits(4)) assert.deepEqual(await read(newer, row.id), row);
  await proxy.clear("/api/");
  await drained(newer);
  assert.deepEqual(await onServer(server), expected(visits(4)));
});
