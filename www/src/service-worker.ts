/**
 * Keeps the shell (page, scripts, styles, wasm, icons) on the device, so that the app opens without a network.
 *
 * It knows nothing of the app's data: that is in IndexedDB, and `/api` and `/demo` are never answered from here.
 * One version is one cache, filled completely or not at all. A new version waits until no page of the
 * old one is left, or until somebody asks for it (see `version.ts`): a page never finds itself with half of its
 * files replaced.
 */

// A module to the compiler, so that its names are its own; the build leaves a plain script.
export {};

declare const self: ServiceWorkerGlobalScope;

/** `[address, integrity]` of every file of this version; written by the build. */
declare const __PRECACHE__: readonly (readonly [string, string])[];

const FILES = new Map(__PRECACHE__);
const CACHE_PREFIX = "shell ";
const PAGE = "/index.html";

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const address = addressOf(event.request);
  if (address !== null) event.respondWith(answer(address, event.request));
});
self.addEventListener("message", (event) => {
  if (event.data === "take over") event.waitUntil(self.skipWaiting());
});

async function install(): Promise<void> {
  const cache = await caches.open(await cacheName());
  await Promise.all(
    [...FILES].map(async ([address, integrity]) => {
      const key = keyOf(address, integrity);
      // Field networks are slow and metered: what did not change is taken from the version before.
      const response = (await caches.match(key)) ?? (await download(address, integrity));
      await cache.put(key, response);
    }),
  );
}

/** `integrity` makes the browser refuse a file of another deployment, or a portal's sign-in page. */
async function download(address: string, integrity: string): Promise<Response> {
  const response = await fetch(new Request(address, { integrity, cache: "no-cache", credentials: "same-origin" }));
  if (!response.ok) throw new Error(`${address} answered ${response.status}`);
  // A redirected response may not answer a navigation; a copy carries no such mark.
  return response.redirected ? new Response(response.body, response) : response;
}

async function activate(): Promise<void> {
  const current = await cacheName();
  const names = await caches.keys();
  await Promise.all(
    names.filter((name) => name.startsWith(CACHE_PREFIX) && name !== current).map((name) => caches.delete(name)),
  );
  // The page that brought us is of this very version; with this it survives offline without a reload.
  await self.clients.claim();
}

/** The file that answers this request, or `null` where the network must. */
function addressOf(request: Request): string | null {
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return null;
  const address = url.pathname === "/" ? PAGE : url.pathname;
  return FILES.has(address) ? address : null;
}

async function answer(address: string, request: Request): Promise<Response> {
  const integrity = FILES.get(address) ?? "";
  const stored = await caches.match(keyOf(address, integrity), { cacheName: await cacheName() });
  // The browser may have evicted the cache; then the network is as good as before the first visit.
  return stored ?? fetch(request);
}

/** Named by content, so that a file kept by one version can be found by the next. */
function keyOf(address: string, integrity: string): string {
  return `${address}?${encodeURIComponent(integrity)}`;
}

let name: Promise<string> | undefined;

/** Two versions with the same files are the same version. */
function cacheName(): Promise<string> {
  name ??= crypto.subtle
    .digest("SHA-256", new TextEncoder().encode(JSON.stringify([...FILES])))
    .then((digest) => CACHE_PREFIX + Array.from(new Uint8Array(digest, 0, 8), (byte) => byte.toString(16).padStart(2, "0")).join(""));
  return name;
}
