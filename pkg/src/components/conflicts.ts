import type { Conflict, Side } from "../conflicts.js";
import type { Sync, SyncState } from "../sync.js";
import type { Json } from "../wire.js";
import { arrange, define, h, LandfallElement, set, write } from "./element.js";
import { COMMON } from "./style.js";
import type { Words } from "./words.js";

/** What the conflicts follow: an open database. */
export interface ConflictsSource {
  readonly sync: Pick<Sync, "state" | "subscribe">;
  readonly conflicts: {
    subscribe(listener: (conflicts: readonly Conflict[]) => void): () => void;
    resolve(id: string, choice: "mine" | "theirs"): Promise<unknown>;
  };
}

type Which = "mine" | "theirs";

const STYLE = `
li { padding: 0.9rem 1rem; }
li + li { border-top: 1px solid var(--_line); }
h3 { font-size: 1rem; font-weight: 650; }
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 13rem), 1fr)); gap: 0.75rem; margin-top: 0.6rem; }
.side { display: flex; flex-direction: column; padding: 0.7rem 0.8rem; border: 1px solid var(--_line); border-radius: calc(var(--_radius) * 0.75); }
.side[data-stands="true"] { border-color: var(--_calm); }
.side .whose { font-weight: 600; }
.side .standing { font-size: 0.9375rem; font-weight: 600; color: var(--_soft); white-space: nowrap; }
.side[data-stands="true"] .standing { color: var(--_calm); }
.value { flex: 1; margin-top: 0.35rem; overflow-wrap: anywhere; white-space: pre-line; }
.side button { width: 100%; margin-top: 0.6rem; }
.reason, .error { margin-top: 0.5rem; }
.error { color: var(--_attention); font-weight: 600; }
.empty { color: var(--_soft); }
summary { min-height: 3rem; padding: 0.75rem 0; font-weight: 600; cursor: pointer; }
`;

/**
 * `<landfall-conflicts>`: what two people changed without knowing of each other, both versions, who
 * and when, which stands, and buttons to keep it or to put the other back.
 *
 * `describe` names a document in the app's words; `user`, or the attribute of that name, says who is
 * looking on, so that a third person is not told that one of the versions is theirs. Slot `title`
 * replaces the heading.
 * Parts: `title`, `list`, `item`, `what`, `side`, `value`, `button`, `reason`, `error`, `empty`,
 * `settled`. Items carry `data-conflict`, sides `data-side` and `data-stands`.
 */
export class LandfallConflicts extends LandfallElement<ConflictsSource> {
  static readonly observedAttributes = ["user"];

  readonly #title = h("h2", { part: "title", tabindex: "-1" });
  readonly #empty = h("p", { class: "empty", part: "empty" });
  readonly #list = h("ul", { class: "box", part: "list" });
  readonly #summary = h("summary");
  readonly #settledList = h("ul", { class: "box" });
  readonly #settled = h("details", { part: "settled" }, this.#summary, this.#settledList);
  readonly #said = h("p", { class: "unseen", role: "status" });
  readonly #cards = new Map<string, Card>();
  #conflicts: readonly Conflict[] | undefined;
  #state: SyncState | undefined;
  #describe: (conflict: Conflict) => string = () => "";

  constructor() {
    super([COMMON, STYLE]);
    const section = h("section", {}, h("slot", { name: "title" }, this.#title));
    section.append(this.#empty, this.#list, this.#settled, this.#said);
    this.root.append(section);
  }

  /** Names the document of a conflict; set it again when the names have changed. */
  get describe(): (conflict: Conflict) => string {
    return this.#describe;
  }

  set describe(describe: (conflict: Conflict) => string) {
    this.#describe = describe;
    this.changed();
  }

  /** Who is looking; `null` for whoever the database belongs to. */
  get user(): string | null {
    return this.getAttribute("user");
  }

  set user(user: string | null) {
    set(this, "user", user);
  }

  attributeChangedCallback(): void {
    this.changed();
  }

  protected follow({ sync, conflicts }: ConflictsSource): (() => void)[] {
    return [
      sync.subscribe((state) => {
        this.#state = state;
        this.changed();
      }),
      conflicts.subscribe((list) => {
        this.#conflicts = list;
        this.changed();
      }),
    ];
  }

  protected reset(): void {
    this.#conflicts = undefined;
    this.#state = undefined;
    write(this.#said, "");
  }

  protected render(): void {
    const { words } = this;
    const conflicts = this.#conflicts ?? [];
    const open = conflicts.filter(({ resolved }) => resolved === null);
    const settled = conflicts.filter(({ resolved }) => resolved !== null);
    const online = this.#state?.online === true && this.#state.phase !== "paused";
    set(this.root.querySelector("section") as Element, "aria-label", words.conflicts);
    write(this.#title, words.conflicts);
    write(this.#empty, online || conflicts.length > 0 ? words.noConflicts : words.conflictsNeedNetwork);
    this.#empty.hidden = open.length > 0;
    this.#list.hidden = open.length === 0;
    this.#settled.hidden = settled.length === 0;
    write(this.#summary, words.settled(settled.length));
    const ids = new Set(conflicts.map(({ id }) => id));
    for (const id of this.#cards.keys()) if (!ids.has(id)) this.#cards.delete(id);
    const place = [...this.#list.children].findIndex((card) => card.contains(this.root.activeElement));
    arrange(this.#list, open.map((conflict) => this.#card(conflict, online)));
    arrange(this.#settledList, settled.map((conflict) => this.#card(conflict, online)));
    if (place >= 0 && !this.#list.contains(this.root.activeElement)) this.#focus(place);
  }

  #card(conflict: Conflict, online: boolean): Element {
    let card = this.#cards.get(conflict.id);
    if (!card) {
      card = new Card(async (id, choice, text) => {
        await this.db?.conflicts.resolve(id, choice);
        write(this.#said, text);
      });
      this.#cards.set(conflict.id, card);
    }
    card.show(conflict, this.words, this.#describe(conflict), online, this.user);
    return card.element;
  }

  /** Whoever settled a conflict goes on with the next one, or at the top. */
  #focus(place: number): void {
    const card = this.#list.children[place] ?? this.#list.children[place - 1];
    (card?.querySelector<HTMLElement>("button") ?? this.#title).focus();
  }
}

type Resolve = (id: string, choice: Which, said: string) => Promise<void>;

/** One conflict; it stays the same element as long as the conflict is listed. */
class Card {
  readonly #resolve: Resolve;
  readonly #what = h("h3", { part: "what" });
  readonly #sides = { mine: new SideBox(() => this.#choose("mine")), theirs: new SideBox(() => this.#choose("theirs")) };
  readonly #reason = h("p", { class: "reason soft", part: "reason" });
  readonly #error = h("p", { class: "error", part: "error", role: "alert" });
  readonly element = h(
    "li",
    { part: "item" },
    this.#what,
    h("div", { class: "sides" }, this.#sides.mine.element, this.#sides.theirs.element),
    this.#reason,
    this.#error,
  );
  #shown!: { conflict: Conflict; words: Words; online: boolean };
  #acting = false;

  constructor(resolve: Resolve) {
    this.#resolve = resolve;
    this.#error.hidden = true;
  }

  show(conflict: Conflict, words: Words, subject: string, online: boolean, user: string | null): void {
    this.#shown = { conflict, words, online };
    const { id, path, collection, resolved, winner } = conflict;
    set(this.element, "data-conflict", id);
    const field = path === "" ? words.wholeDocument : words.field(path);
    write(this.#what, [words.collections[collection] ?? collection, subject, field].filter(Boolean).join(" · "));
    const outsider = user !== null && user !== conflict.mine.user && user !== conflict.theirs.user;
    const why = resolved ? words.settledBy(words.person(resolved.by), resolved.at) : online ? "" : words.needsNetwork;
    write(this.#reason, why);
    this.#reason.hidden = why === "";
    set(this.#reason, "id", `reason-${id}`);
    set(this.#what, "id", `what-${id}`);
    const described = resolved || online ? `what-${id}` : `what-${id} reason-${id}`;
    for (const which of ["mine", "theirs"] as const) {
      const side = conflict[which];
      this.#sides[which].show(side, words, {
        which,
        whose: outsider ? words.person(side.user) : which === "mine" ? words.yours : words.theirs,
        whole: path === "",
        stands: winner === which,
        settled: resolved !== null,
        described,
      });
    }
    this.#mark();
  }

  async #choose(choice: Which): Promise<void> {
    const { conflict, words, online } = this.#shown;
    if (!online || this.#acting) return;
    this.#acting = true;
    this.#mark();
    this.#fail("");
    try {
      await this.#resolve(conflict.id, choice, choice === conflict.winner ? words.kept : words.wasPutBack);
    } catch (error) {
      this.#fail(words.failed(error));
    } finally {
      this.#acting = false;
      this.#mark();
    }
  }

  #mark(): void {
    const disabled = this.#acting || !this.#shown.online;
    this.#sides.mine.disable(disabled);
    this.#sides.theirs.disable(disabled);
  }

  #fail(text: string): void {
    write(this.#error, text);
    this.#error.hidden = text === "";
  }
}

interface Standing {
  readonly which: Which;
  readonly whose: string;
  /** It is about the document, not about one field. */
  readonly whole: boolean;
  readonly stands: boolean;
  readonly settled: boolean;
  /** Ids of what the button is about. */
  readonly described: string;
}

class SideBox {
  readonly #whose = h("span", { class: "whose" });
  readonly #standing = h("span", { class: "standing" });
  readonly #value = h("p", { class: "value", part: "value" });
  readonly #who = h("span");
  readonly #when = h("time");
  readonly #button = h("button", { part: "button", type: "button" });
  readonly element = h(
    "div",
    { class: "side", part: "side" },
    h("div", { class: "line" }, this.#whose, this.#standing),
    h("p", { class: "soft" }, this.#who, ", ", this.#when),
    this.#value,
    this.#button,
  );

  constructor(choose: () => void) {
    this.#button.addEventListener("click", choose);
  }

  show(side: Side, words: Words, { which, whose, whole, stands, settled, described }: Standing): void {
    set(this.element, "data-side", which);
    set(this.element, "data-stands", String(stands));
    write(this.#whose, whose);
    write(this.#standing, stands ? words.stands : words.lost);
    write(this.#value, sideWords(side, whole, words));
    write(this.#who, words.person(side.user));
    write(this.#when, words.time(side.at));
    set(this.#when, "datetime", new Date(side.at).toISOString());
    this.#button.hidden = settled;
    write(this.#button, stands ? words.keep : words.putBack);
    set(this.#button, "aria-describedby", described);
  }

  disable(disabled: boolean): void {
    set(this.#button, "aria-disabled", disabled ? "true" : null);
  }
}

function sideWords({ value, removed, deleted }: Side, whole: boolean, words: Words): string {
  if (deleted) return words.deleted;
  if (removed) return words.removed;
  // Of a whole document, what was changed in it: a line for each field.
  if (!whole || typeof value !== "object" || value === null) return valueWords(value, words);
  return Object.entries(value).map(([key, one]) => `${words.field(`/${key}`)}: ${valueWords(one, words)}`).join("\n");
}

function valueWords(value: Json, words: Words): string {
  switch (typeof value) {
    case "boolean":
      return value ? words.yes : words.no;
    case "number":
      return value.toLocaleString();
    case "string":
      return value === "" ? words.empty : value;
    default:
      return value === null ? words.empty : JSON.stringify(value, null, 1);
  }
}

define("landfall-conflicts", LandfallConflicts);

declare global {
  interface HTMLElementTagNameMap {
    "landfall-conflicts": LandfallConflicts;
  }
}
