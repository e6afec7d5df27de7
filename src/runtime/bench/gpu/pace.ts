import { FigureName } from "./plan.ts"

/** Lets several cards begin a figure at the same moment: when all that are still there are ready, those whose figure comes first may go. */
export class Pace {
  readonly #there: Set<number>
  readonly #waiting = new Map<number, { name: string; go: () => void }>()

  /** @param count how many there are, by their place from 0. */
  constructor(count: number) {
    this.#there = new Set(Array.from({ length: count }, (_, place) => place))
  }

  ready(place: number, name: string, go: () => void): void {
    this.#waiting.set(place, { name, go })
    this.#release()
  }

  /** Its process has ended. */
  leave(place: number): void {
    this.#there.delete(place)
    this.#waiting.delete(place)
    this.#release()
  }

  #release(): void {
    if (this.#waiting.size < this.#there.size) return
    const first = Math.min(...[...this.#waiting.values()].map(({ name }) => orderOf(name)))
    for (const [place, { name, go }] of [...this.#waiting]) {
      if (orderOf(name) !== first) continue
      this.#waiting.delete(place)
      go()
    }
  }
}

/** A card skips what it cannot do, so that another may still be at an earlier figure. */
function orderOf(name: string): number {
  return FigureName.options.indexOf(name as FigureName)
}
