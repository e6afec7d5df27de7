import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import { auditTables, withTables } from "../../../scripts/audit-tables.ts"

const DOCUMENT = join(import.meta.dirname, "../../../docs/audit.md")

test("the tables of docs/audit.md are what `node scripts/audit-tables.ts` writes", async () => {
  const document = await readFile(DOCUMENT, "utf8")
  expect(withTables(document, auditTables())).toBe(document)
  expect(document.match(/<!-- table: /g)?.length).toBe(Object.keys(auditTables()).length)
})

test("a table that the document has no place for is not left out silently", () => {
  expect(() => withTables("no place", auditTables())).toThrow("no place for the table")
})
