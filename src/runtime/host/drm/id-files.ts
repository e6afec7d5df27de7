import { readFile } from "node:fs/promises"
import type { PciIds } from "./pci-card.ts"

/** Where systems keep the tables of names; the first that can be read counts. */
export interface IdFiles {
  amdgpuIds: string[]
  pciIds: string[]
}

export const SYSTEM_ID_FILES: IdFiles = {
  amdgpuIds: ["/usr/share/libdrm/amdgpu.ids", "/opt/amdgpu/share/libdrm/amdgpu.ids"],
  pciIds: [
    "/usr/share/misc/pci.ids",
    "/usr/share/hwdata/pci.ids",
    "/usr/share/pci.ids",
    "/var/lib/pciutils/pci.ids",
  ],
}

/** The text of the first file that can be read, else an empty one. */
export async function readFirst(files: string[]): Promise<string> {
  for (const file of files) {
    const text = await readFile(file, "utf8").catch(() => "")
    if (text !== "") return text
  }
  return ""
}

/**
 * The product's name by device and revision, from libdrm's `amdgpu.ids` (`67DF,<tab>E7,<tab>AMD Radeon RX 580 Series`).
 * Where two lines name the same pair, libdrm takes the first, and so do we.
 */
export function amdgpuName(table: string, { device, revision }: PciIds): string | null {
  if (device === null || revision === null) return null
  for (const line of table.split("\n")) {
    const [, lineDevice, lineRevision, name] =
      /^([0-9a-f]{4})\s*,\s*([0-9a-f]{1,2})\s*,\s*(.+)$/i.exec(line) ?? []
    if (!lineDevice || !lineRevision || !name) continue
    const same = Number.parseInt(lineDevice, 16) === device && Number.parseInt(lineRevision, 16) === revision
    if (same && name.trim() !== "") return name.trim()
  }
  return null
}

/**
 * The name in `pci.ids`: the board's where both subsystem numbers are listed, else the chip's, which often covers several products.
 * Format: vendor at the line's start, device after one tab, subsystem after two (https://pci-ids.ucw.cz).
 */
export function pciName(
  table: string,
  { vendor, device, subsystemVendor, subsystemDevice }: PciIds,
): string | null {
  if (vendor === null || device === null) return null
  const board =
    subsystemVendor === null || subsystemDevice === null ? null : [subsystemVendor, subsystemDevice]
  const boardStart = board && `\t\t${board.map(hex4).join(" ")} `
  const chip = chipLines(table, hex4(vendor), hex4(device))
  const boardLine = boardStart && chip.find(line => line.toLowerCase().startsWith(boardStart))
  return nameIn(boardLine, 11) ?? nameIn(chip[0], 5)
}

/** The device's line and those of its boards below it. */
function chipLines(table: string, vendor: string, device: string): string[] {
  const lines = table.split("\n")
  const vendorAt = lines.findIndex(line => line.toLowerCase().startsWith(`${vendor} `))
  if (vendorAt === -1) return []
  const found: string[] = []
  for (const line of lines.slice(vendorAt + 1)) {
    if (/^[0-9a-fC]/i.test(line)) break
    const isDevice = /^\t[0-9a-f]/i.test(line)
    if (isDevice && found.length > 0) break
    if (isDevice ? line.toLowerCase().startsWith(`\t${device} `) : found.length > 0) found.push(line)
  }
  return found
}

function nameIn(line: string | null | undefined, from: number): string | null {
  return line?.slice(from).trim() || null
}

function hex4(value: number): string {
  return value.toString(16).padStart(4, "0")
}
