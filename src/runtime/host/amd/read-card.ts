import { amdgpuName, pciName } from "../drm/id-files.ts"
import { integerOf, mibOf, within } from "../drm/number.ts"
import type { PciCard } from "../drm/pci-card.ts"
import { pciIdOf, pciRevisionOf } from "../drm/pci-id.ts"
import { readPcieLink } from "../drm/pcie-link.ts"
import type { Sysfs } from "../drm/sysfs.ts"
import { UNREPORTED } from "../gpu.ts"
import { chipOf } from "./chip.ts"
import type { KfdNode } from "./kfd.ts"
import { productName } from "./product-name.ts"
import type { AmdRecord, Readings } from "./record.ts"
import { readSensors } from "./sensors.ts"
import { uniqueIdOf } from "./unique-id.ts"

/** The texts of the name tables; empty where the system has none. */
export interface NameTables {
  amdgpuIds: string
  pciIds: string
}

/** Reads one AMD card from its folder in sysfs (Documentation/gpu/amdgpu/driver-misc.rst). */
export async function readCard(
  sysfs: Sysfs,
  card: PciCard,
  nodes: KfdNode[],
  tables: NameTables,
): Promise<AmdRecord> {
  const text = (name: string) => sysfs.text(`${card.folder}/${name}`)
  const mib = async (name: string) => mibOf(integerOf(await text(name)))
  const kfd = nodes.find(node => node.pciAddress === card.pciAddress)
  const chip = chipOf(card.device)
  const sensors = await readSensors(sysfs, card.folder, /^gfx9[45]/.test(chip.gfxTarget ?? ""))
  const vramTotalMiB = within(await mib("mem_info_vram_total"), 1, Number.MAX_SAFE_INTEGER)
  const readings: Readings = {
    ...UNREPORTED,
    name: amdgpuName(tables.amdgpuIds, card) ?? productName(await text("product_name")),
    uuid: uniqueIdOf(await text("unique_id")) ?? kfd?.uuid ?? null,
    pciAddress: card.pciAddress,
    pciId: pciIdOf(card.vendor, card.device),
    pciRevision: pciRevisionOf(card.revision),
    vramTotalMiB,
    vramUsedMiB: within(await mib("mem_info_vram_used"), 0, vramTotalMiB ?? Number.MAX_SAFE_INTEGER),
    driverVersion: card.driver === "radeon" ? null : versionOf(await sysfs.text("module/amdgpu/version")),
    temperatureC: sensors.temperatureC,
    utilizationPct: within(integerOf(await text("gpu_busy_percent")), 0, 100),
    powerDrawW: sensors.powerDrawW,
    powerLimitW: sensors.powerLimitW,
    fanPct: sensors.fanPct,
    clocksMhz: {
      core: starredClock(await text("pp_dpm_sclk")) ?? sensors.coreMhz,
      memory: starredClock(await text("pp_dpm_mclk")) ?? sensors.memoryMhz,
    },
    pcie: await readPcieLink(sysfs, card),
    gfxTarget: kfd?.gfxTarget ?? chip.gfxTarget,
    renderNode: await renderNodeOf(sysfs, card, kfd),
  }
  return {
    readings,
    device: card.device,
    familyName: pciName(tables.pciIds, card),
    driver: card.driver,
    offTheBus: card.offTheBus,
    hasFan: sensors.hasFan,
    gttTotalMiB: await mib("mem_info_gtt_total"),
    vramVendor: memoryMaker(await text("mem_info_vram_vendor")),
    criticalC: sensors.criticalC,
    uncorrectableErrors: await readUncorrectable(sysfs, card.folder),
  }
}

/** The level that is marked as running: `1: 608Mhz *`, in deep sleep `S: 19Mhz *`. */
export function starredClock(levels: string | null): number | null {
  const mhz = /^\s*\w+:\s*(\d{1,5})\s*MHz\b.*\*\s*$/im.exec(levels ?? "")?.[1]
  return mhz === undefined ? null : Number(mhz)
}

function memoryMaker(name: string | null): string | null {
  return name === null || /^(?:unknown|n\/a|none|0)$/i.test(name) ? null : name
}

/** The module has a version only where AMD's own packages installed it; the kernel's goes by the kernel. */
function versionOf(text: string | null): string | null {
  return text !== null && /^\d[\w.+~-]{0,60}$/.test(text) ? text : null
}

async function renderNodeOf(
  sysfs: Sysfs,
  { folder }: PciCard,
  kfd: KfdNode | undefined,
): Promise<string | null> {
  if (kfd?.renderMinor != null) return `/dev/dri/renderD${kfd.renderMinor}`
  const own = (await sysfs.list(`${folder}/drm`)).find(isRenderNode)
  if (own !== undefined) return `/dev/dri/${own}`
  for (const name of (await sysfs.list("class/drm")).filter(isRenderNode)) {
    if ((await sysfs.resolve(`class/drm/${name}/device`)) === folder) return `/dev/dri/${name}`
  }
  return null
}

function isRenderNode(name: string): boolean {
  return /^renderD\d+$/.test(name)
}

/** Every block's `ras/<block>_err_count` has a line `ue: <count>` (Documentation/gpu/amdgpu/ras.rst). */
async function readUncorrectable(sysfs: Sysfs, folder: string): Promise<number | null> {
  const files = (await sysfs.list(`${folder}/ras`)).filter(name => name.endsWith("_err_count"))
  const texts = await Promise.all(files.map(name => sysfs.text(`${folder}/ras/${name}`)))
  const counts = texts
    .map(text => integerOf(/^\s*ue:\s*(\d+)\s*$/im.exec(text ?? "")?.[1]))
    .filter(n => n !== null)
  return counts.length === 0 ? null : counts.reduce((sum, count) => sum + count, 0)
}
