/**
 * Which version of the shell this page is, and when a newer one takes its place.
 *
 * A new service worker waits while pages of the old version are open. When a page starts and is the only one,
 * it hands over before it has opened anything and loads again; nobody is interrupted, nothing is lost.
 */

/** How long a start may be held up: by a worker that does not answer, and by one that is taking over. */
const ANSWER_MS = 1_000;
const TAKEOVER_MS = 5_000;

/** Resolves to `true` when a newer version takes over: the caller stops, the page loads again. */
export async function handOver(): Promise<boolean> {
  if (!("serviceWorker" in navigator)) return false;
  const registration = await navigator.serviceWorker.getRegistration();
  const waiting = registration?.waiting;
  // Without a controller this page came from the network and is the newest there is.
  if (!waiting || !navigator.serviceWorker.controller) return false;
  // Asked first and told second, so that an answer which comes too late changes nothing under this page.
  if (!(await within(ANSWER_MS, isAlone(waiting)))) return false;
  const changed = new Promise<true>((resolve) => {
    navigator.serviceWorker.addEventListener("controllerchange", () => resolve(true), { once: true });
  });
  waiting.postMessage("take over");
  const taken = await within(TAKEOVER_MS, changed);
  if (taken) location.reload();
  return taken;
}

/** Whether this is the only page; workers see them all, pages do not. */
function isAlone(worker: ServiceWorker): Promise<boolean> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = (event: MessageEvent<boolean>) => resolve(event.data);
    worker.postMessage("alone?", [port2]);
  });
}

function within(milliseconds: number, answer: Promise<boolean>): Promise<boolean> {
  return Promise.race([answer, new Promise<false>((resolve) => setTimeout(() => resolve(false), milliseconds))]);
}

/** Keeps the shell on this device from now on. */
export function keepShell(): void {
  // The development server serves modules one by one; a cached shell would only be in the way.
  if (!("serviceWorker" in navigator) || import.meta.env.DEV) return;
  navigator.serviceWorker.register("/service-worker.js").catch((error: unknown) => {
    // The app works without it, only not after a reload without a network.
    console.warn("The shell could not be kept on this device:", error);
  });
}
