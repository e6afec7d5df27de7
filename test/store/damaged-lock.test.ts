import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { lockFile, lockFolder } from "../../src/store/lock.ts"

test("a lock's file that a power cut filled with anything locks as well as before", () => {
  const folder = mkdtempSync(join(tmpdir(), "zg-damaged-lock-"))
  writeFileSync(join(folder, "lock.sqlite"), "no database at all ".repeat(500))
  const lock = lockFolder(folder)
  expect(() => lockFolder(folder)).toThrow(expect.objectContaining({ code: "already-serving" }))
  lock.release()
  lockFolder(folder).release()
})

test("damage to the file while it is held frees nothing", () => {
  const path = join(mkdtempSync(join(tmpdir(), "zg-damaged-lock-")), "one.lock")
  const lock = lockFile(path, "the journal")
  writeFileSync(path, "no database at all ".repeat(500))
  expect(() => lockFile(path, "the journal")).toThrow(expect.objectContaining({ code: "already-serving" }))
  lock.release()
  lockFile(path, "the journal").release()
})
