import { readdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, expect, test } from "vitest"
import { connectEngine } from "../../src/runtime/container/connect.ts"
import { patiently } from "../../src/runtime/shard/patience.ts"
import { cancelled } from "../../src/runtime/shard/road.ts"
import { type Bench, makeBench, outputText, type Wish, walkToEnd } from "./bench.ts"
import { OwnEngine, whyNoOwnEngine } from "./road-engine.ts"
import { counted, counting } from "./road-programs.ts"

const reason = await whyNoOwnEngine()
if (reason !== null) process.stderr.write(`tests with an engine of their own are skipped: ${reason}\n`)
const within = test.skipIf(reason !== null)

/** Sixteen seconds: also on a busy machine its progress is heard long before its end. */
const STEPS = 160

const engines: OwnEngine[] = []
afterAll(async () => {
  for (const engine of engines) await engine.close()
}, 120_000)

async function ownBench(more: string[] = []): Promise<{ own: OwnEngine; bench: Bench }> {
  const own = new OwnEngine(more)
  engines.push(own)
  process.env.DOCKER_HOST = own.address
  await own.start()
  const bench = await makeBench(await connectEngine({ signal: AbortSignal.timeout(60_000) }))
  return { own, bench }
}

/** Walks a shard, to which something happens at its fifth step, to its end. */
async function through(bench: Bench, wish: Wish, happen: () => Promise<void>) {
  const happened = Promise.withResolvers<void>()
  bench.ports.onProgress = (_, { step }) => {
    if (step < 5) return
    bench.ports.onProgress = () => {}
    happen().then(happened.resolve, happened.reject)
  }
  const [walked] = await Promise.all([
    walkToEnd(bench, bench.lease({ ...wish, limits: { timeMs: 150_000 } })),
    happened.promise,
  ])
  return walked
}

within.for(["SIGKILL", "SIGTERM"] as const)(
  "an engine that ends with %s while a shard runs, and comes back, costs no shard",
  { timeout: 180_000 },
  async how => {
    const { own, bench } = await ownBench()
    const { end, ran, seen } = await through(bench, counting(STEPS), async () => {
      await own.end(how)
      await sleep(3000)
      await own.start()
    })
    expect(end).toEqual(expect.objectContaining({ step: "settled" }))
    expect(await outputText(bench, ran.outputs[0]?.digest as never)).toBe(counted(STEPS))
    expect(await outputText(bench, ran.log)).toMatch(/begun at [1-9]/)
    expect(seen.filter(({ step }) => step === "running")).toHaveLength(2)
    expect(bench.proofs).toHaveLength(1)
    await bench.close()
  },
)

// On a busy machine the process list sometimes shows nothing of a container that has told its fifth step: then there is nothing to kill.
const POWER_CUT = { timeout: 180_000, retry: 3 }

within("a machine that loses its power while a shard runs costs no shard", POWER_CUT, async () => {
  const { own, bench } = await ownBench()
  const { end, ran, seen } = await through(bench, counting(STEPS), async () => {
    await own.crash()
    await own.start()
  })
  expect(end).toEqual(expect.objectContaining({ step: "settled" }))
  expect(await outputText(bench, ran.outputs[0]?.digest as never)).toBe(counted(STEPS))
  expect(await outputText(bench, ran.log)).toMatch(/begun at [1-9]/)
  expect(seen.filter(({ step }) => step === "running")).toHaveLength(2)
  await bench.close()
})

/** Tells of its fifth step, and ends when this machine says so. */
const waiting: Wish = {
  argv: [
    "sh",
    "-c",
    `echo '{"step":5,"steps":5}'
    while [ ! -f /shard/checkpoint/end ]; do sleep 0.1; done
    echo once >> /shard/out/result.txt`,
  ],
}

async function letEnd({ ports: { shardsRoot } }: Bench): Promise<void> {
  const [folder = ""] = await readdir(shardsRoot)
  await writeFile(join(shardsRoot, folder, "checkpoint", "end"), "")
}

within("a container that outlives its engine is watched on to its end", { timeout: 180_000 }, async () => {
  const { own, bench } = await ownBench(["--live-restore"])
  const { end, ran, seen } = await through(bench, waiting, async () => {
    await own.end("SIGKILL")
    await own.start()
    await letEnd(bench)
  })
  expect(end).toEqual(expect.objectContaining({ step: "settled" }))
  expect(await outputText(bench, ran.outputs[0]?.digest as never)).toBe("once\n")
  expect(seen.filter(({ step }) => step === "running")).toHaveLength(1)
  await bench.close()
})

within(
  "a container whose end nobody saw, because its engine was away, is not taken for one that ended well",
  { timeout: 180_000 },
  async () => {
    const { own, bench } = await ownBench(["--live-restore"])
    const { end, seen } = await through(bench, waiting, async () => {
      await own.end("SIGKILL")
      await letEnd(bench)
      await expect.poll(() => own.holds(), { timeout: 30_000 }).toBe(false)
      await own.start()
    })
    expect(end).toEqual(expect.objectContaining({ step: "settled" }))
    expect(bench.proofs).toHaveLength(1)
    expect(seen.filter(({ step }) => step === "running").length).toBeLessThanOrEqual(2)
    await bench.close()
  },
)

within(
  "an engine that is away when a shard begins is waited for",
  async () => {
    const { own, bench } = await ownBench()
    await own.end("SIGTERM")
    const back = sleep(2000).then(() => own.start())
    const { end } = await walkToEnd(bench, bench.lease(counting(3)))
    await back
    expect(end).toEqual(expect.objectContaining({ step: "settled" }))
    await bench.close()
  },
  180_000,
)

within(
  "a shard that is over while its engine is away leaves no container when the engine is back",
  async () => {
    const { own, bench } = await ownBench()
    const stop = new AbortController()
    const away = Promise.withResolvers<void>()
    bench.ports.onProgress = (_, { step }) => {
      if (step < 3) return
      bench.ports.onProgress = () => {}
      own.end("SIGKILL").then(() => {
        stop.abort(cancelled("the test"))
        away.resolve()
      }, away.reject)
    }
    const walking = walkToEnd(bench, bench.lease(counting(600)), stop.signal)
    await away.promise
    await sleep(2000)
    await own.start()
    expect((await walking).end).toMatchObject({ step: "abandoned", code: "shard-cancelled" })
    const { engine, home } = bench.ports
    expect(await engine.find({ home }, AbortSignal.timeout(30_000))).toEqual([])
    await bench.close()
  },
  180_000,
)

within(
  "an engine that does not come back in time is a fault that says so",
  async () => {
    const { own, bench } = await ownBench()
    const { engine } = bench.ports
    const signal = AbortSignal.timeout(60_000)
    const close = () => bench.close()
    expect(await patiently(() => engine.find({ lease: "none" }, signal), engine, signal)).toEqual([])
    await own.end("SIGTERM")
    await expect(
      patiently(() => engine.create(["--name=none", "none"], signal), engine, signal, 1000),
    ).rejects.toMatchObject({ code: "engine-refused" })
    await own.start()
    // What is the caller's own mistake is not waited over.
    await expect(
      patiently(() => engine.create(["--pull=never", "none"], signal), engine, signal),
    ).rejects.toMatchObject({ code: "container-not-created" })
    await close()
  },
  180_000,
)
