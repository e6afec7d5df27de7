import { allocate, type Card, dispatch, type Kernel } from "./card.ts"

const NS_PER_S = 1e9
const STAMPS_BYTES = 16
/** A card whose clock runs so far ahead of this machine's is not believed: measuring takes time of its own, so its time is the shorter. */
const BELIEVED = 1.02

/** Tells how long kernels take. */
export interface Stopwatch extends Disposable {
  clock: "gpu" | "host"
  /** Runs a kernel so many times, one after the other, and gives the seconds that all took. */
  time(kernel: Kernel, count: number): Promise<number>
}

/**
 * By the card's own timestamps where it has them and they can be true, else by this machine's clock from the submission to the end of the
 * work. Once the card's have been found wanting, this machine's are used for good.
 */
export async function openStopwatch(card: Card): Promise<Stopwatch> {
  return card.hasTimestamps ? byCard(card, await openStamps(card)) : byHost(card)
}

function byHost({ device }: Card): Stopwatch {
  return {
    clock: "host",
    async time(kernel, count) {
      const encoder = device.createCommandEncoder()
      const pass = encoder.beginComputePass()
      for (let turn = 0; turn < count; turn++) dispatch(pass, kernel)
      pass.end()
      const commands = encoder.finish()
      const started = performance.now()
      device.queue.submit([commands])
      await device.queue.onSubmittedWorkDone()
      return (performance.now() - started) / 1000
    },
    [Symbol.dispose]: () => {},
  }
}

interface Stamps {
  query: GPUQuerySet
  resolved: GPUBuffer
  readable: GPUBuffer
}

async function openStamps(card: Card): Promise<Stamps> {
  return {
    query: card.device.createQuerySet({ type: "timestamp", count: 2 }),
    resolved: await allocate(card, STAMPS_BYTES, GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC),
    readable: await allocate(card, STAMPS_BYTES, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST),
  }
}

function byCard(card: Card, stamps: Stamps): Stopwatch {
  let clock: Stopwatch["clock"] = "gpu"
  return {
    get clock() {
      return clock
    },
    async time(kernel, count) {
      const { gpu, host } = await stamped(card, stamps, kernel, count)
      if (!(gpu > 0 && gpu <= host * BELIEVED)) clock = "host"
      return clock === "gpu" ? gpu : host
    },
    [Symbol.dispose]() {
      stamps.query.destroy()
      stamps.resolved.destroy()
      stamps.readable.destroy()
    },
  }
}

/** The seconds of one pass by both clocks. */
async function stamped(
  { device }: Card,
  { query, resolved, readable }: Stamps,
  kernel: Kernel,
  count: number,
) {
  const encoder = device.createCommandEncoder()
  const timestampWrites = { querySet: query, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 }
  const pass = encoder.beginComputePass({ timestampWrites })
  for (let turn = 0; turn < count; turn++) dispatch(pass, kernel)
  pass.end()
  encoder.resolveQuerySet(query, 0, 2, resolved, 0)
  encoder.copyBufferToBuffer(resolved, 0, readable, 0, STAMPS_BYTES)
  const commands = encoder.finish()
  const started = performance.now()
  device.queue.submit([commands])
  await readable.mapAsync(GPUMapMode.READ)
  const host = (performance.now() - started) / 1000
  const [began = 0n, ended = 0n] = new BigUint64Array(readable.getMappedRange())
  const gpu = Number(ended - began) / NS_PER_S
  readable.unmap()
  return { gpu, host }
}
