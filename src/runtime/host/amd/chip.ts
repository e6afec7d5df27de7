/** AMD's number as a vendor of PCI devices. */
export const AMD = 0x1002

/** What is known of a chip from its PCI device id alone. */
export interface Chip {
  /** The compiler's target, such as `gfx1030`; null where one id covers several, or where ROCm never had one. */
  gfxTarget: string | null
  /** Part of a processor: it shares the machine's memory. */
  integrated: boolean
  /** First generation of Graphics Core Next: no compute queue of today's kernels, no load, no power reading. */
  firstGcn: boolean
}

type Range = readonly [first: number, last: number, gfxTarget: string | null]

/** Cards of their own; ids from the kernel's `amdgpu_drv.c`, targets from LLVM's AMDGPU processor table. Only certain ones. */
const CARDS: readonly Range[] = [
  [0x7300, 0x730f, "gfx803"],
  [0x67c0, 0x67df, "gfx803"],
  [0x67e0, 0x67ff, "gfx803"],
  [0x6980, 0x699f, "gfx803"],
  [0x694c, 0x694f, "gfx803"],
  [0x6fdf, 0x6fdf, "gfx803"],
  [0x6860, 0x687f, "gfx900"],
  [0x69a0, 0x69af, "gfx904"],
  [0x66a0, 0x66af, "gfx906"],
  [0x7388, 0x7390, "gfx908"],
  [0x7408, 0x7410, "gfx90a"],
  [0x74a1, 0x74bd, "gfx942"],
  [0x75a0, 0x75b3, "gfx950"],
  [0x7310, 0x731f, "gfx1010"],
  [0x7360, 0x7362, "gfx1011"],
  [0x7340, 0x734f, "gfx1012"],
  [0x73a0, 0x73bf, "gfx1030"],
  [0x73c0, 0x73df, "gfx1031"],
  [0x73e0, 0x73ff, "gfx1032"],
  [0x7420, 0x743f, "gfx1034"],
  [0x7440, 0x745e, "gfx1100"],
  [0x7460, 0x747e, "gfx1101"],
  [0x7480, 0x749f, "gfx1102"],
  [0x7550, 0x7551, "gfx1201"],
  [0x7590, 0x7590, "gfx1200"],
]

/** Graphics inside a processor: the kernel's `AMD_IS_APU` ids, and those of the older radeon driver. */
const INTEGRATED: readonly Range[] = [
  [0x1304, 0x131d, null],
  [0x9600, 0x97ff, null],
  [0x9800, 0x98ff, null],
  [0x9900, 0x99ff, null],
  [0x15dd, 0x15dd, "gfx902"],
  [0x15d8, 0x15d8, null],
  [0x1636, 0x1636, "gfx90c"],
  [0x1638, 0x1638, "gfx90c"],
  [0x164c, 0x164c, "gfx90c"],
  [0x15e7, 0x15e7, "gfx90c"],
  [0x163f, 0x163f, "gfx1033"],
  [0x1435, 0x1435, "gfx1033"],
  [0x164d, 0x164d, "gfx1035"],
  [0x1681, 0x1681, "gfx1035"],
  [0x164e, 0x164e, "gfx1036"],
  [0x13c0, 0x13c0, "gfx1036"],
  [0x1506, 0x1506, null],
  [0x13fe, 0x13fe, "gfx1013"],
  [0x143f, 0x143f, "gfx1013"],
  [0x15bf, 0x15bf, "gfx1103"],
  [0x15c8, 0x15c8, "gfx1103"],
  [0x1900, 0x1902, "gfx1103"],
  [0x150e, 0x150e, "gfx1150"],
  [0x1586, 0x1586, "gfx1151"],
  [0x1114, 0x1114, "gfx1152"],
]

/** Tahiti, Pitcairn, Cape Verde, Oland and Hainan (Southern Islands). */
const FIRST_GCN: readonly Range[] = [
  [0x6600, 0x6631, null],
  [0x6660, 0x667f, null],
  [0x6780, 0x679f, null],
  [0x6800, 0x683f, null],
]

export function chipOf(device: number | null): Chip {
  const card = rangeOf(CARDS, device)
  const integrated = rangeOf(INTEGRATED, device)
  return {
    gfxTarget: card?.[2] ?? integrated?.[2] ?? null,
    integrated: integrated !== undefined,
    firstGcn: rangeOf(FIRST_GCN, device) !== undefined,
  }
}

export function isKnownCard(device: number | null): boolean {
  return rangeOf(CARDS, device) !== undefined || rangeOf(FIRST_GCN, device) !== undefined
}

function rangeOf(ranges: readonly Range[], device: number | null): Range | undefined {
  return ranges.find(([first, last]) => device !== null && device >= first && device <= last)
}

/**
 * Targets that today's ROCm (7) names as supported on Linux and builds its libraries for: Instinct MI100 and later, Radeon
 * RX 6800 to 6950 and PRO W6800 (gfx1030), RX 7700 to 7900 (gfx1100, gfx1101), RX 9060 and 9070 (gfx1200, gfx1201).
 */
const ROCM_TARGETS: ReadonlySet<string> = new Set([
  "gfx908",
  "gfx90a",
  "gfx942",
  "gfx950",
  "gfx1030",
  "gfx1100",
  "gfx1101",
  "gfx1200",
  "gfx1201",
])

/** The last ROCm that AMD supported a dropped family with. */
const DROPPED: ReadonlyMap<string, string> = new Map([
  ["gfx803", "4.0"],
  ["gfx900", "4.5"],
  ["gfx906", "5.7"],
])

/** Why ROCm cannot use a target, in words for the card's owner; null where it can. */
export function rocmRefusal(gfxTarget: string | null): string | null {
  if (gfxTarget === null) return "It is not known which ROCm target this chip has, so none is promised."
  if (ROCM_TARGETS.has(gfxTarget)) return null
  const last = DROPPED.get(gfxTarget)
  return last === undefined
    ? `ROCm does not support this chip (${gfxTarget}); it is monitored only.`
    : `ROCm dropped this chip (${gfxTarget}) after version ${last}; it is monitored only.`
}
