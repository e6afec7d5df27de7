import type { DetectedGpu } from "../gpu.ts"
import { migInstances, migMode } from "./mig.ts"
import { count, positive, words } from "./reading.ts"
import { at, leaves, type Node, text } from "./record.ts"

/** Something that is not right about a card, in words that say what to do. */
export interface Finding {
  health: DetectedGpu["health"]
  /** Whether no shard may run on the card because of it. */
  stops: boolean
  reason: string
}

/** Everything that a card's record tells against it. */
export function findings(root: Node, driverVersion: string | null): Finding[] {
  const lost = lostFinding(root)
  if (lost) return [lost]
  return [
    ...silentSensors(root),
    ...slowdowns(root),
    ...damage(root),
    ...recovery(root),
    ...settings(root, driverVersion),
  ]
}

export const LOST_REASON =
  "The driver has lost this card. Restart the machine; if it comes back, switch off, reseat the card and check its riser and power cables."

function lostFinding(root: Node): Finding | null {
  const lost = leaves(root).some(leaf => /GPU is lost|fallen off the bus/i.test(leaf.text))
  return lost ? { health: "lost", stops: true, reason: LOST_REASON } : null
}

const SENSORS: Array<[path: string[], name: string]> = [
  [["fan_speed"], "fan"],
  [["gpu_power_readings"], "power"],
  [["power_readings"], "power"],
  [["temperature", "gpu_temp"], "temperature"],
  [["utilization", "gpu_util"], "utilisation"],
  [["fb_memory_usage"], "memory"],
  [["clocks"], "clocks"],
  [["pci", "pci_gpu_link_info"], "PCI link"],
  [["uuid"], "UUID"],
  [["product_name"], "name"],
]

function silentSensors(root: Node): Finding[] {
  const silent = SENSORS.filter(([path]) =>
    leaves(at(root, ...path)).some(({ text: printed }) => /^\W*(ERR!|Unknown Error)\W*$/i.test(printed)),
  ).map(([, name]) => name)
  if (silent.length === 0) return []
  const reason = `The driver gets an error instead of this card's ${[...new Set(silent)].join(", ")}. Restart the machine; if it comes back, check the card's riser, power cables and fans.`
  return [{ health: "degraded", stops: true, reason }]
}

const SLOWDOWNS: Record<string, string> = {
  hw_thermal_slowdown:
    "It is too hot and slows itself down. Clean its fans, give it air, or lower its power limit.",
  hw_power_brake_slowdown:
    "The power supply makes it slow down (power brake). Check the power cables and the supply's size.",
  hw_slowdown: "The hardware slows it down (heat or power supply). Check its cooling and its power cables.",
}

/** The most telling slowdown only: the general one is active with each of the others. */
function slowdowns(root: Node): Finding[] {
  for (const [name, reason] of Object.entries(SLOWDOWNS)) {
    const active = ["event", "throttle"].some(
      era => text(root, `clocks_${era}_reasons`, `clocks_${era}_reason_${name}`)?.trim() === "Active",
    )
    if (active) return [{ health: "degraded", stops: false, reason }]
  }
  return []
}

const DAMAGE: Array<[path: string[], stops: boolean, reason: string]> = [
  [
    ["remapped_rows", "remapped_row_failure"],
    true,
    "Its memory is damaged and cannot be mapped around. Have the card replaced.",
  ],
  [
    ["ecc_errors", "unrepairable_memory"],
    true,
    "Its memory is damaged beyond repair. Have the card replaced.",
  ],
  [
    ["remapped_rows", "remapped_row_pending"],
    false,
    "Damaged memory waits to be mapped around. Restart the machine.",
  ],
  [
    ["retired_pages", "pending_retirement"],
    false,
    "Damaged memory waits to be retired. Restart the machine.",
  ],
  [["retired_pages", "pending_blacklist"], false, "Damaged memory waits to be retired. Restart the machine."],
  [
    ["ecc_errors", "channel_repair_pending"],
    false,
    "A memory channel waits to be repaired. Restart the machine.",
  ],
  [
    ["ecc_errors", "tpc_repair_pending"],
    false,
    "A part of the chip waits to be repaired. Restart the machine.",
  ],
]

function damage(root: Node): Finding[] {
  const seen = DAMAGE.filter(([path]) => /^\s*yes\b/i.test(text(root, ...path) ?? "")).map(
    ([, stops, reason]): Finding => ({ health: "degraded", stops, reason }),
  )
  const unique = [...new Map(seen.map(finding => [finding.reason, finding])).values()]
  return uncorrectedErrors(root) ? [...unique, UNCORRECTED] : unique
}

const UNCORRECTED: Finding = {
  health: "degraded",
  stops: true,
  reason:
    "Its memory had errors that could not be corrected since the last start, so results may be wrong. Restart the machine; if they come back, have the card replaced.",
}

function uncorrectedErrors(root: Node): boolean {
  return leaves(at(root, "ecc_errors", "volatile")).some(
    ({ path, text: printed }) =>
      (count(printed) ?? 0) > 0 &&
      (/uncorrectable/.test(path.at(-1) ?? "") ||
        (path.includes("double_bit") && (path.at(-1) ?? "") === "total")),
  )
}

function recovery(root: Node): Finding[] {
  const action = words(text(root, "gpu_recovery_action"))
  const needsReset = /^\s*yes\b/i.test(text(root, "gpu_reset_status", "reset_required") ?? "")
  const wantsReset = /^\s*yes\b/i.test(text(root, "gpu_reset_status", "drain_and_reset_recommended") ?? "")
  if (action === null && !needsReset && !wantsReset) return []
  const reason = `The driver asks for ${action === null ? "a reset" : `"${action}"`} of this card. Restart the machine.`
  return [{ health: "degraded", stops: needsReset || action !== null, reason }]
}

/** The oldest branch whose fields are known and that still runs containers. */
const OLDEST_DRIVER = 384

function settings(root: Node, driverVersion: string | null): Finding[] {
  const reasons: string[] = []
  if (/^prohibited$/i.test(text(root, "compute_mode")?.trim() ?? "")) {
    reasons.push("Its compute mode is Prohibited. Run `sudo nvidia-smi -c DEFAULT`.")
  }
  if (positive(text(root, "fb_memory_usage", "total"), "MIB") === null) {
    reasons.push(
      "The driver does not say how much memory it has, so no shard can be matched to it. Update the NVIDIA driver.",
    )
  }
  if (migMode(root) === "enabled" && (migInstances(root) ?? []).length === 0) {
    reasons.push(
      "MIG is on but it has no instances. Make some (`sudo nvidia-smi mig -cgi <profile> -C`) or turn MIG off (`sudo nvidia-smi -mig 0`).",
    )
  }
  if (driverVersion !== null && Number.parseInt(driverVersion, 10) < OLDEST_DRIVER) {
    reasons.push(`Driver ${driverVersion} is too old for containers. Install a newer NVIDIA driver.`)
  }
  return reasons.map(reason => ({ health: "ok", stops: true, reason }))
}
