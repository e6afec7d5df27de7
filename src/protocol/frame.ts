import { z } from "zod"
import { Fault } from "./fault.ts"
import { CLIENT_TYPES, ClientFrame, MARKET_TYPES, MarketFrame } from "./message.ts"

/**
 * Parses what a client sent.
 * @throws Fault `frame-not-json`, `message-unknown` (naming the type) or `message-malformed` (naming the field).
 */
export function parseClientFrame(text: string): ClientFrame {
  return parseFrame(text, ClientFrame, CLIENT_TYPES)
}

/** Parses what a marketplace sent; throws as {@link parseClientFrame}. */
export function parseMarketFrame(text: string): MarketFrame {
  return parseFrame(text, MarketFrame, MARKET_TYPES)
}

function parseFrame<Schema extends z.ZodType>(
  text: string,
  schema: Schema,
  types: string[],
): z.infer<Schema> {
  const json = parseJson(text)
  const type = z.object({ type: z.string() }).safeParse(json).data?.type ?? "(none)"
  if (!types.includes(type)) {
    throw new Fault("message-unknown", `No message of type ${JSON.stringify(type.slice(0, 80))} is known.`, {
      hint: "Use the same version of zg-agent on both ends.",
      facts: { type: type.slice(0, 80) },
    })
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  throw new Fault("message-malformed", `A ${type} message is malformed: ${firstIssue(parsed.error)}`, {
    hint: "Use the same version of zg-agent on both ends.",
    facts: { type },
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Fault("frame-not-json", "A frame is not JSON.", {
      hint: "Speak zg.v1: one JSON object in each text frame.",
      cause,
    })
  }
}

/** `spec.image.digest: must be …`, the first thing wrong, for people. */
export function firstIssue(error: z.ZodError): string {
  const [issue] = error.issues
  if (!issue) return error.message
  return issue.path.length === 0 ? issue.message : `${issue.path.join(".")}: ${issue.message}`
}
