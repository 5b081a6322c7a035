import { open, type OutboxItem, type SyncState } from "landfall";
import { readable, type Readable } from "svelte/store";
import { fetchToken, person } from "./person";
import { Site, Visit } from "./records";
import { workOffline } from "./work-offline";

export type Inspections = Awaited<ReturnType<typeof openInspections>>;

/** Opens this person's visits. Works offline; what is written is kept here until the server has it. */
export async function openInspections() {
  let release = (): void => {};
  const switchApplied = new Promise<void>((resolve) => (release = resolve));

  const db = await open({
    name: "inspections",
    url: location.origin,
    user: person.id,
    // Nothing is sent without a token, and there is none before the switch "Work offline" has had its say.
    auth: async () => {
      await switchApplied;
      if (workOffline.on) throw new Error("working offline");
      return fetchToken();
    },
    collections: {
      sites: { schema: Site, indexes: ["name"] },
      visits: { schema: Visit, indexes: ["site", "dueAt", "status"] },
    },
  });

  workOffline.subscribe((on) => {
    if (on) db.sync.pause();
    else db.sync.resume();
  });
  release();
  return db;
}

/** The state of the sync, now and whenever it changes. */
export function syncState(db: Inspections): Readable<SyncState> {
  return readable(db.sync.state, (set) => {
    set(db.sync.state);
    return db.sync.subscribe(set);
  });
}

/** Every write that is not settled yet, in the order they were made. */
export function outbox(db: Inspections): Readable<readonly OutboxItem[]> {
  return readable<readonly OutboxItem[]>([], (set) => {
    let fresh = false;
    const stop = db.outbox.subscribe((items) => {
      fresh = true;
      set(items);
    });
    void db.outbox.list().then((items) => {
      if (!fresh) set(items);
    });
    return stop;
  });
}
