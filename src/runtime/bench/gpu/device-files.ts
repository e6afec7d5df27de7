import type { Sysfs } from "../../host/drm/sysfs.ts"
import type { DetectedGpu } from "../../host/gpu.ts"

/** A card and the device files through which its driver reaches it; null where they are not known. */
export interface CardFiles {
  gpu: DetectedGpu
  files: string[] | null
}

/**
 * The device files of each card: the nodes that the kernel's graphics core has made for its place on the PCI bus, and for NVIDIA's also the
 * one whose number the driver tells.
 * @param proc where procfs is mounted, as {@link Sysfs}.
 */
export async function filesOf(
  gpus: readonly DetectedGpu[],
  { sysfs, proc }: { sysfs: Sysfs; proc: Sysfs },
): Promise<CardFiles[]> {
  return Promise.all(
    gpus.map(async gpu => {
      if (gpu.pciAddress === null) return { gpu, files: null }
      const nodes = await sysfs.list(`bus/pci/devices/${gpu.pciAddress}/drm`)
      const files = nodes.filter(name => /^(?:card|renderD)\d+$/.test(name)).map(name => `/dev/dri/${name}`)
      if (gpu.vendor === "nvidia") {
        const minor = minorIn(await proc.text(`driver/nvidia/gpus/${gpu.pciAddress}/information`))
        if (minor === null) return { gpu, files: null }
        files.push(`/dev/nvidia${minor}`)
      }
      return { gpu, files: files.length === 0 ? null : files }
    }),
  )
}

/** `Device Minor: 	 0` */
export function minorIn(information: string | null): number | null {
  const [, minor] = /^Device Minor:\s*(\d{1,3})\s*$/m.exec(information ?? "") ?? []
  return minor === undefined ? null : Number(minor)
}

/** What to put out of reach so that only one card is left; null where that is not known for certain. */
export function filesToSeal(cards: readonly CardFiles[], wanted: DetectedGpu): string[] | null {
  const own = cards.find(({ gpu }) => gpu === wanted)?.files ?? null
  const others = cards.filter(({ gpu }) => gpu !== wanted)
  if (own === null || others.some(({ files }) => files === null)) return null
  const sealed = others.flatMap(({ files }) => files ?? [])
  return sealed.some(file => own.includes(file)) ? null : sealed
}
