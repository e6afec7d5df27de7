import type { CardReport } from "../../host/telemetry/telemetry.ts"
import type { Family } from "./report.ts"

const LABELS = ["gpu", "UUID", "device", "modelName", "Hostname"]

type Value = (card: CardReport) => number | null

/** NVIDIA's dcgm-exporter, default-counters.csv: its names, its units. */
const FIELDS: readonly [name: string, type: Family["type"], help: string, value: Value][] = [
  ["DCGM_FI_DEV_GPU_UTIL", "gauge", "GPU utilization (in %).", card => card.sample?.utilizationPct ?? null],
  ["DCGM_FI_DEV_GPU_TEMP", "gauge", "GPU temperature (in C).", card => card.sample?.temperatureC ?? null],
  ["DCGM_FI_DEV_POWER_USAGE", "gauge", "Power draw (in W).", card => card.sample?.powerDrawW ?? null],
  ["DCGM_FI_DEV_SM_CLOCK", "gauge", "SM clock frequency (in MHz).", card => card.sample?.coreMhz ?? null],
  [
    "DCGM_FI_DEV_MEM_CLOCK",
    "gauge",
    "Memory clock frequency (in MHz).",
    card => card.sample?.memoryMhz ?? null,
  ],
  [
    "DCGM_FI_DEV_FB_USED",
    "gauge",
    "Framebuffer memory used (in MiB).",
    card => card.sample?.vramUsedMiB ?? null,
  ],
  ["DCGM_FI_DEV_FB_FREE", "gauge", "Framebuffer memory not used (in MiB).", freeMiB],
  [
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
    "counter",
    "Total energy consumption since the agent's start (in mJ).",
    card => (card.energyJoules === null ? null : card.energyJoules * 1000),
  ],
]

/**
 * The NVIDIA cards once more, in the names of NVIDIA's dcgm-exporter, so that dashboards made for it show them. Energy counts
 * from the agent's start, where DCGM's counts from the driver's; DCGM's free memory leaves out what the driver reserves.
 */
export function dcgmFamilies(cards: readonly CardReport[], hostname: string): Family[] {
  const ours = cards.filter(({ gpu }) => gpu.vendor === "nvidia")
  return FIELDS.map(([name, type, help, value]) => ({
    name,
    help,
    type,
    labels: LABELS,
    values: ours.map((card, number) => ({
      labels: {
        gpu: String(number),
        UUID: card.gpu.uuid ?? "",
        device: `nvidia${number}`,
        modelName: card.gpu.name ?? "",
        Hostname: hostname,
      },
      value: value(card),
    })),
  }))
}

function freeMiB({ sample, gpu }: CardReport): number | null {
  const used = sample?.vramUsedMiB ?? null
  return used === null || gpu.vramTotalMiB === null ? null : Math.max(0, gpu.vramTotalMiB - used)
}
