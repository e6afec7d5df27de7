import type { MigInstance } from "../gpu.ts"
import { count, positive, quantity, words } from "./reading.ts"
import { migDevices, type Node, text } from "./record.ts"

/** Whether the card is cut into slices now; null where it cannot be. */
export function migMode(root: Node): "enabled" | "disabled" | null {
  const mode = words(text(root, "mig_mode", "current_mig"))?.toLowerCase()
  return mode === "enabled" || mode === "disabled" ? mode : null
}

/** The card's slices in the driver's order; null where they are off, and where it does not say which there are. */
export function migInstances(root: Node): MigInstance[] | null {
  if (migMode(root) !== "enabled") return null
  const devices = migDevices(root)?.map((device, position) => ({
    place: count(text(device, "index")) ?? position,
    instance: migInstance(device),
  }))
  return devices?.toSorted((a, b) => a.place - b.place).map(({ instance }) => instance) ?? null
}

function migInstance(device: Node): MigInstance {
  return {
    uuid: migUuid(text(device, "uuid")),
    gpuInstance: count(text(device, "gpu_instance_id")),
    computeInstance: count(text(device, "compute_instance_id")),
    profile: words(text(device, "profile")),
    vramTotalMiB: positive(text(device, "fb_memory_usage", "total"), "MIB"),
    vramUsedMiB: quantity(text(device, "fb_memory_usage", "used"), "MIB"),
  }
}

/** What `nvidia-smi -L` says of a slice; its place is the one among the card's slices, from 0. */
export interface SliceIdentity {
  place: number
  profile: string
  uuid: string | null
}

/** Names slices: by the ids in an old driver's UUID, else by place, where both commands saw as many. */
export function withSlices(instances: MigInstance[] | null, slices: SliceIdentity[]): MigInstance[] | null {
  return (
    instances?.map((instance, place) => {
      const ids = `/${instance.gpuInstance}/${instance.computeInstance}`
      const slice =
        slices.find(({ uuid }) => uuid?.startsWith("MIG-GPU-") && uuid.endsWith(ids)) ??
        (slices.length === instances.length ? slices.find(other => other.place === place) : undefined)
      return slice ? { ...instance, uuid: slice.uuid, profile: slice.profile } : instance
    }) ?? null
  )
}

/** `MIG-<uuid>`, and from drivers before 470 `MIG-GPU-<uuid>/<gpu instance>/<compute instance>`. */
export function migUuid(printed: string | null): string | null {
  return printed?.trim().match(/^MIG-[0-9a-f-]{8,}$|^MIG-GPU-[0-9a-f-]{8,}\/\d+\/\d+$/i)?.[0] ?? null
}
