import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
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

test("a package without the attacking program is told as unfit, by doctor too", {
  timeout: 60_000,
}, async () => {
  const root = mkdtempSync(join(tmpdir(), "zg-package-"))
  for (const part of ["bin", "dist", "package.json", "oclif.manifest.json"])
    cpSync(part, join(root, part), { recursive: true })
  rmSync(join(root, "dist/probe"), { recursive: true })
  symlinkSync(resolve("node_modules"), join(root, "node_modules"))
  const env = { ZG_HOME: join(root, "home"), ZG_ENGINE: "docker", ZG_RUNTIME: "runc" }
  const run = (...args: string[]) =>
    execa(process.execPath, [join(root, "bin/run.js"), ...args, "--json"], { env, reject: false })
  const [tested, examined] = await Promise.all([run("sandbox", "test"), run("doctor")])
  expect(JSON.parse(tested.stdout)).toMatchObject({ error: { code: "probe-missing" } })
  expect(tested.exitCode).toBe(30)
  const { checks } = JSON.parse(examined.stdout) as {
    checks: { id: string; state: string; remedy: string }[]
  }
  const check = checks.find(({ id }) => id === "container-start")
  expect(check).toMatchObject({ state: "failed", remedy: expect.stringContaining("C compiler") })
  expect(examined.exitCode).toBe(10)
  rmSync(root, { recursive: true })
})
