import { mkdir, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { afterAll, expect, test } from "vitest"
import { hasProgram } from "../../../scripts/setup/packages.ts"
import { prepareProbe } from "../../../scripts/setup/probe.ts"
import type { RootlessReport } from "./rootless-agent.ts"

const PROGRAM = join(import.meta.dirname, "rootless-agent.ts")
const USER = `zg-test-${process.pid}`
const LIMIT_MS = 120_000

await prepareProbe()
const isRoot = process.getuid?.() === 0
const removals: (() => Promise<unknown>)[] = []
afterAll(async () => {
  for (const remove of removals.reverse()) await remove()
})

/** Before the words of a command, to run it without root: as this user, or as one that is made for the test. */
async function withoutRoot(): Promise<string[] | string> {
  for (const program of ["podman", "newuidmap"])
    if (!(await hasProgram(program))) return `${program} is not installed`
  if (!isRoot) return []
  if (!(await hasProgram("useradd"))) return "no user can be made: useradd is not installed"
  const home = await mkdtemp(join(tmpdir(), "zg-rootless-"))
  removals.push(() => rm(home, { recursive: true, force: true, maxRetries: 3 }))
  const made = await execa("useradd", ["--home-dir", home, "--shell", "/bin/sh", USER], { reject: false })
  if (made.exitCode !== 0) return `no user can be made: ${made.stderr}`
  removals.push(() => execa("userdel", [USER], { reject: false }))
  const run = join(home, "run")
  await mkdir(run, { mode: 0o700 })
  await execa("chown", ["-R", `${USER}:`, home])
  const environment = [`PATH=${process.env.PATH}`, `HOME=${home}`, `XDG_RUNTIME_DIR=${run}`, `TMPDIR=${home}`]
  const words = [
    "setpriv",
    `--reuid=${USER}`,
    `--regid=${USER}`,
    "--init-groups",
    "env",
    "-i",
    "-C",
    home,
    ...environment,
  ]
  const canRead = await execa(words[0] as string, [...words.slice(1), process.execPath, "--check", PROGRAM], {
    reject: false,
  })
  // Podman leaves a process that holds its namespace, and a user with a process stays.
  removals.push(() => execa("setpriv", [...words.slice(1), "podman", "system", "migrate"], { reject: false }))
  return canRead.exitCode === 0 ? words : `another user cannot read this checkout: ${canRead.stderr}`
}

const words = await withoutRoot()
if (typeof words === "string") process.stderr.write(`Podman without root is skipped: ${words}\n`)

test.skipIf(typeof words === "string")(
  "Podman without root: what a shard writes is the agent's, whatever its mode, and limits are held or the engine is refused",
  async () => {
    const [program = "", ...args] = [...(words as string[]), process.execPath, PROGRAM]
    const { stdout, stderr, exitCode } = await execa(program, args, { reject: false, timeout: LIMIT_MS })
    expect(exitCode, stderr).toBe(0)
    const report: RootlessReport = JSON.parse(stdout)
    expect(report.facts).toMatchObject({ name: "podman", rootless: true, isolation: "rootless" })
    expect(report).toMatchObject({ step: "settled", output: "mine\n", left: [] })
    const { unheld } = report.facts
    if (unheld.length === 0) {
      expect(report).toMatchObject({ refusal: null, violations: [] })
      return
    }
    process.stderr.write(
      `limits of Podman without root are skipped: this machine's cgroups do not let it hold ${unheld.join(", ")}\n`,
    )
    expect(report.refusal).toMatchObject({ code: "engine-refused", facts: { trouble: "limits-not-held" } })
    const flags = ["--memory", "--memory-swap", "--cpus", "--pids-limit"]
    expect(report.violations.filter(flag => !flags.includes(flag))).toEqual([])
    // What Podman says that it does not hold is really not held.
    if (unheld.includes("memory")) expect(report.violations).toContain("--memory")
  },
  LIMIT_MS,
)
