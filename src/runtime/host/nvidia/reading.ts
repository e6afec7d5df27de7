/** One value as nvidia-smi prints it; `null` stands for everything that is no reading. */
export type Printed = string | null

const SCALES = {
  C: { C: 1 },
  W: { W: 1, MW: 1e-3 },
  "%": { "%": 1 },
  MHZ: { MHZ: 1 },
  MIB: { MIB: 1, MB: 1, GIB: 1024, KIB: 1 / 1024 },
  X: { X: 1 },
  GEN: {},
} as const satisfies Record<string, Record<string, number>>

export type Unit = keyof typeof SCALES

/** What a sensor can say at all: a card on its way off the bus answers with all bits set. */
const RANGES: Record<Unit, [least: number, most: number]> = {
  C: [-40, 200],
  W: [0, 5000],
  "%": [0, 200],
  MHZ: [0, 50_000],
  MIB: [0, 1 << 24],
  X: [1, 64],
  GEN: [1, 16],
}

/**
 * Reads `45 C`, `123.45 W`, `24576 MiB`, `16x`, `x16`, padded or without unit, also where a bracketed remark follows.
 * @returns the number in the given unit (`MIB`: MiB), or null for N/A, errors, another unit and what no sensor can say.
 */
export function quantity(printed: Printed, unit: Unit): number | null {
  const bare = printed
    ?.replace(/[[(].*$/s, "")
    .trim()
    .replace(/^x(?=\d)/i, "")
  const match = bare?.match(/^(-?\d{1,12}(?:\.\d{1,6})?)\s*([a-z%°]*)$/i)
  if (!match) return null
  const suffix = (match[2] ?? "").replace("°", "").toUpperCase()
  const scale = suffix === "" ? 1 : (SCALES[unit] as Record<string, number>)[suffix]
  if (scale === undefined) return null
  const value = Number(match[1]) * scale
  const [least, most] = RANGES[unit]
  return value >= least && value <= most ? value : null
}

/** As {@link quantity}, for what cannot truly be 0: a limit, a memory's size. */
export function positive(printed: Printed, unit: Unit): number | null {
  const value = quantity(printed, unit)
  return value === 0 ? null : value
}

/** An id or a count; null for anything but plain digits. */
export function count(printed: Printed): number | null {
  return printed !== null && /^\s*\d{1,9}\s*$/.test(printed) ? Number(printed) : null
}

const LONGEST_CHARS = 200
const NOTHING =
  /^\[?\s*(n\/a\b.*|not supported|not found|unknown( error)?|err!?|error|function not found|gpu is lost.*|none|insufficient permissions|(requested functionality|.*\bis) .*deprecated.*|deprecated\b.*)\s*\]?$/is

/** Text that is a value, trimmed; null for the many ways of saying that there is none. */
export function words(printed: Printed): string | null {
  const text = printed?.trim().slice(0, LONGEST_CHARS) ?? ""
  return text === "" || NOTHING.test(text) ? null : text
}

/** `610.43.02 [a remark]` → `610.43.02`. */
export function version(printed: Printed): string | null {
  return printed?.match(/^\s*(\d{2,4}(?:\.\d{1,4}){1,3})(?=\s|\[|\(|$)/)?.[1] ?? null
}

/** `8.6`; null for anything else. */
export function capability(printed: Printed): string | null {
  return printed?.match(/^\s*(\d{1,2}\.\d)\s*$/)?.[1] ?? null
}

/** A UUID that could tell cards apart; masked ones (`GPU-XXXXXXXX-…`, all zeros) are none. */
export function uuid(printed: Printed): string | null {
  const text = printed?.trim() ?? ""
  return /^GPU-[0-9a-f][0-9a-f-]{7,}$/i.test(text) && /[1-9a-f]/i.test(text.slice(4)) ? text : null
}

const ADDRESS = /^"*(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])"*$/i

/** `00000000:01:00.0` → `0000:01:00.0`: four digits of domain as sysfs writes it, more where the domain has more. */
export function pciAddress(printed: Printed): string | null {
  const match = printed?.trim().match(ADDRESS)
  if (!match) return null
  const [, domain = "0", bus = "", device = "", fn = ""] = match
  const digits = Number.parseInt(domain, 16).toString(16).padStart(4, "0")
  return `${digits}:${bus}:${device}.${fn}`.toLowerCase()
}

/** `220410DE`, the device before the vendor → `10de:2204`. */
export function pciId(printed: Printed): string | null {
  const [, device, vendor] = printed?.trim().match(/^(?:0x)?([0-9a-f]{4})(10de)$/i) ?? []
  return device === undefined || vendor === undefined ? null : `${vendor}:${device}`.toLowerCase()
}
