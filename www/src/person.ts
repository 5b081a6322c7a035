/** Who uses this page, and the token that proves it. Signing in comes later; until then it is one of a demo team. */
import * as v from "valibot";

export interface Person {
  id: string;
  name: string;
}

const DEMO_WORKER: Person = { id: "ada", name: "Ada" };

/** `?user=ben` makes this page Ben's: another person with a database of their own. */
export const person: Person = personOf(new URLSearchParams(location.search).get("user"));

const Token = v.object({ token: v.pipe(v.string(), v.nonEmpty()) });
const TOKEN_TIMEOUT_MS = 15_000;

/** Fetches a token. It rejects without a network or behind a portal; the sync then tries again later. */
export async function fetchToken(): Promise<string> {
  const response = await fetch("/demo/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user: person.id, role: "worker" }),
    signal: AbortSignal.timeout(TOKEN_TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`the server gave no token (${response.status})`);
  return v.parse(Token, await response.json()).token;
}

function personOf(parameter: string | null): Person {
  const id = parameter?.trim().toLowerCase() ?? "";
  // Ids become part of a database name; anything unusual is more likely a slip than a colleague.
  if (!/^[a-z0-9_-]{1,32}$/.test(id)) return DEMO_WORKER;
  return { id, name: id.charAt(0).toUpperCase() + id.slice(1) };
}
