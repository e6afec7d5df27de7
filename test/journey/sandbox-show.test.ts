import { mkdtempSync } from "node:fs"
import { rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { afterAll, expect, test } from "vitest"
import type { PolicyDescription } from "../../src/runtime/host/rules/describe.ts"

const home = mkdtempSync(join(tmpdir(), "zg-sandbox-show-"))
afterAll(() => rm(home, { recursive: true }))

/** With an empty PATH: there is no engine to ask. */
async function show(...args: string[]) {
  const env = { ZG_HOME: home, PATH: "/nowhere" }
  return execa(process.execPath, ["bin/run.js", "sandbox", "show", ...args], { env, reject: false })
}
const json = async (...args: string[]) =>
  JSON.parse((await show(...args, "--json")).stdout) as PolicyDescription

test("the whole policy for people, without an engine and before registration", async () => {
  const { stdout, exitCode } = await show()
  expect(exitCode).toBe(0)
  for (const said of [
    "Profile strict",
    "--network=none",
    "reaching the internet",
    "LD_PRELOAD",
    "limits.outMiB",
    "bench.maxTemperatureC",
    "none written",
    join(home, "rules.yaml"),
  ])
    expect(stdout).toContain(said)
  expect(stdout).toContain((await json()).flagsDigests.cpu)
})

test("another profile says what it costs, and has another digest", async () => {
  const [strict, jit] = [await json(), await json("--profile", "jit")]
  expect(jit.profile.cost).toContain("/tmp")
  expect(jit.flagsDigests.cpu).not.toBe(strict.flagsDigests.cpu)
  expect((await show("--profile", "loose")).exitCode).toBe(2)
})

test("the owner's rules are in force once they are written, and a mistake in them is told by its line", async () => {
  await writeFile(join(home, "rules.yaml"), 'profile: jit\nimages: { allow: ["ghcr.io/acme/*"] }\n')
  const policy = await json()
  expect(policy.profile.name).toBe("jit")
  expect(policy.rules).toMatchObject({
    file: join(home, "rules.yaml"),
    images: { allow: ["ghcr.io/acme/*"] },
  })
  await writeFile(join(home, "rules.yaml"), "bench: { maxTemperatureC: 83 }\n")
  expect((await show()).stdout).toContain("83 °C at most")
  await writeFile(join(home, "rules.yaml"), "profile: jit\n\nlimits: { outGiB: 4 }\n")
  const { stderr, exitCode } = await show()
  expect(exitCode).toBe(10)
  expect(stderr).toContain(`${join(home, "rules.yaml")}:3: limits.outGiB is no rule`)
})
