import { z } from "zod"

/** Vendor and device in lower-case hexadecimal, such as `10de:2204`. */
export const PciId = z.string().regex(/^[0-9a-f]{4}:[0-9a-f]{4}$/, "must be an id such as 10de:2204")

/** The chip's revision in lower-case hexadecimal, such as `c1`: AMD tells cards of one id apart by it. */
export const PciRevision = z.string().regex(/^[0-9a-f]{2}$/, "must be a revision such as c1")
