import { mkdir, mkdtemp, readdir, readFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { writeAtomically } from "../../src/store/atomic-file.ts"

test("a file is there whole, and a write that fails leaves no draft", async () => {
  const root = await mkdtemp(join(tmpdir(), "zg-atomic-"))
  await writeAtomically(join(root, "file"), "first")
  await writeAtomically(join(root, "file"), "second")
  expect(await readFile(join(root, "file"), "utf8")).toBe("second")
  await mkdir(join(root, "taken", "by"), { recursive: true })
  await expect(writeAtomically(join(root, "taken"), "text")).rejects.toMatchObject({
    code: expect.stringMatching(/EISDIR|ENOTEMPTY|EEXIST/),
  })
  expect(await readdir(root)).toEqual(["file", "taken"])
})
