import { type DetectedGpu, UNREPORTED } from "../gpu.ts"
import { chipOf, isKnownCard, rocmRefusal } from "./chip.ts"
import type { AmdRecord, Readings } from "./record.ts"

/** Graphics inside a processor are given at most this much of the machine's memory by most firmwares. */
const CARVE_OUT_LIMIT_MIB = 4096

/** Drivers that hold a card for a virtual machine. */
const HOLDING = ["vfio-pci", "pci-stub", "xen-pciback"]

/** Decides what a card is good for: its health, its backends, and in words why not more. */
export function judge(record: AmdRecord, hasKfd: boolean): Omit<DetectedGpu, "index"> {
  const loss = lossOf(record)
  const illness = loss === null ? illnessOf(record) : null
  const refusal = refusalOf(record, hasKfd)
  const backends: DetectedGpu["backends"] = loss === null && refusal === null ? ["rocm"] : []
  return {
    vendor: "amd",
    ...(loss === null ? record.readings : lasting(record.readings)),
    name: record.readings.name ?? record.familyName,
    backends,
    health: loss !== null ? "lost" : illness !== null ? "degraded" : "ok",
    offerable: backends.length > 0 && illness === null,
    reasons: [loss, illness, refusal].filter(reason => reason !== null),
  }
}

/** What stays true of a card that no longer answers. */
function lasting(readings: Readings): Readings {
  const { name, uuid, pciAddress, pciId, pciRevision, vramTotalMiB, driverVersion, gfxTarget } = readings
  const known = { name, uuid, pciAddress, pciId, pciRevision, vramTotalMiB, driverVersion, gfxTarget }
  return { ...UNREPORTED, ...known }
}

function lossOf({ offTheBus, driver }: AmdRecord): string | null {
  if (offTheBus) {
    return "The card no longer answers on the PCI bus. Check its riser, its power cables and its slot, then restart the machine."
  }
  if (driver === null) {
    return "No kernel driver has taken the card. Run `sudo modprobe amdgpu`; if it stays so, `sudo dmesg | grep amdgpu` says why. A weak riser or power cable is a common cause."
  }
  return null
}

function illnessOf({ uncorrectableErrors, criticalC, readings }: AmdRecord): string | null {
  if (uncorrectableErrors !== null && uncorrectableErrors > 0) {
    return `The card counted ${uncorrectableErrors} errors that it could not correct; its results cannot be trusted. Restart the machine; if they come back, the card is failing.`
  }
  const { temperatureC } = readings
  if (criticalC !== null && temperatureC !== null && temperatureC >= criticalC) {
    return `The card is at ${temperatureC} °C, over its limit of ${criticalC} °C. Check its fans and the air around it.`
  }
  return null
}

/** Why no backend of ours runs on the card; null where ROCm does. */
function refusalOf(record: AmdRecord, hasKfd: boolean): string | null {
  const { driver, device, readings } = record
  if (driver && HOLDING.includes(driver)) return `The card is held for a virtual machine by ${driver}.`
  if (isIntegrated(record)) {
    return "Graphics inside the processor share the machine's memory; they are monitored, but not offered."
  }
  if (driver === "radeon") {
    return "The old radeon driver reports neither memory nor load nor power, and no backend runs on it."
  }
  if (chipOf(device).firstGcn) {
    return "Cards of the first GCN generation report neither load nor power, and no backend runs on them."
  }
  const refusal = rocmRefusal(readings.gfxTarget)
  if (refusal !== null) return refusal
  if (!hasKfd) {
    return "ROCm needs /dev/kfd, and this machine has none. Load the amdgpu driver on a kernel built with HSA_AMD."
  }
  return readings.renderNode !== null
    ? null
    : "The card has no render node (/dev/dri/renderD*), through which a container would reach it."
}

/** By the chip's id; for a chip newer than the list, by memory that is small, no maker's, and less than what it may borrow. */
function isIntegrated({ device, readings, gttTotalMiB, vramVendor, hasFan }: AmdRecord): boolean {
  if (chipOf(device).integrated) return true
  const { vramTotalMiB } = readings
  if (isKnownCard(device) || hasFan || vramVendor !== null) return false
  if (vramTotalMiB === null || gttTotalMiB === null) return false
  return vramTotalMiB <= CARVE_OUT_LIMIT_MIB && gttTotalMiB > vramTotalMiB
}
