import { createReadStream } from "node:fs"
import { open } from "node:fs/promises"
import type { Digest } from "../../protocol/digest.ts"
import type { Usage } from "../../protocol/proof.ts"
import { printable } from "../container/docker.ts"
import { collectOutputs } from "../container/outputs.ts"
import { foldersOf, type Ports } from "./ports.ts"
import type { Prepared, Ran, Running } from "./state.ts"
import { verdictOf } from "./verdict.ts"
import { type End, watch } from "./watch.ts"

const MIB = 2 ** 20
const TAIL_BYTES = 800

type Needs = Pick<Ports, "engine" | "store" | "shardsRoot" | "onProgress" | "disks" | "meter">

/**
 * running → ran; or back to prepared when the container is gone or was cut off, to go on from its checkpoint.
 * @throws Fault `shard-*`, `container-lost`, `engine-*`, `disk-full`.
 */
export async function wait(shard: Running, ports: Needs, signal: AbortSignal): Promise<Ran | Prepared> {
  const end = await watch(shard, ports, signal)
  if (end === null) return again(shard, shard.cuts)
  const { out, log: logPath } = foldersOf(shard, ports)
  await saveLog(shard, logPath, ports, signal)
  const verdict = verdictOf(end, shard.cuts, await tailOf(logPath))
  if (verdict === "cut") {
    await ports.engine.remove(shard.containerId, signal)
    return again(shard, shard.cuts + 1)
  }
  if (verdict !== null) throw verdict
  const { assignment, berth } = shard
  const { outputs: names, limits } = assignment.spec
  const outputs = await collectOutputs(out, names, limits.outMiB * MIB, ports.store)
  const log = await keepLog(logPath, limits.logMiB * MIB, ports)
  return { step: "ran", assignment, berth, outputs, log, ...recordOf(end, berth.gpus.length) }
}

function again({ assignment, berth }: Running, cuts: number): Prepared {
  return { step: "prepared", assignment, berth, cuts }
}

function recordOf({ state, cpuSeconds, metered }: End, gpus: number) {
  const [started, finished] = [Date.parse(state.startedAt), Date.parse(state.finishedAt)]
  const gpuSeconds = (gpus * Math.max(0, finished - started)) / 1000
  const usage: Usage = { gpuSeconds, cpuSeconds, ...metered }
  return { startedOn: new Date(started).toISOString(), finishedOn: new Date(finished).toISOString(), usage }
}

async function saveLog(shard: Running, path: string, { engine }: Needs, signal: AbortSignal): Promise<void> {
  const file = await open(path, "w", 0o600)
  try {
    await engine.saveLog(shard.containerId, file.fd, signal)
  } finally {
    await file.close()
  }
}

/** The end of the log becomes a blob, as much of it as the shard may have. */
async function keepLog(path: string, limitBytes: number, { store }: Needs): Promise<Digest> {
  const file = await open(path)
  const { size } = await file.stat()
  await file.close()
  const { digest } = await store.add(
    createReadStream(path, { start: Math.max(0, size - limitBytes) }),
    limitBytes,
  )
  return digest
}

async function tailOf(path: string): Promise<string> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const start = Math.max(0, size - TAIL_BYTES)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(TAIL_BYTES), 0, TAIL_BYTES, start)
    return printable(buffer.toString("utf8", 0, bytesRead)).trim()
  } finally {
    await file.close()
  }
}
