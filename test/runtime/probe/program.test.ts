import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import { chmod, mkdir, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { prepareProbe } from "../../../scripts/setup/probe.ts"
import { ProbeReport } from "../../../src/runtime/probe/report.ts"

const compiler = (process.env.PATH ?? "")
  .split(delimiter)
  .flatMap(folder => [join(folder, "cc"), join(folder, "gcc")])
  .find(path => existsSync(path))
const why = process.platform !== "linux" ? "this is not Linux" : compiler ? null : "there is no C compiler"
if (why !== null) process.stderr.write(`tests of the probe's program are skipped: ${why}\n`)

let folder = ""
let target = ""
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "zg-probe-program-"))
  target = join(folder, "x64", "probe")
})
afterEach(async () => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  await rm(folder, { recursive: true })
})

test.skipIf(why !== null)("the program runs anywhere on Linux and its report is well formed", async () => {
  await prepareProbe(target)
  const env = { LD_PRELOAD: 'a "b"\n\\ é', NVIDIA_VISIBLE_DEVICES: "void", SECRET: "x" }
  const report = ProbeReport.parse(JSON.parse(execFileSync(target, ["report"], { env, encoding: "utf8" })))
  expect(report).toMatchObject({ uid: process.getuid?.(), gid: process.getgid?.(), rootReadOnly: null })
  expect(Object.keys(report.env)).toEqual(["LD_PRELOAD", "NVIDIA_VISIBLE_DEVICES"])
  expect(report.env.LD_PRELOAD).toMatch(/^a "b"\n\\ /)
  expect(() => execFileSync(target, ["nonsense"], { stdio: "pipe" })).toThrow(/usage: probe report/)
})

test.skipIf(why !== null)("it is compiled once for one source", async () => {
  await prepareProbe(target)
  const { mtimeMs, ino } = await stat(target)
  await prepareProbe(target)
  expect(await stat(target)).toMatchObject({ mtimeMs, ino })
  await writeFile(`${target}.source`, "of another source")
  await prepareProbe(target)
  expect((await stat(target)).ino).not.toBe(ino)
})

test("a compiler that fails leaves the probe out with one line, and in CI it is a fault", async () => {
  const bin = join(folder, "bin")
  await mkdir(bin)
  await symlink("/bin/sh", join(bin, "sh"))
  await writeFile(join(bin, "cc"), '#!/bin/sh\necho "ld: cannot find -lc" >&2\nexit 1\n')
  await chmod(join(bin, "cc"), 0o755)
  vi.stubEnv("PATH", bin)
  vi.stubEnv("CI", "")
  const said = vi.spyOn(console, "error").mockImplementation(() => {})
  await prepareProbe(target)
  expect(existsSync(target)).toBe(false)
  expect(said.mock.calls).toEqual([[expect.stringMatching(/^The probe is left out .*apt install[^\n]*$/)]])
  vi.stubEnv("CI", "true")
  await expect(prepareProbe(target)).rejects.toMatchObject({ code: "probe-missing" })
})
