import { createHash } from "node:crypto"

/** A source of numbers in [0, 1), one for each purpose. */
export type Chance = (purpose: string) => number

const DIGITS = 12

/** The same seed and names give the same numbers on every machine: the first 48 bits of a SHA-256. */
export function chanceOf(seed: number, ...names: string[]): Chance {
  return purpose => {
    const hash = createHash("sha256").update(JSON.stringify([seed, ...names, purpose]))
    return Number.parseInt(hash.digest("hex").slice(0, DIGITS), 16) / 16 ** DIGITS
  }
}

/** A whole number from `least` to `most`, both included. */
export function between(least: number, most: number, share: number): number {
  return least + Math.floor(share * (most - least + 1))
}

/** In the order that the seed gives. */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const chance = chanceOf(seed, "order")
  return items
    .map((item, index) => ({ item, place: chance(`${index}`) }))
    .sort((one, other) => one.place - other.place)
    .map(({ item }) => item)
}
