import type { Card } from "./card.ts"
import { allocateStorage, Unavailable } from "./card.ts"
import { type Exercise, runsFor } from "./exercise.ts"
import { bySubgroups, type Method, prepareMatmul, tiled } from "./matmul.ts"
import type { FigureName, Plan } from "./plan.ts"
import { prepareStream } from "./streams.ts"
import { prepareDownload, prepareUpload } from "./transfers.ts"
import { STREAM_BYTES } from "./wgsl/stream.ts"

const FEWEST_ROWS = 256
const TRIED_ROWS = 512

/** Makes a figure's work ready. @throws Unavailable with the reason why the card has no such figure. */
export async function prepare(card: Card, name: FigureName, plan: Plan): Promise<Exercise> {
  switch (name) {
    case "matmul-fp32":
      return prepareProduct(card, tiled("f32"), plan)
    case "matmul-fp16":
      if (!card.hasHalves) throw new Unavailable("its driver offers no 16-bit floats")
      return prepareProduct(card, tiled("f16"), plan)
    case "matmul-subgroup-f16": {
      const method = card.hasHalves ? bySubgroups(card) : null
      if (method === null) throw new Unavailable("its driver offers no matrix units for 16-bit floats")
      return prepareProduct(card, method, plan)
    }
    case "memory-copy":
      return prepareStream(card, "copy", await arrayBytes(card, plan))
    case "memory-triad":
      return prepareStream(card, "triad", await arrayBytes(card, plan))
    case "host-to-device":
      return prepareUpload(card, wholeGroups(plan.copyBytes))
    case "device-to-host":
      return prepareDownload(card, wholeGroups(plan.copyBytes))
    default:
      return name satisfies never
  }
}

/** The largest product that the card does within a repeat, found by trying a small one. */
async function prepareProduct(card: Card, method: Method, { mostRows, budget }: Plan): Promise<Exercise> {
  const tried = Math.min(TRIED_ROWS, mostRows)
  const trial = await prepareMatmul(card, method, tried)
  const seconds = await awake(trial, budget.windowMs)
  const rows = rowsFor({ rows: tried, seconds }, budget.windowMs / 1000, mostRows)
  if (rows === tried) return trial
  trial[Symbol.dispose]()
  return prepareMatmul(card, method, rows)
}

/** Seconds of one run, once the card's clocks have risen. */
async function awake(exercise: Exercise, windowMs: number): Promise<number> {
  const count = await runsFor(exercise, windowMs)
  return (await exercise.run(count)) / count
}

/** Work grows with the cube of the rows, which are doubled or halved as the tiles ask. */
export function rowsFor(
  { rows, seconds }: { rows: number; seconds: number },
  windowSeconds: number,
  mostRows: number,
): number {
  let fitting = rows
  while (fitting * 2 <= mostRows && seconds * ((fitting * 2) / rows) ** 3 <= windowSeconds) fitting *= 2
  while (fitting / 2 >= FEWEST_ROWS && seconds * (fitting / rows) ** 3 > 4 * windowSeconds) fitting /= 2
  return fitting
}

/** As large as the plan says, or as the card can take three of. */
async function arrayBytes(card: Card, plan: Plan): Promise<number> {
  const { maxBufferSize, maxStorageBufferBindingSize } = card.device.limits
  let size = Math.min(plan.arrayBytes, maxBufferSize, maxStorageBufferBindingSize)
  for (; size > STREAM_BYTES; size /= 2) if (await hasRoomFor(card, wholeGroups(size), 3)) break
  return wholeGroups(size)
}

async function hasRoomFor(card: Card, size: number, count: number): Promise<boolean> {
  const buffers: GPUBuffer[] = []
  try {
    while (buffers.length < count) buffers.push(await allocateStorage(card, size))
    return true
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error
    return false
  } finally {
    for (const buffer of buffers) buffer.destroy()
  }
}

function wholeGroups(bytes: number): number {
  return Math.floor(bytes / STREAM_BYTES) * STREAM_BYTES
}
