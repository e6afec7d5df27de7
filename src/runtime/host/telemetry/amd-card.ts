import { throttleOf } from "../amd/gpu-metrics.ts"
import { starredClock } from "../amd/read-card.ts"
import { findSensors, type SensorPlaces, sensorsAt } from "../amd/sensors.ts"
import { integerOf, mibOf, within } from "../drm/number.ts"
import { keyValues } from "../drm/pci-card.ts"
import type { Sysfs } from "../drm/sysfs.ts"
import type { DetectedGpu } from "../gpu.ts"
import { HeldFiles } from "./held-files.ts"
import { type Readings, UNREAD } from "./sample.ts"

/** What only a change of the hardware changes. */
const FIXED = /_(?:max|crit)$/

/**
 * One AMD card's attributes (Documentation/gpu/amdgpu/driver-misc.rst), found once and held open. After an error they are looked
 * for again: the card may have come back at another place of the tree.
 */
export class AmdCard {
  readonly #sysfs: Sysfs
  readonly #gpu: DetectedGpu
  #held: { folder: string; places: SensorPlaces; files: HeldFiles } | null = null

  constructor(sysfs: Sysfs, gpu: DetectedGpu) {
    this.#sysfs = sysfs
    this.#gpu = gpu
  }

  /** What the card tells now, one attribute after the other; nothing where it is gone. Never throws. */
  async read(): Promise<Readings> {
    try {
      this.#held ??= await this.#find()
      if (this.#held === null) return UNREAD
      await this.#held.files.check()
      return await readingsOf(this.#held)
    } catch {
      await this.close()
      return UNREAD
    }
  }

  async close(): Promise<void> {
    const held = this.#held
    this.#held = null
    await held?.files.close()
  }

  async #find() {
    const folder = await folderOf(this.#sysfs, this.#gpu.pciAddress)
    if (folder === null) return null
    // gfx94x and gfx95x have no edge sensor.
    const places = await findSensors(this.#sysfs, folder, /^gfx9[45]/.test(this.#gpu.gfxTarget ?? ""))
    return { folder, places, files: new HeldFiles(this.#sysfs, places.monitor ?? folder) }
  }
}

async function readingsOf({
  folder,
  places,
  files,
}: {
  folder: string
  places: SensorPlaces
  files: HeldFiles
}): Promise<Readings> {
  const text = (name: string) => files.text(`${folder}/${name}`)
  const sensor = (name: string) => {
    const place = `${places.monitor}/${name}`
    return FIXED.test(name) ? files.fixed(place) : files.text(place)
  }
  const sensors = await sensorsAt(places, async name => (places.monitor === null ? null : sensor(name)))
  const total = mibOf(integerOf(await files.fixed(`${folder}/mem_info_vram_total`)))
  const metrics = await files.bytes(`${folder}/gpu_metrics`)
  const throttle = metrics && throttleOf(metrics)
  const used = mibOf(integerOf(await text("mem_info_vram_used")))
  return {
    temperatureC: sensors.temperatureC,
    utilizationPct: within(integerOf(await text("gpu_busy_percent")), 0, 100),
    vramUsedMiB: within(used, 0, total ?? Number.MAX_SAFE_INTEGER),
    powerDrawW: sensors.powerDrawW,
    powerLimitW: sensors.powerLimitW,
    fanPct: sensors.fanPct,
    coreMhz: starredClock(await text("pp_dpm_sclk")) ?? sensors.coreMhz,
    memoryMhz: starredClock(await text("pp_dpm_mclk")) ?? sensors.memoryMhz,
    throttle,
  }
}

async function folderOf(sysfs: Sysfs, pciAddress: string | null): Promise<string | null> {
  if (pciAddress === null) return null
  const onBus = await sysfs.resolve(`bus/pci/devices/${pciAddress}`)
  if (onBus !== null) return onBus
  // A kept tree may have no bus.
  for (const name of (await sysfs.list("class/drm")).filter(entry => /^card\d+$/.test(entry))) {
    const folder = await sysfs.resolve(`class/drm/${name}/device`)
    const slot = folder && keyValues(await sysfs.text(`${folder}/uevent`), "=").get("PCI_SLOT_NAME")
    if (folder !== null && slot?.toLowerCase() === pciAddress) return folder
  }
  return null
}
