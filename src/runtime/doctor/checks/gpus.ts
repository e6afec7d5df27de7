import type { DetectedGpu, Detection } from "../../host/gpu.ts"
import { commandIn, type Finding, failed, ok, skipped, together, warning } from "../check.ts"
import type { Inspection } from "../inspection.ts"

export const gpus: Inspection = {
  id: "gpus",
  title: "GPUs",
  limitMs: 50_000,
  look: async site => judgeDetection(await site.detection()),
}

/** Every card and every problem: one that is sick must not hide another. */
export function judgeDetection({ gpus, problems }: Detection): Finding {
  if (gpus.length === 0 && problems.length === 0) {
    return skipped("none found; `zg-agent serve --cpu-slots 1` lets the processor work")
  }
  const troubles = problems.map(({ source, message, hint }) =>
    failed(`${source}: ${message}`, { remedy: hint }),
  )
  const alike = Map.groupBy(gpus, gpu =>
    JSON.stringify([traits(gpu), gpu.health, gpu.offerable, gpu.reasons]),
  )
  return together([...troubles, ...[...alike.values()].map(judgeCards)])
}

/** Such as `GPU 0, 1: NVIDIA GeForce RTX 3070, 7.8 GiB, driver 515.65.01`. */
function traits({ name, vendor, vramTotalMiB, driverVersion }: DetectedGpu): string {
  const vram = vramTotalMiB === null ? "" : `, ${(vramTotalMiB / 1024).toFixed(1)} GiB`
  const driver = driverVersion === null ? "" : `, driver ${driverVersion}`
  return `${name ?? `unknown ${vendor} GPU`}${vram}${driver}`
}

/** Cards that differ in their numbers alone. */
function judgeCards(alike: readonly DetectedGpu[]): Finding {
  const [first] = alike
  if (first === undefined) return together([])
  const fact = `GPU ${alike.map(({ index }) => index).join(", ")}: ${traits(first)}`
  const reasons = first.reasons.join(" ")
  if (first.health === "lost") return failed(`${fact}; lost`, remedyOf(reasons))
  if (first.health === "degraded") return warning(`${fact}; degraded`, remedyOf(reasons))
  if (first.offerable) return ok(reasons === "" ? fact : `${fact} (${reasons})`)
  // A card that its maker's software has left behind is no fault of the machine's.
  return ok(`${fact}; cannot run shards: ${reasons}`)
}

function remedyOf(reasons: string) {
  return { remedy: reasons || "See `zg-agent gpus`.", command: commandIn(reasons) ?? undefined }
}
