import fc from "fast-check"
import { expect, test } from "vitest"
import {
  Delivery,
  HANDSHAKE_FRAMES,
  KEPT_BYTES_LIMIT,
  KEPT_FRAMES_LIMIT,
} from "../../src/protocol/delivery.ts"
import { isFault } from "../../src/protocol/fault.ts"

interface Frame {
  seq: number
  ack?: number
  value: number
}

/** One end with what it was given to read. */
class End {
  readonly delivery = new Delivery()
  readonly got: number[] = []
  /** Lines on their way to this end, on the socket of the moment. */
  line: string[] = []

  /** Reads the next line; false when it is out of order, which ends the socket. */
  read(): boolean {
    const text = this.line.shift()
    if (text === undefined) return true
    const frame = JSON.parse(text) as Frame
    try {
      if (this.delivery.take(frame) && frame.seq > 0) this.got.push(frame.value)
      return true
    } catch (error) {
      expect(isFault(error, "message-out-of-order")).toBe(true)
      return false
    }
  }
}

type Ends = [End, End]

/** A new socket: nothing of the old one arrives any more, and each end sends again what the other lacks. */
function resume([one, other]: Ends): void {
  one.line = []
  other.line = []
  const lacking = [one.delivery.received, other.delivery.received] as const
  expect(one.delivery.reaches(lacking[1])).toBe(true)
  expect(other.delivery.reaches(lacking[0])).toBe(true)
  other.line.push(...one.delivery.after(lacking[1]))
  one.line.push(...other.delivery.after(lacking[0]))
}

const side = fc.constantFrom(0, 1)
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("send"), side }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("read"), side }) },
  fc.record({ kind: fc.constantFrom("lose", "double", "pass", "resume"), side }),
)

test("whatever is lost, doubled or cut, each end reads every message of the other once and in order", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), steps => {
      const ends: Ends = [new End(), new End()]
      const sent: [number[], number[]] = [[], []]
      for (const { kind, side } of steps) {
        const [from, to] = side === 0 ? ends : ([ends[1], ends[0]] as Ends)
        const said = sent[side as 0 | 1]
        if (kind === "send") {
          said.push(said.length)
          to.line.push(from.delivery.next({ value: said.length - 1 }).text)
        }
        if (kind === "pass") to.line.push(from.delivery.passing({ value: -1 }))
        if (kind === "lose") to.line.shift()
        if (kind === "double" && to.line[0] !== undefined) to.line.unshift(to.line[0])
        if (kind === "read" && !to.read()) resume(ends)
        if (kind === "resume") resume(ends)
        expect(to.got).toEqual(said.slice(0, to.got.length))
      }
      resume(ends)
      for (const end of ends) while (end.line.length > 0) expect(end.read()).toBe(true)
      expect(ends[1].got).toEqual(sent[0])
      expect(ends[0].got).toEqual(sent[1])
    }),
    { numRuns: 500 },
  )
})

test("the handshake's numbers are left out, and an acknowledgement says how far it got", () => {
  const [one, other] = [new Delivery(), new Delivery()]
  expect(JSON.parse(one.next({ type: "renew" }).text)).toEqual({ type: "renew", seq: HANDSHAKE_FRAMES + 1 })
  expect(other.take({ seq: HANDSHAKE_FRAMES + 1 })).toBe(true)
  expect(other.unacknowledged).toBe(1)
  const answer = JSON.parse(other.next({ type: "renewed" }, 3).text)
  expect(answer).toEqual({ type: "renewed", seq: 3, re: 3, ack: 3 })
  expect(other.unacknowledged).toBe(0)
  one.take(answer)
  expect(one.after(3)).toEqual([])
})

test("an acknowledgement of what was never sent is out of order", () => {
  expect(() => new Delivery().take({ seq: 3, ack: 3 })).toThrow("only 2 were sent")
})

test.each([
  ["frames", KEPT_FRAMES_LIMIT, 1],
  ["bytes", 4, KEPT_BYTES_LIMIT / 4],
])("beyond the bound of %s the oldest is forgotten, and who lacks it cannot go on", (_, fit, bytes) => {
  const delivery = new Delivery()
  for (let count = 0; count <= fit; count++) delivery.next({ text: "x".repeat(bytes) })
  const last = HANDSHAKE_FRAMES + fit + 1
  expect(delivery.reaches(HANDSHAKE_FRAMES)).toBe(false)
  expect(delivery.reaches(last)).toBe(true)
  expect(delivery.reaches(last + 1)).toBe(false)
  const kept = [...Array(last).keys()].find(seq => delivery.reaches(seq)) ?? 0
  expect(delivery.after(kept)).toHaveLength(last - kept)
})
