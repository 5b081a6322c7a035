/**
 * The switch "Work offline": the person's own wish to send nothing, whatever the network does.
 *
 * It outlives a reload, and holds for all pages of this device: they share one outbox, so a single page that
 * went on sending would break the promise.
 */
import type { Subscriber, Unsubscriber } from "svelte/store";
import { ownKey } from "./device";

const KEY = ownKey("work-offline");

class WorkOffline {
  #on = localStorage.getItem(KEY) === "yes";
  readonly #listeners = new Set<Subscriber<boolean>>();

  constructor() {
    addEventListener("storage", (event) => {
      if (event.key === KEY) this.#tell(event.newValue === "yes");
    });
  }

  get on(): boolean {
    return this.#on;
  }

  set(on: boolean): void {
    if (on) localStorage.setItem(KEY, "yes");
    else localStorage.removeItem(KEY);
    this.#tell(on);
  }

  /** Calls `listener` at once and on every change: a Svelte store. */
  subscribe(listener: Subscriber<boolean>): Unsubscriber {
    this.#listeners.add(listener);
    listener(this.#on);
    return () => this.#listeners.delete(listener);
  }

  #tell(on: boolean): void {
    if (on === this.#on) return;
    this.#on = on;
    for (const listener of this.#listeners) listener(on);
  }
}

export const workOffline = new WorkOffline();
