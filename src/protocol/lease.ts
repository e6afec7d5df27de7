import { z } from "zod"

/** 128 random bits in hex. */
export const Id = z.string().regex(/^[0-9a-f]{32}$/, "must be 32 hex digits")

export const OfferId = Id.brand("OfferId")
export type OfferId = z.infer<typeof OfferId>

export const LeaseId = Id.brand("LeaseId")
export type LeaseId = z.infer<typeof LeaseId>

export const SessionId = Id.brand("SessionId")
export type SessionId = z.infer<typeof SessionId>

/** From one side, to make the other side's signature fresh. */
export const Nonce = Id.brand("Nonce")
export type Nonce = z.infer<typeof Nonce>

/** RFC 3339 in UTC. */
export const Timestamp = z.iso.datetime()

/** The right and duty to run one shard; a later epoch of the same lease fences off an earlier holder. */
export const Lease = z.strictObject({
  id: LeaseId,
  epoch: z.int().min(1),
  nonce: Nonce,
  notAfter: Timestamp,
})
export type Lease = z.infer<typeof Lease>
