import type { Group, Rates } from "./model.ts"

/** 128 lanes. Its 16-bit unit has a 64th of their speed, and a driver that offers 16 bits may well use the lanes: nothing to be held against. */
const PASCAL: Rates = { fp32: 256, fp16: null, matrix: null }

/** 64 lanes, twice as many for 16 bits; TU116 has those instead of tensor cores (CUDA C++ Programming Guide, arithmetic throughput). */
const TURING_GTX: Rates = { fp32: 128, fp16: 256, matrix: null }

/** Tensor cores of every GeForce take twice as long when they add up in 32 bits. */
const TURING: Rates = { fp32: 128, fp16: 256, matrix: 512 }

/** 128 lanes, for 16 bits too; Ada's and Blackwell's SMs have the same. */
const AMPERE: Rates = { fp32: 256, fp16: 256, matrix: 512 }

/**
 * Boost clocks are the reference's, not the Founders Edition's. Left out are ids under which boards with other memory or other clocks were
 * sold and that nothing tells apart, such as the GTX 1650's.
 */
export const GEFORCE: readonly Group[] = [
  {
    source: "nvidia.com, specifications of the GeForce GTX 10 series",
    rates: PASCAL,
    models: [
      { card: "GeForce GTX 1060 3GB", ids: ["10de:1c02"], units: 9, boostMhz: 1708, memory: [192, 8] },
      { card: "GeForce GTX 1060 6GB", ids: ["10de:1c03"], units: 10, boostMhz: 1708, memory: [192, 8] },
      { card: "GeForce GTX 1070", ids: ["10de:1b81"], units: 15, boostMhz: 1683, memory: [256, 8] },
      { card: "GeForce GTX 1070 Ti", ids: ["10de:1b82"], units: 19, boostMhz: 1683, memory: [256, 8] },
      { card: "GeForce GTX 1080", ids: ["10de:1b80"], units: 20, boostMhz: 1733, memory: [256, 10] },
      { card: "GeForce GTX 1080 Ti", ids: ["10de:1b06"], units: 28, boostMhz: 1582, memory: [352, 11] },
    ],
  },
  {
    source: "nvidia.com, specifications of the GeForce GTX 16 series",
    rates: TURING_GTX,
    models: [
      { card: "GeForce GTX 1650 SUPER", ids: ["10de:2187"], units: 20, boostMhz: 1725, memory: [128, 12] },
      { card: "GeForce GTX 1660", ids: ["10de:2184"], units: 22, boostMhz: 1785, memory: [192, 8] },
      { card: "GeForce GTX 1660 SUPER", ids: ["10de:21c4"], units: 22, boostMhz: 1785, memory: [192, 14] },
      { card: "GeForce GTX 1660 Ti", ids: ["10de:2182"], units: 24, boostMhz: 1770, memory: [192, 12] },
    ],
  },
  {
    source: "NVIDIA Turing GPU Architecture whitepaper, specifications",
    rates: TURING,
    models: [
      {
        ...{ card: "GeForce RTX 2070", ids: ["10de:1f02", "10de:1f07"], units: 36, boostMhz: 1620 },
        memory: [256, 14],
      },
      {
        ...{ card: "GeForce RTX 2080", ids: ["10de:1e82", "10de:1e87"], units: 46, boostMhz: 1710 },
        memory: [256, 14],
      },
      {
        ...{ card: "GeForce RTX 2080 Ti", ids: ["10de:1e04", "10de:1e07"], units: 68, boostMhz: 1545 },
        memory: [352, 14],
      },
    ],
  },
  {
    source: "nvidia.com, specifications of the GeForce RTX 20 series",
    rates: TURING,
    models: [
      { card: "GeForce RTX 2060", ids: ["10de:1f08"], units: 30, boostMhz: 1680, memory: [192, 14] },
      { card: "GeForce RTX 2060 12GB", ids: ["10de:1f03"], units: 34, boostMhz: 1650, memory: [192, 14] },
      { card: "GeForce RTX 2060 SUPER", ids: ["10de:1f06"], units: 34, boostMhz: 1650, memory: [256, 14] },
      { card: "GeForce RTX 2070 SUPER", ids: ["10de:1e84"], units: 40, boostMhz: 1770, memory: [256, 14] },
      { card: "GeForce RTX 2080 SUPER", ids: ["10de:1e81"], units: 48, boostMhz: 1815, memory: [256, 15.5] },
    ],
  },
  {
    source: "NVIDIA Ampere GA102 GPU Architecture whitepaper v2, specifications",
    rates: AMPERE,
    models: [
      {
        ...{ card: "GeForce RTX 3070", ids: ["10de:2484", "10de:2488"], units: 46, boostMhz: 1725 },
        memory: [256, 14],
      },
      {
        ...{ card: "GeForce RTX 3080", ids: ["10de:2206", "10de:2216"], units: 68, boostMhz: 1710 },
        memory: [320, 19],
      },
      { card: "GeForce RTX 3090", ids: ["10de:2204"], units: 82, boostMhz: 1695, memory: [384, 19.5] },
    ],
  },
  {
    source: "nvidia.com, specifications of the GeForce RTX 30 series",
    rates: AMPERE,
    models: [
      { card: "GeForce RTX 3050 6GB", ids: ["10de:2584"], units: 18, boostMhz: 1470, memory: [96, 14] },
      {
        ...{ card: "GeForce RTX 3050", ids: ["10de:2507", "10de:2582"], units: 20, boostMhz: 1777 },
        ...{ memory: [128, 14], vramGiB: 8 },
      },
      {
        ...{ card: "GeForce RTX 3060", ids: ["10de:2503", "10de:2504", "10de:2487"] },
        ...{ units: 28, boostMhz: 1777, memory: [192, 15], vramGiB: 12 },
      },
      {
        ...{ card: "GeForce RTX 3060 Ti", ids: ["10de:2486", "10de:2489"], units: 38, boostMhz: 1665 },
        memory: [256, 14],
      },
      {
        ...{ card: "GeForce RTX 3060 Ti GDDR6X", ids: ["10de:24c9"], units: 38, boostMhz: 1665 },
        memory: [256, 19],
      },
      { card: "GeForce RTX 3070 Ti", ids: ["10de:2482"], units: 48, boostMhz: 1770, memory: [256, 19] },
      { card: "GeForce RTX 3080 12GB", ids: ["10de:220a"], units: 70, boostMhz: 1710, memory: [384, 19] },
      { card: "GeForce RTX 3080 Ti", ids: ["10de:2208"], units: 80, boostMhz: 1665, memory: [384, 19] },
      { card: "GeForce RTX 3090 Ti", ids: ["10de:2203"], units: 84, boostMhz: 1860, memory: [384, 21] },
    ],
  },
  {
    source: "NVIDIA Ada GPU Architecture whitepaper v2, specifications",
    rates: AMPERE,
    models: [
      { card: "GeForce RTX 4080", ids: ["10de:2704"], units: 76, boostMhz: 2505, memory: [256, 22.4] },
      { card: "GeForce RTX 4090", ids: ["10de:2684"], units: 128, boostMhz: 2520, memory: [384, 21] },
    ],
  },
  {
    source: "nvidia.com, specifications of the GeForce RTX 40 series",
    rates: AMPERE,
    models: [
      { card: "GeForce RTX 4060", ids: ["10de:2882"], units: 24, boostMhz: 2460, memory: [128, 17] },
      {
        ...{ card: "GeForce RTX 4060 Ti", ids: ["10de:2803", "10de:2805"], units: 34, boostMhz: 2535 },
        memory: [128, 18],
      },
      // As it came out; boards with GDDR6 at 20 Gbit/s followed.
      { card: "GeForce RTX 4070", ids: ["10de:2786"], units: 46, boostMhz: 2475, memory: [192, 21] },
      { card: "GeForce RTX 4070 SUPER", ids: ["10de:2783"], units: 56, boostMhz: 2475, memory: [192, 21] },
      { card: "GeForce RTX 4070 Ti", ids: ["10de:2782"], units: 60, boostMhz: 2610, memory: [192, 21] },
      { card: "GeForce RTX 4070 Ti SUPER", ids: ["10de:2705"], units: 66, boostMhz: 2610, memory: [256, 21] },
      { card: "GeForce RTX 4080 SUPER", ids: ["10de:2702"], units: 80, boostMhz: 2550, memory: [256, 23] },
    ],
  },
  {
    source: "NVIDIA RTX Blackwell GPU Architecture whitepaper, specifications",
    rates: AMPERE,
    models: [
      { card: "GeForce RTX 5070", ids: ["10de:2f04"], units: 48, boostMhz: 2512, memory: [192, 28] },
      { card: "GeForce RTX 5070 Ti", ids: ["10de:2c05"], units: 70, boostMhz: 2452, memory: [256, 28] },
      { card: "GeForce RTX 5080", ids: ["10de:2c02"], units: 84, boostMhz: 2617, memory: [256, 30] },
      { card: "GeForce RTX 5090", ids: ["10de:2b85"], units: 170, boostMhz: 2407, memory: [512, 28] },
    ],
  },
]
