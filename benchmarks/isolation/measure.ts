/**
 * What a stronger wall costs a shard: the same program in the same sandbox, on every way that works here, in turn.
 *
 *     node benchmarks/isolation/measure.ts [rounds] [image]
 */
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { digestOf } from "../../src/protocol/digest.ts"
import { randomId } from "../../src/protocol/handshake.ts"
import type { LeaseId } from "../../src/protocol/lease.ts"
import { ShardSpec } from "../../src/protocol/shard-spec.ts"
import { type ConnectOptions, connectEngine } from "../../src/runtime/container/connect.ts"
import type { Engine } from "../../src/runtime/container/engine.ts"
import { type Placement, sandboxArgs } from "../../src/runtime/container/sandbox.ts"

const [rounds = "3", image = "zg-agent/trainer:cpu"] = process.argv.slice(2)
const RUN_LIMIT_MS = 180_000

const WAYS: Pick<ConnectOptions, "engine" | "runtime">[] = [
  { engine: "docker", runtime: "runc" },
  { engine: "docker", runtime: "runsc" },
  { engine: "podman", runtime: "runc" },
  { engine: "podman", runtime: "runsc" },
]

/** Each figure is a rate: more is better. */
const PROGRAM = `
import json, os, time
started = time.perf_counter()
import torch
figures = {"imports of torch a minute": 60 / (time.perf_counter() - started)}
torch.manual_seed(0)
torch.set_num_threads(1)

def rate(step, seconds=4.0):
    step()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        step()
        count += 1
    return count / (time.perf_counter() - start)

net = torch.nn.Sequential(*[torch.nn.Linear(256, 256) for _ in range(6)])
adam = torch.optim.AdamW(net.parameters())
batch = torch.randn(64, 256)

def train():
    loss = (net(batch) - batch).pow(2).mean()
    adam.zero_grad()
    loss.backward()
    adam.step()

square = torch.randn(1024, 1024)

def files():
    for i in range(20):
        with open("/tmp/f%d" % i, "wb") as file:
            file.write(b"x" * 4096)
        os.stat("/tmp/f%d" % i)
        os.unlink("/tmp/f%d" % i)

figures["products of two 1024 x 1024 matrices a second"] = rate(lambda: square @ square)
figures["training steps of a small network a second"] = rate(train)
figures["small files written, looked at and removed a second"] = rate(files) * 20
print(json.dumps(figures))
`

const limit = () => AbortSignal.timeout(RUN_LIMIT_MS)

async function connectOrNull(way: (typeof WAYS)[number]): Promise<Engine | null> {
  try {
    const engine = await connectEngine({ ...way, signal: limit() })
    if (!(await engine.images.has(image, limit()))) throw new Error(`${image} is not there`)
    await measure(engine)
    return engine
  } catch (error) {
    process.stderr.write(`${way.engine} with ${way.runtime} is left out: ${(error as Error).message}\n`)
    return null
  }
}

async function measure(engine: Engine): Promise<Record<string, number>> {
  const root = await mkdtemp(join(tmpdir(), "zg-isolation-"))
  const placement = placementIn(root, engine)
  await makeFolders(placement)
  try {
    const id = await engine.create(sandboxArgs(placement), limit())
    await engine.start(id, limit())
    let last = ""
    for await (const line of engine.logs(id, "all", limit())) last = line
    if ((await engine.wait(id, limit())) !== 0) throw new Error(`it ended badly: ${last}`)
    return JSON.parse(last)
  } finally {
    await engine.removeAll(placement.labels, limit())
    await rm(root, { recursive: true })
  }
}

function placementIn(root: string, { facts }: Engine): Placement {
  const spec = ShardSpec.parse({
    image: { name: "benchmark", digest: digestOf("") },
    command: { argv: ["python3", "-c", PROGRAM] },
    inputs: [],
    limits: {},
    outputs: ["none"],
    resources: { cpus: 1, memoryMiB: 2048 },
  })
  const labels = { lease: randomId<LeaseId>(), epoch: 1, spec: digestOf(""), home: "benchmark" }
  const at = (name: string) => join(root, name)
  const folders = { spec: at("spec.json"), inputs: [], out: at("out"), checkpoint: at("checkpoint") }
  const runtime = facts.runtimeFlag === null ? {} : { runtime: facts.runtimeFlag }
  return { spec, image, labels, folders, gpu: { device: "cpu" }, graceMs: 1000, ...runtime }
}

async function makeFolders({ spec, folders }: Placement): Promise<void> {
  for (const folder of [folders.out, folders.checkpoint]) {
    await mkdir(folder)
    await chmod(folder, 0o777)
  }
  await writeFile(folders.spec, JSON.stringify(spec), { mode: 0o444 })
}

function median(values: number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN
}

const engines = (await Promise.all(WAYS.map(connectOrNull))).filter(engine => engine !== null)
const [plain] = engines
if (plain === undefined) throw new Error("no way works here")
const seen = new Map(engines.map(engine => [engine, [] as Record<string, number>[]]))
for (let round = 0; round < Number(rounds); round++)
  for (const engine of engines) seen.get(engine)?.push(await measure(engine))

const named = ({ facts }: Engine) => `${facts.name} ${facts.version}, ${facts.runtime}`
console.log(`Ratios to ${named(plain)}, medians of ${rounds} rounds, one core:\n`)
console.log(`| | ${engines.map(named).join(" | ")} |`)
console.log(`|---|${engines.map(() => "---|").join("")}`)
const [first = {}] = seen.get(plain) ?? []
for (const figure of Object.keys(first)) {
  const of = (engine: Engine) => (seen.get(engine) ?? []).map(run => run[figure] ?? Number.NaN)
  const ratios = engines.map(engine =>
    median(of(engine).map((value, at) => value / (of(plain)[at] ?? 1))).toFixed(2),
  )
  console.log(`| ${figure} (${median(of(plain)).toFixed(1)}) | ${ratios.join(" | ")} |`)
}
