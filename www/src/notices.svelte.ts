import { untrack } from "svelte";

/** What the app has to say in passing: short, over the page instead of in it, so that nothing moves. */

export interface Notice {
  /** One notice of a kind: a newer one takes the place of the older. */
  kind: string;
  words: string;
  tone?: "calm" | "attention";
  actions?: readonly { label: string; act: () => void }[];
  /** It stays until somebody has dealt with it. */
  stays?: boolean;
}

class Notices {
  #list = $state.raw<readonly Notice[]>([]);

  get list(): readonly Notice[] {
    return this.#list;
  }

  show(notice: Notice): void {
    // Whoever has something to say does not depend on what else is being said.
    const others = untrack(() => this.#list).filter(({ kind }) => kind !== notice.kind);
    this.#list = [...others, notice];
  }

  drop(kind: string): void {
    this.#list = untrack(() => this.#list).filter((notice) => notice.kind !== kind);
  }
}

export const notices = new Notices();
