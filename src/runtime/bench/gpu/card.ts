import { freshTally, TALLY_BYTES, type Tally, tallyFrom } from "./wgsl/tally.ts"

/** A card made ready to compute. */
export interface Card {
  /** Held with the device, which stops answering once its Dawn has been collected. */
  gpu: GPU
  device: GPUDevice
  /** Whether its own timestamps can be asked for. */
  hasTimestamps: boolean
  /** Whether kernels may compute with 16-bit floats. */
  hasHalves: boolean
  isSoftware: boolean
  shapes: readonly MatrixConfig[]
  /** The largest subgroup, in invocations. */
  widestSubgroup: number
  /** What tests have spoilt; null in earnest. */
  spoil: string | null
}

/** As the adapter tells it; Dawn's, and no part of WebGPU yet. */
export interface MatrixConfig {
  componentType: string
  resultComponentType: string
  M: number
  N: number
  K: number
}

/** The card, its driver or its memory does not have what a figure needs: it cannot be had, and nothing is wrong. */
export class Unavailable extends Error {
  override readonly name = "Unavailable"
}

/** A buffer on the card, which holds nothing yet. @throws Unavailable where the memory does not suffice. */
export async function allocate(
  { device }: Card,
  size: number,
  usage: GPUBufferUsageFlags,
): Promise<GPUBuffer> {
  device.pushErrorScope("out-of-memory")
  const buffer = device.createBuffer({ size, usage })
  const error = await device.popErrorScope()
  if (error === null) return buffer
  buffer.destroy()
  throw new Unavailable(`the card has no ${Math.round(size / 2 ** 20)} MiB of memory left`)
}

/** Memory that kernels work on, and that tests can spoil. */
export function allocateStorage(card: Card, size: number): Promise<GPUBuffer> {
  return allocate(card, size, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST)
}

export interface Kernel {
  pipeline: GPUComputePipeline
  group: GPUBindGroup
  workgroups: readonly [x: number, y: number]
}

/** @throws Unavailable with the compiler's words, when the card's driver does not take it. */
export async function compile({ device }: Card, code: string): Promise<GPUComputePipeline> {
  device.pushErrorScope("validation")
  const module = device.createShaderModule({ code })
  const refusal = await device.popErrorScope()
  if (refusal !== null) throw new Unavailable(`its compiler refuses: ${firstLine(refusal.message)}`)
  try {
    return await device.createComputePipelineAsync({ layout: "auto", compute: { module } })
  } catch (error) {
    throw new Unavailable(`its driver refuses: ${firstLine((error as Error).message)}`)
  }
}

function firstLine(text: string): string {
  return text.trim().split("\n", 1)[0] ?? ""
}

/** A kernel over buffers at bindings 0, 1 and so on. */
export function bind(
  { device }: Card,
  pipeline: GPUComputePipeline,
  buffers: readonly GPUBuffer[],
  workgroups: Kernel["workgroups"],
): Kernel {
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }))
  return {
    pipeline,
    group: device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }),
    workgroups,
  }
}

export function dispatch(pass: GPUComputePassEncoder, { pipeline, group, workgroups }: Kernel): void {
  pass.setPipeline(pipeline)
  pass.setBindGroup(0, group)
  pass.dispatchWorkgroups(...workgroups)
}

/** Has kernels run one after the other, and waits until the card has done them. */
export async function runOnce({ device }: Card, ...kernels: Kernel[]): Promise<void> {
  const encoder = device.createCommandEncoder()
  const pass = encoder.beginComputePass()
  for (const kernel of kernels) dispatch(pass, kernel)
  pass.end()
  device.queue.submit([encoder.finish()])
  await device.queue.onSubmittedWorkDone()
}

/** A part of a buffer, as the card holds it now. @param offset and `size` in bytes, multiples of four. */
export async function readBack(
  card: Card,
  buffer: GPUBuffer,
  offset: number,
  size: number,
): Promise<ArrayBuffer> {
  const { device } = card
  const staging = await allocate(card, size, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST)
  try {
    const encoder = device.createCommandEncoder()
    encoder.copyBufferToBuffer(buffer, offset, staging, 0, size)
    device.queue.submit([encoder.finish()])
    await staging.mapAsync(GPUMapMode.READ)
    return staging.getMappedRange().slice(0)
  } finally {
    staging.destroy()
  }
}

/** For tests: turns one bit of a word over, to prove that a check looks. @param offset in bytes, a multiple of four. */
export async function flipBit(card: Card, buffer: GPUBuffer, offset: number): Promise<void> {
  const word = new Uint32Array(await readBack(card, buffer, offset, 4))
  word[0] = (word[0] ?? 0) ^ 1
  card.device.queue.writeBuffer(buffer, offset, word)
}

/** Counts wrong words on the card itself: `judging` gets the tally's buffer and gives the kernels that compare. */
export async function judged(card: Card, judging: (tally: GPUBuffer) => Kernel[]): Promise<Tally> {
  const tally = await allocateStorage(card, TALLY_BYTES)
  try {
    card.device.queue.writeBuffer(tally, 0, freshTally())
    await runOnce(card, ...judging(tally))
    return tallyFrom(new Uint32Array(await readBack(card, tally, 0, TALLY_BYTES)))
  } finally {
    tally.destroy()
  }
}
