import { open } from "landfall";
import { device } from "./device";
import { fetchToken, type Person } from "./person";
import { Site, Visit } from "./records";
import { workOffline } from "./work-offline";

export type Inspections = Awaited<ReturnType<typeof openInspections>>["db"];

/**
 * Opens the visits of `person`, or of a guest, who keeps them on this device until somebody signs in. Works
 * offline; what is written is kept here until the server has it.
 *
 * `release` ends what goes on beside the database.
 */
export async function openInspections(person: Person | null) {
  const db = await open({
    name: device === "" ? "inspections" : `inspections-${device}`,
    url: location.origin,
    ...(person !== null && {
      user: person.id,
      claimGuest: true,
      // Nothing is sent without a token. So the switch holds from the first moment, before there is a database to pause.
      auth: async () => {
        if (workOffline.on) throw new Error("working offline");
        return fetchToken(person);
      },
    }),
    collections: {
      sites: { schema: Site, indexes: ["name"] },
      visits: {
        schema: Visit,
        indexes: ["site", "dueAt", "status"],
        parent: { site: "sites" },
        fields: { photos: "counter", tags: "set" },
      },
    },
  });

  let paused = false;
  const release = workOffline.subscribe((on) => {
    if (on === paused) return;
    paused = on;
    if (on) db.sync.pause();
    else db.sync.resume();
  });
  return { db, release };
}
