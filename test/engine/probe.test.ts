import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, test } from "vitest"
import { prepareProbe } from "../../scripts/setup/probe.ts"
import { randomId } from "../../src/protocol/handshake.ts"
import { type GpuPlacement, sandboxArgs } from "../../src/runtime/container/sandbox.ts"
import { gpuNodes } from "../../src/runtime/probe/gpu-nodes.ts"
import { dishonoured, unseen } from "../../src/runtime/probe/honoured.ts"
import { prepareProbeImage } from "../../src/runtime/probe/image.ts"
import { probePlacement } from "../../src/runtime/probe/placement.ts"
import { expectedOf, probe, runProbe } from "../../src/runtime/probe/probe.ts"
import type { ProbeReport } from "../../src/runtime/probe/report.ts"
import { engineOrReason } from "./bench.ts"

const exec = promisify(execFile)
const engine = await engineOrReason()
if (typeof engine === "string") process.stderr.write(`engine tests are skipped: ${engine}\n`)
const within = test.skipIf(typeof engine === "string")

const CPU: GpuPlacement = { device: "cpu" }
const home = randomId()
const limit = () => AbortSignal.timeout(60_000)

function there() {
  if (typeof engine === "string") throw new Error(engine)
  return engine
}

let root = ""
let honest: ProbeReport
beforeAll(async () => {
  if (typeof engine === "string") return
  await prepareProbe()
  root = await mkdtemp(join(tmpdir(), "zg-probe-test-"))
  honest = await probe({ engine, gpu: CPU, home, scratch: join(root, "scratch") }, limit())
})
afterAll(async () => {
  if (typeof engine === "string") return
  await engine.removeAll({ home }, limit())
  await rm(root, { recursive: true })
})

/** Runs the probe with the sandbox's arguments changed. */
async function probeWith(change: (args: string[]) => string[]): Promise<ProbeReport> {
  const image = await prepareProbeImage(there(), root, limit())
  const folder = await mkdtemp(join(root, "changed-"))
  const runtime = there().facts.runtimeFlag
  const placement = probePlacement({ image, gpu: CPU, home, root: folder, runtime })
  const { spec, out, checkpoint } = placement.folders
  await Promise.all([mkdir(out), mkdir(checkpoint), writeFile(spec, "{}")])
  return runProbe(there(), change(sandboxArgs(placement)), placement.labels, limit())
}

const without = (flag: string) => (args: string[]) => args.filter(arg => !arg.startsWith(flag))
const swap = (from: string | RegExp, to: string) => (args: string[]) => args.map(arg => arg.replace(from, to))
const plus = (flag: string) => (args: string[]) => [flag, ...args]

within("in the sandbox that shards get, every flag that can be seen is in force", () => {
  const expected = expectedOf({ engine: there(), gpu: CPU })
  expect(dishonoured(honest, expected)).toEqual([])
  // Whether swap is counted is the kernel's choice; on a plain engine all else can be seen.
  if (there().facts.isolation === "runc")
    expect(unseen(honest, expected).filter(flag => flag !== "--memory-swap")).toEqual([])
  expect(gpuNodes(honest, CPU)).toEqual({ ok: true, missing: [], denied: [], foreign: [] })
})

within("it leaves neither a container nor a file behind", async () => {
  expect(await there().find({ home }, limit())).toEqual([])
  expect(await readdir(root)).not.toContain("scratch")
})

within("its image is taken in once, under the id that follows from its content", async () => {
  // An image of its own: other tests use the probe's at the same time.
  const program = join(root, "another-probe")
  await writeFile(program, `not the probe ${home}`)
  const first = await prepareProbeImage(there(), root, limit(), program)
  expect(await prepareProbeImage(there(), root, limit(), program)).toBe(first)
  expect(await there().images.volumesOf(first, limit())).toEqual([])
  await exec("docker", ["image", "rm", "--force", first])
  expect(await there().images.id(first, limit())).toBeNull()
  expect(await prepareProbeImage(there(), root, limit(), program)).toBe(first)
  await exec("docker", ["image", "rm", "--force", first])
})

const CHANGES: [flag: string, change: (args: string[]) => string[]][] = [
  ["--user=65532:65532", without("--user=")],
  ["--group-add", plus("--group-add=44")],
  ["--cap-drop=ALL", without("--cap-drop=")],
  ["--security-opt=no-new-privileges:true", without("--security-opt=no-new-privileges")],
  ["--security-opt=seccomp", swap(/^(--security-opt=seccomp=).*/, "$1unconfined")],
  ["--read-only", without("--read-only")],
  ["--tmpfs=/tmp:noexec", swap(/^(--tmpfs=.*),noexec/, "$1,exec")],
  ["--tmpfs=/tmp:size", swap(/^(--tmpfs=.*),size=64m/, "$1,size=65m")],
  ["--shm-size", swap("--shm-size=64m", "--shm-size=65m")],
  ["--network=none", swap("--network=none", "--network=host")],
  ["--ipc=private", swap("--ipc=private", "--ipc=host")],
  ["--cgroupns=private", swap("--cgroupns=private", "--cgroupns=host")],
  ["--pid", plus("--pid=host")],
  ["--hostname=shard", swap("--hostname=shard", "--hostname=elsewhere")],
  ["--init", without("--init")],
  ["--memory", swap(/^--memory(-swap)?=1024m$/, "--memory$1=1025m")],
  ["--memory-swap", swap("--memory-swap=1024m", "--memory-swap=1025m")],
  ["--pids-limit", without("--pids-limit=")],
  ["--cpus", without("--cpus=")],
  ["--ulimit=nofile", without("--ulimit=nofile=")],
  ["--ulimit=core", swap("--ulimit=core=0:0", "--ulimit=core=4096:4096")],
  ["--ulimit=fsize", without("--ulimit=fsize=")],
  ["--env=LD_PRELOAD", swap("--env=LD_PRELOAD=", "--env=LD_PRELOAD=/mine.so")],
  ["--env=NVIDIA_VISIBLE_DEVICES", without("--env=NVIDIA_VISIBLE_DEVICES=")],
  ["--device", plus("--device=/dev/null:/dev/mem")],
]

within.for(CHANGES)("a sandbox without %s is found out", async ([flag, change], { expect, skip }) => {
  const expected = expectedOf({ engine: there(), gpu: CPU })
  if (unseen(honest, expected).includes(flag)) skip(`this kernel does not tell about ${flag}`)
  const found = dishonoured(await probeWith(change), expected)
  expect(found.map(violation => violation.flag)).toContain(flag)
})

within("a GPU's node that was not asked for is foreign", async () => {
  const report = await probeWith(plus("--device=/dev/null:/dev/nvidia0"))
  expect(report.devices).toEqual([{ path: "/dev/nvidia0", opens: true, error: null }])
  expect(report.otherDevices).toEqual([])
  expect(gpuNodes(report, CPU)).toMatchObject({ ok: false, foreign: ["/dev/nvidia0"] })
})

/** Devices that no user but root opens, in whatever container. */
const CLOSED = ["/dev/kmsg", "/dev/fuse", "/dev/loop-control", "/dev/mem"].find(path => existsSync(path))

test.skipIf(typeof engine === "string" || CLOSED === undefined)(
  "a GPU's node that is there but does not open is denied",
  async () => {
    const nodes = [`${CLOSED}:/dev/nvidia0:m`, "/dev/null:/dev/nvidiactl", "/dev/null:/dev/nvidia-uvm"]
    const report = await probeWith(args => [...nodes.map(node => `--device=${node}`), ...args])
    const gpu = { device: "cuda", uuid: "GPU-0", through: "gpus" } as const
    expect(gpuNodes(report, gpu)).toEqual({
      ok: false,
      missing: [],
      denied: [expect.stringMatching(/^\/dev\/nvidia0 \((EPERM|EACCES)\)$/)],
      foreign: [],
    })
  },
)

within("what the engine says about a card that is not there reaches the reader", async () => {
  const gpu = { device: "rocm", renderNode: "/dev/dri/renderD4000", group: 44 } as const
  const trying = probe({ engine: there(), gpu, home, scratch: join(root, "card") }, limit())
  await expect(trying).rejects.toMatchObject({
    code: "container-not-created",
    message: expect.stringMatching(/\/dev\/(kfd|dri\/renderD4000)/),
  })
  expect(await there().find({ home }, limit())).toEqual([])
})

within("a probe that is given up leaves no container", async () => {
  const giveUp = new AbortController()
  const trying = probe({ engine: there(), gpu: CPU, home, scratch: join(root, "given-up") }, giveUp.signal)
  giveUp.abort(new Error("enough"))
  await expect(trying).rejects.toThrow("enough")
  expect(await there().find({ home }, limit())).toEqual([])
})

within("a container that prints no report is a fault that quotes it", async () => {
  const other = (args: string[]) => args.map(arg => (arg === "report" ? "nonsense" : arg))
  await expect(probeWith(other)).rejects.toMatchObject({ code: "probe-failed" })
})
