import path from "node:path"
import { PciAddress } from "../gpu.ts"
import { hexOf } from "./number.ts"
import type { Sysfs } from "./sysfs.ts"

export interface PciIds {
  vendor: number | null
  device: number | null
  revision: number | null
  subsystemVendor: number | null
  subsystemDevice: number | null
  /** Class, subclass and interface, such as 0x030000. */
  deviceClass: number | null
}

/** A display or compute device on the PCI bus, as sysfs shows it. */
export interface PciCard extends PciIds {
  pciAddress: string | null
  /** Where the device's attributes lie. */
  folder: string
  /** `card0`; null where no graphics driver has taken the device. */
  drmName: string | null
  /** The kernel driver's name; null where none is bound; undefined where the tree does not tell. */
  driver: string | null | undefined
  /** The device answers with nothing but ones: it has fallen off the bus. */
  offTheBus: boolean
}

/** Classes 03xx (display) and 1200 (processing accelerator: later Instinct cards), PCI Code and ID Assignment Specification. */
function isGpuClass(deviceClass: number | null): boolean {
  return deviceClass !== null && (deviceClass >> 16 === 0x03 || deviceClass >> 8 === 0x1200)
}

/**
 * The GPUs of one vendor in the order of their addresses: all that a graphics driver shows under `class/drm`, and those on the
 * bus that no driver has taken.
 */
export async function listPciCards(sysfs: Sysfs, vendor: number): Promise<PciCard[]> {
  const cards: PciCard[] = []
  const seen = new Set<string>()
  const add = (card: PciCard | null) => {
    if (card === null || card.vendor !== vendor) return
    const place = card.pciAddress ?? card.folder
    if (!seen.has(place)) cards.push(card)
    seen.add(place)
  }
  for (const name of await sysfs.list("class/drm")) {
    // Connectors are called card0-DP-1.
    if (/^card\d+$/.test(name)) add(await readCard(sysfs, `class/drm/${name}/device`, name))
  }
  for (const name of await sysfs.list("bus/pci/devices")) {
    const card = await readCard(sysfs, `bus/pci/devices/${name}`, null)
    if (isGpuClass(card?.deviceClass ?? null)) add(card)
  }
  return cards.sort(byAddress)
}

function byAddress(a: PciCard, b: PciCard): number {
  if (a.pciAddress === null || b.pciAddress === null) {
    return Number(a.pciAddress === null) - Number(b.pciAddress === null)
  }
  return a.pciAddress < b.pciAddress ? -1 : 1
}

async function readCard(sysfs: Sysfs, place: string, drmName: string | null): Promise<PciCard | null> {
  const folder = await sysfs.resolve(place)
  if (folder === null) return null
  const uevent = keyValues(await sysfs.text(`${folder}/uevent`), "=")
  const config = await sysfs.bytes(`${folder}/config`, 64)
  const ids = await readIds(sysfs, folder, uevent, config)
  return {
    ...ids,
    pciAddress: addressIn(folder, place, uevent),
    folder,
    drmName,
    driver: await driverOf(sysfs, folder, uevent, drmName),
    offTheBus: isAllOnes(config) || (await sysfs.text(`${folder}/vendor`)) === "0xffff",
  }
}

function addressIn(folder: string, place: string, uevent: Map<string, string>): string | null {
  // A kept copy of the tree may have plain folders instead of links, then only uevent knows the place.
  for (const name of [uevent.get("PCI_SLOT_NAME"), path.basename(folder), path.basename(place)]) {
    const address = PciAddress.safeParse(name?.toLowerCase())
    if (address.success) return address.data
  }
  return null
}

async function driverOf(
  sysfs: Sysfs,
  folder: string,
  uevent: Map<string, string>,
  drmName: string | null,
): Promise<string | null | undefined> {
  const link = await sysfs.resolve(`${folder}/driver`)
  const bound = uevent.get("DRIVER") || (link && path.basename(link))
  if (bound && bound !== "driver") return bound
  // Only a driver makes a folder in class/drm, and a uevent that is cut short says nothing about drivers.
  return drmName === null && uevent.has("PCI_ID") && !bound ? null : undefined
}

/** The same identifiers stand in several files; a reduced tree has only `uevent`, an old kernel no `revision`. */
async function readIds(
  sysfs: Sysfs,
  folder: string,
  uevent: Map<string, string>,
  config: Uint8Array | null,
): Promise<PciIds> {
  const [vendor, device] = (uevent.get("PCI_ID") ?? "").split(":").map(hexOf)
  const [subsystemVendor, subsystemDevice] = (uevent.get("PCI_SUBSYS_ID") ?? "").split(":").map(hexOf)
  const header = configIds(config)
  const alias = aliasIds((await sysfs.text(`${folder}/modalias`)) ?? uevent.get("MODALIAS") ?? null)
  const file = async (name: string) => hexOf(await sysfs.text(`${folder}/${name}`))
  return {
    vendor: vendor ?? alias?.vendor ?? (await file("vendor")) ?? header?.vendor ?? null,
    device: device ?? alias?.device ?? (await file("device")) ?? header?.device ?? null,
    revision: (await file("revision")) ?? header?.revision ?? null,
    subsystemVendor: subsystemVendor ?? alias?.subsystemVendor ?? (await file("subsystem_vendor")),
    subsystemDevice: subsystemDevice ?? alias?.subsystemDevice ?? (await file("subsystem_device")),
    deviceClass:
      hexOf(uevent.get("PCI_CLASS")) ??
      alias?.deviceClass ??
      (await file("class")) ??
      header?.deviceClass ??
      null,
  }
}

/** The configuration header (PCI Local Bus Specification 3.0, 6.1), little-endian. */
function configIds(config: Uint8Array | null): Partial<PciIds> | null {
  if (config === null || config.length < 64 || isAllOnes(config)) return null
  const view = new DataView(config.buffer, config.byteOffset, config.byteLength)
  const vendor = view.getUint16(0, true)
  // A kept text of the file, or a hole of zeros, is no header.
  if (![0x1002, 0x10de, 0x8086].includes(vendor)) return null
  const device = view.getUint16(2, true)
  return { vendor, device, revision: view.getUint8(8), deviceClass: view.getUint32(8, true) >>> 8 }
}

function isAllOnes(config: Uint8Array | null): boolean {
  return config !== null && config.length >= 4 && config.subarray(0, 64).every(byte => byte === 0xff)
}

/** `pci:v00001002d000067DFsv00001458sd000022F7bc03sc00i00` */
function aliasIds(alias: string | null): PciIds | null {
  const match = /^pci:v([0-9A-F]{8})d([0-9A-F]{8})sv([0-9A-F]{8})sd([0-9A-F]{8})bc(..)sc(..)i(..)$/i.exec(
    alias ?? "",
  )
  if (match === null) return null
  const [vendor = null, device = null, subsystemVendor = null, subsystemDevice = null] = match
    .slice(1, 5)
    .map(hexOf)
  return {
    vendor,
    device,
    revision: null,
    subsystemVendor,
    subsystemDevice,
    deviceClass: hexOf(match.slice(5, 8).join("")),
  }
}

/** Lines of a name and a value, as in `uevent` (`=`) and in KFD's `properties` (a space). */
export function keyValues(text: string | null, separator: "=" | " "): Map<string, string> {
  const pairs = (text ?? "").split("\n").flatMap(line => {
    const at = line.indexOf(separator)
    return at < 1 ? [] : [[line.slice(0, at).trim(), line.slice(at + 1).trim()] as const]
  })
  return new Map(pairs)
}
