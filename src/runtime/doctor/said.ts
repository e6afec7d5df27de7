import type { Fault } from "../../protocol/fault.ts"

/** What the engine itself said, without its client's phrases around it; empty where it said nothing. */
export function engineSaid({ facts }: Fault): string {
  if (typeof facts.stderr !== "string") return ""
  return facts.stderr
    .replaceAll(/Error response from daemon: ?/g, "")
    .replace(/Error: failed to start containers?:.*$/s, "")
    .trim()
}
