import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { readdir } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { prepareProbe } from "../../../scripts/setup/probe.ts"
import { randomId } from "../../../src/protocol/handshake.ts"
import { connectEngine } from "../../../src/runtime/container/connect.ts"
import type { Engine } from "../../../src/runtime/container/engine.ts"
import { sandboxArgs } from "../../../src/runtime/container/sandbox.ts"
import { dishonoured } from "../../../src/runtime/probe/honoured.ts"
import { expectedOf, probe } from "../../../src/runtime/probe/probe.ts"
import { sweep } from "../../../src/runtime/shard/clean.ts"
import { shardLabels } from "../../../src/runtime/shard/ports.ts"
import { prepare } from "../../../src/runtime/shard/prepare.ts"
import { walk } from "../../../src/runtime/shard/road.ts"
import { placementOf } from "../../../src/runtime/shard/run.ts"
import type { Running, ShardState } from "../../../src/runtime/shard/state.ts"
import { stepsOver } from "../../../src/runtime/shard/steps.ts"
import { type Bench, makeBench, outputText, type Wish, walkToEnd } from "../bench.ts"
import { connectOrReason, SUBJECTS, type Subject } from "./subjects.ts"

await prepareProbe()
const scratch = mkdtempSync(join(tmpdir(), "zg-contract-"))
afterAll(() => rmSync(scratch, { recursive: true }))

const found: [string, Subject, Engine | string][] = []
for (const subject of SUBJECTS) {
  const engine = await connectOrReason(subject, join(scratch, randomId()))
  if (typeof engine === "string") process.stderr.write(`${subject.title} is skipped: ${engine}\n`)
  found.push([subject.title, subject, engine])
}

test.skipIf(!process.env.CI)("in CI both engines are there", () => {
  const names = found.flatMap(([, , engine]) => (typeof engine === "string" ? [] : [engine.facts.name]))
  expect(new Set(names)).toEqual(new Set(["docker", "podman"]))
})

const limit = () => AbortSignal.timeout(60_000)
const sh = (script: string, more: Partial<Wish> = {}): Wish => ({ argv: ["sh", "-c", script], ...more })
const quick = sh("echo done > /shard/out/result.txt")

describe.for(found)("%s", ([, subject, engineOrNone]) => {
  const within = test.skipIf(typeof engineOrNone === "string")
  const engine = engineOrNone as Engine
  let bench: Bench
  beforeAll(async () => {
    if (typeof engineOrNone !== "string") bench = await makeBench(engine, subject.program)
  })
  afterAll(() => bench?.close())

  within("tells who it is and that it holds every limit", () => {
    const { name, version, filtersCalls, unheld, cgroupVersion } = engine.facts
    expect(name).toBe(subject.options.engine)
    expect(version).toMatch(/^\d+\.\d+/)
    expect(filtersCalls).toBe(true)
    expect(unheld).toEqual([])
    expect(["1", "2"]).toContain(cgroupVersion)
    if (subject.options.runtime !== undefined) expect(engine.facts.runtime).toBe(subject.options.runtime)
  })

  within("refuses a runtime that is not there", async () => {
    const connecting = connectEngine({ ...subject.options, runtime: "no-such-runtime", signal: limit() })
    await expect(connecting).rejects.toMatchObject({
      code: "engine-refused",
      facts: { runtime: "no-such-runtime" },
    })
  })

  within("holds every wall that the probe can see", async () => {
    const options = {
      engine,
      gpu: { device: "cpu" } as const,
      home: bench.ports.home,
      scratch: join(scratch, "p"),
    }
    expect(dishonoured(await probe(options, limit()), expectedOf(options))).toEqual([])
  })

  within("pulls by digest with a login, and not without", async () => {
    const { image, registry } = bench
    const reference = `${registry.host}/${image.name}@${image.digest}`
    await expect(engine.images.pull(reference, null, limit())).rejects.toMatchObject({
      code: "image-not-pulled",
    })
    expect(await engine.images.has(reference, limit())).toBe(false)
    const login = { registry: registry.host, user: "zg", password: "a-token-of-the-test" }
    await engine.images.pull(reference, login, limit())
    expect(await engine.images.id(reference, limit())).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(await engine.images.volumesOf(reference, limit())).toEqual([])
  })

  within("walks a shard from its lease to its receipt, and leaves nothing", async () => {
    const { end, seen, ran } = await walkToEnd(
      bench,
      bench.lease(
        sh("cat /shard/in/greeting > /shard/out/result.txt; echo note", {
          inputs: [{ name: "greeting", ...bench.blob("hello\n") }],
        }),
      ),
    )
    expect(seen.map(({ step }) => step)).toEqual([
      "leased",
      "prepared",
      "running",
      "ran",
      "proved",
      "settled",
    ])
    expect(end).toMatchObject({ step: "settled" })
    expect(await outputText(bench, ran.outputs[0]?.digest as never)).toBe("hello\n")
    expect(await outputText(bench, ran.log)).toBe("note\n")
    expect(await engine.find({ home: bench.ports.home }, limit())).toEqual([])
    expect(await readdir(bench.ports.shardsRoot)).toEqual([])
  })

  /** A container of a prepared shard, not started. */
  async function created(wish: Wish) {
    const shard = await prepare(bench.lease(wish), bench.ports, limit())
    const id = await engine.create(sandboxArgs(placementOf(shard, bench.ports)), limit())
    return { id, labels: shardLabels(shard, bench.ports.home) }
  }

  within("knows a container as created, running and exited, by its labels, until it is removed", async () => {
    const { id, labels } = await created(sh("trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done"))
    expect(await engine.state(id, limit())).toMatchObject({ status: "created", pid: 0 })
    expect(await engine.find(labels, limit())).toEqual([id])
    expect(await engine.find({ ...labels, epoch: 2 }, limit())).toEqual([])
    await engine.start(id, limit())
    await engine.start(id, limit())
    const running = await engine.state(id, limit())
    expect(running).toMatchObject({ status: "running" })
    expect(running?.pid).toBeGreaterThan(1)
    for await (const line of engine.logs(id, "all", limit())) {
      expect(line).toBe("ready")
      break
    }
    const waiting = engine.wait(id, limit())
    await engine.stop(id, 5000, limit())
    expect(await waiting).toBe(7)
    const exited = await engine.state(id, limit())
    expect(exited).toMatchObject({ status: "exited", exitCode: 7, oomKilled: false, pid: 0 })
    const [started, finished] = [Date.parse(exited?.startedAt ?? ""), Date.parse(exited?.finishedAt ?? "")]
    expect(finished).toBeGreaterThanOrEqual(started)
    expect(Math.abs(Date.now() - finished)).toBeLessThan(60_000)
    await engine.remove(id, limit())
    expect(await engine.state(id, limit())).toBeNull()
    await engine.remove(id, limit())
  })

  within("kills, and a container that is gone cannot be waited for", async () => {
    const { id } = await created(sh("echo ready; while :; do sleep 0.1; done"))
    await engine.start(id, limit())
    const waiting = engine.wait(id, limit())
    await engine.kill(id, limit())
    expect(await waiting).toBe(137)
    await engine.remove(id, limit())
    await expect(engine.wait(id, limit())).rejects.toMatchObject({ code: "container-lost" })
  })

  within("this machine itself counts what a running container may have", async () => {
    const { id } = await created(sh("echo ready; while :; do sleep 0.1; done"))
    await engine.start(id, limit())
    const state = await engine.state(id, limit())
    expect(memoryLimitOf(state?.pid ?? 0)).toBe(64 * 2 ** 20)
    await engine.remove(id, limit())
  })

  within("a shard with few processes runs, whatever the runtime needs for itself", async () => {
    const few = sh("sleep 0.1 & sleep 0.1 & wait; echo done > /shard/out/result.txt", { limits: { pids: 8 } })
    expect((await walkToEnd(bench, bench.lease(few))).end).toMatchObject({ step: "settled" })
  })

  within("a shard that takes too much memory ends", async () => {
    const wish = sh("x=aaaaaaaa; while :; do x=$x$x; done", { resources: { memoryMiB: 32 } })
    const { end } = await walkToEnd(bench, bench.lease(wish))
    // gVisor is ended as a whole, and the engine may see no more than a kill.
    const isTold = engine.facts.isolation !== "gvisor"
    const codes = isTold ? ["shard-out-of-memory"] : ["shard-out-of-memory", "shard-failed"]
    expect(end).toMatchObject({ step: "abandoned", code: expect.toBeOneOf(codes) })
  })

  within("an endless line ends no shard, and what is kept of its log is within its limit", async () => {
    const wish = sh("head -c 30000000 /dev/zero; echo end; echo > /shard/out/result.txt", {
      limits: { logMiB: 1 },
    })
    const { end, ran } = await walkToEnd(bench, bench.lease(wish))
    expect(end).toMatchObject({ step: "settled" })
    expect(await bench.ports.store.size(ran.log)).toBeLessThanOrEqual(2 ** 20)
    expect(await outputText(bench, ran.log)).toMatch(/end\n?$/)
  })

  within("a running container is found again after the agent is gone", async () => {
    const crash = new Error("crash")
    let running: Running | null = null
    const record = async (state: ShardState) => {
      await bench.journal.record(state)
      if (state.step !== "running") return
      running = state
      throw crash
    }
    const shard = bench.lease(sh("sleep 2; echo once >> /shard/out/result.txt"))
    await expect(walk(shard, stepsOver(bench.ports), record, limit())).rejects.toBe(crash)
    const again = await connectEngine({ ...subject.options, signal: limit() })
    const ports = { ...bench.ports, engine: again }
    await sweep(bench.journal.open(), ports, limit())
    const { ran, end } = await walkToEnd({ ...bench, ports }, running as never)
    expect(end.step).toBe("settled")
    expect(await outputText(bench, ran.outputs[0]?.digest as never)).toBe("once\n")
  })

  within("a shutdown mid-way stops the container and keeps the shard", async () => {
    const stop = new AbortController()
    const shutdown = new Error("shutdown")
    const record = async (state: ShardState) => {
      await bench.journal.record(state)
      if (state.step === "running") stop.abort(shutdown)
    }
    await expect(walk(bench.lease(quick), stepsOver(bench.ports), record, stop.signal)).rejects.toBe(shutdown)
    expect(await engine.find({ home: bench.ports.home }, limit())).toEqual([])
    const [open] = bench.journal.open()
    expect((await walkToEnd(bench, open as never)).end.step).toBe("settled")
  })
})

/** In bytes, from the cgroup of a process as the machine has it. */
function memoryLimitOf(pid: number): number {
  const membership = readFileSync(`/proc/${pid}/cgroup`, "utf8")
  const v1 = /^\d+:memory:\/(.*)$/m.exec(membership)?.[1]
  const v2 = /^0::\/(.*)$/m.exec(membership)?.[1]
  const path = v1 === undefined ? `${v2}/memory.max` : `memory/${v1}/memory.limit_in_bytes`
  return Number(readFileSync(`/sys/fs/cgroup/${path}`, "utf8"))
}
