/** Watches how durable the journal's commits are, from where the browser is told. */

/** Runs in the page before anything else of it does. */
export function watchJournal() {
  globalThis.journalDurabilities = [];
  for (const name of ["add", "put"]) {
    const write = IDBObjectStore.prototype[name];
    IDBObjectStore.prototype[name] = function (...values) {
      if (this.name === "journal") globalThis.journalDurabilities.push(this.transaction.durability);
      return write.apply(this, values);
    };
  }
}

/** With what durability records were written to the journal since the page was opened, each kind once. */
export async function journalDurabilities(page) {
  return page.evaluate(() => [...new Set(globalThis.journalDurabilities)]);
}
