/**
 * Splits bytes into lines of text and drops what a line has over the limit, so that a stream without a line end costs no memory.
 * The last line counts even when nothing ends it.
 */
export async function* linesOf(
  source: AsyncIterable<Uint8Array>,
  limitBytes: number,
): AsyncGenerator<string> {
  let line: Uint8Array[] = []
  let size = 0
  const take = (piece: Uint8Array) => {
    const kept = piece.subarray(0, limitBytes - size)
    if (kept.length > 0) line.push(kept)
    size += kept.length
  }
  for await (const piece of source) {
    let from = 0
    for (let end = piece.indexOf(0x0a); end !== -1; end = piece.indexOf(0x0a, from)) {
      take(piece.subarray(from, end))
      yield Buffer.concat(line).toString("utf8")
      line = []
      size = 0
      from = end + 1
    }
    take(piece.subarray(from))
  }
  if (size > 0) yield Buffer.concat(line).toString("utf8")
}
