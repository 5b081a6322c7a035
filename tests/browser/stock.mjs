/** Fills a server as devices do: through its own door, a thousand visits a time. */
import { visit } from "./visits.mjs";

const BATCH = 1_000;

/** Has somebody else write visits, numbered from `first` up to `count`, each with what `fields` makes of its number. */
export async function stock(server, count, fields = () => ({}), first = 0) {
  const token = server.token("stock");
  for (let from = first; from < count; from += BATCH) {
    const mutations = Array.from({ length: Math.min(BATCH, count - from) }, (_, n) => creation(from + n, fields));
    const settled = from > 0 ? { [WRITER]: [[1, from]] } : {};
    const body = { protocol: 1, client: "stock", user: "stock", sentAt: Date.now(), settled, mutations };
    const response = await fetch(`${server.origin}/api/v1/sync/batch`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`a push was answered ${response.status}: ${text}`);
    const refused = JSON.parse(text).results.filter(({ verdict }) => verdict !== "applied");
    if (refused.length > 0) throw new Error(`not taken: ${JSON.stringify(refused[0])}`);
  }
}

const WRITER = "57".repeat(16);

function creation(n, more) {
  const { id, ...row } = stocked(n, more);
  const fields = Object.entries(row).map(([name, value]) => ({ path: `/${name}`, op: "set", value }));
  return {
    id: `${WRITER}:${n + 1}`, group: null, replaces: null, needs: [], firstSentAt: null, collection: "visits",
    document: id, op: "create", fields, base: 0, after: null, stamp: `0192f0c1a2b3-0000-${WRITER}`, schema: 1,
  };
}

/** The nth visit of the stock. */
export function stocked(n, fields = () => ({})) {
  const notes = `visit ${n}: gutters, roof, cellar and the stairs to it; see the photographs of last year for comparison`;
  return visit(n, { id: `visit-${String(n).padStart(6, "0")}`, notes, ...fields(n) });
}
