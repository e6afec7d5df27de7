import { create } from "webgpu"
import type { Adapter } from "../../../protocol/capacity-report.ts"
import { isSoftwareName, type Seen, slugOf } from "./attribution.ts"
import type { Card, MatrixConfig } from "./card.ts"

/** An adapter as it can be asked for, and what it can do. */
export interface FoundAdapter extends Seen {
  description: Adapter
  features: string[]
  gpu: GPU
}

/**
 * What Dawn is asked for. On NVIDIA's cards it offers 16-bit floats only on request, and matrix units only where unsafe features are
 * allowed. Timestamps are wanted as the card gives them. Kernels here stay within their buffers by themselves, and clear what they
 * read, so that the checks that a browser needs would only be measured along.
 */
const ASKED = [
  "enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia,disable_robustness,disable_workgroup_init",
  "disable-dawn-features=timestamp_quantization",
]
/** No adapter is called so: asking for it makes Dawn list those that there are. */
const NOBODY = "no adapter has this name"

/** Every adapter of the platform's way to its cards: Vulkan, Direct3D 12 or Metal. Equal cards have equal names, and are listed each. */
export async function listAdapters(): Promise<FoundAdapter[]> {
  const names = await listNames()
  return Promise.all(names.map(name => look(name)))
}

async function listNames(): Promise<string[]> {
  try {
    await create([...ASKED, `adapter=${NOBODY}`]).requestAdapter()
    return []
  } catch (error) {
    return namesIn(String(error))
  }
}

/** ` * backend: 'vulkan', name: 'llvmpipe (LLVM 15.0.6, 256 bits)'`, a line for each. */
export function namesIn(complaint: string): string[] {
  return [...complaint.matchAll(/^ \* backend: '[^']*', name: '(.*)'$/gm)].map(([, name = ""]) => name)
}

async function look(name: string): Promise<FoundAdapter> {
  const gpu = create([...ASKED, `adapter=${name}`])
  const adapter = await adapterOf(gpu)
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info
  const isSoftware = isFallbackAdapter || [name, description].some(isSoftwareName)
  return {
    name,
    vendor,
    isSoftware,
    // Dawn takes the first adapter whose name contains what was asked for: for `RTX 3060` perhaps the `RTX 3060 Ti`.
    isReached: slugOf(name) === slugOf(device),
    description: { ...brief({ vendor, architecture, device, description }), isSoftware },
    features: [...adapter.features],
    gpu,
  }
}

async function adapterOf(gpu: GPU): Promise<GPUAdapter> {
  const adapter = await gpu.requestAdapter()
  if (adapter === null) throw new TypeError("an adapter that was listed")
  return adapter
}

const TEXT_CHARS = 200

function brief<Texts extends Record<string, string>>(texts: Texts): Texts {
  return Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, text.slice(0, TEXT_CHARS)]),
  ) as Texts
}

const WANTED_FEATURES = [
  "timestamp-query",
  "shader-f16",
  "subgroups",
  "chromium-experimental-subgroup-matrix",
] as const

/** Opens a card for computing, with all the memory and workgroup memory that it has to give. */
export async function openCard(found: FoundAdapter, spoil: string | null): Promise<Card> {
  const adapter = await adapterOf(found.gpu)
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize } = adapter.limits
  const features = WANTED_FEATURES.filter(name => adapter.features.has(name))
  const device = await adapter.requestDevice({
    requiredFeatures: features as GPUFeatureName[],
    requiredLimits: { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize },
  })
  const { subgroupMatrixConfigs = [], subgroupMaxSize = 32 } = adapter.info as GPUAdapterInfo & {
    subgroupMatrixConfigs?: Iterable<MatrixConfig>
  }
  return {
    gpu: found.gpu,
    device,
    hasTimestamps: device.features.has("timestamp-query"),
    hasHalves: device.features.has("shader-f16"),
    isSoftware: found.isSoftware,
    shapes: [...subgroupMatrixConfigs].map(({ componentType, resultComponentType, M, N, K }) => ({
      ...{ componentType, resultComponentType, M, N, K },
    })),
    widestSubgroup: subgroupMaxSize,
    spoil,
  }
}
