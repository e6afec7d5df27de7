import type { GpuPlacement } from "../container/sandbox.ts"
import type { ProbedDevice, ProbeReport } from "./report.ts"

/** How the GPU nodes inside agree with the card that was to be there. */
export interface GpuNodes {
  ok: boolean
  /** Nodes that have to be there and are not. */
  missing: string[]
  /** Nodes that are there but do not open, with the errno's name, such as `/dev/nvidia0 (EPERM)`. */
  denied: string[]
  /** Nodes that were not given: another card's, or any where none was. */
  foreign: string[]
}

/** Which nodes a placement needs, and which it may have besides; all others are foreign. */
interface Rule {
  needed: readonly RegExp[]
  allowed: readonly RegExp[]
  /** Of these, each that is there has to open. */
  useful: readonly RegExp[]
  /** Of these there may be one each: they are cards, and only one was given. */
  single: readonly RegExp[]
}

const NVIDIA_CARD = /^\/dev\/nvidia\d+$/
const DRM_NODES = [/^\/dev\/dri\/card\d+$/, /^\/dev\/dri\/renderD\d+$/]

const CPU: Rule = { needed: [], allowed: [], useful: [], single: [] }

const CUDA: Rule = {
  needed: [NVIDIA_CARD, /^\/dev\/nvidiactl$/, /^\/dev\/nvidia-uvm$/],
  // What the toolkit passes on besides; a CDI specification also names the card's own DRM nodes.
  allowed: [/^\/dev\/nvidia-(uvm-tools|modeset)$/, /^\/dev\/nvidia-caps\//, ...DRM_NODES],
  useful: [],
  single: [NVIDIA_CARD, ...DRM_NODES],
}

/** A slice of a card is opened by its capability nodes (NVIDIA MIG User Guide, "/dev based nvidia-capabilities"). */
const CUDA_SLICE: Rule = { ...CUDA, useful: [/^\/dev\/nvidia-caps\//] }

/** On WSL 2 one node stands for the whole driver (Microsoft's dxgkrnl), and no other is there. */
const CUDA_ON_WSL: Rule = { needed: [/^\/dev\/dxg$/], allowed: [], useful: [], single: [] }

/** What a container with this placement should see of GPUs, against what the probe saw. */
export function gpuNodes({ devices }: Pick<ProbeReport, "devices">, gpu: GpuPlacement): GpuNodes {
  const rule = ruleOf(gpu, devices)
  const known = devices.filter(({ path }) => matches(path, [...rule.needed, ...rule.allowed]))
  const strangers = devices.filter(device => !known.includes(device)).map(({ path }) => path)
  // Which of several cards is the one that was given, their nodes do not tell.
  const surplus = rule.single.flatMap(one => {
    const cards = known.filter(({ path }) => one.test(path)).map(({ path }) => path)
    return cards.length > 1 ? cards : []
  })
  const missing = rule.needed.filter(node => !devices.some(({ path }) => node.test(path))).map(nameOfPattern)
  const denied = devices
    .filter(({ path, opens }) => !opens && matches(path, [...rule.needed, ...rule.useful]))
    .map(refusal)
  const foreign = [...strangers, ...surplus]
  return { ok: missing.length + denied.length + foreign.length === 0, missing, denied, foreign }
}

function ruleOf(gpu: GpuPlacement, devices: readonly ProbedDevice[]): Rule {
  switch (gpu.device) {
    case "cpu":
      return CPU
    case "cuda":
      return devices.some(({ path }) => path === "/dev/dxg")
        ? CUDA_ON_WSL
        : gpu.uuid.startsWith("MIG-")
          ? CUDA_SLICE
          : CUDA
    case "rocm":
      return { needed: [/^\/dev\/kfd$/, exactly(gpu.renderNode)], allowed: [], useful: [], single: [] }
    default:
      return gpu satisfies never
  }
}

function exactly(path: string): RegExp {
  return new RegExp(`^${path}$`)
}

function matches(path: string, patterns: readonly RegExp[]): boolean {
  return patterns.some(pattern => pattern.test(path))
}

/** A pattern as a reader knows the node: `/dev/nvidiaN`. */
function nameOfPattern({ source }: RegExp): string {
  return source
    .replace(/^\^|\$$/g, "")
    .replaceAll("\\/", "/")
    .replace("\\d+", "N")
}

function refusal({ path, error }: ProbedDevice): string {
  return `${path} (${error ?? "refused"})`
}
