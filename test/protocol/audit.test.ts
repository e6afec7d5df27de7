import { expect, test } from "vitest"
import { AuditPolicy } from "../../src/protocol/audit.ts"

test("a policy needs only its kind", () => {
  expect(AuditPolicy.parse({ kind: "none" })).toEqual({ kind: "none" })
  expect(AuditPolicy.parse({ kind: "canary" })).toEqual({ kind: "canary", share: 0 })
  expect(AuditPolicy.parse({ kind: "replicate" })).toEqual({
    ...{ kind: "replicate", copies: 2, quorum: 2, share: 0 },
  })
  expect(AuditPolicy.parse({ kind: "spot" })).toEqual({
    ...{ kind: "spot", segments: 10, drawn: 2, tolerance: null, share: 0 },
  })
})

test.each([
  { kind: "replicate", copies: 2, quorum: 3 },
  { kind: "replicate", copies: 1, quorum: 1 },
  { kind: "spot", segments: 4, drawn: 5 },
  { kind: "spot", tolerance: 0 },
  { kind: "spot", tolerance: 0.2 },
  { kind: "canary", share: 1.1 },
  { kind: "none", share: 0.5 },
  { kind: "trust-me" },
])("%j is refused", policy => {
  expect(AuditPolicy.safeParse(policy).success).toBe(false)
})
