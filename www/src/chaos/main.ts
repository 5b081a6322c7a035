/** The app as one of two devices on a page of demonstrations: whatever of it is to be broken is wrapped before it starts. */
import { device } from "../device";
import { breakOnDemand } from "./breakage";

breakOnDemand(device);
await import("../main");
