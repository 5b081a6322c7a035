/** An app that ships another version of its schema: what was written offline under the one before arrives in the new form, once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bare, drained, openBare, synced } from "./page.mjs";
import { expected, insert, onServer, outbox, read, update, visit, visits } from "./visits.mjs";
import { world } from "./world.mjs";

/** The second version calls `notes` `remarks`, and cannot read those of one visit. */
const second = (page) =>
  page.evaluate(() => {
    globalThis.asked = [];
    const migrate = ({ notes, ...data }, from, kind) => {
      globalThis.asked.push(`${kind} ${from}`);
      if (notes === "visit 2") throw new Error("no visit 2");
      return { ...data, ...(notes !== undefined && { remarks: notes }) };
    };
    return globalThis.start({ collections: { visits: { version: 2, migrate } } });
  });

test("what was written offline under version 1 is on the server in the form of version 2, once", async (t) => {
  const { server, proxy, browser } = await world(t, { www: bare });
  const page = await openBare(browser, proxy.origin);
  await synced(page);
  await insert(page, visits(1));
  await drained(page);
  await proxy.rule("/api/", { kind: "refuse" });
  await page.evaluate(() => db.close());
  // Opened offline: what a device has tried to send keeps its form, and this one has not heard of its server.
  await page.evaluate(() => start({}));
  await insert(page, [visit(1), visit(2)]);
  await update(page, visit(1).id, { notes: "roof ok" });
  await update(page, visit(0).id, { rating: 3 });
  await page.evaluate(() => db.close());

  await second(page);
  assert.deepEqual(await page.evaluate(() => asked), ["create 1", "create 1", "patch 1", "patch 1"]);
  const { notes: _, ...rest } = visit(1);
  const renewed = { ...rest, remarks: "roof ok" };
  assert.deepEqual(await read(page, visit(1).id), renewed, "seen in its new form at once");
  await proxy.clear("/api/");
  await drained(page);
  assert.deepEqual(await onServer(server), expected([{ ...visit(0), rating: 3 }, renewed], () => 2));
  const [failed, ...others] = await outbox(page);
  assert.deepEqual(others, []);
  assert.equal(failed.code, "migration_failed");
  assert.equal(failed.message, "no visit 2");
  assert.deepEqual(await read(page, visit(2).id), visit(2), "kept as it was");
});
