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
    this.#list = [...this.#list.filter(({ kind }) => kind !== notice.kind), notice];
  }

  drop(kind: string): void {
    if (this.#list.some((notice) => notice.kind === kind)) this.#list = this.#list.filter((notice) => notice.kind !== kind);
  }
}

export const notices = new Notices();
