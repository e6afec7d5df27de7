import type { DatabaseSync } from "node:sqlite"
import { entryBytes } from "../../protocol/ledger-entry.ts"
import type { Log } from "./log.ts"

/** Books that were begun before there was a Merkle log: their postings become its first entries, in their order. Call inside a write. */
export function recordEarlierPostings(sql: DatabaseSync, log: Log): void {
  if (log.size > 0) return
  const rows = sql.prepare("SELECT entry FROM posting ORDER BY idx").all() as { entry: string }[]
  for (const { entry } of rows)
    log.append(entryBytes({ apiVersion: "1", kind: "zg-posting", spec: JSON.parse(entry) }))
}
