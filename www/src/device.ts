/**
 * Which device this page is. A browser is one; the page that shows two side by side makes two of it, each with
 * its own database, its own person and its own switches.
 */

const parameter = new URLSearchParams(location.search).get("device") ?? "";

/** Empty for the browser itself. */
export const device = /^[a-z]{1,16}$/.test(parameter) ? parameter : "";

/** `key` as this device keeps it in `localStorage`. */
export function ownKey(key: string): string {
  return keyOf(device, key);
}

export function keyOf(device: string, key: string): string {
  return device === "" ? key : `${device}: ${key}`;
}
