import { integerOf, within } from "../drm/number.ts"
import { keyValues } from "../drm/pci-card.ts"
import type { Sysfs } from "../drm/sysfs.ts"
import { AMD } from "./chip.ts"
import { targetOfVersion } from "./gfx-target.ts"
import { uniqueIdOfDecimal } from "./unique-id.ts"

const NODES = "class/kfd/kfd/topology/nodes"

/** What the kernel's compute driver knows of a GPU. */
export interface KfdNode {
  pciAddress: string
  gfxTarget: string | null
  uuid: string | null
  /** The number in `renderD128`. */
  renderMinor: number | null
}

/** The GPUs of the compute driver's topology (`kfd_topology.c`); processors are left out. */
export async function readKfdNodes(sysfs: Sysfs): Promise<KfdNode[]> {
  const names = await sysfs.list(NODES)
  const texts = await Promise.all(names.map(name => sysfs.text(`${NODES}/${name}/properties`)))
  return texts.map(kfdNode).filter(node => node !== null)
}

/** One node's `properties`; null where it is no GPU of AMD or does not tell its place. */
export function kfdNode(properties: string | null): KfdNode | null {
  const values = keyValues(properties, " ")
  const number = (name: string) => integerOf(values.get(name))
  const location = within(number("location_id"), 0, 0xffff)
  const vendor = number("vendor_id")
  if (location === null || (vendor ?? AMD) !== AMD || number("simd_count") === 0) return null
  const gfxTarget = targetOfVersion(number("gfx_target_version"))
  // Node 0 is often the processor, whose location 0 would name a device that is none.
  if (vendor === null && gfxTarget === null) return null
  return {
    pciAddress: addressOf(number("domain") ?? 0, location),
    gfxTarget,
    uuid: uniqueIdOfDecimal(values.get("unique_id")),
    renderMinor: within(number("drm_render_minor"), 128, 255),
  }
}

/** KFD packs bus, device and function as PCI does: 8, 5 and 3 bits. */
function addressOf(domain: number, location: number): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0")
  return `${hex(domain, 4)}:${hex(location >> 8, 2)}:${hex((location >> 3) & 0x1f, 2)}.${location & 7}`
}
