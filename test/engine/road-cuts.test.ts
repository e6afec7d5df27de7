import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest"
import { sweep } from "../../src/runtime/shard/clean.ts"
import { walk } from "../../src/runtime/shard/road.ts"
import type { OpenState, Prepared, ShardState } from "../../src/runtime/shard/state.ts"
import { stepsOver } from "../../src/runtime/shard/steps.ts"
import { type Bench, engineOrReason, makeBench, outputText, walkToEnd } from "./bench.ts"
import { counted, counting } from "./road-programs.ts"

const engine = await engineOrReason()
if (typeof engine === "string") process.stderr.write(`engine tests are skipped: ${engine}\n`)
const within = test.skipIf(typeof engine === "string")
const exec = promisify(execFile)
const limit = () => AbortSignal.timeout(60_000)

let bench: Bench
beforeAll(async () => {
  if (typeof engine !== "string") bench = await makeBench(engine)
}, 120_000)
afterAll(() => bench?.close(), 60_000)
afterEach(() => void vi.useRealTimers())

/** Does something once, when the shard first tells of this step. */
function atStep(step: number, act: () => unknown): void {
  let done = false
  bench.ports.onProgress = (_, told) => {
    if (told.step < step || done) return
    done = true
    act()
  }
}

async function ownIds(): Promise<string[]> {
  return bench.ports.engine.find({ home: bench.ports.home }, limit())
}

async function docker(...args: string[]): Promise<void> {
  for (const id of await ownIds()) await exec("docker", [...args, id])
}

const OUTSIDERS: [name: string, act: string[]][] = [
  ["killed", ["kill"]],
  ["ended politely", ["kill", "--signal=TERM"]],
  ["removed", ["rm", "--force"]],
  ["restarted", ["restart", "-t", "1"]],
]

within.for(OUTSIDERS)(
  "a container that is %s by somebody else while it is watched goes on from its checkpoint",
  async ([, act]) => {
    const acted = Promise.withResolvers<void>()
    atStep(5, () => void docker(...act).then(acted.resolve, acted.reject))
    const { end, ran, seen } = await walkToEnd(bench, bench.lease(counting(15)))
    await acted.promise
    expect(end.step).toBe("settled")
    expect(await outputText(bench, ran.outputs[0]?.digest as never)).toBe(counted(15))
    expect(await outputText(bench, ran.log)).toMatch(/begun at [1-9]/)
    const runs = seen.filter(state => state.step === "running")
    expect(runs.map(({ cuts }) => cuts)).toEqual(act[0] === "restart" ? expect.any(Array) : [0, 1])
    expect(await ownIds()).toEqual([])
  },
)

within("a program that kills itself again and again is abandoned soon, with the reason", async () => {
  const { end, seen } = await walkToEnd(bench, bench.lease({ argv: ["sh", "-c", "echo ouch; kill -9 $$"] }))
  expect(end).toMatchObject({
    step: "abandoned",
    from: "running",
    code: "shard-cut-off",
    message: expect.stringMatching(/exit code 137\)\. Its log ends: ouch$/),
  })
  expect(seen.filter(({ step }) => step === "running")).toHaveLength(4)
})

within("a program that is cut off finds its outputs empty when it is started again", async () => {
  const argv = [
    "sh",
    "-c",
    `[ -e /shard/out/half ] && echo "left over" > /shard/out/result.txt && exit 0
    mkdir /shard/out/deep; echo half > /shard/out/deep/half; echo half > /shard/out/half
    [ -e /shard/checkpoint/begun ] && echo clean > /shard/out/result.txt && exit 0
    echo yes > /shard/checkpoint/begun; exit 85`,
  ]
  const { end, ran } = await walkToEnd(bench, bench.lease({ argv }))
  expect(end.step).toBe("settled")
  expect(await outputText(bench, ran.outputs[0]?.digest as never)).toBe("clean\n")
})

within("a shard that is suspended twice ends with the very outputs of one that ran through", async () => {
  const outputs = []
  let shard: OpenState = bench.lease(counting(18))
  for (const halts of [5, 11, null]) {
    const stop = new AbortController()
    atStep(halts ?? Number.POSITIVE_INFINITY, () => stop.abort(new Error("shutdown")))
    const walking = walkToEnd(bench, shard, stop.signal)
    if (halts === null) outputs.push((await walking).ran.outputs)
    else {
      await expect(walking).rejects.toThrow("shutdown")
      expect(await ownIds()).toEqual([])
      shard = bench.journal.open()[0] as OpenState
      expect(shard.step).toBe("running")
    }
  }
  bench.ports.onProgress = () => {}
  outputs.push((await walkToEnd(bench, bench.lease(counting(18, "0.01")))).ran.outputs)
  expect(outputs[0]).toEqual(outputs[1])
  expect(await outputText(bench, outputs[0]?.[0]?.digest as never)).toBe(counted(18))
})

within(
  "a clock that jumps an hour forward kills no shard, and its proof tells the time that passed",
  async () => {
    atStep(1, () => {
      vi.useFakeTimers({ toFake: ["Date"] })
      vi.setSystemTime(Date.now() + 3_600_000)
    })
    const { end, ran } = await walkToEnd(bench, bench.lease({ ...counting(12), limits: { timeMs: 30_000 } }))
    expect(end.step).toBe("settled")
    expect(Date.parse(ran.finishedOn) - Date.parse(ran.startedOn)).toBeLessThan(60_000)
  },
)

within("a clock that jumps an hour back gives a shard no more time", async () => {
  atStep(1, () => {
    vi.useFakeTimers({ toFake: ["Date"] })
    vi.setSystemTime(Date.now() - 3_600_000)
  })
  const { end } = await walkToEnd(bench, bench.lease({ ...counting(600), limits: { timeMs: 2000 } }))
  expect(end).toMatchObject({ step: "abandoned", code: "shard-timed-out" })
})

/** Walks until a state is recorded, as if the program had been killed then. */
async function crashAt(step: ShardState["step"], shard: OpenState): Promise<OpenState> {
  const crash = new Error("crash")
  const record = async (state: ShardState) => {
    await bench.journal.record(state)
    if (state.step === step) throw crash
  }
  bench.ports.onProgress = () => {}
  await expect(walk(shard, stepsOver(bench.ports), record, limit())).rejects.toBe(crash)
  const { id, epoch } = shard.assignment.lease
  const isSame = ({ lease }: OpenState["assignment"]) => lease.id === id && lease.epoch === epoch
  return bench.journal.open().find(({ assignment }) => isSame(assignment)) as OpenState
}

within("an image that is deleted after it was pulled is pulled again", async () => {
  const shard = (await crashAt("prepared", bench.lease(counting(2)))) as Prepared
  const reference = `${bench.registry.host}/${bench.image.name}@${bench.image.digest}`
  await exec("docker", ["image", "rm", "--force", reference])
  expect(await bench.ports.engine.images.has(reference, limit())).toBe(false)
  expect((await walkToEnd(bench, shard)).end.step).toBe("settled")
})

within(
  "a lease that comes back in a later epoch takes the place of its container, and not the other way round",
  async () => {
    const first = await crashAt("running", bench.lease(counting(600)))
    const before = await ownIds()
    const { lease } = first.assignment
    const later = { ...first.assignment, lease: { ...lease, epoch: lease.epoch + 1 } }
    const second = await crashAt("running", { step: "leased", assignment: later, berth: first.berth })
    const after = await ownIds()
    expect([before.length, after.length]).toEqual([1, 1])
    expect(after).not.toEqual(before)
    const { assignment, berth } = first
    const { end } = await walkToEnd(bench, { step: "prepared", assignment, berth, cuts: 0 })
    expect(end).toMatchObject({ step: "abandoned", code: "lease-stale" })
    expect(await ownIds()).toEqual(after)
    await stepsOver(bench.ports).clean(second)
  },
)

within(
  "strays are left alone until they are old, with their folders, and the sweep says how many",
  async () => {
    const shard = await crashAt("running", bench.lease(counting(600)))
    const folder = `${shard.assignment.lease.id}-1`
    expect(await sweep([shard], bench.ports, limit(), 0)).toEqual({ removed: [], left: 0 })
    expect(await sweep([], bench.ports, limit())).toEqual({ removed: [], left: 1 })
    const ids = await ownIds()
    expect(ids).toHaveLength(1)
    expect(await sweep(() => [], bench.ports, limit(), 0)).toEqual({ removed: [...ids, folder], left: 0 })
    expect(await ownIds()).toEqual([])
  },
)
