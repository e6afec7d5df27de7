import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { mkdir, rm, rmdir, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { prepareProbe } from "../../../scripts/setup/probe.ts"
import { randomId } from "../../../src/protocol/handshake.ts"
import { chooseEngine } from "../../../src/runtime/agent/choose-engine.ts"
import { connectEngine } from "../../../src/runtime/container/connect.ts"
import type { Engine } from "../../../src/runtime/container/engine.ts"
import type { GpuPlacement } from "../../../src/runtime/container/sandbox.ts"
import { gpuNodes } from "../../../src/runtime/probe/gpu-nodes.ts"
import { dishonoured } from "../../../src/runtime/probe/honoured.ts"
import { jail, jailWith } from "../../../src/runtime/probe/jail.ts"
import { expectedOf, probe } from "../../../src/runtime/probe/probe.ts"
import { type OwnDockerd, startDockerd } from "./own-dockerd.ts"
import { connectOrReason, SUBJECTS } from "./subjects.ts"

await prepareProbe()
const scratch = mkdtempSync(join(tmpdir(), "zg-gpu-"))
afterAll(() => rmSync(scratch, { recursive: true }))
const limit = () => AbortSignal.timeout(60_000)

const FIRST = "GPU-11111111-1111-1111-1111-111111111111"
const SECOND = "GPU-22222222-2222-2222-2222-222222222222"
const SLICE = "MIG-33333333-3333-3333-3333-333333333333"
const cuda = (uuid: string, through: "cdi" | "gpus"): GpuPlacement => ({ device: "cuda", uuid, through })

const node = (path: string) => ({ path, hostPath: "/dev/null" })
const device = (name: string, ...paths: string[]) => ({
  name,
  containerEdits: { deviceNodes: paths.map(node) },
})
/** Two cards and a slice of a third, all of whose nodes are harmless. */
const SPECIFICATION = {
  cdiVersion: "0.5.0",
  kind: "nvidia.com/gpu",
  devices: [
    device(FIRST, "/dev/nvidia0"),
    device(SECOND, "/dev/nvidia1"),
    device(SLICE, "/dev/nvidia2", "/dev/nvidia-caps/nvidia-cap21", "/dev/nvidia-caps/nvidia-cap22"),
  ],
  containerEdits: { deviceNodes: ["/dev/nvidiactl", "/dev/nvidia-uvm"].map(node) },
}
const FILE = `/etc/cdi/zg-test-${randomId()}.json`

/** The first Podman with root that runs containers, or why there is none. */
async function findPodman(): Promise<Engine | string> {
  if (process.getuid?.() !== 0) return "a CDI specification of the test's own needs root"
  let reason = "podman is not installed"
  for (const subject of SUBJECTS.filter(
    ({ options }) => options.engine === "podman" && options.runtime !== "runsc",
  )) {
    const engine = await connectOrReason(subject, join(scratch, randomId()))
    if (typeof engine !== "string") return engine
    reason = engine
  }
  return reason
}

let madeFolder: string | undefined
async function installSpecification(): Promise<void> {
  madeFolder = existsSync("/etc/cdi") ? undefined : "/etc/cdi"
  await mkdir("/etc/cdi", { recursive: true })
  await writeFile(FILE, JSON.stringify(SPECIFICATION))
}

const podmanOrReason = await findPodman()
if (typeof podmanOrReason === "string")
  process.stderr.write(`CDI with Podman is skipped: ${podmanOrReason}\n`)
const withPodman = test.skipIf(typeof podmanOrReason === "string")
let podman: Engine
beforeAll(async () => {
  if (typeof podmanOrReason === "string") return
  await installSpecification()
  const { runtimeFlag } = podmanOrReason.facts
  const runtime = runtimeFlag === null ? {} : { runtime: runtimeFlag }
  podman = await connectEngine({ engine: "podman", ...runtime, signal: limit() })
})
afterAll(async () => {
  await rm(FILE, { force: true })
  // Another's files may have come into it meanwhile.
  if (madeFolder !== undefined) await rmdir(madeFolder).catch(() => {})
})

withPodman("Podman's facts name the devices of a specification", () => {
  const names = [FIRST, SECOND, SLICE].map(name => `nvidia.com/gpu=${name}`)
  expect(podman.facts.cdiDevices).toEqual(expect.arrayContaining(names))
})

const PASSED: [uuid: string, nodes: string[]][] = [
  [FIRST, ["/dev/nvidia-uvm", "/dev/nvidia0", "/dev/nvidiactl"]],
  [SECOND, ["/dev/nvidia-uvm", "/dev/nvidia1", "/dev/nvidiactl"]],
  [
    SLICE,
    [
      "/dev/nvidia-caps/nvidia-cap21",
      "/dev/nvidia-caps/nvidia-cap22",
      "/dev/nvidia-uvm",
      "/dev/nvidia2",
      "/dev/nvidiactl",
    ],
  ],
]

withPodman.for(PASSED)("Podman passes %s alone, by CDI", async ([uuid, nodes], { expect }) => {
  const options = { engine: podman, gpu: cuda(uuid, "cdi"), home: "test", scratch: join(scratch, randomId()) }
  const report = await probe(options, limit())
  expect(report.devices.map(({ path }) => path).sort()).toEqual(nodes)
  expect(gpuNodes(report, options.gpu)).toEqual({ ok: true, missing: [], denied: [], foreign: [] })
  expect(dishonoured(report, expectedOf(options))).toEqual([])
})

withPodman("a hostile container with a card finds that card alone", async () => {
  const options = {
    engine: podman,
    gpu: cuda(SECOND, "cdi"),
    home: "test",
    scratch: join(scratch, randomId()),
  }
  const report = await jail(options, limit())
  expect(report.attempts.filter(({ outcome }) => outcome === "open" || outcome === "unknown")).toEqual([])
  expect(report).toMatchObject({ passed: true, device: SECOND })
  const both = (args: string[]) => [`--device=nvidia.com/gpu=${FIRST}`, ...args]
  const loose = await jailWith({ ...options, scratch: join(scratch, randomId()) }, both, limit())
  expect(loose).toMatchObject({ passed: false })
  expect(loose.attempts.find(({ name }) => name === "other-gpus")).toMatchObject({ outcome: "open" })
})

withPodman("a card that no specification names is refused with what to do", async () => {
  const trying = (gpu: GpuPlacement) =>
    probe({ engine: podman, gpu, home: "test", scratch: join(scratch, randomId()) }, limit())
  await expect(trying(cuda(FIRST, "gpus"))).rejects.toMatchObject({
    code: "gpu-unusable",
    hint: expect.stringContaining("nvidia-ctk cdi generate"),
  })
  const unknown = cuda("GPU-99999999-9999-9999-9999-999999999999", "cdi")
  await expect(trying(unknown)).rejects.toMatchObject({ code: "container-not-created" })
})

const gvisor = { path: "runsc", runtimeArgs: ["--platform=ptrace", "--network=none"] }
const daemon: OwnDockerd | string = await startDockerd({
  runsc: gvisor,
  "runsc-unlimited": { ...gvisor, runtimeArgs: [...gvisor.runtimeArgs, "--ignore-cgroups"] },
  "runsc-broken": { path: "false" },
})
if (typeof daemon === "string") process.stderr.write(`Docker's --gpus and gVisor are skipped: ${daemon}\n`)
const withDaemon = test.skipIf(typeof daemon === "string")
beforeAll(() => {
  if (typeof daemon !== "string") vi.stubEnv("DOCKER_HOST", daemon.host)
})
afterAll(async () => {
  vi.unstubAllEnvs()
  if (typeof daemon !== "string") await daemon.close()
})

withDaemon.for([FIRST, SLICE])("Docker asks NVIDIA's hook for %s alone", async (uuid, { expect }) => {
  const engine = await connectEngine({ signal: limit() })
  const { hookLog } = daemon as OwnDockerd
  const before = readFileSync(hookLog, "utf8").length
  const options = { engine, gpu: cuda(uuid, "gpus"), home: "test", scratch: join(scratch, randomId()) }
  const report = await probe(options, limit())
  expect(readFileSync(hookLog, "utf8").slice(before)).toBe(`"NVIDIA_VISIBLE_DEVICES=${uuid}"\n`)
  expect(report.devices).toEqual([])
})

withDaemon("a shard for the CPU never comes to the hook", async () => {
  const engine = await connectEngine({ signal: limit() })
  const { hookLog } = daemon as OwnDockerd
  const before = readFileSync(hookLog, "utf8")
  await probe({ engine, gpu: { device: "cpu" }, home: "test", scratch: join(scratch, randomId()) }, limit())
  expect(readFileSync(hookLog, "utf8")).toBe(before)
})

withDaemon("gVisor that would hold no limit is refused by name and passed over by choice", async () => {
  const named = chooseEngine({ engine: "docker", runtime: "runsc-unlimited", gpus: false, signal: limit() })
  await expect(named).rejects.toMatchObject({
    code: "engine-refused",
    hint: expect.stringContaining("--ignore-cgroups"),
    facts: { unheld: "memory cpus pids" },
  })
})

withDaemon("the choice is gVisor where it works, and for cards what passes them on", async ({ skip }) => {
  const { engine, gpuEngine, passedOver } = await chooseEngine({
    engine: "docker",
    runtime: "auto",
    gpus: true,
    signal: limit(),
  })
  expect(gpuEngine?.facts).toMatchObject({ name: "docker", isolation: "runc", passesGpus: true })
  if (engine.facts.isolation !== "gvisor") skip(`gVisor does not work here: ${passedOver[0]?.reason}`)
  expect(engine.facts).toMatchObject({ runtime: "runsc", passesGpus: false })
})

withDaemon("a runtime that is named and does not work is refused", async () => {
  const named = chooseEngine({ engine: "docker", runtime: "runsc-broken", gpus: false, signal: limit() })
  await expect(named).rejects.toMatchObject({ code: "container-not-created" })
})
