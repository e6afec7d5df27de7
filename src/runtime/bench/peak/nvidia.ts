import type { Rates, Source } from "./model.ts"

/** GeForce halves the rate of tensor cores that add up in 32 bits. */
const AMPERE_GEFORCE: Rates = { fp32: 256, fp16: 256, matrix: 512 }

export const NVIDIA: readonly Source[] = [
  {
    source: "NVIDIA Ampere GA102 GPU Architecture whitepaper v2",
    rates: AMPERE_GEFORCE,
    models: [
      {
        card: "GeForce RTX 3090",
        ids: ["10de:2204"],
        units: 82,
        boostMhz: 1695,
        busBits: 384,
        gbitPerPin: 19.5,
      },
    ],
  },
]
