import fc from "fast-check"
import { expect, test } from "vitest"
import { Fault } from "../../src/protocol/fault.ts"
import { parseClientFrame, parseMarketFrame } from "../../src/protocol/frame.ts"

function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof Fault) return error.code
    throw error
  }
  return "(parsed)"
}

const renew = { type: "renew", seq: 3, lease: "0".repeat(32), epoch: 1 }

test("a whole frame is parsed", () => {
  expect(parseClientFrame(JSON.stringify(renew))).toEqual(renew)
})

test("a passing message may go without a number, and every frame may acknowledge", () => {
  const progress = { ...renew, type: "progress", seq: 0, ack: 7, step: 1, steps: 2, loss: null }
  expect(parseClientFrame(JSON.stringify(progress))).toEqual(progress)
})

test.each([
  ["not JSON", "{", "frame-not-json"],
  ["no object", "7", "message-unknown"],
  ["no type", "{}", "message-unknown"],
  ["a type of the other direction", JSON.stringify({ ...renew, type: "welcome" }), "message-unknown"],
  ["a field too many", JSON.stringify({ ...renew, force: true }), "message-malformed"],
  ["a field missing", JSON.stringify({ ...renew, epoch: undefined }), "message-malformed"],
  ["a number as text", JSON.stringify({ ...renew, epoch: "1" }), "message-malformed"],
  ["no number where one is due", JSON.stringify({ ...renew, seq: 0 }), "message-malformed"],
  ["a negative number", JSON.stringify({ ...renew, seq: -1 }), "message-malformed"],
  ["an acknowledgement of nothing", JSON.stringify({ ...renew, ack: 0 }), "message-malformed"],
  ["a prototype", '{"__proto__":{"type":"renew"}}', "message-unknown"],
])("%s is refused", (_, text, code) => {
  expect(codeOf(() => parseClientFrame(text))).toBe(code)
})

test("the refusal names the type and the field", () => {
  expect(() => parseClientFrame('{"type":"teleport","seq":1}')).toThrow('"teleport"')
  expect(() => parseClientFrame(JSON.stringify({ ...renew, lease: "x" }))).toThrow(
    "lease: must be 32 hex digits",
  )
})

test("no text makes the parser throw anything but a fault", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), text => {
      expect(codeOf(() => parseClientFrame(text))).not.toBe("(parsed)")
      expect(codeOf(() => parseMarketFrame(text))).not.toBe("(parsed)")
    }),
  )
})
