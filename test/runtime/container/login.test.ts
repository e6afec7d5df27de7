import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { removeLeftLogins, withLogin } from "../../../src/runtime/container/login.ts"

const root = mkdtempSync(join(tmpdir(), "zg-logins-"))
beforeAll(() => {
  vi.stubEnv("TMPDIR", root)
})
afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(root, { recursive: true })
})

test("a login of a process that was killed goes, one in use and what is not ours stays", async () => {
  const { pid } = spawnSync(process.execPath, ["--version"])
  const [left, other] = [join(root, `zg-login-${pid}-abcdef`), join(root, "zg-login-mine")]
  for (const folder of [left, other]) mkdirSync(folder)
  await withLogin(null, async ({ DOCKER_CONFIG = "" }) => {
    await removeLeftLogins()
    expect([left, other, DOCKER_CONFIG].map(path => existsSync(path))).toEqual([false, true, true])
  })
})
