import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, test } from "vitest"
import { randomId } from "../../../../src/protocol/handshake.ts"
import type { Progress } from "../../../../src/runtime/bench/host/figure.ts"
import type { WorkBudget } from "../../../../src/runtime/bench/trainer/watch-steps.ts"
import {
  measureWork,
  QUICK_WORK,
  trainerFor,
  type WorkOptions,
} from "../../../../src/runtime/bench/trainer/work.ts"
import { chooseDisks, type Disks } from "../../../../src/runtime/container/disks.ts"
import { DEFAULT_RULES } from "../../../../src/runtime/host/rules/rules.ts"
import { sweep } from "../../../../src/runtime/shard/clean.ts"
import { BlobStore } from "../../../../src/store/blob-store.ts"
import { skip } from "../../../contract/skip.ts"
import { engineOrReason } from "../../../engine/bench.ts"
import { publishImage, shellLayer } from "../../../engine/image.ts"
import { StandInRegistry } from "../../../stand-in/registry.ts"
import { expectSound, namesOf } from "../host/sound.ts"

const engine = await engineOrReason()
if (typeof engine === "string") process.stderr.write(`engine tests are skipped: ${engine}\n`)
const within = test.skipIf(typeof engine === "string")

const limit = () => AbortSignal.timeout(100_000)
const exec = promisify(execFile)
const home = randomId()
const BRIEF: WorkBudget = {
  ...{ startLimitMs: 20_000, warmUp: { steps: 3, ms: 100 } },
  ...{ windowMs: 400, limitMs: 20_000 },
}

let root: string
let registry: StandInRegistry
let disks: Disks
const images: string[] = []
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "zg-work-test-"))
  registry = await StandInRegistry.start({})
  disks = await chooseDisks(join(root, "disks"), limit())
})
afterAll(async () => {
  for (const image of images) await exec("docker", ["image", "rm", "--force", image])
  await registry[Symbol.asyncDispose]()
  await rm(root, { recursive: true, force: true })
})

function options(image: string, more: Partial<WorkOptions> = {}): WorkOptions {
  if (typeof engine === "string") throw new Error(engine)
  return {
    ...{ engine, gpu: { device: "cpu" }, share: { cpus: 1, memoryMiB: 64, vramMiB: 0 } },
    ...{
      disks,
      rules: DEFAULT_RULES,
      home,
      scratch: join(root, "scratch"),
      image,
      meter: null,
      mayPull: true,
    },
    ...more,
  }
}

/** An image whose `python3` is this shell script, in a registry: what the trainer says, without its hundreds of megabytes. */
async function speaking(name: string, script: string): Promise<string> {
  const folder = await mkdtemp(join(root, "image-"))
  const [tar, program] = [join(folder, "layer.tar"), join(folder, "bin", "python3")]
  await writeFile(tar, await shellLayer())
  await mkdir(join(folder, "bin"))
  await writeFile(program, `#!/bin/sh\n${script}\n`)
  await chmod(program, 0o755)
  const owner = ["--numeric-owner", "--owner=0", "--group=0"]
  await exec("tar", ["--append", `--file=${tar}`, ...owner, "-C", folder, "bin/python3"])
  const { digest } = publishImage(registry, `test/${name}`, await readFile(tar))
  const reference = `${registry.host}/test/${name}@${digest}`
  images.push(reference)
  return reference
}

/** A line each 20 ms, a step later. @param loss of step `$i`. */
const counting = (loss: string) =>
  `i=0; while [ $i -lt 1000 ]; do i=$((i+1)); echo "{\\"step\\":$i,\\"steps\\":1000,\\"loss\\":${loss}}"; sleep 0.02; done`

/** No container of this home, no mount, no file. */
async function expectNothingLeft(): Promise<void> {
  const { engine } = options("")
  expect(await engine.find({ home }, limit())).toEqual([])
  expect(await readdir(root)).not.toContain("scratch")
}

within(
  "the trainer works in the sandbox of shards, and nothing is left of it",
  async context => {
    const image = trainerFor("cpu")
    const given = options(image, { mayPull: false, share: { cpus: 1, memoryMiB: 1024, vramMiB: 0 } })
    const isHere = await given.engine.images.has(image, limit())
    if (process.env.CI) expect(isHere).toBe(true)
    if (!isHere) skip(context, `the engine does not have ${image}`)
    const budget = { ...QUICK_WORK, windowMs: 1500, limitMs: 60_000 }
    const { measurements, unmeasured, steps, ...ran } = await measureWork(given, budget, { signal: limit() })
    expect(namesOf(measurements)).toEqual(["trainer-1m"])
    expectSound(measurements)
    expect(namesOf(unmeasured)).toEqual(["trainer-1m-energy"])
    expect(steps).toBeGreaterThan(0)
    expect(ran.image).toBe(await given.engine.images.id(image, limit()))
    await expectNothingLeft()
  },
  120_000,
)

within(
  "an image that is not here is not pulled unasked; asked, it is",
  async () => {
    const image = await speaking("learning", counting("$((2000-i))"))
    const unasked = await measureWork(options(image, { mayPull: false }), BRIEF, { signal: limit() })
    expect([unasked.image, unasked.measurements]).toEqual([null, []])
    expect(unasked.unmeasured[0]?.reason).toContain("docker pull")
    expect(registry.requests).toEqual([])
    const told: Progress[] = []
    const watch = { signal: limit(), onProgress: (one: Progress) => void told.push(one) }
    const { measurements } = await measureWork(options(image), BRIEF, watch)
    expect(namesOf(measurements)).toEqual(["trainer-1m"])
    expectSound(measurements)
    expect(told.at(-1)).toMatchObject({ name: "trainer-1m", done: BRIEF.windowMs, of: BRIEF.windowMs })
    const nowhere = options(`${registry.host}/test/learning@sha256:${"0".repeat(64)}`)
    expect((await measureWork(nowhere, BRIEF, { signal: limit() })).unmeasured[0]?.reason).toContain(
      "could not pull",
    )
    await expectNothingLeft()
  },
  120_000,
)

within("a model that grows worse is no work done", async () => {
  const image = await speaking("forgetting", counting("$i"))
  const { measurements, unmeasured } = await measureWork(options(image), BRIEF, { signal: limit() })
  expect(measurements).toEqual([])
  expect(unmeasured[0]?.reason).toContain("did not learn")
})

within("what ends by itself is told with its last words", async () => {
  const image = await speaking("refusing", "echo 'trainer: no usable GPU' >&2; exit 2")
  const { unmeasured } = await measureWork(options(image), BRIEF, { signal: limit() })
  expect(unmeasured[0]?.reason).toContain("exit code 2. Its last words: trainer: no usable GPU")
})

within("a trainer that says nothing is given up, and so is one that is too slow", async () => {
  const silent = await speaking("silent", "sleep 600")
  const soon = { ...BRIEF, startLimitMs: 1500 }
  const { unmeasured } = await measureWork(options(silent), soon, { signal: limit() })
  expect(unmeasured[0]?.reason).toContain("no step within 1.5 s")
  const slow = await speaking("slow", 'echo "{\\"step\\":1,\\"steps\\":9,\\"loss\\":5}"; sleep 600')
  const short = { ...BRIEF, limitMs: 300 }
  const { unmeasured: second } = await measureWork(options(slow), short, { signal: limit() })
  expect(second[0]?.reason).toContain("it made 1 steps in 0.3 s")
  await expectNothingLeft()
})

within("an abort in the middle removes the container and its files", async () => {
  const image = await speaking("endless", counting("$((2000-i))"))
  const stop = new AbortController()
  const onProgress = ({ latest }: Progress) => {
    if (latest !== null) stop.abort(new Error("stopped"))
  }
  const endless = { ...BRIEF, windowMs: 600_000, limitMs: 600_000 }
  const working = measureWork(options(image), endless, { signal: stop.signal, onProgress })
  await expect(working).rejects.toThrow("stopped")
  await expectNothingLeft()
})

within("what a killed program leaves, the sweep of the next start removes", async () => {
  const image = await speaking("left", counting("$((2000-i))"))
  const shardsRoot = join(root, "shards")
  await mkdir(shardsRoot)
  const program = join(import.meta.dirname, "work-child.ts")
  const child = spawn(process.execPath, [program, image, home, shardsRoot])
  await once(child.stdout, "data")
  const ended = once(child, "exit")
  child.kill("SIGKILL")
  expect((await ended)[1]).toBe("SIGKILL")
  const { engine } = options("")
  expect(await engine.find({ home }, limit())).toHaveLength(1)
  const parts = { engine, shardsRoot, home, disks, graceMs: 0, store: new BlobStore(join(root, "blobs")) }
  await sweep([], parts, limit(), 0)
  expect(await readdir(shardsRoot)).toEqual([])
  await expectNothingLeft()
})
