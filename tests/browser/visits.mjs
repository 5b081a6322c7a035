/** What the tests write: visits whose every field follows from a number, so that two runs can be compared. */
import { until } from "./page.mjs";

/** The nth visit, with its id. */
export function visit(n, fields = {}) {
  const day = String((n % 28) + 1).padStart(2, "0");
  return {
    id: `visit-${String(n).padStart(4, "0")}`,
    site: "site-north",
    inspector: "Ada",
    dueAt: `2031-03-${day}`,
    status: "planned",
    rating: null,
    notes: `visit ${n}`,
    createdAt: "2031-01-01T08:00:00.000Z",
    ...fields,
  };
}

export function visits(count) {
  return Array.from({ length: count }, (_, n) => visit(n));
}

/** Writes visits, all at once; resolves when all of them are saved on the device. */
export async function insert(page, rows) {
  await page.evaluate(
    (rows) => Promise.all(rows.map(({ id, ...row }) => db.visits.insert(row, { id }))),
    rows,
  );
}

/** Changes one visit; resolves when that is saved on the device. */
export async function update(page, id, patch) {
  await page.evaluate(([id, patch]) => db.visits.update(id, patch), [id, patch]);
}

/** What the page shows of a visit's data. */
export async function read(page, id) {
  return page.evaluate((id) => db.visits.get(id), id);
}

/** The outbox, without what differs from run to run. */
export async function outbox(page) {
  return page.evaluate(() => db.outbox.list());
}

/** Every visit's status as the page shows it, by id. */
export async function statuses(page) {
  const rows = await page.locator("li[data-visit]").evaluateAll((rows) =>
    rows.map(({ dataset }) => [dataset.visit, dataset.status]),
  );
  return new Map(rows);
}

/** Resolves once the page shows `count` visits, each with one of the statuses. */
export async function shown(page, count, ...allowed) {
  await until(
    page,
    ([count, allowed]) => {
      const rows = [...document.querySelectorAll("li[data-visit]")];
      return rows.length === count && rows.every(({ dataset }) => allowed.includes(dataset.status));
    },
    [count, allowed],
  );
}

/** What the server has, as far as two runs must agree: data and version by id, version counting effects. */
export async function onServer(server) {
  const documents = await server.documents("visits");
  return Object.fromEntries(
    [...documents.values()]
      .map(({ document, data, version }) => [document, { ...data, version }])
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  );
}

/** Rows as {@link onServer} gives them when each had `effects` writes. */
export function expected(rows, effects = () => 1) {
  return Object.fromEntries(rows.map(({ id, ...row }, n) => [id, { ...row, version: effects(n) }]));
}
