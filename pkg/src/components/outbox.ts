import type { Outbox, OutboxItem } from "../outbox.js";
import { arrange, define, h, LandfallElement, set, write } from "./element.js";
import { COMMON } from "./style.js";
import type { Words } from "./words.js";

/** What the outbox follows: an open database. */
export interface OutboxSource {
  readonly outbox: Pick<Outbox, "subscribe">;
}

/** More than anyone reads at once. */
const PAGE = 50;

const STYLE = `
li { padding: 0.7rem 1rem; }
li + li { border-top: 1px solid var(--_line); }
.what { font-weight: 600; }
.status { font-size: 0.9375rem; font-weight: 600; white-space: nowrap; color: var(--_waiting); }
[data-status="sending"] .status { color: var(--_busy); }
.subject { min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; color: var(--_soft); }
.reason { margin-top: 0.25rem; color: var(--_soft); }
.error { margin-top: 0.25rem; color: var(--_attention); font-weight: 600; }
[data-status="needs_attention"] { background: var(--_attention-ground); }
[data-status="needs_attention"] .status, [data-status="needs_attention"] .reason { color: var(--_attention); }
[data-status="needs_attention"] .reason { font-weight: 500; }
.empty { color: var(--_soft); }
.rest { display: flex; align-items: center; justify-content: space-between; gap: 0.75rem; margin-top: 0.5rem; }
`;

/**
 * `<landfall-outbox>`: every write that the server has not accepted, with the reason why, and buttons
 * for those that need attention.
 *
 * `describe` names a document in the app's words. Attribute `editable`: there is an "Edit" button,
 * which fires `landfall-edit` with the item as `detail`, for the app to open its form. "Export" fires
 * `landfall-export` with the item, and saves it as a file unless that is prevented. Slot `title`
 * replaces the heading.
 * Parts: `title`, `list`, `item`, `what`, `status`, `subject`, `time`, `reason`, `error`, `button`,
 * `empty`, `more`. Items carry `data-status` and `data-document`.
 */
export class LandfallOutbox extends LandfallElement<OutboxSource> {
  static readonly observedAttributes = ["editable"];

  readonly #title = h("h2", { part: "title", tabindex: "-1" });
  readonly #empty = h("p", { class: "empty", part: "empty" });
  readonly #list = h("ul", { class: "box", part: "list" });
  readonly #more = h("p", { class: "soft", part: "more" });
  readonly #showMore = h("button", { part: "button", type: "button", click: () => this.#page() });
  readonly #rest = h("div", { class: "rest" }, this.#more, this.#showMore);
  readonly #said = h("p", { class: "unseen", role: "status" });
  readonly #rows = new Map<string, ItemRow>();
  #items: readonly OutboxItem[] = [];
  #shown = PAGE;
  #describe: (item: OutboxItem) => string = () => "";

  constructor() {
    super([COMMON, STYLE]);
    const section = h("section", {}, h("slot", { name: "title" }, this.#title));
    section.append(this.#empty, this.#list, this.#rest, this.#said);
    this.root.append(section);
  }

  /** Names the document of an item; set it again when the names have changed. */
  get describe(): (item: OutboxItem) => string {
    return this.#describe;
  }

  set describe(describe: (item: OutboxItem) => string) {
    this.#describe = describe;
    this.changed();
  }

  attributeChangedCallback(): void {
    this.changed();
  }

  protected follow({ outbox }: OutboxSource): (() => void)[] {
    return [
      outbox.subscribe((items) => {
        this.#items = items;
        this.changed();
      }),
    ];
  }

  protected reset(): void {
    this.#items = [];
    this.#shown = PAGE;
    write(this.#said, "");
  }

  protected render(): void {
    const { words } = this;
    const entries = gathered(this.#items);
    const shown = entries.slice(0, this.#shown);
    set(this.root.querySelector("section") as Element, "aria-label", words.outbox);
    write(this.#title, words.outbox);
    write(this.#empty, words.nothingWaiting);
    this.#empty.hidden = entries.length > 0;
    this.#list.hidden = entries.length === 0;
    this.#rest.hidden = entries.length === shown.length;
    write(this.#more, words.more(entries.length - shown.length));
    write(this.#showMore, words.showMore);

    const focused = this.#list.contains(this.root.activeElement) ? this.root.activeElement?.closest("li") : null;
    const place = focused ? [...this.#list.children].indexOf(focused) : -1;
    const ids = new Set(shown.map(({ id }) => id));
    for (const id of this.#rows.keys()) if (!ids.has(id)) this.#rows.delete(id);
    arrange(this.#list, shown.map((entry) => this.#row(entry)));
    if (place >= 0 && !focused?.isConnected) this.#focus(place);
  }

  #row(entry: Entry): Element {
    let row = this.#rows.get(entry.id);
    if (!row) {
      row = new ItemRow(this.words, {
        edit: (item) => void this.ask("landfall-edit", item),
        export: (item) => {
          if (this.ask("landfall-export", item)) save(item);
        },
        done: (text) => write(this.#said, text),
      });
      this.#rows.set(entry.id, row);
    }
    row.show(entry, this.words, this.#describe(entry.item), this.hasAttribute("editable"));
    return row.element;
  }

  /** Whoever acted on a row that is gone goes on with the next one, or at the top. */
  #focus(place: number): void {
    const row = this.#list.children[place] ?? this.#list.children[place - 1];
    const next = row?.querySelector<HTMLElement>("button:not([hidden])") ?? this.#title;
    next.focus();
  }

  #page(): void {
    this.#shown += PAGE;
    this.changed();
  }
}

/** One row: an item, or the items of one group with the one that speaks for them. */
interface Entry {
  readonly id: string;
  readonly item: OutboxItem;
  readonly count: number;
}

interface Acts {
  edit(item: OutboxItem): void;
  export(item: OutboxItem): void;
  /** What came of a button that was pressed. */
  done(text: string): void;
}

/** A line of the list; it stays the same element as long as its item is there. */
class ItemRow {
  readonly #acts: Acts;
  readonly #what = h("span", { class: "what", part: "what" });
  readonly #status = h("span", { class: "status", part: "status" });
  readonly #subject = h("span", { class: "subject", part: "subject" });
  readonly #time = h("time", { class: "soft", part: "time" });
  readonly #reason = h("p", { class: "reason", part: "reason" });
  readonly #error = h("p", { class: "error", part: "error", role: "alert" });
  readonly #retry = this.#button(() => void this.#act((item) => item.retry(), this.#words.retried));
  readonly #edit = this.#button(() => this.#acts.edit(this.#item));
  readonly #discard = this.#button((event) => this.#discarded(event));
  readonly #export = this.#button(() => void this.#act(async (item) => this.#acts.export(item), ""));
  readonly #actions = h("div", { class: "actions" }, this.#retry, this.#edit, this.#discard, this.#export);
  readonly element = h(
    "li",
    { part: "item" },
    h("div", { class: "line" }, this.#what, this.#status),
    h("div", { class: "line" }, this.#subject, this.#time),
    this.#reason,
    this.#error,
    this.#actions,
  );
  #item!: OutboxItem;
  #words: Words;
  #sure = false;
  #acting = false;

  constructor(words: Words, acts: Acts) {
    this.#words = words;
    this.#acts = acts;
    this.#error.hidden = true;
    this.#discard.classList.add("danger");
    this.#discard.addEventListener("blur", () => this.#ask(false));
    this.#discard.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#ask(false);
    });
  }

  show({ item, count }: Entry, words: Words, subject: string, editable: boolean): void {
    this.#item = item;
    this.#words = words;
    const about = `about-${item.id}`;
    set(this.element, "data-status", item.status);
    set(this.element, "data-document", item.document);
    write(this.#what, words.what(words.collections[item.collection] ?? item.collection, item.kind));
    write(this.#status, words.statuses[item.status]);
    write(this.#subject, subject);
    set(this.#time, "datetime", new Date(item.savedAt).toISOString());
    write(this.#time, words.time(item.savedAt));
    const reasons = [why(item, words), count > 1 ? words.together(count - 1) : ""].filter(Boolean);
    write(this.#reason, reasons.join(" — "));
    this.#reason.hidden = reasons.length === 0;

    this.#actions.hidden = item.status !== "needs_attention";
    this.#edit.hidden = !editable;
    for (const [button, text] of [
      [this.#retry, words.retry],
      [this.#edit, words.edit],
      [this.#discard, this.#sure ? words.reallyDiscard : words.discard],
      [this.#export, words.export],
    ] as const) {
      write(button, text);
      // The names of the buttons are the same in every row: which row it is, is told with them.
      set(button, "aria-describedby", about);
    }
    set(this.#what, "id", about);
  }

  #button(click: (event: MouseEvent) => void): HTMLButtonElement {
    const button = h("button", { part: "button", type: "button" });
    button.addEventListener("click", (event) => {
      if (!this.#acting) click(event);
    });
    return button;
  }

  /** Asks once more in the same place; the second half of a double click is no answer. */
  #discarded(event: MouseEvent): void {
    if (!this.#sure) return this.#ask(true);
    if (event.detail > 1) return;
    this.#ask(false);
    void this.#act((item) => item.discard(), this.#words.discarded);
  }

  #ask(sure: boolean): void {
    this.#sure = sure;
    write(this.#discard, sure ? this.#words.reallyDiscard : this.#words.discard);
  }

  async #act(act: (item: OutboxItem) => Promise<unknown>, done: string): Promise<void> {
    this.#mark(true);
    this.#fail("");
    try {
      await act(this.#item);
      this.#acts.done(done);
    } catch (error) {
      this.#fail(this.#words.failed(error));
    } finally {
      this.#mark(false);
    }
  }

  #mark(acting: boolean): void {
    this.#acting = acting;
    for (const button of this.#actions.children) set(button, "aria-disabled", acting ? "true" : null);
  }

  #fail(text: string): void {
    write(this.#error, text);
    this.#error.hidden = text === "";
  }
}

/** What the server has is not shown; a group is one row; what needs attention comes first. */
function gathered(items: readonly OutboxItem[]): Entry[] {
  const groups = new Map<string, OutboxItem[]>();
  for (const item of items) {
    if (item.status === "accepted") continue;
    const id = item.group ?? item.id;
    const group = groups.get(id);
    if (group) group.push(item);
    else groups.set(id, [item]);
  }
  const entries = [...groups].map(([id, group]) => ({ id, item: speaker(group), count: group.length }));
  const refused = ({ item }: Entry): boolean => item.status === "needs_attention";
  return [...entries.filter(refused), ...entries.filter((entry) => !refused(entry))];
}

/** Of a group that was refused, the item that is at fault. */
function speaker(group: readonly OutboxItem[]): OutboxItem {
  return group.find(({ code }) => code !== null && code !== "group_refused") ?? (group[0] as OutboxItem);
}

type Reasons = Pick<OutboxItem, "status" | "code" | "message" | "because" | "attempts" | "discarding">;

/** Why an item is where it is. The server's own message is written for people and comes first. */
export function why(item: Reasons, words: Words): string {
  if (item.discarding) return words.discarding;
  switch (item.status) {
    case "needs_attention":
      if (item.code === "suspect") return words.suspect;
      return item.message ?? words.refused(item.code);
    case "waiting":
      if (item.code === "unmetered") return words.waitsForUnmetered;
      return item.because === null ? words.waitsForEarlier : words.waitsForParent;
    case "saved":
      return item.attempts > 0 ? words.tried(item.attempts) : "";
    case "sending":
    case "paused":
    case "accepted":
      return "";
  }
}

/** Hands an item over as a file, for whoever is to help. */
function save(item: OutboxItem): void {
  const text = JSON.stringify(item.export(), null, 2);
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  h("a", { href: address, download: `${item.collection}-${item.document}.json` }).click();
  // The download has the data by the end of this turn; a browser that is slow keeps it alive itself.
  setTimeout(() => URL.revokeObjectURL(address));
}

define("landfall-outbox", LandfallOutbox);

declare global {
  interface HTMLElementTagNameMap {
    "landfall-outbox": LandfallOutbox;
  }
}
