import { chmodSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join, resolve } from "node:path"
import { execa } from "execa"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { AgentReport } from "../../src/runtime/agent/report.ts"
import { CHECK_IDS, type Check, type CheckId } from "../../src/runtime/doctor/check.ts"
import type { DoneFix } from "../../src/runtime/doctor/fix.ts"
import { skip } from "../contract/skip.ts"
import { installNvidiaSmi } from "../stand-in/nvidia-smi.ts"
import { containersOf, eventually, importShell, Town } from "./town.ts"

const IMAGE = `zg-test/doctor-${process.pid}:latest`
const STRAY = `zg-test-doctor-${process.pid}`
const SYSTEM = "/usr/bin:/bin"
const noCards = mkdtempSync(join(tmpdir(), "zg-no-cards-"))
const standIn = (name: string) => resolve("test/stand-in", name)
let town: Town

beforeAll(async () => {
  await importShell(IMAGE)
  town = await Town.found()
}, 60_000)

afterAll(async () => {
  await town.close()
  await execa("docker", ["rm", "--force", STRAY], { reject: false })
  await execa("docker", ["rmi", "--force", IMAGE], { reject: false })
}, 60_000)

interface Diagnosis {
  ok: boolean
  checks: Check[]
  fixed: DoneFix[]
}

function run(home: string, args: string[], env: Record<string, string> = {}) {
  const all = { ZG_HOME: town.home(home), ZG_SYSFS: noCards, ...env }
  return execa(process.execPath, ["bin/run.js", "doctor", "--engine=docker", ...args], {
    env: all,
    reject: false,
  })
}

async function examine(home: string, args: string[] = [], env: Record<string, string> = {}) {
  const { stdout, stderr, exitCode } = await run(home, ["--json", ...args], env)
  const diagnosis = JSON.parse(stdout) as Diagnosis
  const check = (id: CheckId) => diagnosis.checks.find(one => one.id === id)
  return { ...diagnosis, exitCode, stderr, check }
}

test("without an engine the others are looked at all the same, and what needs it says so", async () => {
  const { ok, exitCode, checks, check } = await examine("bare", [], { PATH: noCards })
  expect([ok, exitCode]).toEqual([false, 10])
  expect(checks.map(({ id }) => id).sort()).toEqual([...CHECK_IDS].sort())
  expect(check("engine")).toMatchObject({
    state: "failed",
    command: expect.stringContaining("get.docker.com"),
  })
  for (const id of ["engine-version", "container-start", "sandbox-flags", "gvisor", "leftovers"] as const)
    expect(check(id)).toMatchObject({ state: "skipped", fact: expect.stringContaining("needs") })
  expect(check("disk-speed")?.fact).toMatch(/MB\/s/)
  expect(check("registration")).toMatchObject({
    state: "warning",
    command: expect.stringContaining("register"),
  })
})

test("an engine that is stopped, and one that is silent", { timeout: 90_000 }, async () => {
  const stopped = await examine("bare", [], {
    PATH: `${standIn("stopped")}${delimiter}${SYSTEM}`,
    ZG_TEST_SOCKET: join(noCards, "no.sock"),
  })
  expect(stopped.check("engine")).toMatchObject({
    state: "failed",
    fact: expect.stringContaining("not running"),
    command: expect.stringMatching(/start/),
  })
  const silent = await examine("bare", [], { PATH: `${standIn("silent")}${delimiter}${SYSTEM}` })
  expect(silent.check("engine")).toMatchObject({
    state: "failed",
    fact: expect.stringContaining("did not answer"),
  })
  expect(silent.checks.every(({ fact }) => !fact.includes("The check broke"))).toBe(true)
})

test("an old toolkit, a lost card and the others' state are all told in one pass", {
  timeout: 60_000,
}, async () => {
  const bin = mkdtempSync(join(tmpdir(), "zg-doctor-bin-"))
  const rig = readFileSync("test/recorded/nvidia/rig-one-lost-515.xml", "utf8")
  await installNvidiaSmi(bin, { "-q -x": { stdout: rig } })
  const env = {
    PATH: [bin, standIn(""), SYSTEM].join(delimiter),
    ZG_TEST_TOOLKIT: "1.16.1",
    ZG_TEST_CALLS: join(bin, "toolkit-calls"),
  }
  const { check, exitCode } = await examine("bare", [], env)
  expect(exitCode).toBe(10)
  expect(check("nvidia-toolkit")).toMatchObject({
    state: "failed",
    fact: expect.stringContaining("CVE-2024-0132, fixed in 1.16.2"),
  })
  expect(check("gpus")).toMatchObject({
    state: "failed",
    fact: expect.stringMatching(/7: .*RTX 3070[\s\S]*lost/),
  })
  expect(check("power-limit")).toMatchObject({ state: "ok", fact: expect.stringContaining("910 W together") })
  expect(check("cdi")?.state).toBe("warning")
  // No card of a recording can get into a container: that it is told is what counts here.
  expect(["failed", "skipped"]).toContain(check("gpu-in-container")?.state)
})

test("a table of versions in the state folder is used, and a damaged one told", async () => {
  const path = join(town.home("table"), "minimum-versions.json")
  mkdirSync(town.home("table"), { mode: 0o700 })
  const row = { component: "runc", cve: "CVE-2099-10000", fixed: ["99.0.0"], affects: "every container" }
  const escapes = [{ ...row, source: "https://example.org/advisory" }]
  writeFileSync(path, JSON.stringify({ updated: "2099-01-01", escapes }))
  const replaced = await examine("table")
  expect(replaced.check("minimum-versions")).toMatchObject({
    state: "ok",
    fact: expect.stringContaining(path),
  })
  expect(replaced.check("engine-version")?.fact).toContain("CVE-2099-10000")
  writeFileSync(path, "{")
  expect((await examine("table")).check("minimum-versions")?.state).toBe("warning")
})

test("a registered agent that serves is reached, compared, and not disturbed", {
  timeout: 90_000,
}, async () => {
  await town.register("rig")
  const before = await examine("rig")
  for (const id of ["registration", "marketplace", "clock"] as const)
    expect(before.check(id), before.check(id)?.fact).toMatchObject({ state: "ok" })
  town.serve("rig")
  const connected = async () => (await town.run<AgentReport>("rig", ["status"])).serving?.connected
  await eventually(connected)
  const { check } = await examine("rig")
  expect(check("marketplace")?.state).toBe("ok")
  expect(check("ports")).toMatchObject({ state: "ok", fact: expect.stringContaining("process") })
  expect(await connected()).toBe(true)
  await town.stop("rig")
  await town.stop("market")
  expect((await examine("rig")).check("marketplace")).toMatchObject({
    state: "failed",
    fact: expect.stringContaining("ECONNREFUSED"),
  })
  await town.openMarket()
})

test("--fix without a terminal does nothing until --yes says so; then it tells what it did", {
  timeout: 90_000,
}, async () => {
  const { agent } = await town.register("open")
  const [home, identity] = [town.home("open"), join(town.home("open"), "identity.pem")]
  chmodSync(home, 0o755)
  chmodSync(identity, 0o644)
  const label = `--label=dev.zg-agent.home=${agent}`
  await execa("docker", ["create", `--name=${STRAY}`, label, IMAGE, "/bin/sh"])
  const refused = await run("open", ["--fix", "--json"])
  expect(refused.exitCode).toBe(2)
  expect(JSON.parse(refused.stdout)).toMatchObject({ error: { code: "bad-argument" } })
  expect([statSync(identity).mode & 0o777, (await containersOf(agent)).length]).toEqual([0o644, 1])

  // The label counts only where the key can be read: the container comes to light when that is mended.
  const first = await examine("open", ["--fix", "--yes"])
  expect(first.stderr).toContain(`chmod 600 ${identity}`)
  expect(first.fixed).toMatchObject([{ shown: `chmod 700 ${home}`, ok: true }, { ok: true }])
  expect([statSync(home).mode & 0o777, statSync(identity).mode & 0o777]).toEqual([0o700, 0o600])
  expect(first.check("state-folder")?.state).toBe("ok")
  expect(first.check("leftovers")?.state).toBe("warning")
  const second = await examine("open", ["--fix", "--yes"])
  expect(second.fixed).toMatchObject([{ shown: expect.stringContaining("docker rm"), ok: true }])
  expect(second.check("leftovers")?.state).toBe("ok")
  expect(await containersOf(agent)).toEqual([])
})

test("on a terminal it asks, and no is the answer to anything but yes", {
  timeout: 60_000,
}, async context => {
  const script = await execa("script", ["--version"], { reject: false })
  if (script.failed) skip(context, "there is no `script` to make a terminal with")
  const home = town.home("asked")
  mkdirSync(home, { mode: 0o755 })
  chmodSync(home, 0o755)
  const answer = (text: string) =>
    execa("script", ["-qec", `"${process.execPath}" bin/run.js doctor --engine=docker --fix`, "/dev/null"], {
      env: { ZG_HOME: home, ZG_SYSFS: noCards, PATH: SYSTEM, TERM: "xterm" },
      input: text,
      reject: false,
    })
  expect((await answer("\n")).stdout).toContain("Nothing was done.")
  expect(statSync(home).mode & 0o777).toBe(0o755)
  expect((await answer("y\n")).stdout).toContain(`✔`)
  expect(statSync(home).mode & 0o777).toBe(0o700)
})

test("people get a line for each check, without colours where nobody sees them", async () => {
  const { stdout } = await run("bare", [], { PATH: noCards })
  const lines = stdout.split("\n")
  expect(lines.find(line => line.includes("Container engine"))).toMatch(/^✖ Container engine +\S/)
  expect(lines.find(line => line.includes("Disk speed"))).toMatch(/^[✔!] /)
  expect(stdout).toMatch(/\d+ checks? failed \(.*Container engine.*\)/)
  expect(stdout).not.toContain("\u001b")
})

test("Ctrl-C ends it at once and leaves no client of the engine behind", { timeout: 60_000 }, async () => {
  const bin = mkdtempSync(join(tmpdir(), "zg-doctor-hang-"))
  const noted = join(bin, "pid")
  writeFileSync(join(bin, "docker"), `#!/bin/sh\necho $$ > '${noted}'\nexec sleep 600\n`)
  chmodSync(join(bin, "docker"), 0o755)
  const running = run("bare", [], { PATH: `${bin}${delimiter}${SYSTEM}` })
  const pid = await eventually(async () => {
    try {
      return Number(readFileSync(noted, "utf8"))
    } catch {
      return null
    }
  })
  running.kill("SIGINT")
  const { exitCode, stdout } = await running
  expect([exitCode, stdout]).toEqual([130, ""])
  expect(() => process.kill(pid, 0)).toThrow()
})
