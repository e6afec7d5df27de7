const HALVES = 1 << 16

/** 16-bit floats (IEEE 754 binary16) by their bits. */
export function halves(): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: HALVES }, (_, bits) => {
    const sign = bits >> 15 === 0 ? 1 : -1
    const exponent = (bits >> 10) & 0x1f
    const fraction = bits & 0x3ff
    if (exponent === 0) return sign * fraction * 2 ** -24
    if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
  })
}

/** The bits of a whole number from -1024 to 1024, which a 16-bit float holds exactly. */
export function halfBits(whole: number): number {
  if (whole === 0) return 0
  const exponent = Math.floor(Math.log2(Math.abs(whole)))
  const fraction = (Math.abs(whole) / 2 ** exponent - 1) * 1024
  return (whole < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | fraction
}
