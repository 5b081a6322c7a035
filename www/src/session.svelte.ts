/** Who uses this page and their open database, and what signing in and out do to both. */
import { openInspections, type Inspections } from "./database";
import { Drafts } from "./drafts";
import { onSignedIn, remember, signedIn, type Person } from "./person";

declare global {
  /** The open database, for the browser's console and for tests. A convenience of this demo, not of the package. */
  var db: Inspections | undefined;
}

export type Stage =
  | { kind: "opening" }
  | { kind: "open"; db: Inspections; drafts: Drafts; claimed: number }
  | { kind: "failed"; error: unknown };

export class Session {
  #person = $state.raw<Person | null>(signedIn());
  #stage = $state.raw<Stage>({ kind: "opening" });
  #release = (): void => {};

  constructor() {
    void this.open();
    onSignedIn(() => void this.#become(signedIn()));
  }

  /** `null` is a guest: what they write stays on this device until somebody signs in. */
  get person(): Person | null {
    return this.#person;
  }

  get stage(): Stage {
    return this.#stage;
  }

  /** Opens the database; once more, where that had failed. `claimed`: how many changes of a guest come with it. */
  async open(claimed = 0): Promise<void> {
    this.#stage = { kind: "opening" };
    try {
      const { db, release } = await openInspections(this.#person);
      this.#release = release;
      this.#stage = { kind: "open", db, drafts: new Drafts(this.#person?.id ?? "guest"), claimed };
      globalThis.db = db;
    } catch (error) {
      this.#stage = { kind: "failed", error };
    }
  }

  /** What a guest wrote becomes `person`'s. */
  async signIn(person: Person): Promise<void> {
    const before = this.#stage;
    const claimed = before.kind === "open" && this.#person === null ? before.db.sync.state.pending : 0;
    remember(person);
    await this.#become(person, claimed);
  }

  /** Deletes what this device has of the person, if the server has it too or if `discard` says that it need not. */
  async signOut(discard: boolean): Promise<void> {
    const before = this.#stage;
    if (before.kind !== "open") return;
    await before.db.signOut({ discard });
    before.drafts.clear();
    remember(null);
    await this.#become(null);
  }

  async #become(person: Person | null, claimed = 0): Promise<void> {
    const before = this.#stage;
    this.#release();
    this.#release = () => {};
    this.#stage = { kind: "opening" };
    globalThis.db = undefined;
    this.#person = person;
    // Whoever signed out in another tab has closed and deleted it already.
    if (before.kind === "open") await before.db.close().catch(() => {});
    await this.open(claimed);
  }
}
