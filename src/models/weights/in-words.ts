const MOST = 80;

/**
 * A value of a file for a message: never long, and nothing is walked, since what a file holds may be nested without end or
 * share its parts until it is endless when written out.
 */
export function inWords(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > MOST ? `${value.slice(0, MOST)}…` : value);
  }
  if (Array.isArray(value)) return "a list";
  if (value instanceof Map) return "a dict";
  return typeof value === "object" && value !== null ? "an object" : String(value).slice(0, MOST);
}
