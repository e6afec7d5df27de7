import { z } from "zod"
import { PciId, PciRevision } from "../../protocol/pci-id.ts"

/** `0000:01:00.0`: domain, bus, device and function, as sysfs writes them. */
export const PciAddress = z.string().regex(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/)

const Reading = z.number().nullable()

/** A hardware slice of a data-centre card (NVIDIA MIG). */
export const MigInstance = z.strictObject({
  uuid: z.string().nullable(),
  gpuInstance: z.int().min(0).nullable(),
  computeInstance: z.int().min(0).nullable(),
  /** Such as `1g.10gb`; only some commands tell it. */
  profile: z.string().nullable(),
  vramTotalMiB: Reading,
  vramUsedMiB: Reading,
})
export type MigInstance = z.infer<typeof MigInstance>

/** A GPU as the machine really has it. What a card does not report is null: never 0, never a guess. */
export const DetectedGpu = z.strictObject({
  index: z.int().min(0),
  vendor: z.enum(["nvidia", "amd", "intel"]),
  name: z.string().nullable(),
  uuid: z.string().nullable(),
  pciAddress: PciAddress.nullable(),
  /** What the card is, whatever it is called. */
  pciId: PciId.nullable(),
  pciRevision: PciRevision.nullable(),
  vramTotalMiB: Reading,
  vramUsedMiB: Reading,
  driverVersion: z.string().nullable(),
  temperatureC: Reading,
  utilizationPct: Reading,
  powerDrawW: Reading,
  powerLimitW: Reading,
  fanPct: Reading,
  clocksMhz: z.strictObject({ core: Reading, memory: Reading }),
  pcie: z.strictObject({ gen: Reading, width: Reading, maxWidth: Reading }),
  /** NVIDIA's, such as `8.6`. */
  computeCapability: z.string().nullable(),
  /** AMD's, such as `gfx1030`. */
  gfxTarget: z.string().nullable(),
  /** The device file through which an AMD card's programs reach it, such as `/dev/dri/renderD128`. */
  renderNode: z.string().nullable(),
  backends: z.array(z.enum(["cuda", "rocm", "vulkan"])),
  /** Null where the card has no slices or they are off. */
  mig: z.array(MigInstance).nullable(),
  health: z.enum(["ok", "degraded", "lost"]),
  /** Whether shards could run on it; `reasons` say why not, and what is wrong with it. */
  offerable: z.boolean(),
  reasons: z.array(z.string()),
})
export type DetectedGpu = z.infer<typeof DetectedGpu>

/** What a card tells of itself, before it has told anything. */
export const UNREPORTED = {
  name: null,
  uuid: null,
  pciAddress: null,
  pciId: null,
  pciRevision: null,
  vramTotalMiB: null,
  vramUsedMiB: null,
  driverVersion: null,
  temperatureC: null,
  utilizationPct: null,
  powerDrawW: null,
  powerLimitW: null,
  fanPct: null,
  clocksMhz: { core: null, memory: null },
  pcie: { gen: null, width: null, maxWidth: null },
  computeCapability: null,
  gfxTarget: null,
  renderNode: null,
  mig: null,
} as const satisfies Partial<DetectedGpu>

/** Something wrong that belongs to no card, or hides one. */
export const GpuProblem = z.strictObject({
  source: z.string(),
  message: z.string(),
  hint: z.string(),
})
export type GpuProblem = z.infer<typeof GpuProblem>

/** What one source knows: a sick card or a failed source takes nothing from the others. */
export interface Detection {
  gpus: DetectedGpu[]
  problems: GpuProblem[]
}
