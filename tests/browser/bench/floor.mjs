/**
 * Floor B: what an app does by hand, with nothing between it and the browser: the document and a record
 * of the outbox in one strict transaction. It knows no conflicts, no other tabs and no second attempt, so
 * it is not an alternative; it is the cost of doing the least that survives a power cut.
 *
 * Runs in the page as one function, because that is how it gets there.
 */
export async function floor([name, documents]) {
  const opened = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const opening = indexedDB.open("floor", 1);
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore("documents");
    opening.result.createObjectStore("outbox", { autoIncrement: true });
  };
  const database = await opened(opening);

  const transact = (work) =>
    new Promise((resolve, reject) => {
      const transaction = database.transaction(["documents", "outbox"], "readwrite", { durability: "strict" });
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
      work(transaction.objectStore("documents"), transaction.objectStore("outbox"));
      // Saves the browser the wait for more requests: the floor is not to be low.
      transaction.commit();
    });
  const write = (document) =>
    transact((documents, outbox) => {
      const id = crypto.randomUUID();
      documents.put(document, id);
      outbox.add({ op: "create", id, document });
    });

  const oneByOne = async () => {
    const start = performance.now();
    for (const document of documents) await write(document);
    return performance.now() - start;
  };
  const allAtOnce = async () => {
    const start = performance.now();
    await Promise.all(documents.map(write));
    return performance.now() - start;
  };
  const drain = async () => {
    await Promise.all(documents.map(write));
    const start = performance.now();
    const writer = crypto.randomUUID().replaceAll("-", "");
    const token = await signIn();
    const rows = await opened(database.transaction("outbox").objectStore("outbox").getAll());
    const mutations = rows.map(({ id, document }, index) => mutation(`${writer}:${index + 1}`, writer, id, document));
    const batch = { protocol: 1, client: writer, user: "ada", sentAt: Date.now(), settled: {}, void: [], mutations };
    const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
    const response = await fetch("/api/v1/sync/batch", { method: "POST", headers, body: JSON.stringify(batch) });
    const { results } = await response.json();
    // A `set` of a field that merges otherwise is `merged`.
    const refused = results.find(({ verdict }) => verdict !== "applied" && verdict !== "merged");
    if (refused) throw new Error(`the server refused the floor: ${refused.code}`);
    await transact((_, outbox) => outbox.clear());
    return performance.now() - start;
  };
  const signIn = async () => {
    const body = JSON.stringify({ user: "ada", role: "worker" });
    const headers = { "content-type": "application/json" };
    return (await (await fetch("/demo/token", { method: "POST", headers, body })).json()).token;
  };
  const mutation = (id, writer, document, data) => ({
    id,
    group: null,
    replaces: null,
    needs: [],
    firstSentAt: null,
    collection: "visits",
    document,
    op: "create",
    fields: Object.entries(data).map(([field, value]) => ({ path: `/${field}`, op: "set", value })),
    base: 0,
    after: null,
    stamp: `${Date.now().toString(16).padStart(12, "0")}-0000-${writer}`,
    schema: 1,
  });

  return { oneByOne, allAtOnce, drain }[name]();
}
