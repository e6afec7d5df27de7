import { parseMarketFrame } from "../../protocol/frame.ts"
import type { ClientMessage, MarketFrameOf, MarketType } from "../../protocol/message.ts"
import type { Connection } from "./connection.ts"
import { lost, outOfPlace, refusal, silent } from "./trouble.ts"
import { REPLY_LIMIT_MS } from "./wire.ts"

/**
 * Sends one message of the handshake, and gives its answer of one of these types.
 * @throws the marketplace's refusal as a Fault; `market-silent` after the limit; `market-lost` when the socket ends; the signal's reason.
 */
export async function exchange<Type extends MarketType>(
  connection: Connection,
  { url, seq, message }: { url: string; seq: number; message: ClientMessage },
  types: readonly Type[],
  signal: AbortSignal,
): Promise<MarketFrameOf<Type>> {
  const late = AbortSignal.timeout(REPLY_LIMIT_MS)
  const either = AbortSignal.any([signal, late])
  const giveUp = () => connection.drop()
  either.addEventListener("abort", giveUp, { once: true })
  try {
    signal.throwIfAborted()
    connection.send(JSON.stringify({ ...message, seq }))
    const text = await connection.next()
    signal.throwIfAborted()
    if (text === null) throw late.aborted ? silent(url, message.type) : lost(url, await connection.closed)
    const frame = parseMarketFrame(text)
    if (frame.type === "refused") throw refusal(frame)
    const [expected] = types
    if (!types.some(type => type === frame.type)) throw outOfPlace(expected ?? "", frame.type)
    return frame as MarketFrameOf<Type>
  } finally {
    either.removeEventListener("abort", giveUp)
  }
}
