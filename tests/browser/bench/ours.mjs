/** The package, doing what the benchmarks ask for. Each function runs in the page; `db` is open and paused. */

/** Writes one after the other, each awaited. */
export async function oneByOne(documents) {
  const start = performance.now();
  for (const document of documents) await db.visits.insert(document);
  return performance.now() - start;
}

/** Writes all at once, and waits for all. */
export async function allAtOnce(documents) {
  const start = performance.now();
  await Promise.all(documents.map((document) => db.visits.insert(document)));
  return performance.now() - start;
}

/** Writes, then goes online and waits until the server has accepted everything. */
export async function drain(documents) {
  const writes = await Promise.all(documents.map((document) => db.visits.insert(document)));
  const start = performance.now();
  db.sync.resume();
  await Promise.all(writes.map((write) => write.accepted()));
  return performance.now() - start;
}
