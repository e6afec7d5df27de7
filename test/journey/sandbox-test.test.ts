import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { expect, test } from "vitest"

/** Runs `sandbox test` of the built CLI in a home of its own. */
async function sandboxTest(...before: string[]) {
  const home = mkdtempSync(join(tmpdir(), "zg-sandbox-test-"))
  const [program = process.execPath, ...args] = [...before, process.execPath, "bin/run.js", "sandbox", "test"]
  const env = { ZG_HOME: home, ZG_ENGINE: "docker", ZG_RUNTIME: "runc" }
  const { stdout, stderr, exitCode } = await execa(program, args, { env, reject: false })
  rmSync(home, { recursive: true, force: true })
  return { said: `${stdout}\n${stderr}`, exitCode }
}

const isRoot = process.getuid?.() === 0
if (!isRoot)
  process.stderr.write("the test of mounts that the engine does not see is skipped: it needs root\n")

test("nothing gets out, and people are told what was tried", { timeout: 60_000 }, async () => {
  const { said, exitCode } = await sandboxTest()
  expect(said).toContain("Nothing got out")
  expect(said).toMatch(/^✔ mounts and namespaces/m)
  expect(exitCode).toBe(0)
})

test.skipIf(!isRoot)(
  "mounts that the engine does not see are found out before a shard cannot write",
  { timeout: 60_000 },
  async () => {
    const { said, exitCode } = await sandboxTest("unshare", "--mount")
    expect(said).toContain("no shard could write there")
    expect(said).toContain("jail-broken")
    expect(exitCode).toBe(30)
  },
)
