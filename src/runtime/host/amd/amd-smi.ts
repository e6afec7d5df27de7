import { hexOf } from "../drm/number.ts"
import { pciIdOf, pciRevisionOf } from "../drm/pci-id.ts"
import { generationOf } from "../drm/pcie-link.ts"
import { UNREPORTED } from "../gpu.ts"
import { AMD } from "./chip.ts"
import { targetOfText } from "./gfx-target.ts"
import { coversSeveral, productName } from "./product-name.ts"
import { filled, type Readings, type SmiCard } from "./record.ts"
import { addressOf, amountOf, isObject, jsonIn, mibOfValue, plausible, quantityOf } from "./smi-value.ts"
import { uniqueIdOf } from "./unique-id.ts"

export const AMD_SMI_STATIC = ["static", "--json"]
export const AMD_SMI_METRIC = ["metric", "--json"]

/**
 * Reads what `amd-smi static --json`, `metric --json` and `list --json` print, and joins them by the number that the tool gives
 * each GPU. ROCm 5 and 6 print a list, 7 puts it under `gpu_data`; a value is N/A, a number, or `{value, unit}`.
 * @returns null where none of the outputs has JSON that is whole.
 */
export function parseAmdSmi(outputs: string[]): SmiCard[] | null {
  const documents = outputs.map(jsonIn).filter(document => document !== undefined)
  if (documents.length === 0) return null
  const cards = new Map<unknown, SmiCard>()
  for (const entry of documents.flatMap(entriesOf)) {
    if (!isObject(entry)) continue
    const known = cards.get(entry.gpu)
    const card = cardOf(entry)
    cards.set(entry.gpu, known === undefined ? card : joined(known, card))
  }
  return [...cards.values()]
}

function entriesOf(document: unknown): unknown[] {
  if (Array.isArray(document)) return document
  if (!isObject(document)) return []
  const inner = document.gpu_data ?? document.gpus
  return Array.isArray(inner) ? inner : []
}

function joined(known: SmiCard, more: SmiCard): SmiCard {
  return {
    ...filled(known, more),
    device: known.device ?? more.device,
    familyName: known.familyName ?? more.familyName,
  }
}

/** The value at the first of the paths that leads to one; N/A leads nowhere. */
function at(entry: unknown, ...paths: string[]): unknown {
  for (const path of paths) {
    const found = path
      .split(".")
      .reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), entry)
    if (found !== undefined && found !== null && found !== "N/A") return found
  }
  return undefined
}

function cardOf(entry: Record<string, unknown>): SmiCard {
  const device = hexOf(textOf(at(entry, "asic.device_id")))
  const names = ["asic.market_name", "board.product_name"].map(path => productName(at(entry, path)))
  const readings: Readings = {
    ...UNREPORTED,
    name: names.find(name => name !== null && !coversSeveral(name)) ?? null,
    uuid: uniqueIdOf(textOf(at(entry, "asic.asic_serial"))),
    pciAddress: addressOf(at(entry, "bus.bdf", "bdf")),
    pciId: pciIdOf(AMD, device),
    pciRevision: pciRevisionOf(hexOf(textOf(at(entry, "asic.rev_id")))),
    vramTotalMiB: mibOfValue(at(entry, "mem_usage.total_vram", "vram.size", "vram.vram_size"), "mb"),
    vramUsedMiB: mibOfValue(at(entry, "mem_usage.used_vram"), "mb"),
    driverVersion: versionOf(at(entry, "driver.version", "driver.driver_version")),
    temperatureC: amountOf(at(entry, "temperature.edge", "temperature.edge_temperature")),
    utilizationPct: amountOf(at(entry, "usage.gfx_activity", "usage.gfx_usage", "usage.gfx_busy")),
    powerDrawW: amountOf(
      at(
        entry,
        "power.socket_power",
        "power.current_socket_power",
        "power.average_socket_power",
        "power.current_power",
      ),
    ),
    powerLimitW: amountOf(
      at(entry, "limit.socket_power", "limit.ppt0.socket_power_limit", "limit.current_power", "limit.power"),
    ),
    fanPct: percentOf(at(entry, "fan.usage")),
    clocksMhz: {
      core: amountOf(
        at(entry, "clock.gfx_0.clk", "clock.gfx_0.cur_clk", "clock.gfx.clk", "clock.gfx.cur_clk"),
      ),
      memory: amountOf(
        at(entry, "clock.mem_0.clk", "clock.mem_0.cur_clk", "clock.mem.clk", "clock.mem.cur_clk"),
      ),
    },
    pcie: {
      gen: generationAt(at(entry, "pcie.speed", "pcie.current_speed", "pcie.pcie_speed")),
      width: amountOf(at(entry, "pcie.width", "pcie.current_lanes", "pcie.pcie_width")),
      maxWidth: amountOf(at(entry, "bus.max_pcie_width", "bus.max_pcie_lanes")),
    },
    gfxTarget: targetOfText(textOf(at(entry, "asic.target_graphics_version"))),
  }
  return {
    ...plausible(readings),
    device,
    familyName: names.find(name => name !== null) ?? null,
  }
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value.trim() : null
}

function versionOf(value: unknown): string | null {
  const text = textOf(value)
  return text !== null && /^\d[\w.+~-]{0,60}$/.test(text) ? text : null
}

function percentOf(value: unknown): number | null {
  const quantity = quantityOf(value)
  return quantity?.unit === "%" ? Math.round(quantity.amount) : null
}

/** `{"value": 16, "unit": "GT/s"}`; the first versions counted in MT/s. */
function generationAt(value: unknown): number | null {
  const quantity = quantityOf(value)
  if (quantity === null) return null
  const transfers =
    quantity.unit === "mt/s" || quantity.amount > 1000 ? quantity.amount / 1000 : quantity.amount
  return generationOf(`${transfers} GT/s`)
}
