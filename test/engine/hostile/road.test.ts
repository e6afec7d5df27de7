import { execFileSync } from "node:child_process"
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { prepareProbe } from "../../../scripts/setup/probe.ts"
import type { Digest } from "../../../src/protocol/digest.ts"
import type { Image } from "../../../src/protocol/shard-spec.ts"
import { imageArchive, PROBE_IMAGE, probeProgram } from "../../../src/runtime/probe/image.ts"
import { cancelled } from "../../../src/runtime/shard/road.ts"
import type { StandInRegistry } from "../../stand-in/registry.ts"
import { type Bench, makeBench, type Wish, walkToEnd } from "../bench.ts"
import { groundOrReason } from "./ground.ts"
import { BOUNDS, measured } from "./harm.ts"

const TEST_LIMIT_MS = 120_000
const ground = await groundOrReason("the hostile suite on the shards' road")
const within = test.skipIf(typeof ground === "string")

let bench: Bench
let image: Image
beforeAll(async () => {
  if (typeof ground === "string") return
  await prepareProbe()
  bench = await makeBench(ground.engine)
  image = await publishProbe(bench.registry)
}, TEST_LIMIT_MS)
afterAll(() => bench?.close(), TEST_LIMIT_MS)

/** Puts the probe's own image into a registry, so that an agent pulls it like a buyer's. */
async function publishProbe(registry: StandInRegistry): Promise<Image> {
  const folder = await mkdtemp(join(tmpdir(), "zg-probe-image-"))
  try {
    const { bytes } = imageArchive(await readFile(probeProgram()))
    execFileSync("tar", ["--extract", "-C", folder], { input: bytes })
    for (const name of await readdir(join(folder, "blobs/sha256")))
      registry.put(await readFile(join(folder, "blobs/sha256", name)))
    const index = JSON.parse(await readFile(join(folder, "index.json"), "utf8"))
    return { name: PROBE_IMAGE, digest: index.manifests[0].digest as Digest }
  } finally {
    await rm(folder, { recursive: true })
  }
}

const bomb = (argv: string[], more: Partial<Wish> = {}): Wish => ({
  image,
  argv: ["/probe", "bomb", ...argv],
  outputs: ["never-made"],
  ...more,
})

const BOMBS: [name: string, code: string, wish: () => Wish][] = [
  [
    "makes processes without end",
    "shard-output-missing",
    () => bomb(["fork-bomb", "most=2000", "hold-ms=1000"], { limits: { pids: 64 } }),
  ],
  ["floods its log", "shard-output-missing", () => bomb(["log-flood", "most=32"], { limits: { logMiB: 1 } })],
  [
    "fills its outputs",
    "shard-output-too-large",
    () => bomb(["disk-filler", "folder=/shard/out", "most=64"], { limits: { outMiB: 2 } }),
  ],
  [
    "fills its checkpoint with names",
    "shard-output-missing",
    () => bomb(["name-filler", "folder=/shard/checkpoint", "most=300"]),
  ],
  [
    "does not end in time, nor when it is asked to",
    "shard-timed-out",
    () => bomb(["stall"], { limits: { timeMs: 1500 } }),
  ],
]

within.for(BOMBS)(
  "a shard that %s is abandoned with %s, and the agent goes on",
  { timeout: TEST_LIMIT_MS },
  async ([name, code, wish], { expect }) => {
    const walked = () => walkToEnd(bench, bench.lease(wish()))
    const { result, harm } = await measured([bench.root], walked)
    process.stderr.write(`the agent while a shard ${name}: ${JSON.stringify(harm)}\n`)
    expect(result.end).toMatchObject({ step: "abandoned", code })
    for (const what of ["memoryMiB", "diskMiB", "lateMs"] as const)
      expect(harm[what], what).toBeLessThan(BOUNDS[what])
    expect(await left()).toEqual([[], []])
  },
)

within("a shard that ignores the request to end is ended all the same when its lease is over", async () => {
  const control = new AbortController()
  const shard = bench.lease(bomb(["stall"]))
  const walking = walkToEnd(bench, shard, control.signal)
  const { engine, home } = bench.ports
  const signal = AbortSignal.timeout(60_000)
  await expect.poll(async () => (await engine.find({ home }, signal)).length, { timeout: 60_000 }).toBe(1)
  control.abort(cancelled("the job was withdrawn"))
  expect((await walking).end).toMatchObject({ step: "abandoned", code: "shard-cancelled" })
  expect(await left()).toEqual([[], []])
})

/** Containers and folders that are still there. */
async function left(): Promise<[containers: string[], folders: string[]]> {
  const { engine, home, shardsRoot } = bench.ports
  return [await engine.find({ home }, AbortSignal.timeout(30_000)), await readdir(shardsRoot)]
}
