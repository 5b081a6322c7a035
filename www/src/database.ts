import { open } from "landfall";
import { fetchToken, person } from "./person";
import { Site, Visit } from "./records";
import { workOffline } from "./work-offline";

export type Inspections = Awaited<ReturnType<typeof openInspections>>;

/** Opens this person's visits. Works offline; what is written is kept here until the server has it. */
export async function openInspections() {
  const db = await open({
    name: "inspections",
    url: location.origin,
    user: person.id,
    // Nothing is sent without a token. So the switch holds from the first moment, before there is a database to pause.
    auth: async () => {
      if (workOffline.on) throw new Error("working offline");
      return fetchToken();
    },
    collections: {
      sites: { schema: Site, indexes: ["name"] },
      visits: { schema: Visit, indexes: ["site", "dueAt", "status"] },
    },
  });

  let paused = false;
  workOffline.subscribe((on) => {
    if (on === paused) return;
    paused = on;
    if (on) db.sync.pause();
    else db.sync.resume();
  });
  return db;
}
