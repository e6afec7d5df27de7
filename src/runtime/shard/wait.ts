import { createReadStream } from "node:fs"
import { open } from "node:fs/promises"
import type { Digest } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import type { Usage } from "../../protocol/proof.ts"
import { printable } from "../container/docker.ts"
import { collectOutputs } from "../container/outputs.ts"
import { checkpointDigest } from "./checkpoint.ts"
import { removeSurely } from "./containers.ts"
import { type Cuts, cutAgain, cutsOf, goneAgain } from "./cuts.ts"
import { demandRoom, openFolders } from "./folders.ts"
import { patiently, untilRoom } from "./patience.ts"
import { foldersOf, type Ports } from "./ports.ts"
import { timesOf } from "./run-clock.ts"
import type { Prepared, Ran, Running, Standing } from "./state.ts"
import { collectStates } from "./states.ts"
import { keepSending, type Travel } from "./travel.ts"
import { cutOff, verdictOf } from "./verdict.ts"
import { type End, type Gone, watch } from "./watch.ts"

const MIB = 2 ** 20
const TAIL_BYTES = 800

type Needs = Pick<Ports, "engine" | "store" | "shardsRoot" | "onProgress" | "disks" | "meter"> & Travel

/**
 * running → ran; or back to prepared when the container is gone or was cut off, to go on from its checkpoint. An engine that is away and
 * a disk that is full are waited for.
 * @throws Fault `shard-*`, `container-lost`, `engine-*`, `disk-full`.
 */
export async function wait(shard: Running, ports: Needs, signal: AbortSignal): Promise<Ran | Prepared> {
  const end = await watchAndSend(shard, ports, signal)
  if (end === "unstarted") return again(shard, cutsOf(shard))
  const concluded = () =>
    end.state === null ? goOn(shard, end, ports, signal) : conclude(shard, end, ports, signal)
  return untilRoom(() => patiently(concluded, ports.engine, signal), signal)
}

async function watchAndSend(shard: Running, ports: Needs, signal: AbortSignal) {
  const over = new AbortController()
  const sending = keepSending(shard, ports, AbortSignal.any([signal, over.signal]))
  try {
    return await watch(shard, ports, signal)
  } finally {
    over.abort()
    await sending
  }
}

/** A container that somebody removed. Before it was watched that was, most often, this program as it was shut down. */
async function goOn(
  shard: Running,
  { step, wasWatched }: Gone,
  ports: Needs,
  signal: AbortSignal,
): Promise<Prepared> {
  await openFolders(shard, ports, signal)
  const next = wasWatched ? cutAgain(shard, await standing(shard, step, ports)) : goneAgain(shard)
  if (next === null) throw removed()
  return again(shard, next)
}

async function conclude(
  shard: Running,
  end: End,
  ports: Needs,
  signal: AbortSignal,
): Promise<Ran | Prepared> {
  await openFolders(shard, ports, signal)
  const { root, out, log: logPath } = foldersOf(shard, ports)
  // The engine's client says nothing of a log for which there was no room.
  await demandRoom(root, shard.assignment.spec.limits.logMiB * MIB)
  await saveLog(shard, logPath, ports, signal)
  await demandRoom(root, 0)
  const tail = await tailOf(logPath)
  const verdict = verdictOf(end, tail)
  if (verdict === "cut") {
    const next = cutAgain(shard, await standing(shard, end.step, ports))
    if (next === null) throw cutOff(end.state, tail)
    await removeSurely(shard.containerId, ports.engine, signal)
    return again(shard, next)
  }
  if (verdict !== null) throw verdict
  const { assignment, berth } = shard
  const { outputs: names, limits } = assignment.spec
  const outputs = await collectOutputs(out, names, limits.outMiB * MIB, ports.store)
  const states = await collectStates(shard, ports)
  const log = await keepLog(logPath, limits.logMiB * MIB, ports)
  return { step: "ran", assignment, berth, outputs, ...states, log, ...recordOf(end, berth.gpus.length) }
}

async function standing(shard: Running, step: number | null, ports: Needs): Promise<Standing> {
  return { step, checkpoint: await checkpointDigest(foldersOf(shard, ports).checkpoint) }
}

function again({ assignment, berth }: Running, cuts: Cuts): Prepared {
  return { step: "prepared", assignment, berth, ...cuts }
}

function removed(): Fault {
  return new Fault("container-lost", "The shard's container was removed too often by somebody else.", {
    hint: "See what removes containers on this machine, such as a timer with `docker container prune`.",
  })
}

function recordOf({ state, cpuSeconds, metered, ranMs }: End, gpus: number) {
  const { started, finished } = timesOf(state, ranMs)
  const usage: Usage = { gpuSeconds: (gpus * (finished - started)) / 1000, cpuSeconds, ...metered }
  return { startedOn: new Date(started).toISOString(), finishedOn: new Date(finished).toISOString(), usage }
}

/** The engine says nothing of a log that broke off: asked right after, it is there or the log is taken again. */
async function saveLog(shard: Running, path: string, { engine }: Needs, signal: AbortSignal): Promise<void> {
  const file = await open(path, "w", 0o600)
  try {
    await engine.saveLog(shard.containerId, file.fd, signal)
  } finally {
    await file.close()
  }
  await engine.state(shard.containerId, signal)
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
