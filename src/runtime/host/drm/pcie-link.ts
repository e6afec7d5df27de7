import path from "node:path"
import { type DetectedGpu, PciAddress } from "../gpu.ts"
import { integerOf, within } from "./number.ts"
import type { PciCard } from "./pci-card.ts"
import type { Sysfs } from "./sysfs.ts"

/** Gigatransfers per second of each generation (PCI Express Base Specification 6.0, 1.2). */
const GENERATIONS = new Map([
  [2.5, 1],
  [5, 2],
  [8, 3],
  [16, 4],
  [32, 5],
  [64, 6],
])

/**
 * The link between the card and the machine. From Vega 10 on, the chip sits behind a switch of its own and its own attributes
 * show that inner link (x16 at full speed) even where the card is on a x1 riser. So the narrowest and slowest of all links up to
 * the root port counts, as far as the tree has them: the folders above the device's are its bridges.
 */
export async function readPcieLink(sysfs: Sysfs, card: PciCard): Promise<DetectedGpu["pcie"]> {
  const links = await Promise.all(chainOf(card.folder).map(folder => readLink(sysfs, folder)))
  return {
    gen: least(links.map(link => link.gen)),
    width: least(links.map(link => link.width)),
    maxWidth: least(links.map(link => link.maxWidth)),
  }
}

function chainOf(folder: string): string[] {
  const chain = [folder]
  let above = path.dirname(folder)
  while (PciAddress.safeParse(path.basename(above)).success) {
    chain.push(above)
    above = path.dirname(above)
  }
  return chain
}

async function readLink(sysfs: Sysfs, folder: string): Promise<DetectedGpu["pcie"]> {
  return {
    gen: generationOf(await sysfs.text(`${folder}/current_link_speed`)),
    width: widthOf(await sysfs.text(`${folder}/current_link_width`)),
    maxWidth: widthOf(await sysfs.text(`${folder}/max_link_width`)),
  }
}

/** `16.0 GT/s PCIe`, on older kernels `8.0 GT/s` or `8 GT/s`; also what tools print, such as `5 GT/s`. */
export function generationOf(speed: string | null): number | null {
  const transfers = /^(\d+(?:\.\d+)?)\s*GT\/s/i.exec(speed ?? "")?.[1]
  return transfers === undefined ? null : (GENERATIONS.get(Number(transfers)) ?? null)
}

/** 0 is a link that is down, 63 and 255 are what a card that is gone answers. */
function widthOf(text: string | null): number | null {
  return within(integerOf(text), 1, 32)
}

function least(values: (number | null)[]): number | null {
  const known = values.filter(value => value !== null)
  return known.length === 0 ? null : Math.min(...known)
}
