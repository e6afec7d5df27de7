import { hexOf } from "../drm/number.ts"
import { pciIdOf, pciRevisionOf } from "../drm/pci-id.ts"
import { UNREPORTED } from "../gpu.ts"
import { AMD } from "./chip.ts"
import { targetOfText } from "./gfx-target.ts"
import { coversSeveral, productName } from "./product-name.ts"
import { starredClock } from "./read-card.ts"
import type { SmiCard } from "./record.ts"
import { addressOf, amountOf, isObject, jsonIn, mibOfValue, plausible, quantityOf } from "./smi-value.ts"
import { uniqueIdOf } from "./unique-id.ts"

/** Asked for one by one, because `-a` leaves values out. */
export const ROCM_SMI_ARGUMENTS = [
  "--showproductname",
  "--showid",
  "--showuniqueid",
  "--showbus",
  "--showdriverversion",
  "--showmeminfo",
  "vram",
  "--showuse",
  "--showtemp",
  "--showpower",
  "--showmaxpower",
  "--showfan",
  "--showclocks",
  "--json",
]

/** For a rocm-smi too old for one of them. */
export const ROCM_SMI_FALLBACK = ["-a", "--json"]

/**
 * Reads what `rocm-smi --json` prints, of any generation: the keys' case and order change, numbers are texts, and names may be
 * numbers.
 * @returns null where the output has no JSON that is whole.
 */
export function parseRocmSmi(output: string): SmiCard[] | null {
  const document = jsonIn(output)
  if (!isObject(document)) return null
  const driver = isObject(document.system) ? fieldsOf(document.system) : new Map<string, unknown>()
  return Object.entries(document)
    .filter(([key]) => /^(?:card|gpu)[ :]?\d+$/i.test(key))
    .sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }))
    .flatMap(([, card]) => (isObject(card) ? [cardOf(new Map([...driver, ...fieldsOf(card)]))] : []))
}

type Fields = Map<string, unknown>

function fieldsOf(card: Record<string, unknown>): Fields {
  const plain = (key: string) => key.toLowerCase().replace(/\s+/g, " ").replace(/:$/, "").trim()
  return new Map(Object.entries(card).map(([key, value]) => [plain(key), value]))
}

function cardOf(fields: Fields): SmiCard {
  const device = hexOf(prefixed(fields.get("device id")) ?? prefixed(fields.get("gpu id")))
  const names = ["card series", "device name", "market name", "card model"].map(key =>
    productName(fields.get(key)),
  )
  const exact = names.find(name => name !== null && !coversSeveral(name)) ?? null
  const readings = plausible({
    ...UNREPORTED,
    name: exact,
    uuid: uniqueIdOf(textOf(fields.get("unique id"))),
    pciAddress: addressOf(fields.get("pci bus")),
    pciId: pciIdOf(AMD, device),
    pciRevision: pciRevisionOf(hexOf(prefixed(fields.get("device rev")))),
    vramTotalMiB: mibOfValue(fields.get("vram total memory (b)"), "b"),
    vramUsedMiB: mibOfValue(fields.get("vram total used memory (b)"), "b"),
    driverVersion: versionOf(fields.get("driver version")),
    temperatureC: first(fields, [
      "temperature (sensor edge) (c)",
      "temperature (sensor #1) (c)",
      "temperature (c)",
    ]),
    utilizationPct: first(fields, ["gpu use (%)"]),
    powerDrawW: first(fields, [
      "average graphics package power (w)",
      "current socket graphics package power (w)",
      "average graphics package power",
    ]),
    powerLimitW: first(fields, ["max graphics package power (w)", "max graphics package power"]),
    fanPct: first(fields, ["fan speed (%)"]) ?? percentOf(fields.get("fan level")),
    clocksMhz: { core: clockOf(fields, "sclk"), memory: clockOf(fields, "mclk") },
    gfxTarget: targetOfText(textOf(fields.get("gfx version"))),
  })
  return {
    ...readings,
    device,
    familyName: names.find(name => name !== null) ?? null,
  }
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value.trim() : null
}

/** Without 0x, the number is another one of the tool's own. */
function prefixed(value: unknown): string | null {
  const text = textOf(value)
  return text?.startsWith("0x") ? text : null
}

function versionOf(value: unknown): string | null {
  const text = textOf(value)
  return text !== null && /^\d[\w.+~-]{0,60}$/.test(text) ? text : null
}

function first(fields: Fields, keys: string[]): number | null {
  return keys.map(key => amountOf(fields.get(key))).find(amount => amount !== null) ?? null
}

/** The level may be a number out of 255; only a percentage is one. */
function percentOf(value: unknown): number | null {
  const quantity = quantityOf(value)
  return quantity?.unit === "%" ? quantity.amount : null
}

/** `(1600Mhz)` under "clock speed"; the first versions put it behind the level: `1 (852Mhz)`. */
function clockOf(fields: Fields, name: string): number | null {
  for (const key of [`${name} clock speed`, `${name} clock level`]) {
    const text = textOf(fields.get(key)) ?? ""
    const mhz = /^(?:\w+:?\s*)?\((\d{1,5})\s*MHz\)$/i.exec(text)?.[1]
    const running = mhz === undefined ? starredClock(text) : Number(mhz)
    if (running !== null) return running
  }
  return null
}
