import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { expect, test } from "vitest"
import { lockFolder } from "../../src/store/lock.ts"

test("a folder is held by one at a time, and let go also by a process that was killed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zg-lock-"))
  const source = join(process.cwd(), "src/store/lock.ts")
  const program = `import(${JSON.stringify(source)}).then(({ lockFolder }) => {
    globalThis.held = lockFolder(${JSON.stringify(folder)}); console.log("held"); setInterval(() => {}, 1000) })`
  const other = execa(process.execPath, ["-e", program], { reject: false, buffer: false })
  await new Promise(resolve => other.stdout.once("data", resolve))
  expect(() => lockFolder(folder)).toThrow(expect.objectContaining({ code: "already-serving" }))
  other.kill("SIGKILL")
  await other
  const lock = lockFolder(folder)
  expect(() => lockFolder(folder)).toThrow("works on")
  lock.release()
  lockFolder(folder).release()
})
