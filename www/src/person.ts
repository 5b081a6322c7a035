/** The demo's team, and the token that proves who somebody is. There are no passwords: everybody may be anybody. */
import * as v from "valibot";
import { keyOf, ownKey } from "./device";

export interface Person {
  id: string;
  name: string;
  role: "worker" | "coordinator";
}

export const TEAM: readonly Person[] = [
  { id: "ana", name: "Ana", role: "worker" },
  { id: "ben", name: "Ben", role: "worker" },
  { id: "clara", name: "Clara", role: "coordinator" },
];

export const ROLE_WORDS: Record<Person["role"], string> = { worker: "Field worker", coordinator: "Coordinator" };

const KEY = "person";

/** `?user=ben` makes this one page Ben's, whoever is signed in elsewhere. */
const inAddress = new URLSearchParams(location.search).get("user");

/** Who is signed in; `null` is a guest. */
export function signedIn(): Person | null {
  return personOf(new URLSearchParams(location.search).get("user") ?? localStorage.getItem(ownKey(KEY)));
}

/** Remembers it across reloads, for all pages of this device. */
export function remember(person: Person | null): void {
  const address = new URL(location.href);
  if (address.searchParams.has("user")) {
    address.searchParams.delete("user");
    history.replaceState(null, "", address);
  }
  if (person === null) localStorage.removeItem(ownKey(KEY));
  else localStorage.setItem(ownKey(KEY), person.id);
}

/** Makes `id` the first to use one of the devices of a demonstration. */
export function rememberOn(device: string, id: string): void {
  const [key, begun] = [keyOf(device, KEY), keyOf(device, "begun")];
  // Once only: whoever signs out there is not to be signed in again.
  if (localStorage.getItem(begun) !== null) return;
  localStorage.setItem(begun, "yes");
  localStorage.setItem(key, id);
}

/** Calls `listener` when another page of this device signs in or out. */
export function onSignedIn(listener: () => void): void {
  addEventListener("storage", (event) => {
    if (event.key === ownKey(KEY) && inAddress === null) listener();
  });
}

function personOf(id: string | null): Person | null {
  // Ids become part of a database name; anything unusual is more likely a slip than a colleague.
  if (id === null || !/^[a-z0-9_-]{1,32}$/.test(id)) return null;
  return TEAM.find((person) => person.id === id) ?? { id, name: nameOf(id), role: "worker" };
}

/** What somebody is called; all that is known of a colleague is the id. */
export function nameOf(id: string): string {
  return id.charAt(0).toUpperCase() + id.slice(1);
}

const Token = v.object({ token: v.pipe(v.string(), v.nonEmpty()) });
const TOKEN_TIMEOUT_MS = 15_000;

/** Fetches a token. It rejects without a network or behind a portal; the sync then tries again later. */
export async function fetchToken({ id, role }: Person): Promise<string> {
  const response = await fetch("/demo/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user: id, role }),
    signal: AbortSignal.timeout(TOKEN_TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`the server gave no token (${response.status})`);
  return v.parse(Token, await response.json()).token;
}
