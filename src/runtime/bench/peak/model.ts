/** Floating-point operations of one unit in one cycle: of an NVIDIA SM, or of an AMD compute unit. */
export interface Rates {
  fp32: number
  fp16: number | null
  matrix: number | null
}

/** A card as its maker describes it. */
export interface Model {
  card: string
  /** `vendor:device`, with `:revision` behind it where one device id covers several cards. */
  ids: readonly string[]
  units: number
  boostMhz: number
  /** Where matrix units have a boost clock of their own. */
  matrixBoostMhz?: number
  /** Lines of the memory's bus, and gigabits per second on each. */
  memory: readonly [busBits: number, gbitPerLine: number]
  /** Where one id covers boards with other memory, too: the size of this one's. */
  vramGiB?: number
}

/** Models whose figures are from one source. */
export interface Group {
  source: string
  rates: Rates
  models: readonly Model[]
}
