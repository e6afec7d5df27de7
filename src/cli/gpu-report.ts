import type { DetectedGpu, Detection } from "../runtime/host/gpu.ts"
import type { Change, InventoryCard } from "../runtime/host/identity-of.ts"
import { columns } from "./table.ts"

/** The cards as a table, with what is wrong below. */
export function gpuReport({ gpus, problems }: Detection): string {
  if (gpus.length === 0 && problems.length === 0) return "No GPU was found."
  const notes = problems.map(({ source, message, hint }) => `${source}: ${message}\n  ${hint}`)
  return [columns(HEAD, gpus.map(row)), ...remarks(gpus), ...notes].join("\n")
}

/** What has changed since the last look, such as `moved: RTX 3090 from 0000:01:00.0 to 0000:02:00.0`. */
export function changeLine(change: Change): string {
  const what = (card: InventoryCard) =>
    `${card.name ?? "unknown GPU"} at ${card.pciAddress ?? "an unknown place"}`
  switch (change.kind) {
    case "added":
      return `added: ${what(change.now)}`
    case "removed":
      return `removed: ${what(change.before)}`
    case "moved":
      return `moved: ${what(change.before)} is now at ${change.now.pciAddress}`
    case "replaced":
      return `replaced: ${what(change.before)} by ${change.now.name ?? "unknown GPU"}`
    default:
      return change satisfies never
  }
}

const HEAD = ["", "GPU", "place", "VRAM", "temp", "load", "power", "fan", "PCIe", "state"]

/** The same remark about several cards is made once. */
function remarks(gpus: DetectedGpu[]): string[] {
  const about = new Map<string, number[]>()
  for (const { index, reasons } of gpus)
    for (const reason of reasons) about.set(reason, [...(about.get(reason) ?? []), index])
  return [...about].map(([reason, indexes]) => `GPU ${indexes.join(", ")}: ${reason}`)
}

/** What a card does not report stays empty. */
function row(gpu: DetectedGpu): (string | number)[] {
  return [
    gpu.index,
    gpu.name ?? `unknown ${gpu.vendor} GPU`,
    gpu.pciAddress ?? "",
    share(gpu.vramUsedMiB, gpu.vramTotalMiB, "MiB"),
    unit(gpu.temperatureC, "°C"),
    unit(gpu.utilizationPct, "%"),
    share(gpu.powerDrawW, gpu.powerLimitW, "W"),
    unit(gpu.fanPct, "%"),
    gpu.pcie.gen === null ? "" : `gen ${gpu.pcie.gen} x${gpu.pcie.width ?? "?"}`,
    gpu.offerable ? gpu.health : `${gpu.health}, not offerable`,
  ]
}

/** Rounded, with its unit; empty for what is not reported. */
export function unit(value: number | null, name: string): string {
  return value === null ? "" : `${Math.round(value)} ${name}`
}

/** `12/24 MiB`; without the whole, the part alone. */
export function share(value: number | null, of: number | null, name: string): string {
  if (of === null) return unit(value, name)
  return `${value === null ? "?" : Math.round(value)}/${Math.round(of)} ${name}`
}
