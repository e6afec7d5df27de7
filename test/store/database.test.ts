import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { Database } from "../../src/store/database.ts"

const MIGRATIONS = ["CREATE TABLE row (id INTEGER PRIMARY KEY) STRICT"]
const newPath = () => join(mkdtempSync(join(tmpdir(), "zg-database-")), "test.sqlite")

function count(database: Database): number {
  return (database.sql.prepare("SELECT count(*) AS n FROM row").get() as { n: number }).n
}

test("writes that arrive together share a commit, and one that fails undoes only itself", async () => {
  const database = new Database(newPath(), MIGRATIONS)
  const insert = (id: number) =>
    database.write(() => database.sql.prepare("INSERT INTO row VALUES (?)").run(id))
  const outcomes = await Promise.allSettled([insert(1), insert(2), insert(1), insert(3)])
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"])
  expect(count(database)).toBe(3)
  database.close()
})

test("a promise resolves only when another process could read the row", async () => {
  const path = newPath()
  const database = new Database(path, MIGRATIONS)
  await database.write(() => database.sql.exec("INSERT INTO row VALUES (7)"))
  const other = new Database(path, MIGRATIONS)
  expect(count(other)).toBe(1)
  other.close()
  database.close()
})

test("migrations run once, in order, and later ones follow", () => {
  const path = newPath()
  new Database(path, MIGRATIONS).close()
  const newer = new Database(path, [...MIGRATIONS, "ALTER TABLE row ADD COLUMN note TEXT"])
  newer.sql.exec("INSERT INTO row VALUES (1, 'kept')")
  newer.close()
  const again = new Database(path, [...MIGRATIONS, "ALTER TABLE row ADD COLUMN note TEXT"])
  expect(count(again)).toBe(1)
  again.close()
})
