// An agent's work with Podman, all of it as the user who runs this; prints what came of it as one line of JSON.
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { type Fault, isFault } from "../../../src/protocol/fault.ts"
import { connectEngine } from "../../../src/runtime/container/connect.ts"
import type { Engine } from "../../../src/runtime/container/engine.ts"
import { dishonoured } from "../../../src/runtime/probe/honoured.ts"
import { expectedOf, probe } from "../../../src/runtime/probe/probe.ts"
import { makeBench, outputText, walkToEnd } from "../bench.ts"

const limit = () => AbortSignal.timeout(60_000)
const CPU = { device: "cpu" } as const

export interface RootlessReport {
  /** Null where an agent would take this engine. */
  refusal: { code: string; facts: Fault["facts"] } | null
  facts: Engine["facts"]
  /** Flags of the sandbox that do not hold. */
  violations: string[]
  step: string
  output: string
  /** What was left of the shard's folder. */
  left: string[]
}

/** With Podman's own runtime, or with runc where that refuses this machine. */
async function connectWorking(scratch: string): Promise<{ engine: Engine; violations: string[] }> {
  const refusals: unknown[] = []
  for (const runtime of [{}, { runtime: "runc" }]) {
    try {
      const engine = await connectEngine({
        engine: "podman",
        ...runtime,
        limits: "reported",
        signal: limit(),
      })
      const options = { engine, gpu: CPU, home: "rootless", scratch: join(scratch, "probe") }
      const found = dishonoured(await probe(options, limit()), expectedOf(options))
      return { engine, violations: found.map(({ flag }) => flag) }
    } catch (error) {
      if (!isFault(error)) throw error
      refusals.push(error.message)
    }
  }
  throw new Error(`no runtime works: ${refusals.join("; ")}`)
}

const refusal = await connectEngine({ engine: "podman", signal: limit() }).then(
  () => null,
  error => {
    if (!isFault(error)) throw error
    return { code: error.code, facts: error.facts }
  },
)
const { engine, violations } = await connectWorking(process.env.HOME ?? "/tmp")
const bench = await makeBench(engine)
try {
  const script =
    "umask 077; mkdir /shard/out/closed; echo x > /shard/out/closed/file; echo mine > /shard/out/result.txt"
  const { end, ran } = await walkToEnd(bench, bench.lease({ argv: ["sh", "-c", script] }))
  const report: RootlessReport = {
    refusal,
    facts: engine.facts,
    violations,
    step: end.step,
    output: await outputText(bench, ran.outputs[0]?.digest as never),
    left: await readdir(bench.ports.shardsRoot),
  }
  process.stdout.write(`${JSON.stringify(report)}\n`)
} finally {
  await bench.close()
}
