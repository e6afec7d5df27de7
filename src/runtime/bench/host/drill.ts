import { hash } from "node:crypto"
import { kernelsOver, PANEL, TRIAD_FACTOR } from "./kernels.ts"
import { openMemory } from "./linear-memory.ts"

/** What a worker does over and over, by name; the memory's drills work on three arrays of so many bytes each. */
export type Drill = (
  | { kind: "matmul" }
  | { kind: "sha256" }
  | { kind: "copy"; arrayBytes: number }
  | { kind: "triad"; arrayBytes: number }
) & {
  /** For tests: spoils a result before it is looked at, to prove that somebody looks. */
  isSpoiled?: boolean
}

/** A drill made ready. */
export interface Prepared {
  /** Does it once and gives what that came to, in the figure's unit times seconds. */
  once(): number
  /** What was wrong with a result, looked at now; null when all is right. */
  trouble(): string | null
}

/** @throws RangeError when the machine does not give the memory. */
export function prepare(drill: Drill): Prepared {
  switch (drill.kind) {
    case "matmul":
      return prepareMatmul(drill)
    case "sha256":
      return prepareHash(drill)
    case "copy":
    case "triad":
      return prepareArrays(drill)
    default:
      return drill satisfies never
  }
}

/** All three matrices lie in a core's second cache. */
const SIZE = 256

/**
 * The entries are small whole numbers, so that every sum is a whole number below 2^24 and exact in 32-bit floats, in any order and
 * fused or not: the product is compared bit by bit.
 */
function prepareMatmul({ isSpoiled = false }: Drill): Prepared {
  const count = SIZE * SIZE
  const memory = openMemory(3 * count * Float32Array.BYTES_PER_ELEMENT)
  const kernels = kernelsOver(memory)
  const [a, b, c] = [0, 1, 2].map(part => new Float32Array(memory.buffer, part * count * 4, count))
  if (!a || !b || !c) throw new TypeError("three matrices")
  for (let at = 0; at < count; at++) {
    a[at] = wholeNumber(at)
    b[at] = wholeNumber(at + count)
  }
  const expected = product(a, b)
  const once = () => {
    kernels.matmul(a.byteOffset, b.byteOffset, c.byteOffset, SIZE)
    return 2 * SIZE ** 3
  }
  const trouble = () => {
    c.fill(Number.NaN)
    once()
    if (isSpoiled) c[SIZE + 1] = (c[SIZE + 1] ?? 0) + 1
    const wrong = c.findIndex((value, at) => value !== expected[at])
    return wrong === -1 ? null : `a matrix product has ${c[wrong]} where ${expected[wrong]} is right`
  }
  return { once, trouble }
}

/** From -8 to 8, scattered (Knuth, "The Art of Computer Programming", volume 3, 6.4: multiplicative hashing). */
function wholeNumber(at: number): number {
  return ((Math.imul(at + 1, 2_654_435_761) >>> 24) % 17) - 8
}

function product(a: Float32Array, b: Float32Array): Float64Array {
  const c = new Float64Array(SIZE * SIZE)
  for (let row = 0; row < SIZE; row++)
    for (let inner = 0; inner < SIZE; inner++) {
      const factor = a[row * SIZE + inner] ?? 0
      for (let column = 0; column < SIZE; column++) {
        const panel = column - (column % PANEL)
        const value = b[panel * SIZE + inner * PANEL + (column % PANEL)] ?? 0
        c[row * SIZE + column] = (c[row * SIZE + column] ?? 0) + factor * value
      }
    }
  return c
}

/** A million letters a (FIPS 180-2, appendix B.3). */
const MESSAGE_BYTES = 1_000_000
const MESSAGE_DIGEST = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

/** Every digest is compared, as that costs nothing beside making it. */
function prepareHash({ isSpoiled = false }: Drill): Prepared {
  const message = Buffer.alloc(MESSAGE_BYTES, "a")
  let wrong: string | null = null
  const once = () => {
    const digest = hash("sha256", message)
    if (digest !== MESSAGE_DIGEST) wrong = `a SHA-256 came out as ${digest}`
    return MESSAGE_BYTES
  }
  const trouble = () => {
    if (isSpoiled) message[1] = 0
    once()
    return wrong
  }
  return { once, trouble }
}

/**
 * Bytes are counted as STREAM does (McCalpin, https://www.cs.virginia.edu/stream/ref.html): each array read or written once. A
 * processor that fetches a line before it overwrites it moves a third or a half more.
 */
function prepareArrays({
  kind,
  arrayBytes,
  isSpoiled = false,
}: Extract<Drill, { kind: "copy" | "triad" }>): Prepared {
  const memory = openMemory(3 * arrayBytes)
  const kernels = kernelsOver(memory)
  const count = arrayBytes / Float64Array.BYTES_PER_ELEMENT
  const [a, b, c] = [0, 1, 2].map(part => new Float64Array(memory.buffer, part * arrayBytes, count))
  if (!a || !b || !c) throw new TypeError("three arrays")
  for (let at = 0; at < count; at++) {
    b[at] = at
    c[at] = 2 * at + 1
  }
  // Touched here, so that its pages are there before anything is timed.
  a.fill(0)
  const isRight: (value: number, at: number) => boolean =
    kind === "copy" ? (value, at) => value === at : (value, at) => value === at + TRIAD_FACTOR * (2 * at + 1)
  const once = () => {
    if (kind === "copy") a.set(b)
    else kernels.triad(a.byteOffset, b.byteOffset, c.byteOffset, arrayBytes)
    return (kind === "copy" ? 2 : 3) * arrayBytes
  }
  const trouble = () => {
    a.fill(Number.NaN)
    once()
    if (isSpoiled) a[count - 1] = 0
    const wrong = a.findIndex((value, at) => !isRight(value, at))
    return wrong === -1 ? null : `after a ${kind} the memory holds ${a[wrong]} at number ${wrong}`
  }
  return { once, trouble }
}
