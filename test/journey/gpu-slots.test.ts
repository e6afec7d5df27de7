import { chmodSync, cpSync, mkdirSync } from "node:fs"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { execa, type Options } from "execa"
import { afterAll, beforeAll, expect, test } from "vitest"
import { freePort } from "../../scripts/quickstart/programs.ts"
import type { CapacityReport } from "../../src/protocol/capacity-report.ts"
import type { AgentReport } from "../../src/runtime/agent/report.ts"
import { TABLE_FIELDS } from "../../src/runtime/host/nvidia/listing.ts"
import { type OwnDockerd, startDockerd } from "../engine/engines/own-dockerd.ts"
import { installNvidiaSmi } from "../stand-in/nvidia-smi.ts"
import { eventually, importShell, Town } from "./town.ts"

const IMAGE = "zg-test/gpu-slots:latest"
const CARD = "GPU-0ad3f2b6-8df5-cb18-6b7c-6c7a10f1d7e9"
/** One round of the sampler, as the driver answers it. */
const ROW = `${CARD}, 61, 97, 20480, 300.5, 450, 40, 2520, 10501, 0x0000000000000024, 00000000:01:00.0`
const TABLE = `--query-gpu=${TABLE_FIELDS} --format=csv,noheader`

/** An engine that has a hook for NVIDIA's cards: a stand-in that notes what it is asked for and gives nothing. */
const daemon = await startDockerd({})
if (typeof daemon === "string") process.stderr.write(`A job for a card is skipped: ${daemon}\n`)
const withDaemon = test.skipIf(typeof daemon === "string")

let town: Town
let env: Record<string, string>
beforeAll(async () => {
  town = await Town.found()
  const bin = join(town.root, "bin")
  mkdirSync(bin)
  await installNvidiaSmi(bin, {
    "-q -x": { stdout: await readFile("test/recorded/nvidia/rtx-4090-535.xml", "utf8") },
    [TABLE]: { stdout: `0, ${CARD}, 00000000:01:00.0, NVIDIA GeForce RTX 4090, 8.9\n` },
    "--query-gpu": { stdout: `${ROW}\n`, rounds: 10_000 },
  })
  cpSync("test/stand-in/nvidia-ctk", join(bin, "nvidia-ctk"))
  chmodSync(join(bin, "nvidia-ctk"), 0o755)
  env = { ZG_HOME: town.home("agent"), PATH: `${bin}:${process.env.PATH}` }
  await town.register("agent")
  await town.register("buyer")
  await importShell(IMAGE)
}, 120_000)
afterAll(async () => {
  await town.close()
  if (typeof daemon !== "string") await daemon.close()
  await execa("docker", ["image", "rm", "--force", IMAGE], { reject: false })
}, 60_000)

function agent(args: string[], toolkit: string, options: Options = {}, more: Record<string, string> = {}) {
  const all = { ...env, ZG_TEST_TOOLKIT: toolkit, ZG_ENGINE: "docker", ...more }
  return execa(process.execPath, ["bin/run.js", ...args], { ...options, env: all, reject: false })
}

test("a toolkit with a known escape gives no card away", { timeout: 60_000 }, async () => {
  const { stdout, exitCode } = await agent(["serve", "--json"], "1.16.1")
  expect(JSON.parse(String(stdout))).toMatchObject({ error: { code: "toolkit-unsafe", area: "host" } })
  expect(String(stdout)).toContain("CVE-2024-0132")
  expect(exitCode).toBe(10)
})

test("a card that is not there cannot be named", { timeout: 60_000 }, async () => {
  const { stdout, exitCode } = await agent(["serve", "--gpus", "5", "--json"], "99.0.0")
  expect(JSON.parse(String(stdout))).toMatchObject({ error: { code: "gpu-unusable" } })
  expect(exitCode).toBe(10)
})

test("a card that the engine gives to no container is passed over, and nothing is left to serve with", {
  timeout: 60_000,
}, async () => {
  const { stdout, stderr, exitCode } = await agent(["serve", "--json"], "99.0.0")
  const { error } = JSON.parse(String(stdout))
  expect(error.code).toBe("container-not-created")
  // No engine here has a driver for NVIDIA's cards: its refusal names what it was asked for.
  expect(error.message).toMatch(/device driver|nvidia/i)
  expect(String(stderr)).toContain("slot.passed-over")
  expect(exitCode).toBe(30)
})

test("a card that is hotter than its owner allows is not measured, neither by itself nor with the trainer", {
  timeout: 90_000,
}, async () => {
  const home = town.home("ruled")
  mkdirSync(home)
  await writeFile(join(home, "rules.yaml"), "bench: { maxTemperatureC: 60 }\n")
  const bench = ["bench", "--quick", "--only", "gpus,work", "--json"]
  const { stdout } = await agent(bench, "99.0.0", {}, { ZG_HOME: home })
  const { report } = JSON.parse(String(stdout)) as { report: CapacityReport }
  expect(report.cards).toMatchObject([
    { identity: CARD, state: "unmeasured", faults: [{ code: "gpu-too-hot" }] },
  ])
  const hot = { reason: expect.stringMatching(/^The card reached 61 °C.* allows 60 °C/) }
  expect(report.cards[0]?.unmeasured).toContainEqual({ name: "matmul-fp32", ...hot })
  expect(report.work).toMatchObject({ figures: [], unmeasured: [hot] })
})

withDaemon("a card is a slot, is sampled, and a job for it gets it", { timeout: 120_000 }, async () => {
  const port = await freePort(20_000 + Math.floor(Math.random() * 20_000))
  const { host, hookLog } = daemon as OwnDockerd
  const program = agent(
    ["serve", "--metrics", "--metrics-port", `${port}`, "--metrics-dcgm"],
    "99.0.0",
    { stdin: "ignore" },
    { DOCKER_HOST: host },
  )
  const metrics = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const status = () => town.run<AgentReport>("agent", ["status"])
  const sampled = await eventually(async () => {
    const { serving } = await status()
    return serving?.connected && serving.cards[0]?.sample?.powerDrawW ? serving : null
  })
  expect(sampled.slots).toMatchObject([
    { id: CARD, device: "cuda", gpus: [{ uuid: CARD, pciAddress: "0000:01:00.0" }], shard: null },
  ])
  expect(sampled.cards[0]?.sample).toMatchObject({
    ...{ temperatureC: 61, utilizationPct: 97, powerDrawW: 300.5 },
    throttle: ["thermal", "power"],
  })
  const text = await metrics()
  expect(text).toMatch(new RegExp(`^hw_power_watts\\{.*hw_id="${CARD}".*\\} 300\\.5$`, "m"))
  expect(text).toMatch(/^DCGM_FI_DEV_GPU_TEMP\{.*\} 61$/m)
  expect(text).toContain('zg_slots{state="free"} 1')
  const job = await town.job(
    "cuda",
    `kind: batch\nname: cuda\nimage: ${IMAGE}\nresources: { device: cuda, cpus: 0.5, memoryMiB: 64, vramMiB: 20000 }\npricePerShard: 0.1\nshards: [{ command: { argv: [sh, -c, "echo x > /shard/out/x"] }, outputs: [x] }]\n`,
  )
  await town.run("buyer", ["job", "submit", job])
  const { settled, lately } = await eventually(async () => {
    const report = await status()
    return report.settled + report.abandoned > 0 ? report : null
  })
  expect({ settled, lately }).toEqual({ settled: 1, lately: [] })
  expect((await readFile(hookLog, "utf8")).split("\n")).toContain(`"NVIDIA_VISIBLE_DEVICES=${CARD}"`)
  program.kill("SIGTERM")
  expect((await program).exitCode).toBe(0)
})
