/**
 * Which version of the shell this page is, and when a newer one takes its place.
 *
 * A new service worker waits while pages of the old version are open, and takes over only when somebody says so:
 * nobody's page changes under their hands.
 */

/** How long a worker that was told to take over may take before the page loads again regardless. */
const TAKEOVER_MS = 5_000;
/** How often a page that stays open all day asks for a new version, at most. */
const LOOK_EVERY_MS = 30 * 60_000;

/** Keeps the shell on this device from now on, and calls `onnew` when a newer one is ready. */
export async function keepShell(onnew: () => void): Promise<void> {
  // The development server serves modules one by one; a cached shell would only be in the way.
  if (!("serviceWorker" in navigator) || import.meta.env.DEV) return;
  const { serviceWorker } = navigator;
  try {
    // Without one this page came from the network and is the newest there is.
    const old = serviceWorker.controller !== null;
    const registration = await serviceWorker.register("/service-worker.js");
    if (old && registration.waiting) onnew();
    registration.addEventListener("updatefound", () => {
      const worker = registration.installing;
      worker?.addEventListener("statechange", () => {
        if (worker.state === "installed" && serviceWorker.controller !== null) onnew();
      });
    });
    // Another tab has handed over: the files of this page's version are gone.
    let controller = serviceWorker.controller;
    serviceWorker.addEventListener("controllerchange", () => {
      if (controller !== null) onnew();
      controller = serviceWorker.controller;
    });
    lookNowAndThen(registration);
  } catch (error) {
    // The app works without it, only not after a reload without a network.
    console.warn("The shell could not be kept on this device:", error);
  }
}

/** Loads the newer version. What was saved and what was half typed is kept on this device and is there again. */
export async function reload(): Promise<void> {
  const waiting = (await navigator.serviceWorker.getRegistration())?.waiting;
  if (waiting) {
    const changed = new Promise((resolve) => {
      navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true });
    });
    waiting.postMessage("take over");
    await Promise.race([changed, new Promise((resolve) => setTimeout(resolve, TAKEOVER_MS))]);
  }
  location.reload();
}

function lookNowAndThen(registration: ServiceWorkerRegistration): void {
  let looked = performance.now();
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible" || performance.now() - looked < LOOK_EVERY_MS) return;
    looked = performance.now();
    registration.update().catch(() => {}); // Without a network there is nothing new.
  });
}
