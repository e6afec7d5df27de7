import { allocate, allocateStorage, bind, type Card, compile, flipBit, judged, runOnce } from "./card.ts"
import type { Exercise } from "./exercise.ts"
import { hash } from "./wgsl/hash.ts"
import { fillHashes, judgeHashes, STREAM_BYTES } from "./wgsl/stream.ts"

/**
 * Copies from this machine's memory to the card's, over whatever lies between: a slot, a riser. What the machine takes to fill its own memory
 * first is not in it. By the host's clock, as copies have no timestamps.
 * @param size bytes of one copy, a multiple of {@link STREAM_BYTES}.
 * @throws Unavailable.
 */
export async function prepareUpload(card: Card, size: number): Promise<Exercise> {
  const staging = await allocate(card, size, GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC)
  const target = await allocateStorage(card, size)
  await staging.mapAsync(GPUMapMode.WRITE)
  fill(new Uint32Array(staging.getMappedRange()))
  staging.unmap()
  const judging = await compile(card, judgeHashes())
  return {
    ...copies(card, "host-to-device", { from: staging, to: target, size }),
    async clear() {
      const encoder = card.device.createCommandEncoder()
      encoder.clearBuffer(target)
      card.device.queue.submit([encoder.finish()])
    },
    async check() {
      if (card.spoil === "host-to-device") await flipBit(card, target, 4)
      const { wrong, words } = await judged(card, tally => [
        bind(card, judging, [target, tally], [size / STREAM_BYTES, 1]),
      ])
      return words === null
        ? null
        : `${wrong} words reached the card wrong, the first at byte ${4 * words[0]}`
    },
  }
}

/** Copies from the card's memory to this machine's; as {@link prepareUpload}. */
export async function prepareDownload(card: Card, size: number): Promise<Exercise> {
  const source = await allocateStorage(card, size)
  const target = await allocate(card, size, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST)
  await runOnce(card, bind(card, await compile(card, fillHashes()), [source], [size / STREAM_BYTES, 1]))
  const exercise = copies(card, "device-to-host", { from: source, to: target, size })
  return {
    ...exercise,
    async clear() {
      const encoder = card.device.createCommandEncoder()
      encoder.clearBuffer(target)
      card.device.queue.submit([encoder.finish()])
    },
    async check() {
      if (card.spoil === "device-to-host") {
        await flipBit(card, source, 4)
        await exercise.run(1)
      }
      await target.mapAsync(GPUMapMode.READ)
      const wrong = new Uint32Array(target.getMappedRange()).findIndex((word, at) => word !== hash(at))
      target.unmap()
      return wrong === -1 ? null : `the word at byte ${4 * wrong} reached this machine wrong`
    },
  }
}

/** What {@link fillHashes} does on the card. */
function fill(words: Uint32Array): void {
  for (let at = 0; at < words.length; at++) words[at] = hash(at)
}

function copies(
  { device }: Card,
  name: string,
  { from, to, size }: { from: GPUBuffer; to: GPUBuffer; size: number },
): Omit<Exercise, "clear" | "check"> {
  return {
    name,
    unit: "B/s",
    clock: "host",
    amount: size,
    async run(count) {
      const encoder = device.createCommandEncoder()
      for (let turn = 0; turn < count; turn++) encoder.copyBufferToBuffer(from, 0, to, 0, size)
      const commands = encoder.finish()
      const started = performance.now()
      device.queue.submit([commands])
      await device.queue.onSubmittedWorkDone()
      return (performance.now() - started) / 1000
    },
    [Symbol.dispose]() {
      from.destroy()
      to.destroy()
    },
  }
}
