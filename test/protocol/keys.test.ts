import { generateKeyPairSync, sign } from "node:crypto"
import { Point, verifyAsync } from "@noble/ed25519"
import { expect, test } from "vitest"
import { importKey, isSignedBy, PublicKey, publicKeyOf } from "../../src/protocol/keys.ts"

/** A point of order 8: its multiples are all the points of small order. */
const TORSION = Point.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")

test("every key of small order is refused, whatever its sign bit", () => {
  const points = [Point.ZERO, ...[1n, 2n, 3n, 4n, 5n, 6n, 7n].map(n => TORSION.multiply(n, false))]
  for (const raw of points.map(point => point.toBytes())) {
    const flipped = raw.with(31, (raw[31] ?? 0) ^ 0x80)
    for (const spelling of [raw, flipped]) {
      expect(() => importKey(publicKeyOf(spelling)), Buffer.from(spelling).toString("hex")).toThrow(
        "small order",
      )
    }
  }
})

test("why: under such a key, lenient rules accept a signature that nobody made", async () => {
  const key = Point.ZERO.toBytes()
  const forged = Uint8Array.from([...key, ...new Uint8Array(32)])
  expect(await verifyAsync(forged, Buffer.from("any message"), key)).toBe(true)
  expect(await verifyAsync(forged, Buffer.from("any message"), key, { zip215: false })).toBe(false)
})

test("a signature holds for its message alone", () => {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519")
  const key = importKey(PublicKey.parse(publicKey.export({ format: "der", type: "spki" }).toString("base64")))
  const signature = sign(null, Buffer.from("a"), privateKey)
  expect(isSignedBy(key, Buffer.from("a"), signature)).toBe(true)
  expect(isSignedBy(key, Buffer.from("b"), signature)).toBe(false)
})
