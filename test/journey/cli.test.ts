import { mkdtempSync, readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { expect, test } from "vitest"

interface Manifest {
  commands: Record<string, { summary?: string; examples?: string[]; enableJsonFlag?: boolean }>
}

const { commands } = JSON.parse(readFileSync("oclif.manifest.json", "utf8")) as Manifest
const env = { ZG_HOME: mkdtempSync(join(tmpdir(), "zg-cli-")) }

test.each(Object.entries(commands))(
  "%s has a summary, examples, --json, and a help page that shows them",
  async (id, command) => {
    expect(command).toMatchObject({ summary: expect.stringMatching(/\.$/), enableJsonFlag: true })
    const { stdout } = await execa(process.execPath, ["bin/run.js", ...id.split(":"), "--help"], { env })
    expect(stdout).toContain("EXAMPLES")
    for (const example of command.examples ?? []) expect(example).toContain("<%= config.bin %>")
  },
)

test("the commands of the main job are there", () => {
  expect(Object.keys(commands).sort()).toEqual([
    ...[
      "account",
      "account:release",
      "bench",
      "bench:show",
      "doctor",
      "drain",
      "earnings",
      "gpus",
      "job:fetch",
      "job:list",
      "job:status",
      "job:submit",
      "ledger:anchor",
      "ledger:verify",
      "ledger:witness",
      "market:start",
    ],
    ...[
      "pause",
      "proof:list",
      "proof:show",
      "proof:verify",
      "register",
      "resume",
      "sandbox:show",
      "sandbox:test",
      "serve",
      "status",
    ],
  ])
})

test("--version answers without loading the rest", async () => {
  const { stdout } = await execa(process.execPath, ["bin/run.js", "--version"], { env })
  expect(stdout).toMatch(/^zg-agent\/\d+\.\d+\.\d+ \S+ node-v\d+/)
})

test.each([
  ["an unknown flag", ["status", "--colour"]],
  ["a missing argument", ["job", "status"]],
  ["a number that is none", ["serve", "--cpu-slots", "many"]],
  ["a folder that is not there", ["gpus", "--sysfs", "/nowhere"]],
  ["an amount that is none", ["market", "start", "--grant", "plenty"]],
  ["a digest that is none", ["market", "start", "--vouch", "zg-agent/trainer"]],
])("%s is a usage fault with exit code 2, in JSON too", async (_, args) => {
  const { stdout, exitCode } = await execa(process.execPath, ["bin/run.js", ...args, "--json"], {
    env,
    reject: false,
  })
  expect(JSON.parse(stdout)).toMatchObject({ error: { area: "usage", code: "bad-argument" } })
  expect(exitCode).toBe(2)
})

test("a reader that has seen enough is no failure", async () => {
  const { exitCode, stderr } = await execa(
    "sh",
    ["-c", `"${process.execPath}" bin/run.js --help | head -1`],
    { env },
  )
  expect([exitCode, stderr]).toEqual([0, ""])
})
