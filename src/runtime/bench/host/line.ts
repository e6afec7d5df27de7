import type { Measurement } from "../../../protocol/measurement.ts"
import { type Figures, measurementOf, unmeasured, type Watch } from "./figure.ts"

/** What may be spent on one direction of a line that somebody may have to pay by the byte. */
export interface LineBudget {
  limitMs: number
  limitBytes: number
  /** The largest piece, where less than usual can go at once. */
  pieceBytes?: number
}

const FIRST_PIECE_BYTES = 16 << 10
/** A piece takes so long at least, if it may be so large: less says more about the way there and back than about the line. */
const PIECE_MS = 250
/** The largest piece in shares of all: two of them are spent until the pieces are so large. */
const SHARES = 16
export const LARGEST_PIECE_BYTES = 8 << 20

/** One piece that went over the line. */
interface Piece {
  bytes: number
  ms: number
}

/** The size after this one: twice as much for as long as it is over too soon, and the line's slow start with it. */
export function nextPieceBytes({ bytes, ms }: Piece, budget: LineBudget): number {
  const { limitBytes, pieceBytes = LARGEST_PIECE_BYTES } = budget
  const most = Math.max(FIRST_PIECE_BYTES, Math.min(limitBytes / SHARES, pieceBytes, LARGEST_PIECE_BYTES))
  return ms < PIECE_MS ? Math.floor(Math.min(2 * bytes, most)) : bytes
}

/**
 * Sends or fetches one piece after the other, larger ones at first, until time or bytes run out. Pieces of the last size count; each
 * has a way there and back in it. What is under way when time runs out is given up and does not count.
 * @param carry moves so many bytes from this place on, and returns when the other end has them, or this one.
 */
export async function measureLine(
  name: string,
  budget: LineBudget,
  carry: (bytes: number, from: number, signal: AbortSignal) => Promise<void>,
  { signal, onProgress = () => {} }: Watch,
): Promise<Figures> {
  const { limitMs, limitBytes } = budget
  const figure: Pick<Measurement, "name" | "unit"> = { name, unit: "B/s" }
  const late = AbortSignal.timeout(limitMs)
  const either = AbortSignal.any([signal, late])
  const pieces: Piece[] = []
  let bytes = FIRST_PIECE_BYTES
  let from = 0
  onProgress({ ...figure, done: 0, of: limitBytes, latest: null })
  while (!late.aborted && from + bytes <= limitBytes) {
    const started = performance.now()
    const arrived = await carry(bytes, from, either).then(
      () => true,
      error => {
        if (late.aborted && !signal.aborted) return false
        throw error
      },
    )
    if (!arrived) break
    const piece = { bytes, ms: performance.now() - started }
    pieces.push(piece)
    from += bytes
    bytes = nextPieceBytes(piece, budget)
    onProgress({ ...figure, done: from, of: limitBytes, latest: rateOf(piece) })
  }
  const last = pieces.at(-1)?.bytes
  const counted = pieces.filter(piece => piece.bytes === last).map(rateOf)
  if (counted.length > 0) return { measurements: [measurementOf(name, "B/s", counted)], unmeasured: [] }
  const reason = `The line carried less than ${FIRST_PIECE_BYTES >> 10} KiB in ${limitMs / 1000} s.`
  return { measurements: [], unmeasured: [unmeasured(name, reason)] }
}

function rateOf({ bytes, ms }: Piece): number {
  return bytes / (ms / 1000)
}
