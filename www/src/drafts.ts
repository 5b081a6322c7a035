/**
 * Half-typed forms. Every keystroke is kept on this device until the form is saved or the draft thrown away, so
 * no Escape, no slip of a thumb and no dead battery costs a sentence.
 */
import { ownKey } from "./device";

/** What a form holds; it is the form's business what that is. */
export type Draft = Readonly<Record<string, unknown>>;

/** One person's drafts; a guest has them too. */
export class Drafts {
  readonly #prefix: string;

  constructor(user: string) {
    this.#prefix = ownKey(`draft of ${user}: `);
  }

  read(form: string): Draft | null {
    const text = localStorage.getItem(this.#prefix + form);
    if (text === null) return null;
    try {
      const draft: unknown = JSON.parse(text);
      return typeof draft === "object" && draft !== null ? { ...draft } : null;
    } catch {
      return null;
    }
  }

  keep(form: string, draft: Draft): void {
    try {
      localStorage.setItem(this.#prefix + form, JSON.stringify(draft));
    } catch {
      // No space left. The form itself is still open, and saving it will say so.
    }
  }

  drop(form: string): void {
    localStorage.removeItem(this.#prefix + form);
  }

  /** Throws all of them away, for whoever signs out. */
  clear(): void {
    for (const key of Object.keys(localStorage)) if (key.startsWith(this.#prefix)) localStorage.removeItem(key);
  }
}
